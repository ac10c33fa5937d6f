import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import type { Clock } from '../../../applet-spec/clock.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import type { Entropy } from '../../../applet-spec/primitives.ts';

/** 2026-07-01T12:00:00Z. */
export const noonSeconds = 1_782_907_200n;

export interface CaRoom {
  readonly path: string;
  readonly clock: Clock & { advanceSeconds(seconds: number): void };
  readonly entropy: Entropy;
  nowSeconds(): bigint;
  file(name: string): string;
  close(): void;
}

/** A temporary folder, a clock that stands still, and bytes that are the same at every run. */
export function openCaRoom(): CaRoom {
  const path = mkdtempSync(join(tmpdir(), 'keytoll-ca-'));
  let nowMs = Number(noonSeconds) * 1000;
  let draws = 0;
  return {
    path,
    clock: {
      nowMs: () => nowMs,
      after: () => {
        throw new Error('the CA waits for nothing');
      },
      advanceSeconds(seconds) {
        nowMs += 1000 * seconds;
      },
    },
    entropy: {
      randomBytes: (length) => noblePrimitives.sha256(toUtf8(`draw ${draws++}`)).slice(0, length),
    },
    nowSeconds: () => BigInt(Math.floor(nowMs / 1000)),
    file: (name) => join(path, name),
    close() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
