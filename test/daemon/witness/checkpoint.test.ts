/** Signed checkpoints and cosignatures, against those of another program. */
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { headNow, toStationName } from '../../../applet-spec/names.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import vectors from '../../../applet-spec/vectors/log.json' with { type: 'json' };
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import { checkpoint, cosignature } from '../../../daemon/wire/checkpoint.ts';
import { declaration } from '../../../daemon/wire/declaration.ts';
import { contradictionOf, judgeCheckpoint } from '../../../daemon/witness/checkpoint-judgement.ts';

const { checkpoint: shown, cosignature: word } = vectors.witnessed;
const [q1, q2] = [toStationName('q1'), toStationName('q2')];
const body = {
  ...headNow,
  network: 'road',
  station: q1,
  size: BigInt(shown.size),
  root: fromHex(shown.root),
  time: BigInt(shown.time),
};

describe.each([noblePrimitives, opensslPrimitives])('of another program', (primitives) => {
  it('a checkpoint is read, verified and named', () => {
    const found = checkpoint.decode(fromHex(shown.hex));
    expect(found.body).toEqual(body);
    const key = primitives.verifyingKey(fromHex(shown.signer));
    expect(checkpoint.verify(found, key)).toBe(true);
    expect(toHex(checkpoint.digest(primitives, found.bodyBytes))).toBe(shown.digest);
    expect(toHex(checkpoint.body.encode(body))).toBe(toHex(found.bodyBytes));
  });

  it('a cosignature is read and verified, and names the checkpoint', () => {
    const found = cosignature.decode(fromHex(word.hex));
    const named = { witness: q2, station: q1, checkpoint: fromHex(shown.digest) };
    const time = BigInt(word.time);
    expect(found.body).toEqual({ ...headNow, network: 'road', ...named, time });
    const key = primitives.verifyingKey(fromHex(word.signer));
    expect(cosignature.verify(found, key)).toBe(true);
    expect(checkpoint.verify(checkpoint.decode(fromHex(shown.hex)), key)).toBe(false);
  });
});

/** One more than a store holds in a number. */
const beyond = 2n ** 63n;
const most = beyond - 1n;
const anybody = noblePrimitives.signingKey(new Uint8Array(32).fill(1));

it.each([
  ['a size', { size: most }, { size: beyond }],
  ['a generation', { generation: most }, { generation: beyond }],
])('a checkpoint with %s beyond what a store numbers is none', (_what, last, first) => {
  const { bytes } = checkpoint.sign({ ...body, ...last }, anybody);
  expect(checkpoint.decode(bytes).body).toEqual({ ...body, ...last });
  expect(() => checkpoint.sign({ ...body, ...first }, anybody)).toThrow('no store numbers');
  const forged = fromHex(toHex(bytes).replace('7fffffffffffffff', '8000000000000000'));
  expect(() => checkpoint.decode(forged)).toThrow('no store numbers');
});

const lost = { generation: 0n, size: 5n, root: body.root };
const declared = { ...body, generation: 1n, lost, kept: { size: 2n, root: body.root } };

it.each([
  ['of such a generation', { generation: beyond }],
  ['that gives up so many leaves', { lost: { ...lost, size: beyond } }],
  ['that keeps so many', { kept: { size: beyond, root: body.root } }],
])('a declaration %s is none', (_what, change) => {
  const { size: _none, root: _either, ...whole } = declared;
  expect(declaration.sign(whole, anybody).body).toEqual(whole);
  expect(() => declaration.sign({ ...whole, ...change }, anybody)).toThrow('no store numbers');
});

describe('two checkpoints', () => {
  const later = { ...body, time: body.time + 1n };
  const other = { ...body, root: new Uint8Array(32).fill(1) };

  it.each([
    ['the same twice', body, later, undefined],
    ['a longer one later', body, { ...later, size: 601n }, undefined],
    ['a longer one in the same second', body, { ...body, size: 601n }, undefined],
    ['two roots over one size', body, other, 'two different logs of 600 leaves'],
    [
      'a shorter one later',
      body,
      { ...later, size: 599n },
      'a log of 600 leaves that had 599 later',
    ],
  ])('%s', (_what, one, two, expected) => {
    expect(contradictionOf(one, two)).toBe(expected);
    expect(contradictionOf(two, one)).toBe(expected);
  });
});

describe('the first checkpoint of a neighbour', () => {
  const found = checkpoint.decode(fromHex(shown.hex));
  const judged = (since: bigint, proof: readonly Uint8Array[]) =>
    judgeCheckpoint(noblePrimitives, undefined, { checkpoint: found, since, proof });

  it('is cosigned as it is, and needs no proof from anywhere', () => {
    expect(judged(0n, [])).toEqual({ outcome: 'cosign' });
    // Its station remembers of us what we have lost.
    expect(judged(3n, [body.root])).toEqual({ outcome: 'cosign' });
  });
});
