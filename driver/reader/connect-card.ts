import type { Clock } from '../../applet-spec/clock.ts';
import type { CardConnection, Reader } from './connection.ts';
import { ReaderError, type ReaderErrorCode } from './reader-error.ts';

export interface CardWait {
  readonly clock: Clock;
  /** How long a card is waited for; 0: not at all. */
  readonly mostMs: number;
  /** Aborted: nobody wants the card any more. */
  readonly signal?: AbortSignal;
}

/** A reader looks for a removal every 400 ms or so, and later on a busy machine. */
const noticeMs = 1_000;
const askAgainMs = 250;

/** A card pulled as it was powered makes place for the next one. */
const isAwaited: ReadonlySet<ReaderErrorCode> = new Set(['no-card', 'card-removed', 'mute']);

/**
 * Connects to the card in a reader; waits for one to be put in, but for nothing else that is
 * missing. Throws ReaderError, `no-card` where none has come in time.
 *
 * A card that was just pulled is still there for its reader, which then says that it is mute, or
 * that there is none after all. So both are believed only when they last.
 */
export async function connectCard(reader: Reader, wait: CardWait): Promise<CardConnection> {
  const { clock, mostMs, signal } = wait;
  const startMs = clock.nowMs();
  let muteSinceMs: number | undefined;
  for (;;) {
    const askedMs = clock.nowMs();
    try {
      return await reader.connect();
    } catch (error) {
      const code = error instanceof ReaderError ? error.code : undefined;
      if (code === undefined || !isAwaited.has(code) || signal?.aborted === true) throw error;
      muteSinceMs = code === 'mute' ? (muteSinceMs ?? askedMs) : undefined;
      const noticedMs =
        muteSinceMs === undefined ? Number.POSITIVE_INFINITY : muteSinceMs + noticeMs;
      const leftMs = Math.min(startMs + mostMs, noticedMs) - clock.nowMs();
      if (leftMs <= 0) throw error;
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
