/** Coin secrets that the disk has damaged: each is lost for its own payment alone. */
import { StoreError } from '../store/store-error.ts';
import type { CoinRecord } from '../store/store.ts';
import type { TollContext } from './toll-context.ts';

const none = new Uint8Array(0);

/** What the store reads; `damaged` where its seal does not open. */
export async function unlessDamaged<T>(read: Promise<T>): Promise<T | 'damaged'> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'corrupt') return 'damaged';
    throw error;
  }
}

/**
 * The secret of a coin that its owner pays with; empty of one that is gone. Of one that is damaged
 * zeros, which match no commitment: the payment is refused then, and the coin replaced.
 */
export async function secretToSpend(
  { store, log }: Pick<TollContext, 'store' | 'log'>,
  { coinId, state }: CoinRecord,
  paymentId: Uint8Array,
): Promise<Uint8Array> {
  // In another payment already: no key is drawn for it.
  if (state === 'pending') return none;
  const secrets = await unlessDamaged(store.coinSecrets([coinId]));
  if (secrets !== 'damaged') return secrets[0] ?? none;
  log.payment('warn', paymentId, 'the secret of its coin is damaged');
  return new Uint8Array(32);
}
