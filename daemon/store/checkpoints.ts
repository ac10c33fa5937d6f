/**
 * Keeping the write-ahead log short without stopping the writer (design §9). Passive checkpoints
 * alone never catch a writer that does not pause, so past 64 MB the writer restarts the log itself.
 */
import { Worker } from 'node:worker_threads';
import { walBytes } from './connection.ts';
import type { Checkpoints, SqliteDatabase } from './database.ts';
import { StoreError } from './store-error.ts';

const restartBytes = 64 * 1024 * 1024;
/** How often the writer looks. */
const commitsBetween = 8;
/**
 * How often it nudges the thread: pages that change with every commit are copied once for them all.
 */
const commitsNudged = 64;
/** Where the writer itself checkpoints. */
const inlineBytes = 4 * 1024 * 1024;

/** On the writer's thread: short pauses at each 4 MB. For small stations and tests from source. */
export function inlineCheckpoints(file: string): Checkpoints {
  let commits = 0;
  return {
    logBytesMost: inlineBytes,
    committed() {
      commits += 1;
      return commits % commitsBetween === 0 && walBytes(file) > inlineBytes;
    },
    restarted() {
      commits = 0;
    },
    close: () => Promise.resolve(),
  };
}

/**
 * On a thread of its own, which needs the compiled program. A worker that fails is reported by the
 * next `close`; until then the writer keeps the log below 64 MB by itself.
 */
export function workerCheckpoints(file: string): Checkpoints {
  const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), {
    workerData: { file },
    // Options of the program are not the thread's.
    execArgv: [],
  });
  worker.unref();
  let commits = 0;
  let busy = false;
  let tooLong = false;
  let fault: Error | undefined;
  worker.on('message', () => {
    busy = false;
  });
  worker.on('error', (error) => {
    fault = error;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      resolve();
    });
  });
  return {
    logBytesMost: restartBytes,
    committed() {
      commits += 1;
      if (commits % commitsBetween === 0) tooLong = walBytes(file) > restartBytes;
      // Not where the writer is about to restart the log: the thread would only be in its way.
      const isNudged = commits % commitsNudged === 0 && !tooLong;
      if (isNudged && !busy && fault === undefined) {
        busy = true;
        worker.postMessage('checkpoint');
      }
      return tooLong;
    },
    restarted() {
      commits = 0;
      tooLong = false;
    },
    async close() {
      worker.ref();
      worker.postMessage('close');
      await ended;
      if (fault !== undefined) throw new StoreError('io', 'the checkpoint thread failed', fault);
    },
  };
}

export function startCheckpoints(
  database: SqliteDatabase,
  file: string,
  where: 'inline' | 'worker',
): void {
  if (database.inMemory) return;
  database.useCheckpoints(where === 'worker' ? workerCheckpoints(file) : inlineCheckpoints(file));
}
