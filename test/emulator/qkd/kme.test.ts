import { describe, expect, it } from 'vitest';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { FaultScript } from '../../../emulator/qkd/fault.ts';
import { Kme } from '../../../emulator/qkd/kme.ts';
import type { KmeAnswer } from '../../../emulator/qkd/kme.ts';
import { KeyNetwork } from '../../../emulator/qkd/key-network.ts';
import type { ExtensionRules } from '../../../emulator/qkd/key-request.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const limits = {
  keySizeBits: 256,
  minKeySizeBits: 64,
  maxKeySizeBits: 1_024,
  maxKeysPerRequest: 4,
  maxKeyCount: 40,
  maxAdditionalSlaves: 2,
};

/** Key managers kme-a … kme-d for one SAE each, a … d, with 40 keys between each pair. */
function network(rules: Partial<ExtensionRules> = {}) {
  const clock = new VirtualClock();
  const entropy = seededEntropy('key managers');
  const kmes = ['a', 'b', 'c', 'd'].map((sae) => ({ id: `kme-${sae}`, saes: [sae] }));
  const keys = new KeyNetwork({
    kmes,
    clock,
    entropy,
    fibre: { lengthKm: 20, seed: 'test', storeBits: 40 * 256 },
  });
  const faults = new FaultScript(clock, () => undefined);
  const extensions = { supported: { route: ['direct'] }, refuseUnhandledOptional: false, ...rules };
  const managers = new Map(
    kmes.map((plan) => [
      plan.id,
      new Kme({ plan, network: keys, faults, limits, extensions, entropy }),
    ]),
  );
  const post = (
    caller: string,
    path: string,
    content: object,
    kme = `kme-${caller}`,
  ): KmeAnswer => {
    const manager = managers.get(kme);
    if (manager === undefined) throw new Error(`no ${kme}`);
    const target = `/api/v1/keys/${path}`;
    return manager.answer({ caller, method: 'POST', target, body: JSON.stringify(content) });
  };
  return { keys, managers, post };
}

function message(answer: KmeAnswer): string {
  expect(answer.status).toBe(400);
  return /^\{"message":"([^"]*)"\}$/.exec(answer.body)?.[1] ?? '';
}

function ids(answer: KmeAnswer): { key_ID: string }[] {
  expect(answer.status).toBe(200);
  return [...answer.body.matchAll(/"key_ID":"([^"]+)"/g)].map((match) => ({
    key_ID: match[1] ?? '',
  }));
}

describe('an emulated key manager', () => {
  it.each([
    ['a size that is no multiple of 8', { size: 257 }, 'size shall be a multiple of 8'],
    [
      'a mandatory extension that is not supported',
      { extension_mandatory: [{ colour: 'blue' }] },
      'not all extension_mandatory parameters are supported',
    ],
    [
      'a mandatory extension that cannot be met',
      { extension_mandatory: [{ route: 'scenic' }] },
      'not all extension_mandatory request options could be met',
    ],
  ])('refuses %s in the words of the standard', (_, content, words) => {
    expect(message(network().post('a', 'b/enc_keys', content))).toBe(words);
  });

  it('meets a mandatory extension, and ignores an optional one that it does not know', () => {
    const { post } = network();
    const content = {
      extension_mandatory: [{ route: 'direct' }],
      extension_optional: [{ colour: 'blue' }],
    };
    expect(ids(post('a', 'b/enc_keys', content))).toHaveLength(1);
  });

  it('may refuse optional extensions that it did not handle', () => {
    const { post } = network({ refuseUnhandledOptional: true });
    expect(message(post('a', 'b/enc_keys', { extension_optional: [{ colour: 'blue' }] }))).toBe(
      'not all extension_optional request options handled',
    );
  });

  it.each([
    [{ number: 0 }],
    [{ number: 5 }],
    [{ number: 1.5 }],
    [{ number: 'many' }],
    [{ size: 56 }],
    [{ size: 1_032 }],
    [{ additional_slave_SAE_IDs: 'c' }],
    [{ additional_slave_SAE_IDs: ['a', 'c', 'd'] }],
    [{ additional_slave_SAE_IDs: ['nobody'] }],
  ])('refuses %j', (content) => {
    expect(message(network().post('a', 'b/enc_keys', content))).not.toBe('');
  });

  it('gives keys of the size asked for', () => {
    const answer = network().post('a', 'b/enc_keys', { number: 2, size: 512 });
    const sizes = [...answer.body.matchAll(/"key":"([^"]+)"/g)].map(
      (match) => Buffer.from(match[1] ?? '', 'base64').length,
    );
    expect(sizes).toEqual([64, 64]);
  });

  it('returns all keys or none', () => {
    const { post } = network();
    const drawn = ids(post('a', 'b/enc_keys', { number: 2 }));
    const unknown = { key_ID: '00000000-0000-4000-8000-000000000000' };
    const mixed = post('b', 'a/dec_keys', { key_IDs: [...drawn, unknown] });
    expect(message(mixed)).toBe('one or more keys specified are not found on KME');
    expect(ids(post('b', 'a/dec_keys', { key_IDs: drawn }))).toEqual(drawn);
    expect(message(post('b', 'a/dec_keys', { key_IDs: drawn }))).toBe(
      'one or more keys specified are not found on KME',
    );
  });

  it('answers 401 to callers that are not its own', () => {
    const { post } = network();
    expect(post('b', 'a/enc_keys', {}, 'kme-a')).toMatchObject({ status: 401, body: '' });
    expect(post('mallory', 'a/enc_keys', {}, 'kme-b').status).toBe(401);
  });

  it('gives a key to every slave that was named, once each, and to nobody else', () => {
    const { post } = network();
    const drawn = post('a', 'b/enc_keys', { additional_slave_SAE_IDs: ['c'] });
    const wanted = { key_IDs: ids(drawn) };
    expect(post('b', 'a/dec_keys', wanted).body).toBe(drawn.body);
    expect(post('c', 'a/dec_keys', wanted).body).toBe(drawn.body);
    expect(post('c', 'a/dec_keys', wanted).status).toBe(400);
    expect(post('d', 'a/dec_keys', wanted).status).toBe(400);
  });

  it('answers 401 to an SAE of the slave key manager that was not named', () => {
    const clock = new VirtualClock();
    const entropy = seededEntropy('shared');
    const keys = new KeyNetwork({
      kmes: [
        { id: 'kme-a', saes: ['a'] },
        { id: 'kme-b', saes: ['b', 'b2'] },
      ],
      clock,
      entropy,
      fibre: { lengthKm: 1, seed: 'x' },
    });
    const [key] = keys.draw('a', ['b'], 1, 256) ?? [];
    expect(keys.fetch('kme-b', 'b2', 'a', [key?.id ?? ''], { stay: false })).toBe('not-named');
    expect(keys.fetch('kme-b', 'b', 'a', [key?.id ?? ''], { stay: false })).toEqual([
      expect.objectContaining(key),
    ]);
  });

  it('pays for multicast from the store of each pair', () => {
    const { keys, post } = network();
    const before = keys.storedBits('kme-b', 'kme-c');
    ids(post('a', 'b/enc_keys', { additional_slave_SAE_IDs: ['c'] }));
    const spent = (x: string, y: string): number => 40 * 256 - keys.storedBits(x, y);
    expect([spent('kme-a', 'kme-b'), spent('kme-a', 'kme-c')]).toEqual([256, 256]);
    expect(keys.storedBits('kme-b', 'kme-c')).toBe(before);
  });

  it('answers 503 when its store is empty', () => {
    const { post } = network();
    for (let i = 0; i < 10; i++) ids(post('a', 'b/enc_keys', { number: 4 }));
    expect(post('a', 'b/enc_keys', {})).toMatchObject({ status: 503 });
    expect(ids(post('a', 'c/enc_keys', {}))).toHaveLength(1);
  });

  it.each([
    ['GET', '/api/v1/keys/b/enc_keys?number=2&size=128', 200],
    ['GET', '/api/v1/keys/b/status', 200],
    ['POST', '/api/v1/keys/b/status', 405],
    ['PUT', '/api/v1/keys/b/enc_keys', 405],
    ['GET', '/api/v1/keys/b/other', 404],
    ['GET', '/api/v1/keys/%ff/status', 404],
    ['GET', '/api/v1/keys/nobody/status', 400],
    ['POST', '/api/v1/keys/b/enc_keys', 400],
  ])('answers %s %s with %i', (method, target, status) => {
    const manager = network().managers.get('kme-a');
    expect(manager?.answer({ caller: 'a', method, target, body: '{"number"' }).status).toBe(status);
  });
});
