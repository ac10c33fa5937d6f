const signals = ['SIGTERM', 'SIGINT'] as const;

/**
 * Resolves with the first of the signals that end a program cleanly; the next one, whichever it is,
 * ends it at once.
 */
export function firstStopSignal(program: Pick<NodeJS.EventEmitter, 'on' | 'off'>): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string): void => {
      for (const one of signals) program.off(one, stop);
      resolve(signal);
    };
    for (const one of signals) program.on(one, stop);
  });
}
