import type { Clock } from '../../applet-spec/clock.ts';
import type { CardConnection, Reader } from './connection.ts';
import { ReaderError } from './reader-error.ts';

export interface CardWait {
  readonly clock: Clock;
  /** How long a card is waited for; 0: not at all. */
  readonly mostMs: number;
  /** Aborted: nobody wants the card any more. */
  readonly signal?: AbortSignal;
}

/** Readers look for a removal about every 400 ms. */
const askAgainMs = 250;

/**
 * Connects to the card in a reader; waits for one to be put in, but for nothing else that is
 * missing. Throws ReaderError, `no-card` where none has come in time.
 */
export async function connectCard(reader: Reader, wait: CardWait): Promise<CardConnection> {
  const { clock, mostMs } = wait;
  const untilMs = clock.nowMs() + mostMs;
  for (;;) {
    try {
      return await reader.connect();
    } catch (error) {
      const empty = error instanceof ReaderError && error.code === 'no-card';
      const leftMs = untilMs - clock.nowMs();
      if (!empty || leftMs <= 0 || wait.signal?.aborted === true) throw error;
      // A reader that claims its card is there has not noticed the removal yet, or tells of an
      // insertion at this moment: neither need be told again.
      await insertion(reader, wait, reader.cardPresent ? Math.min(leftMs, askAgainMs) : leftMs);
    }
  }
}

/** Resolves when a card is put in, after `mostMs`, or when nobody wants it any more. */
async function insertion(reader: Reader, wait: CardWait, mostMs: number): Promise<void> {
  const { clock, signal } = wait;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancelWait();
      cancelWatch();
      // The signal outlives this wait, and others after it.
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancelWait = clock.after(mostMs, end);
    const cancelWatch = reader.watch(({ kind }) => {
      if (kind === 'card-inserted') end();
    });
    signal?.addEventListener('abort', end);
  });
}
