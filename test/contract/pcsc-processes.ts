import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The readers' children of this very process: other test files have theirs at the same time. */
export function ownPcscChildren(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ');
  return children
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'keytoll-pcsc\n')
    .map(Number);
}

/** What a process holds now. */
export interface Footprint {
  readonly descriptors: number;
  /** Of its memory, what is in the machine's. */
  readonly residentBytes: number;
}

/** Linux; proc(5). */
export function footprintOf(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    residentBytes: 1_024 * Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]),
  };
}

export interface OwnFootprint extends Footprint {
  /** Of JavaScript's objects. */
  readonly heapBytes: number;
}

/** This process without what its garbage collector would have taken away anyway. */
export function ownFootprint(): OwnFootprint {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('this Node has no gc');
  Reflect.apply(collect, undefined, []);
  return { ...footprintOf(process.pid), heapBytes: process.memoryUsage().heapUsed };
}
