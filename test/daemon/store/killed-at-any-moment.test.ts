/**
 * kill -9 at random moments of a random workload; what was answered is there, nothing is half
 * there.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { bytesFrom } from '../../contract/store-fixture.ts';
import { crashOperations, keyUse } from './crash-plan.ts';
import { MoneyModel } from './money-model.ts';
import { allNames, observe } from './money-workload.ts';

const program = join(import.meta.dirname, '../../../dist/test/daemon/store/crash-child.js');

interface Life {
  /** The last operation that was answered, and the one that was asked, if any, when it died. */
  readonly done: number;
  readonly asked: number;
  readonly used: number;
  readonly code: number | null;
  readonly complaints: string;
}

/** Runs the child and kills it at the given line of its output; `lines` too many lets it end. */
function live(file: string, seed: number, from: number, lines: number): Promise<Life> {
  const child = spawn(process.execPath, [program, file, String(seed), String(from)]);
  const seen = { done: from - 1, asked: from - 1, used: from - 1 };
  let complaints = '';
  let count = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word, n] = line.split(' ');
    if (word === 'done' || word === 'asked' || word === 'used') seen[word] = Number(n);
    if (++count === lines) child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += String(text)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ ...seen, code, complaints });
    });
  });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-crash-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a store whose process is killed', () => {
  it.each([1, 2, 3])(
    'has all that was answered and nothing by half, again and again (workload %i)',
    async (seed) => {
      expect(existsSync(program), 'run `npm run build` first').toBe(true);
      const file = join(folder, 'station.sqlite');
      const operations = crashOperations(seed);
      const model = new MoneyModel();
      let from = 0;
      for (let round = 0; from < operations.length; round++) {
        const word = bytesFrom('crash', seed, round);
        const lines = 1 + ((word[0] ?? 0) % 120) + 3 * (round > 8 ? 1_000 : 0);
        const life = await live(file, seed, from, lines);
        expect(life.complaints).toBe('');
        for (const step of operations.slice(from, life.done + 1)) model.apply(step);
        from = life.done + 1;
        from += await inFlight(file, model, operations, life);
      }
    },
    60_000,
  );

  /** How many operations more than answered are in the store: none or one, whole. */
  async function inFlight(
    file: string,
    model: MoneyModel,
    operations: ReturnType<typeof crashOperations>,
    life: Life,
  ): Promise<0 | 1> {
    const store = await openSqliteStore(sqliteOptions(file));
    try {
      const uses = Array.from({ length: life.used + 1 }, (_, n) => keyUse(n));
      expect(new Set(await store.recordUse(uses))).toEqual(
        new Set(uses.length === 0 ? [] : ['already-used']),
      );
      const observed = await observe(store, allNames);
      const next = operations[life.done + 1];
      // The pipe may be behind the child: an operation not yet seen as asked may be done.
      if (next === undefined || isSame(observed, model.observe())) {
        expect(observed).toEqual(model.observe());
        return 0;
      }
      model.apply(next);
      expect(observed).toEqual(model.observe());
      return 1;
    } finally {
      await store.close();
    }
  }
});

function isSame(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}
