import type { Clock } from '../../applet-spec/clock.ts';
import { cardInserted } from './card-presence.ts';
import type { CardConnection, Reader } from './connection.ts';
import { ReaderError } from './reader-error.ts';

export interface CardWait {
  readonly clock: Clock;
  /** How long a card is waited for; 0: not at all. */
  readonly mostMs: number;
  /** Aborted: nobody wants the card any more. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to the card in a reader; waits for one to be put in, but for nothing else that is
 * missing. Throws ReaderError, `no-card` where none has come in time.
 */
export async function connectCard(reader: Reader, wait: CardWait): Promise<CardConnection> {
  try {
    return await reader.connect();
  } catch (error) {
    const empty = error instanceof ReaderError && error.code === 'no-card';
    if (!empty || wait.mostMs === 0) throw error;
  }
  await insertionWithin(reader, wait);
  return reader.connect();
}

async function insertionWithin(reader: Reader, { clock, mostMs, signal }: CardWait): Promise<void> {
  const inserted = cardInserted(reader);
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancelWait();
      // The signal outlives this wait, and others after it.
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancelWait = clock.after(mostMs, end);
    signal?.addEventListener('abort', end);
    if (signal?.aborted === true) end();
    void inserted.come.then(end);
  });
  inserted.cancel();
}
