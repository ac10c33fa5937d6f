/**
 * The Merkle tree of RFC 6962 §2.1: under a signed batch of statements, and under a station's log.
 */
import type { Primitives } from './primitives.ts';

/** Where a leaf stands, and the hashes that lead from it to the root, leaf end first. */
export interface TreePath {
  readonly index: number;
  readonly size: number;
  readonly path: readonly Uint8Array[];
}

export interface HashTree {
  readonly root: Uint8Array;
  /** PATH of RFC 6962 §2.1.1 for every leaf, leaf end first. */
  readonly paths: readonly (readonly Uint8Array[])[];
}

/** MTH and PATH of RFC 6962 §2.1 over leaf hashes, at least one. */
export function hashTree(primitives: Primitives, hashes: readonly Uint8Array[]): HashTree {
  const [first] = hashes;
  if (first === undefined) throw new RangeError('a tree of no leaves');
  if (hashes.length === 1) return { root: first, paths: [[]] };
  const split = splitPoint(hashes.length);
  const left = hashTree(primitives, hashes.slice(0, split));
  const right = hashTree(primitives, hashes.slice(split));
  return {
    root: nodeHash(primitives, left.root, right.root),
    paths: [
      ...left.paths.map((path) => [...path, right.root]),
      ...right.paths.map((path) => [...path, left.root]),
    ],
  };
}

/** RFC 9162 §2.1.3.2; undefined where the path has not the length that index and size ask for. */
export function rootFromPath(
  primitives: Primitives,
  leaf: Uint8Array,
  proof: TreePath,
): Uint8Array | undefined {
  if (proof.index >= proof.size) return undefined;
  let node = proof.index;
  let last = proof.size - 1;
  let hash = leaf;
  for (const sibling of proof.path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(primitives, sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = nodeHash(primitives, hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last === 0 ? hash : undefined;
}

/** How many hashes lead from a leaf to the root; undefined where there is no such leaf. */
export function pathLength(index: number, size: number): number | undefined {
  if (index >= size) return undefined;
  let length = 0;
  for (let node = index, last = size - 1; last > 0; node >>= 1, last >>= 1) {
    // The last node of a level has no sibling where it is the left one.
    if (node % 2 === 1 || node < last) length++;
  }
  return length;
}

const nodePrefix = Uint8Array.of(1);

/** A node over two: RFC 6962 §2.1. */
export function nodeHash(primitives: Primitives, left: Uint8Array, right: Uint8Array): Uint8Array {
  return primitives.sha256(nodePrefix, left, right);
}

/** The largest power of two below `count`. */
export function splitPoint(count: number): number {
  let split = 1;
  while (2 * split < count) split *= 2;
  return split;
}
