/** Node would open its debugger to every user of this machine, and the PIN to whoever attaches. */
export function refuseDebugger(program: Pick<NodeJS.Process, 'on'>): void {
  program.on('SIGUSR1', () => undefined);
}

/** Resolves at SIGINT or SIGTERM; a second one ends the process as if nobody listened. */
export function untilInterrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve(signal);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
