/**
 * The driver as a library: a quantum key card and nothing else, for programs that bring their own
 * wallet.
 *
 *     import { openCard } from 'keytoll/driver';
 *     const card = await openCard({ reader: 'pcsc', pin: '482615' });
 *     for (const { value, state } of await card.session.listCoins()) console.log(value, state);
 *     await card.close();
 */
import type { Clock } from '../applet-spec/clock.ts';
import { CardSession } from './card/card-session.ts';
import { systemClock } from './clock.ts';
import { ApduExchange } from './reader/apdu-exchange.ts';
import { connectCard } from './reader/connect-card.ts';
import type { ConnectionEnd, Reader } from './reader/connection.ts';
import { openReader } from './reader/open-reader.ts';

export { CardError, type CardErrorCode } from './card/card-error.ts';
export { CardSession } from './card/card-session.ts';
export type { ConnectionEnd, Reader, ReaderEvent } from './reader/connection.ts';
export { openReader } from './reader/open-reader.ts';
export { ReaderError, type ReaderErrorCode } from './reader/reader-error.ts';
export type {
  ApplicationInfo,
  CoinEntry,
  Owner,
  PeerKeyEntry,
} from '../applet-spec/card-objects.ts';

export interface OpenCardOptions {
  /**
   * `pcsc`, `pcsc:NAME`, `hid`, `virtual:HOST:PORT`, … or a reader that the caller opened and
   * closes.
   */
  readonly reader?: string | Reader;
  /** Verified at once; without it only what needs no PIN can be asked. */
  readonly pin?: string;
  /** How long to wait for a card to be put in, in milliseconds. Default 10 s; 0: not at all. */
  readonly cardWaitMs?: number;
  readonly clock?: Clock;
}

export interface OpenCard {
  readonly session: CardSession;
  /** How the connection ended, once it has. */
  readonly closed: Promise<ConnectionEnd>;
  close(): Promise<void>;
}

/**
 * Connects to the card in a reader, or the one that is put in while it waits, selects its applet
 * and verifies its PIN. Throws ReaderError (no card, no reader, in use elsewhere, …) and CardError
 * (wrong PIN with the tries left, no Keytoll applet, …); nothing stays open then.
 */
export async function openCard(options: OpenCardOptions = {}): Promise<OpenCard> {
  const { reader: named = 'pcsc', pin, cardWaitMs = 10_000, clock = systemClock } = options;
  const reader = typeof named === 'string' ? await openReader(named, clock) : named;
  const closeReader = (): Promise<void> =>
    typeof named === 'string' ? reader.close() : Promise.resolve();
  try {
    const connection = await connectCard(reader, { clock, mostMs: cardWaitMs });
    const exchange = new ApduExchange(connection, { clock });
    try {
      const session = await CardSession.open(exchange);
      if (pin !== undefined) await session.verifyPin(pin);
      const close = async (): Promise<void> => {
        await exchange.close();
        await closeReader();
      };
      return { session, closed: exchange.closed, close };
    } catch (error) {
      await exchange.close();
      throw error;
    }
  } catch (error) {
    await closeReader();
    throw error;
  }
}
