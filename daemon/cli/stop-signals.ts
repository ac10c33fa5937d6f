import { constants } from 'node:os';

const signals = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof signals)[number];

/**
 * Resolves with the first of the signals that end a program cleanly; the next one, whichever it is,
 * ends it at once.
 */
export function firstStopSignal(
  program: Pick<NodeJS.EventEmitter, 'on' | 'off'>,
): Promise<StopSignal> {
  return new Promise((resolve) => {
    const stop = (signal: StopSignal): void => {
      for (const one of signals) program.off(one, stop);
      resolve(signal);
    };
    for (const one of signals) program.on(one, stop);
  });
}

/** Node would open its debugger to every user of this machine, and all keys to whoever attaches. */
export function refuseDebugger(program: Pick<NodeJS.Process, 'on'>): void {
  program.on('SIGUSR1', () => undefined);
}

/**
 * For a program that may end anywhere but leaves nothing behind: what waits for `exit` is heard,
 * as it would not be by the signal alone. Returns what gives the signals back.
 */
export function exitOnStopSignal(program: Pick<NodeJS.Process, 'on' | 'off' | 'exit'>): () => void {
  const stop = (signal: StopSignal): void => {
    program.exit(128 + constants.signals[signal]);
  };
  for (const one of signals) program.on(one, stop);
  return () => {
    for (const one of signals) program.off(one, stop);
  };
}
