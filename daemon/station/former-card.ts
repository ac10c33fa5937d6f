/** A user has one card: what becomes of it when another takes its place (failure 44). */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { UserName } from '../../applet-spec/names.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { CardStore, CoinStore } from '../store/store.ts';
import { isInUse } from './awaited-card.ts';
import { StationError } from './station-error.ts';

type Cards = Pick<CardStore, 'cardOf' | 'putCard'>;
type Coins = Pick<CoinStore, 'coinsOf' | 'openRetirements' | 'retire' | 'finishRetirement'>;

/** Coins that become money, and what they are worth. */
export interface GivenBack {
  readonly coins: number;
  readonly value: bigint;
}

const coinsAtOnce = 256;

/**
 * The former card is never served again: so its unspent coins pay for nothing, and are money on
 * the account. Nothing is done where there is none. Throws StationError `exists` where it is
 * enrolled and the operator did not say that it goes.
 */
export async function giveUpFormerCard(
  store: Cards & Coins,
  user: UserName,
  next: Uint8Array,
  options: {
    readonly isGivenUp: boolean;
    readonly entropy: Entropy;
    readonly nowMs: number;
    /** Before any coin is given back: no card that is frozen is at the desk then. */
    readonly endVisits: () => Promise<unknown>;
  },
): Promise<GivenBack> {
  for (;;) {
    const former = await store.cardOf(user);
    if (former === undefined || former.state === 'frozen') break;
    if (equalBytes(former.serial, next)) break;
    if (isInUse(former) && !options.isGivenUp) {
      throw new StationError(
        'exists',
        `${user} has a card. With --replace it is never served again, and its coins become money`,
      );
    }
    await store.putCard({ ...former, state: 'frozen' });
  }
  await options.endVisits();
  return options.isGivenUp ? giveBack(store, user, options) : { coins: 0, value: 0n };
}

/** Also what a stop left half-way: no card will tell any more whether it retired them. */
async function giveBack(
  store: Coins,
  user: UserName,
  { entropy, nowMs }: { readonly entropy: Entropy; readonly nowMs: number },
): Promise<GivenBack> {
  for (const { orderId } of await store.openRetirements(user)) {
    await store.finishRetirement(orderId, nowMs);
  }
  let [count, value] = [0, 0n];
  for (;;) {
    const coins = await store.coinsOf(user, ['unspent'], undefined, coinsAtOnce);
    if (coins.length === 0) return { coins: count, value };
    const orderId = entropy.randomBytes(16);
    const coinIds = coins.map(({ coinId }) => coinId);
    const refund = { orderId, user, operation: 'refund', coinIds, replacements: [] } as const;
    // One that pays in this very moment is not given back: the next look leaves it out.
    if ((await store.retire({ ...refund, nowMs })) !== 'created') continue;
    await store.finishRetirement(orderId, nowMs);
    count += coins.length;
    value += coins.reduce((sum, coin) => sum + coin.value, 0n);
  }
}
