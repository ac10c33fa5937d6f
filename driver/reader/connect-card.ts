import type { Clock } from '../../applet-spec/clock.ts';
import { cardInserted } from './card-presence.ts';
import type { CardConnection, Reader } from './connection.ts';
import { ReaderError } from './reader-error.ts';

/**
 * Connects to the card in a reader; waits for one to be put in, but for nothing else that is
 * missing. Throws ReaderError, `no-card` where none has come in time.
 */
export async function connectCard(
  reader: Reader,
  wait: { readonly clock: Clock; readonly mostMs: number; readonly signal?: AbortSignal },
): Promise<CardConnection> {
  try {
    return await reader.connect();
  } catch (error) {
    const empty = error instanceof ReaderError && error.code === 'no-card';
    if (!empty) throw error;
  }
  const inserted = cardInserted(reader);
  let cancel: () => void = () => undefined;
  const late = new Promise<void>((resolve) => {
    cancel = wait.clock.after(wait.mostMs, resolve);
    wait.signal?.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([inserted.come, late]);
  cancel();
  inserted.cancel();
  return reader.connect();
}
