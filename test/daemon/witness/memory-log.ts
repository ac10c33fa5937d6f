import { expect } from 'vitest';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { LogPeaks, LogTree } from '../../../daemon/witness/log-tree.ts';

/** A log in memory, which keeps its tiles as a store does. */
export class MemoryLog {
  readonly levels: Uint8Array[][] = [[]];
  readonly peaks = new LogPeaks(primitives, (level, index, hash) => {
    const tiles = (this.levels[level] ??= []);
    expect(BigInt(tiles.length)).toBe(index);
    tiles.push(hash);
  });
  readonly tree = new LogTree(primitives, {
    hashes: (level, skip, count) => {
      const found = this.levels[level]?.slice(Number(skip), Number(skip) + count) ?? [];
      this.rowsRead += found.length;
      expect(found).toHaveLength(count);
      return found;
    },
  });
  rowsRead = 0;

  add(hash: Uint8Array): void {
    this.levels[0]?.push(hash);
    this.peaks.add(hash);
  }
}
