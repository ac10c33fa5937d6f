import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import type { DeviceIdentity } from '../../../daemon/qkd/device-identity.ts';
import type { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { deviceFiles, initDevices, renewSae } from '../../../emulator/qkd/device-files.ts';
import type { Call, ScriptedFault } from '../../../emulator/qkd/fault.ts';
import type { KeyLimits } from '../../../emulator/qkd/key-request.ts';
import { startDevices } from './device-pair.ts';
import type { DevicePair } from './device-pair.ts';
import { balanced, MemoryLedger } from './key-fixtures.ts';

let devices: DevicePair | undefined;
const reservoirs: Reservoir[] = [];

afterEach(async () => {
  await Promise.all(reservoirs.splice(0).map((reservoir) => reservoir.close()));
  await devices?.close();
  devices = undefined;
});

async function startWith(
  fault: ScriptedFault | undefined,
  limits: Partial<KeyLimits> = {},
): Promise<DevicePair> {
  devices = await startDevices({ limits, faults: fault === undefined ? [] : [fault] });
  return devices;
}

function reservoirFor(
  pair: DevicePair,
  sae: string,
  peer: string,
  capacityBits = 1_024,
): Reservoir {
  const reservoir = new Reservoir({
    peer,
    source: pair.client(sae, peer, { timeoutMs: 300 }),
    ledger: new MemoryLedger(),
    clock: systemClock,
    capacityBits,
  });
  reservoirs.push(reservoir);
  return reservoir;
}

function status(members: Readonly<Record<string, unknown>>): ScriptedFault {
  return { fault: { kind: 'members', members }, call: 'status' };
}

const quick = { notFoundRetries: { times: 1, firstPauseMs: 1 } } as const;
const pad = { purpose: 'pad', bits: 256 } as const;
const unknownId = '00000000-0000-4000-8000-000000000000';

describe('1. a status that says nothing sensible', () => {
  it.each([
    ['numbers for IDs', { source_KME_ID: 1, target_KME_ID: 2, master_SAE_ID: 3, slave_SAE_ID: 4 }],
    ['hidden IDs', { source_KME_ID: 'hidden', target_KME_ID: 'hidden' }],
    ['no IDs', { source_KME_ID: null, master_SAE_ID: null }],
    ['a stock of 0', { stored_key_count: 0 }],
    ['more stock than fits', { stored_key_count: 10_000_000, max_key_count: 1 }],
    ['no counts', { stored_key_count: null, max_key_count: null, max_SAE_ID_count: null }],
    ['counts in text', { stored_key_count: '12', max_key_per_request: '2', key_size: '256' }],
    ['limits of 0', { max_key_per_request: 0, max_key_size: 0, min_key_size: 0 }],
    ['a minimum above the maximum', { min_key_size: 4_096, max_key_size: 256 }],
    ['members of its own', { vendor: { temperature: 4.2 } }],
  ])('%s: keys come all the same', async (_, members) => {
    const pair = await startWith(status(members));
    expect(await pair.client('q1', 'q2').draw(1, 256)).toHaveLength(1);
    expect(await reservoirFor(pair, 'q1', 'q2').take([pad])).toHaveLength(1);
  });

  it.each([404, 405, 500, 501, 503])('%i for one: keys come, one a request', async (code) => {
    const pair = await startWith({
      fault: { kind: 'answer', status: code, body: '' },
      call: 'status',
    });
    expect(await pair.client('q1', 'q2').draw(5, 256)).toHaveLength(1);
    const [taken] = await reservoirFor(pair, 'q1', 'q2').take([pad]);
    const claim = { ...pad, keyIds: taken?.keyIds ?? [] };
    expect(await reservoirFor(pair, 'q2', 'q1').claim([claim])).toEqual([taken]);
  });

  it('503 for a while: its limits count as soon as it tells them', async () => {
    const answer = { kind: 'answer', status: 503, body: '' } as const;
    const pair = await startWith({ fault: answer, call: 'status', times: 1 });
    const client = pair.client('q1', 'q2');
    expect(await client.draw(5, 256)).toHaveLength(1);
    await client.status();
    expect(await client.draw(5, 256)).toHaveLength(5);
  });
});

describe('2. errors in any shape', () => {
  const notFound = 'One or more keys specified are NOT found on KME.';
  const cases: readonly (readonly [Call, number, string, QkdError['code']])[] = [
    ['dec_keys', 400, json({ message: notFound }), 'not-found'],
    ['dec_keys', 400, json({ detail: notFound }), 'not-found'],
    ['dec_keys', 400, json({ title: 'Bad Request', description: notFound }), 'not-found'],
    ['dec_keys', 400, `<html><body><h1>${notFound}</h1></body></html>`, 'not-found'],
    ['dec_keys', 400, '', 'not-found'],
    ['dec_keys', 404, '', 'not-found'],
    ['dec_keys', 422, json({ message: 'key not found' }), 'not-found'],
    ['dec_keys', 500, json({ message: 'no such key' }), 'not-found'],
    ['dec_keys', 400, json({ message: 'malformed' }), 'refused'],
    ['dec_keys', 401, '', 'authentication'],
    ['dec_keys', 504, '<html>Gateway Timeout</html>', 'outcome-unknown'],
    ['enc_keys', 400, json({ message: 'size shall be a multiple of 8' }), 'refused'],
    ['enc_keys', 401, json({ detail: 'who are you' }), 'authentication'],
    ['enc_keys', 404, '', 'refused'],
    ['enc_keys', 405, '', 'refused'],
    ['enc_keys', 409, json({ message: 'insufficient keys' }), 'exhausted'],
    ['enc_keys', 412, '', 'refused'],
    ['enc_keys', 422, json({ detail: [{ loc: ['size'] }] }), 'refused'],
    ['enc_keys', 500, 'Internal Server Error', 'unavailable'],
    ['enc_keys', 503, json({ message: 'Not enough keys available.' }), 'exhausted'],
    ['enc_keys', 503, '', 'unavailable'],
    ['enc_keys', 504, '', 'outcome-unknown'],
    ['enc_keys', 302, '', 'protocol'],
    ['status', 503, '{', 'unavailable'],
    ['status', 504, '', 'unavailable'],
  ];

  it.each(cases)('%s, %i %s: %s', async (call, httpStatus, body, code) => {
    const pair = await startWith({ fault: { kind: 'answer', status: httpStatus, body }, call });
    const client = pair.client('q1', 'q2', quick);
    const ask = {
      status: () => client.status(),
      enc_keys: () => client.draw(1, 256),
      dec_keys: () => client.fetch([unknownId]),
    };
    await expect(ask[call]()).rejects.toMatchObject({ code });
  });

  it('keeps at most 512 bytes of what a device says, without control characters', async () => {
    const body = json({ message: `\u001b[31m${'ü'.repeat(5_000)}` });
    const pair = await startWith({ fault: { kind: 'answer', status: 500, body }, call: 'status' });
    const error: unknown = await pair
      .client('q1', 'q2')
      .status()
      .catch((reason: unknown) => reason);
    const said: unknown = Reflect.get(Object(error), 'deviceMessage');
    expect(said).toContain('ü');
    expect(said).not.toContain('\u001b');
    expect(new TextEncoder().encode(String(said)).length).toBeLessThanOrEqual(512);
  });

  it.each([
    ['broken JSON', '{"keys":[{"key_ID":"KEYID","key":"TWFya2VkU2VjcmV0"}'],
    ['a key that is no key', '{"keys":[{"key_ID":7,"key":"TWFya2VkU2VjcmV0"}]}'],
    ['no list', '{"keys":"TWFya2VkU2VjcmV0"}'],
  ])('never shows the body of a 200: %s', async (_, body) => {
    const pair = await startWith({
      fault: { kind: 'answer', status: 200, body },
      call: 'enc_keys',
    });
    const error: unknown = await pair
      .client('q1', 'q2')
      .draw(1, 256)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'protocol', lostBits: 256 });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('TWFya2Vk');
  });
});

describe('3. keys that are not what was asked for', () => {
  const kinds = ['fewer-keys', 'more-keys', 'duplicate-keys'] as const;

  it.each(kinds)('%s are rejected, counted as lost, and others are drawn', async (kind) => {
    const pair = await startWith({ fault: { kind }, call: 'enc_keys', times: 1 });
    const reservoir = reservoirFor(pair, 'q1', 'q2');
    expect(await reservoir.take([pad])).toHaveLength(1);
    expect(reservoir.balance().lost).toBeGreaterThanOrEqual(1_024n);
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it.each([8, -8])('a size ignored by %i bytes is rejected', async (extraBytes) => {
    const fault = { kind: 'wrong-length', extraBytes } as const;
    const pair = await startWith({ fault, call: 'enc_keys' });
    await expect(pair.client('q1', 'q2').draw(1, 256)).rejects.toMatchObject({
      code: 'protocol',
      lostBits: 256,
    });
  });

  it('foreign keys are rejected', async () => {
    const pair = await startWith({ fault: { kind: 'foreign-keys' }, call: 'dec_keys' });
    const [key] = await pair.client('q1', 'q2').draw(1, 256);
    await expect(pair.client('q2', 'q1').fetch([key?.id ?? ''])).rejects.toMatchObject({
      code: 'protocol',
    });
  });

  it('a device that always gives fewer keys is asked for so many', async () => {
    const pair = await startWith({ fault: { kind: 'fewer-keys' }, call: 'enc_keys', times: 2 });
    const client = pair.client('q1', 'q2');
    await expect(client.draw(4, 256)).rejects.toMatchObject({ code: 'protocol' });
    await expect(client.draw(4, 256)).rejects.toMatchObject({ code: 'protocol' });
    expect(await client.draw(4, 256)).toHaveLength(2);
  });

  it('unknown and null members are accepted', async () => {
    const members = { key_container_extension: null, vendor: [1] };
    const pair = await startWith({ fault: { kind: 'members', members } });
    expect(await pair.client('q1', 'q2').draw(1, 256)).toHaveLength(1);
  });
});

describe('4. where the IDs are in certificates', () => {
  async function statusWith(
    identity: DeviceIdentity | undefined,
    hosts: string[],
  ): Promise<unknown> {
    const pair = await startWith(undefined);
    await initDevices(pair.dir, {
      saes: ['q1', 'q2'],
      hosts,
      clock: systemClock,
      entropy: seededEntropy('again'),
    });
    const again = await startDevices({ dir: pair.dir });
    try {
      const client = again.client('q1', 'q2', identity === undefined ? {} : { identity });
      return await client.status().catch((reason: unknown) => reason);
    } finally {
      await again.close();
    }
  }

  it('an IP address without a SAN is refused by default', async () => {
    expect(await statusWith(undefined, [])).toMatchObject({ code: 'authentication' });
  });

  it('and accepted by the name of the key manager', async () => {
    expect(await statusWith({ names: ['KME-q1'] }, [])).toMatchObject({ masterSaeId: 'q1' });
  });

  it('another name is refused', async () => {
    expect(await statusWith({ names: ['kme-q9'] }, ['127.0.0.1'])).toMatchObject({
      code: 'authentication',
    });
  });

  it('another fingerprint is refused', async () => {
    expect(await statusWith({ fingerprints: ['00'.repeat(32)] }, ['127.0.0.1'])).toMatchObject({
      code: 'authentication',
    });
  });
});

describe('5. a client certificate that is refused', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is reported as such under %s', async (version) => {
    devices = await startDevices({ minTlsVersion: version, maxTlsVersion: version });
    const stranger = await startDevices();
    // A stranger's certificate, and the right CA for the key manager's.
    const ca = await readFile(join(devices.dir, deviceFiles.ca));
    await writeFile(join(stranger.dir, deviceFiles.ca), ca);
    const client = devices.client('q1', 'q2', { dir: stranger.dir });
    await expect(client.status()).rejects.toMatchObject({ code: 'authentication' });
    await expect(client.draw(1, 256)).rejects.toMatchObject({ code: 'authentication' });
    await stranger.close();
  });

  it('a key manager of another CA is not trusted', async () => {
    const pair = await startWith(undefined);
    const stranger = await startDevices();
    const client = pair.client('q1', 'q2', { dir: stranger.dir });
    await expect(client.status()).rejects.toMatchObject({ code: 'authentication' });
    await stranger.close();
  });
});

describe('6. small limits', () => {
  it.each([
    [256, 1],
    [128, 1],
    [128, 2],
    [64, 128],
  ])('keys of %i bits, %i a request: wants are met with several', async (size, number) => {
    const limits = { keySizeBits: size, maxKeySizeBits: size, maxKeysPerRequest: number };
    const pair = await startWith(undefined, limits);
    const [taken] = await reservoirFor(pair, 'q1', 'q2').take([{ purpose: 'pad', bits: 512 }]);
    expect(taken?.keyIds).toHaveLength(512 / size);
    const claim = { purpose: 'pad', bits: 512, keyIds: taken?.keyIds ?? [] } as const;
    expect(await reservoirFor(pair, 'q2', 'q1').claim([claim])).toEqual([taken]);
  });
});

describe('7. everything else that was seen', () => {
  it('certificates rotate without a request failing', async () => {
    const pair = await startWith(undefined);
    const client = pair.client('q1', 'q2');
    await client.draw(1, 256);
    const slow: ScriptedFault = { fault: { kind: 'slow', delayMs: 100 }, times: 1 };
    pair.emulator.addFault(slow);
    const underway = client.draw(1, 256);
    await renewSae(pair.dir, 'q1', { clock: systemClock, entropy: seededEntropy('new') });
    const draws = await Promise.all([underway, client.draw(1, 256), client.draw(1, 256)]);
    expect(draws.flat()).toHaveLength(3);
  });

  it('a certificate that does not fit its key leaves the old one in use', async () => {
    const pair = await startWith(undefined);
    const client = pair.client('q1', 'q2');
    const file = join(pair.dir, deviceFiles.certificate('sae-q1'));
    await writeFile(file, await readFile(join(pair.dir, deviceFiles.certificate('sae-q2'))));
    expect(await client.draw(1, 256)).toHaveLength(1);
    expect(() => {
      client.reload();
    }).toThrow(expect.objectContaining({ code: 'authentication' }));
    expect(await client.draw(1, 256)).toHaveLength(1);
  });

  it('an answer without keys is exhaustion, not success', async () => {
    const pair = await startWith({
      fault: { kind: 'answer', status: 200, body: '{"keys":[]}' },
      call: 'enc_keys',
      times: 2,
    });
    await expect(pair.client('q1', 'q2').draw(1, 256)).rejects.toMatchObject({ code: 'exhausted' });
    expect(await reservoirFor(pair, 'q1', 'q2').take([pad])).toHaveLength(1);
  });

  it('a device that drops unfetched keys is drawn from on demand only', async () => {
    const pair = await startWith(
      { fault: { kind: 'discards-unfetched' }, call: 'enc_keys' },
      {
        maxKeysPerRequest: 2,
      },
    );
    const ours = reservoirFor(pair, 'q1', 'q2', 2_048);
    const peer = new Reservoir({
      peer: 'q1',
      source: pair.client('q2', 'q1', quick),
      ledger: new MemoryLedger(),
      clock: systemClock,
    });
    reservoirs.push(peer);
    let claimed = 0;
    for (let i = 0; i < 12; i++) {
      const [taken] = await ours.take([pad]);
      const claim = { ...pad, keyIds: taken?.keyIds ?? [] };
      const got = await peer.claim([claim]).catch(() => undefined);
      if (got === undefined) ours.reportMissed();
      else {
        ours.reportFetched();
        expect(got).toEqual([taken]);
        claimed++;
      }
    }
    expect(claimed).toBeGreaterThanOrEqual(8);
  });

  it('a device that two calls at once bring to a halt is asked one thing at a time', async () => {
    const pair = await startWith({ fault: { kind: 'deadlock' } });
    const reservoir = reservoirFor(pair, 'q1', 'q2');
    reservoir.start();
    const takes = Array.from({ length: 8 }, () => reservoir.take([pad]));
    expect((await Promise.all(takes)).flat()).toHaveLength(8);
    expect(reservoir.balance().lost).toBe(0n);
  });

  it('a device at a halt is given up at the deadline', async () => {
    const pair = await startWith({ fault: { kind: 'deadlock' } });
    const client = pair.client('q1', 'q2', { timeoutMs: 200 });
    const both = await Promise.allSettled([client.status(), client.status()]);
    expect(both).toMatchObject([
      { status: 'rejected', reason: { code: 'unavailable', retryable: true } },
      { status: 'rejected', reason: { code: 'unavailable', retryable: true } },
    ]);
  });

  it('keys that stay fetchable are used once', async () => {
    const pair = await startWith({ fault: { kind: 'keys-stay' } });
    const [taken] = await reservoirFor(pair, 'q1', 'q2').take([pad]);
    const claim = { ...pad, keyIds: taken?.keyIds ?? [] };
    const peer = reservoirFor(pair, 'q2', 'q1');
    expect(await peer.claim([claim])).toEqual([taken]);
    await expect(peer.claim([claim])).rejects.toMatchObject({
      code: 'already-used',
      keyIds: taken?.keyIds,
    });
  });
});

function json(value: object): string {
  return JSON.stringify(value);
}
