import type { StationName } from '../../applet-spec/names.ts';
import type { Quote } from '../../applet-spec/quote.ts';
import { LinkError } from '../link/link-error.ts';
import type { Unprotected } from '../link/links.ts';
import type { KeyReservation } from '../qkd/reservoir.ts';
import { paymentMessage, type TollContext } from './toll-context.ts';
import type { ArrivingPayment } from './payment-check.ts';

/** How long a payment waits for the QKD keys of one link. */
const keysTimeoutMs = 10_000;
/** A word is kept after this, and waits for them in the outbox. */
const wordTimeoutMs = 1_000;

/** Of a word: `isCovered` where its keys are drawn. */
export interface WordRecord {
  readonly record: Uint8Array;
  readonly isCovered: boolean;
}

type Waiting = Pick<TollContext, 'links' | 'clock' | 'stopping'> & {
  readonly check: Pick<TollContext['check'], 'suiteTo'>;
};

/**
 * As `Links.protect`, but undefined where the link had no keys for as long as that, or is not
 * configured any more: whatever waits behind goes on without (I41). Rejects where the station stops
 * meanwhile, so that a link without keys never keeps it from stopping.
 */
export function protectInTime(
  context: Waiting,
  peer: StationName,
  items: readonly Unprotected[],
): Promise<readonly Uint8Array[] | undefined> {
  const suite = context.check.suiteTo(peer);
  // A former neighbour: whatever waits for it ends without it.
  if (suite === undefined) return Promise.resolve(undefined);
  // No keys, no waiting, and no alarm to set and take back for every batch.
  if (suite === 'aes') return context.links.protect(peer, items);
  return inTime(context, keysTimeoutMs, (signal) => context.links.protect(peer, items, signal));
}

/**
 * Outbox records of words (receipts, advice), each for itself. One that the link has no keys for in
 * a moment, or that is not to wait, is kept without: it goes out once there are some, so that its
 * reader hears of it in the end, and nobody here waits (I33, I40). None where the neighbour is not
 * configured any more.
 */
export async function wordRecords(
  context: Waiting,
  peer: StationName,
  messages: readonly Uint8Array[],
  wait: 'a-moment' | 'not' = 'a-moment',
): Promise<readonly WordRecord[]> {
  const { links, check } = context;
  const suite = check.suiteTo(peer);
  if (suite === undefined) return [];
  const items = messages.map((message) => ({ message }));
  if (suite !== 'otp') {
    const records = await links.protect(peer, items);
    return records.map((record) => ({ record, isCovered: true }));
  }
  return Promise.all(
    items.map(async (item) => {
      const covered =
        wait === 'not'
          ? undefined
          : await inTime(context, wordTimeoutMs, (signal) => links.protect(peer, [item], signal));
      const [record] = covered ?? [];
      return record === undefined
        ? { record: links.keep(item.message), isCovered: false }
        : { record, isCovered: true };
    }),
  );
}

/**
 * Sets apart what a payment needs on its next link (failure 43), each for itself: one that the link
 * has no keys for never holds up others of its batch. `no-keys` after as long a wait as above;
 * undefined where it needs none. The caller releases what is left.
 */
export async function reserveInTime(
  context: Waiting,
  next: StationName | undefined,
  messageBytes: number,
): Promise<KeyReservation | 'no-keys' | undefined> {
  const suite = next && context.check.suiteTo(next);
  if (next === undefined || suite === 'aes') return undefined;
  const reserved = await inTime(context, keysTimeoutMs, async (signal) => ({
    keys: await context.links.reserve(next, messageBytes, signal),
  }));
  return reserved === undefined ? 'no-keys' : reserved.keys;
}

/**
 * `work` with the bits that its payment needs set apart: those of `ahead`, or as many as a message
 * of so many bytes draws. What it leaves is released.
 */
export async function withKeys<T>(
  context: Waiting,
  next: StationName | undefined,
  ahead: KeyReservation | number,
  work: (keys: KeyReservation | undefined) => Promise<T>,
): Promise<T | 'no-keys'> {
  const keys = typeof ahead === 'number' ? await reserveInTime(context, next, ahead) : ahead;
  if (keys === 'no-keys') return keys;
  try {
    return await work(keys);
  } finally {
    keys?.release();
  }
}

/** About how long the message that carries a payment will be: mostly quote and certificate. */
export function bytesAhead({ bodyBytes }: Quote): number {
  return bodyBytes.length + 2_048;
}

/** How long it is; 0 where the suite does not ask. */
export function bytesOf(
  { check }: Pick<TollContext, 'check'>,
  next: StationName | undefined,
  arriving: ArrivingPayment,
): number {
  const isPadded = next !== undefined && check.suiteTo(next) === 'otp';
  return isPadded ? paymentMessage(arriving).length : 0;
}

/** A payment as its next link takes it. */
export function unprotected(arriving: ArrivingPayment): Unprotected {
  const { coinSecret, keys } = arriving;
  return { message: paymentMessage(arriving), secret: coinSecret, keys };
}

async function inTime<T>(
  { clock, stopping }: Waiting,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const patience = new AbortController();
  const giveUp = (): void => {
    patience.abort();
  };
  const cancel = clock.after(timeoutMs, giveUp);
  stopping.addEventListener('abort', giveUp, { once: true });
  if (stopping.aborted) giveUp();
  try {
    return await work(patience.signal);
  } catch (error) {
    const outOfTime = patience.signal.aborted && !stopping.aborted;
    if (outOfTime && error instanceof LinkError && error.code === 'aborted') return undefined;
    throw error;
  } finally {
    cancel();
    stopping.removeEventListener('abort', giveUp);
  }
}
