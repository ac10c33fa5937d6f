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

  it('draws keys for several slaves, each of which fetches them once', async () => {
    devices = await startDevices({ saes: ['q1', 'q2', 'q3', 'q4'] });
    const additionalSlaveSaeIds = ['q3'];
    const keys = await devices.client('q1', 'q2', { additionalSlaveSaeIds }).draw(2, 256);
    const ids = keys.map((key) => key.id);
    const quick = { notFoundRetries: { times: 0, firstPauseMs: 1 } };
    for (const slave of ['q2', 'q3']) {
      const client = devices.client(slave, 'q1', quick);
      expect(await client.fetch(ids)).toEqual(keys);
      await expect(client.fetch(ids)).rejects.toMatchObject({ code: 'not-found' });
    }
    await expect(devices.client('q4', 'q1', quick).fetch(ids)).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('asks for no more slaves than the status allows', async () => {
    devices = await startDevices();
    const client = devices.client('q1', 'q2', { additionalSlaveSaeIds: ['q3'] });
    await expect(client.draw(1, 256)).rejects.toMatchObject({ code: 'refused' });
  });

  it.each([
    ['mandatory, met', { extensionMandatory: [{ route_type: 'direct' }] }, undefined],
    [
      'mandatory, not known',
      { extensionMandatory: [{ colour: 'blue' }] },
      'not all extension_mandatory parameters are supported',
    ],
    [
      'mandatory, not met',
      { extensionMandatory: [{ route_type: 'scenic' }] },
      'not all extension_mandatory request options could be met',
    ],
    ['optional, not known', { extensionOptional: [{ colour: 'blue' }] }, undefined],
  ])('asks with extensions: %s', async (_, extensions, refusal) => {
    devices = await startDevices();
    const drawn = devices.client('q1', 'q2', { form: 'get', ...extensions }).draw(1, 256);
    if (refusal === undefined) expect(await drawn).toHaveLength(1);
    else await expect(drawn).rejects.toMatchObject({ code: 'refused', deviceMessage: refusal });
  });

  it('tells an optional extension that the key manager refuses', async () => {
    devices = await startDevices({ extensions: { refuseUnhandledOptional: true } });
    const client = devices.client('q1', 'q2', { extensionOptional: [{ colour: 'blue' }] });
    await expect(client.draw(1, 256)).rejects.toMatchObject({
      deviceMessage: 'not all extension_optional request options handled',
    });
  });
});
