import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import type { ScriptedFault } from '../../../emulator/qkd/fault.ts';
import { startDevices } from './device-pair.ts';
import type { DevicePair } from './device-pair.ts';
import { MemoryLedger } from './key-fixtures.ts';

let devices: DevicePair | undefined;
const reservoirs: Reservoir[] = [];

afterEach(async () => {
  await Promise.all(reservoirs.splice(0).map((reservoir) => reservoir.close()));
  await devices?.close();
  devices = undefined;
});

async function startWith(fault: ScriptedFault | undefined): Promise<DevicePair> {
  devices = await startDevices({
    faults: fault === undefined ? [] : [fault],
    // So slow that the stock does not grow while a test runs.
    fibre: { rateBitsPerSecond: 0.001 },
  });
  return devices;
}

function reservoirFor(pair: DevicePair, sae: string, peer: string): Reservoir {
  const reservoir = new Reservoir({
    peer,
    source: pair.client(sae, peer, { timeoutMs: 300 }),
    ledger: new MemoryLedger(),
    clock: systemClock,
    capacityBits: 1_024,
  });
  reservoirs.push(reservoir);
  return reservoir;
}

const pad = { purpose: 'pad', bits: 256 } as const;
const unknownId = '00000000-0000-4000-8000-000000000000';

describe('lost answers', () => {
  it.each([
    ['the connection closes', { kind: 'lost-answer' }, 512],
    ['the deadline passes', { kind: 'slow', delayMs: 60_000 }, 0],
  ] as const)('%s: enc_keys is not repeated', async (_, fault, burntBits) => {
    const pair = await startWith(undefined);
    const client = pair.client('q1', 'q2', { timeoutMs: 200 });
    await client.status();
    const before = pair.emulator.network.storedBits('kme-q1', 'kme-q2');
    pair.emulator.addFault({ fault, call: 'enc_keys', times: 1 });
    await expect(client.draw(2, 256)).rejects.toMatchObject({
      code: 'outcome-unknown',
      retryable: false,
      lostBits: 512,
    });
    const burnt = before - pair.emulator.network.storedBits('kme-q1', 'kme-q2');
    expect(burnt).toBe(burntBits);
  });

  it('the first request on a fresh connection may be lost too', async () => {
    const pair = await startWith({ fault: { kind: 'lost-answer' }, call: 'dec_keys', times: 1 });
    const client = pair.client('q2', 'q1');
    await client.status();
    await expect(client.fetch([unknownId])).rejects.toMatchObject({ code: 'outcome-unknown' });
  });

  it('"not found" is asked again, for the peer may be ahead of our key manager', async () => {
    const pair = await startWith({
      fault: {
        kind: 'answer',
        status: 400,
        body: '{"message":"one or more keys specified are not found on KME"}',
      },
      call: 'dec_keys',
      times: 2,
    });
    const [key] = await pair.client('q1', 'q2').draw(1, 256);
    const retries = { notFoundRetries: { times: 2, firstPauseMs: 1 } };
    expect(await pair.client('q2', 'q1', retries).fetch([key?.id ?? ''])).toEqual([key]);
  });

  it('a device that restarts or is away is used again afterwards', async () => {
    const pair = await startDevices();
    devices = pair;
    const reservoir = reservoirFor(pair, 'q1', 'q2');
    await reservoir.take([pad]);
    pair.emulator.addFault({ fault: { kind: 'outage' }, forMs: 100 });
    pair.emulator.addFault({ fault: { kind: 'restart' }, kme: 'kme-q2' });
    const wants = Array.from({ length: 6 }, () => reservoir.take([pad]));
    expect((await Promise.all(wants)).flat()).toHaveLength(6);
  });
});
