import { afterEach, describe, expect, it } from 'vitest';
import { startDevices } from './device-pair.ts';
import type { DevicePair } from './device-pair.ts';

let devices: DevicePair | undefined;

afterEach(async () => {
  await devices?.close();
  devices = undefined;
});

describe('the ETSI GS QKD 014 adapter', () => {
  it.each(['post', 'get'] as const)('draws and fetches the same keys (%s form)', async (form) => {
    devices = await startDevices();
    const keys = await devices.client('q1', 'q2', { form }).draw(3, 256);
    expect(keys).toHaveLength(3);
    const other = devices.client('q2', 'q1', { form });
    expect(await other.fetch(keys.map((key) => key.id))).toEqual(keys);
  });

  it('asks for no more than the status allows', async () => {
    devices = await startDevices({ limits: { maxKeysPerRequest: 2 } });
    const keys = await devices.client('q1', 'q2').draw(5, 256);
    expect(keys).toHaveLength(2);
    const ids = keys.map((key) => key.id);
    const fetched = await devices.client('q2', 'q1').fetch([...ids, ...ids]);
    expect(fetched).toEqual(keys);
  });

  it('reads the status', async () => {
    devices = await startDevices();
    expect(await devices.client('q1', 'q2').status()).toMatchObject({
      keySizeBits: 256,
      maxKeysPerRequest: 128,
      masterSaeId: 'q1',
      slaveSaeId: 'q2',
      storedKeys: 16_384,
    });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    devices = await startDevices({ minTlsVersion: version, maxTlsVersion: version });
    expect(await devices.client('q1', 'q2').draw(1, 256)).toHaveLength(1);
  });

  it('gets keys of other sizes', async () => {
    devices = await startDevices();
    const keys = await devices.client('q1', 'q2').draw(2, 512);
    expect(keys.map((key) => key.bits.length)).toEqual([64, 64]);
  });
});
