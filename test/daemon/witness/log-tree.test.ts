/** RFC 6962 §2.1, against vectors of another program and of Certificate Transparency. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, uintToBytes } from '../../../applet-spec/bytes.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import vectors from '../../../applet-spec/vectors/log.json' with { type: 'json' };
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { logLeaf, logLeafHash, type LogLeaf } from '../../../daemon/witness/log-leaf.ts';
import { isConsistent } from '../../../daemon/witness/log-tree.ts';
import { MemoryLog } from './memory-log.ts';

function logOf(size: number): MemoryLog {
  const log = new MemoryLog();
  for (let i = 0; i < size; i++) {
    log.add(primitives.sha256(Uint8Array.of(0), uintToBytes(BigInt(i), 4)));
  }
  return log;
}

const long = logOf(66_000);

describe('the tree over a log', () => {
  it.each(vectors.roots)('has the root of another program $comment', ({ size, root }) => {
    expect(toHex(long.tree.root(BigInt(size)))).toBe(root);
    expect(toHex(logOf(size).peaks.root())).toBe(root);
  });

  it('has the published roots over the published data', () => {
    const log = new MemoryLog();
    vectors.published.data.forEach((data, i) => {
      log.add(primitives.sha256(Uint8Array.of(0), fromHex(data)));
      expect(toHex(log.peaks.root())).toBe(vectors.published.roots[i]);
      expect(toHex(log.tree.root(BigInt(i + 1)))).toBe(vectors.published.roots[i]);
    });
  });

  it('has over nothing the hash of nothing', () => {
    const empty = toHex(primitives.sha256(new Uint8Array(0)));
    expect(toHex(new MemoryLog().tree.root(0n))).toBe(empty);
    expect(toHex(new MemoryLog().peaks.root())).toBe(empty);
  });

  it('reads a few rows and at most 255 of a level for any root', () => {
    for (const size of [65_535n, 65_536n, 65_999n]) {
      long.rowsRead = 0;
      long.tree.root(size);
      expect(long.rowsRead).toBeLessThanOrEqual(2 * 255);
    }
  });
});

describe('a proof of consistency', () => {
  const published = new MemoryLog();
  for (const data of vectors.published.data) {
    published.add(primitives.sha256(Uint8Array.of(0), fromHex(data)));
  }

  it.each([
    ...vectors.publishedProofs.map((one) => ({ ...one, log: published })),
    ...vectors.proofs.map((one) => ({ ...one, log: long })),
  ])('is that of another program: $comment', ({ first, second, log, ...expected }) => {
    const proof = log.tree.consistency(BigInt(first), BigInt(second));
    expect(proof.map(toHex)).toEqual(expected.proof);
    const before = { size: BigInt(first), root: fromHex(expected.firstRoot) };
    const after = { size: BigInt(second), root: fromHex(expected.secondRoot) };
    for (const each of [primitives, noblePrimitives]) {
      expect(isConsistent(each, before, after, proof)).toBe(true);
    }
  });

  const sizes = fc.tuple(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 700 }));
  const sized = (size: number) => ({
    size: BigInt(size),
    root: long.tree.root(BigInt(size)),
  });

  it('holds between any two sizes, and for no other roots, sizes or proofs', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), ([one, other], pick) => {
        const [before, after] = [sized(Math.min(one, other)), sized(Math.max(one, other))];
        const proof = long.tree.consistency(before.size, after.size);
        const holds = (a = before, b = after, p: readonly Uint8Array[] = proof): boolean =>
          isConsistent(primitives, a, b, p);
        const otherRoot = new Uint8Array(32).fill(9);
        expect(holds()).toBe(true);
        expect(holds({ ...before, root: otherRoot })).toBe(false);
        expect(holds(before, { ...after, root: otherRoot })).toBe(false);
        expect(holds(before, after, [...proof, otherRoot])).toBe(false);
        expect(holds(after, before)).toBe(before.size === after.size);
        if (proof.length === 0) return;
        expect(holds(before, after, proof.slice(1))).toBe(false);
        expect(holds(before, after, proof.slice(0, -1))).toBe(false);
        const at = pick % proof.length;
        expect(
          holds(
            before,
            after,
            proof.map((hash, i) => (i === at ? otherRoot : hash)),
          ),
        ).toBe(false);
      }),
    );
  });

  it('needs nothing from an empty log, and there is none backwards', () => {
    const nothing = { size: 0n, root: primitives.sha256(new Uint8Array(0)) };
    expect(long.tree.consistency(0n, 600n)).toEqual([]);
    expect(isConsistent(primitives, nothing, sized(600), [])).toBe(true);
    expect(isConsistent(primitives, nothing, sized(600), [nothing.root])).toBe(false);
    expect(() => long.tree.consistency(2n, 1n)).toThrow(RangeError);
  });
});

describe('a leaf', () => {
  it.each(vectors.leaves)('is that of another program: $comment', ({ leaf, content, hash }) => {
    const value = leafFrom(leaf);
    expect(toHex(logLeaf.encode(value))).toBe(content);
    expect(logLeaf.decode(fromHex(content))).toEqual(value);
    expect(toHex(logLeafHash(primitives, value))).toBe(hash);
    expect(toHex(logLeafHash(noblePrimitives, value))).toBe(hash);
  });
});

function leafFrom(shown: (typeof vectors.leaves)[number]['leaf']): LogLeaf {
  const { station, reference, timeMs, transfers } = shown;
  const leaf = {
    station: toStationName(station),
    reference: fromHex(reference),
    timeMs: BigInt(timeMs),
    transfers: transfers.map((one) => ({ ...one, amount: BigInt(one.amount) })),
  };
  if (!('end' in shown)) return leaf;
  const { state, payment, word } = shown.end;
  if (state !== 'delivered' && state !== 'undelivered' && state !== 'refused') {
    throw new Error(`no end of a payment: ${state}`);
  }
  return { ...leaf, end: { state, payment: fromHex(payment), word: fromHex(word) } };
}
