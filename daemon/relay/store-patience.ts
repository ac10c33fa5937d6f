/** What a store that is busy or full holds up is only late. */
import { StoreError } from '../store/store-error.ts';
import type { TollContext } from './toll-context.ts';

type Waiting = Pick<TollContext, 'clock' | 'stopping' | 'log'>;

/** Before it is tried again. */
const pauseMs = 5_000;

/**
 * `work`, again and again while it is only late and somebody waits for it; whatever else it meets
 * ends it. The log hears of the first that is late, and of what ends it.
 */
export async function untilStored(
  context: Waiting,
  isWanted: () => boolean,
  work: () => Promise<unknown>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await work();
      return;
    } catch (error) {
      if (tries === 1 || !isLate(error)) context.log.fault(error);
      if (!isLate(error) || !(await pause(context)) || !isWanted()) return;
    }
  }
}

export function isLate(error: unknown): boolean {
  return error instanceof StoreError && error.retryable;
}

/** False where the station stops instead. */
export function pause({ clock, stopping }: Pick<Waiting, 'clock' | 'stopping'>): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = (): void => {
      cancel();
      resolve(false);
    };
    const cancel = clock.after(pauseMs, () => {
      stopping.removeEventListener('abort', stop);
      resolve(true);
    });
    if (stopping.aborted) stop();
    else stopping.addEventListener('abort', stop, { once: true });
  });
}
