/**
 * The tree over a log (RFC 6962 §2.1) that only ever grows: roots and proofs from stored hashes of
 * complete subtrees, so that none needs more than a few rows and 255 leaves.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { nodeHash } from '../../applet-spec/hash-tree.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';

/** A tile is the hash of a complete subtree of 256 leaves, or of 256 tiles. */
export const tileLeaves = 256n;
const tileHeight = 8;

/** Level 0 are the leaves' hashes, level 1 the tiles over them, level 2 the tiles over those. */
export interface TreeRows {
  /** `count` hashes of a level that are there, behind the first `skip`. */
  hashes(level: number, skip: bigint, count: number): readonly Uint8Array[];
}

export class LogTree {
  readonly #primitives: Primitives;
  readonly #rows: TreeRows;

  constructor(primitives: Primitives, rows: TreeRows) {
    this.#primitives = primitives;
    this.#rows = rows;
  }

  /** MTH of the first `size` leaves. */
  root(size: bigint): Uint8Array {
    return size === 0n ? this.#primitives.sha256(new Uint8Array(0)) : this.#over(0n, size);
  }

  /** PROOF of RFC 6962 §2.1.2 that the first `second` leaves begin with the first `first`. */
  consistency(first: bigint, second: bigint): Uint8Array[] {
    if (first < 0n || first > second) throw new RangeError(`no proof from ${first} to ${second}`);
    return first === 0n ? [] : this.#subproof(first, 0n, second, true);
  }

  /** A tile, from the 256 hashes below it. */
  tile(level: number, index: bigint): Uint8Array {
    return this.#folded(this.#rows.hashes(level - 1, index * tileLeaves, Number(tileLeaves)));
  }

  #subproof(first: bigint, start: bigint, size: bigint, whole: boolean): Uint8Array[] {
    if (first === size) return whole ? [] : [this.#over(start, size)];
    const split = splitPoint(size);
    return first <= split
      ? [...this.#subproof(first, start, split, whole), this.#over(start + split, size - split)]
      : [
          ...this.#subproof(first - split, start + split, size - split, false),
          this.#over(start, split),
        ];
  }

  #over(start: bigint, size: bigint): Uint8Array {
    const height = heightOf(size);
    if (size === 1n << BigInt(height)) return this.#complete(height, start >> BigInt(height));
    const split = 1n << BigInt(height);
    return nodeHash(
      this.#primitives,
      this.#over(start, split),
      this.#over(start + split, size - split),
    );
  }

  /** The subtree of 2^height leaves, all of which are there. */
  #complete(height: number, index: bigint): Uint8Array {
    const above = height % tileHeight;
    const skip = index << BigInt(above);
    const level = (height - above) / tileHeight;
    return this.#folded(this.#rows.hashes(level, skip, 1 << above));
  }

  #folded(hashes: readonly Uint8Array[]): Uint8Array {
    let row = hashes;
    while (row.length > 1) {
      const next: Uint8Array[] = [];
      for (let i = 0; i < row.length; i += 2) {
        const [left, right] = row.slice(i, i + 2);
        if (left === undefined || right === undefined) break;
        next.push(nodeHash(this.#primitives, left, right));
      }
      row = next;
    }
    const [top] = row;
    if (top === undefined) throw new RangeError('hashes of the log are not there');
    return top;
  }
}

/**
 * The complete subtrees that a growing log consists of: whoever reads all leaves in order has the
 * root at each size, and every tile as it is completed.
 */
export class LogPeaks {
  readonly #primitives: Primitives;
  readonly #tile: (level: number, index: bigint, hash: Uint8Array) => void;
  readonly #peaks: { readonly height: number; readonly hash: Uint8Array }[] = [];
  #size = 0n;

  constructor(
    primitives: Primitives,
    tile: (level: number, index: bigint, hash: Uint8Array) => void = () => {},
  ) {
    this.#primitives = primitives;
    this.#tile = tile;
  }

  get size(): bigint {
    return this.#size;
  }

  add(leafHash: Uint8Array): void {
    this.#size += 1n;
    let top = { height: 0, hash: leafHash };
    for (let left = this.#peaks.at(-1); left?.height === top.height; left = this.#peaks.at(-1)) {
      this.#peaks.pop();
      const height = top.height + 1;
      top = { height, hash: nodeHash(this.#primitives, left.hash, top.hash) };
      if (height % tileHeight === 0) {
        this.#tile(height / tileHeight, (this.#size >> BigInt(height)) - 1n, top.hash);
      }
    }
    this.#peaks.push(top);
  }

  root(): Uint8Array {
    const [last, ...rest] = [...this.#peaks].reverse();
    if (last === undefined) return this.#primitives.sha256(new Uint8Array(0));
    return rest.reduce((hash, left) => nodeHash(this.#primitives, left.hash, hash), last.hash);
  }
}

export interface SizedRoot {
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** RFC 9162 §2.1.4.2: whether the second log begins with the first. */
export function isConsistent(
  primitives: Primitives,
  first: SizedRoot,
  second: SizedRoot,
  proof: readonly Uint8Array[],
): boolean {
  if (first.size > second.size) return false;
  if (first.size === second.size) {
    return proof.length === 0 && equalBytes(first.root, second.root);
  }
  if (first.size === 0n) return proof.length === 0;
  const isComplete = first.size === 1n << BigInt(heightOf(first.size));
  const [start, ...path] = isComplete ? [first.root, ...proof] : proof;
  if (start === undefined) return false;
  let node = first.size - 1n;
  let last = second.size - 1n;
  const rise = (): void => {
    node >>= 1n;
    last >>= 1n;
  };
  while (node % 2n === 1n) rise();
  let [before, after] = [start, start];
  for (const hash of path) {
    if (last === 0n) return false;
    if (node % 2n === 1n || node === last) {
      before = nodeHash(primitives, hash, before);
      after = nodeHash(primitives, hash, after);
      while (node % 2n === 0n && node !== 0n) rise();
    } else {
      after = nodeHash(primitives, after, hash);
    }
    rise();
  }
  return last === 0n && equalBytes(before, first.root) && equalBytes(after, second.root);
}

/** Of the largest complete subtree that fits into `size` leaves, at least one. */
function heightOf(size: bigint): number {
  return size.toString(2).length - 1;
}

/** The largest power of two below `size`. */
function splitPoint(size: bigint): bigint {
  return 1n << BigInt(heightOf(size - 1n));
}
