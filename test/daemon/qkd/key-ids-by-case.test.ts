import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TransportCall } from '../../../daemon/qkd/etsi-014-transport.ts';
import { startDevices, transportFor } from './device-pair.ts';
import type { ClientOptions, DevicePair } from './device-pair.ts';
import { Etsi014Client } from '../../../daemon/qkd/etsi-014-client.ts';
import { systemClock } from '../../../daemon/clock.ts';

const quick = { notFoundRetries: { times: 2, firstPauseMs: 1 } } as const;

let devices: DevicePair;

beforeEach(async () => {
  devices = await startDevices({
    faults: [{ fault: { kind: 'ids-by-case', letterCase: 'upper' } }],
  });
});

afterEach(async () => {
  await devices.close();
});

/** An adapter, and what it asks for, call by call. */
function counted(sae: string, peer: string, options: ClientOptions = {}) {
  const real = transportFor(devices.dir, sae, devices.emulator.kmeFor(sae).url);
  const asked: string[] = [];
  const transport = {
    send: (call: TransportCall) => {
      asked.push(`${call.path.replace(/^.*\//, '')} ${call.body ?? ''}`);
      return real.send(call);
    },
    reload: () => undefined,
    close: () => {
      real.close();
    },
  };
  const common = { clock: systemClock, peerSaeId: peer };
  const client = new Etsi014Client({ ...common, ...quick, ...options, transport });
  return { client, fetches: () => asked.filter((one) => one.startsWith('dec_keys')) };
}

describe('a key manager that writes key IDs in upper case, and finds them in no other', () => {
  it.each(['post', 'get'] as const)('is asked in the case it wrote before (%s)', async (form) => {
    const keys = await devices.client('q1', 'q2').draw(2, 256);
    const { client, fetches } = counted('q2', 'q1', { form });
    await client.draw(1, 256);
    const fetched = await client.fetch(keys.map(({ id }) => id));
    expect(fetched).toEqual(keys);
    expect(fetches()).toHaveLength(1);
    await client.close();
  });

  it('is asked in the other case at last where it has written none yet', async () => {
    const [one, other] = await devices.client('q1', 'q2').draw(2, 256);
    const { client, fetches } = counted('q2', 'q1');
    expect(await client.fetch([one?.id ?? ''])).toEqual([one]);
    expect(fetches()).toHaveLength(quick.notFoundRetries.times + 2);
    expect(await client.fetch([other?.id ?? ''])).toEqual([other]);
    expect(fetches()).toHaveLength(quick.notFoundRetries.times + 3);
    await client.close();
  });

  it('keeps its IDs in lower case here, whatever it writes', async () => {
    const [key] = await devices.client('q1', 'q2').draw(1, 256);
    expect(key?.id).toBe(key?.id.toLowerCase());
  });

  it('may be followed by one that finds them in lower case only', async () => {
    const keys = await devices.client('q1', 'q2').draw(1, 256);
    const { client, fetches } = counted('q2', 'q1');
    expect(await client.fetch(keys.map(({ id }) => id))).toEqual(keys);
    devices.emulator.clearFaults();
    devices.emulator.addFault({ fault: { kind: 'ids-by-case', letterCase: 'lower' } });
    const others = await devices.client('q1', 'q2').draw(1, 256);
    expect(await client.fetch(others.map(({ id }) => id))).toEqual(others);
    expect(fetches()).toHaveLength(2 * (quick.notFoundRetries.times + 2));
    await client.close();
  });
});
