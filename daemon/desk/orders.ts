/** S1 at the desk: buying, returning and exchanging coins, each resumed where it was left. */
import { coin as coinKind } from '../../applet-spec/coin.ts';
import type { Retirement } from '../../applet-spec/card-objects.ts';
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { EntropyError } from '../entropy-error.ts';
import type { CoinRecord, NewCoin } from '../store/store.ts';
import type { CardVisit } from './card-visit.ts';
import { booksClosed, type DeskContext } from './desk-context.ts';
import type { DeskRefusal } from './desk-seams.ts';

/** Told as coins come to lie on the card: how many of the order, and their public parts. */
export type OnLoaded = (
  orderId: Uint8Array,
  loaded: number,
  of: number,
  coins: CoinRecord[],
) => void;

const waiting = ['reserved', 'loading'] as const;

export class Orders {
  readonly #context: DeskContext;
  readonly #user: UserName;
  readonly #card: CardVisit;
  readonly #onLoaded: OnLoaded;

  constructor(context: DeskContext, user: UserName, card: CardVisit, onLoaded: OnLoaded) {
    this.#context = context;
    this.#user = user;
    this.#card = card;
    this.#onLoaded = onLoaded;
  }

  async buy(
    orderId: Uint8Array,
    lines: readonly OrderLine[],
  ): Promise<{ readonly outcome: 'done' } | DeskRefusal> {
    const values = lines.flatMap((line) => Array<bigint>(line.count).fill(line.value));
    if (values.length === 0 || values.length > limits.orderCoins || values.includes(0n)) {
      return refused(
        'order-conflict',
        `An order is for 1 to ${limits.orderCoins} coins, each worth at least 1.`,
      );
    }
    const closed = booksClosed(this.#context);
    if (closed !== undefined) return closed;
    const before = await this.#context.store.coinsOfOrder(orderId);
    const coins = before.length > 0 ? [] : await this.#newCoins(values);
    if ('outcome' in coins) return coins;
    const reserved = await this.#context.store.reserveCoins({
      orderId,
      user: this.#user,
      lines,
      coins,
      nowMs: this.#context.clock.nowMs(),
    });
    switch (reserved) {
      case 'account-too-low':
        return refused('account-too-low', await this.#tooLow(values));
      case 'order-conflict':
        return refused('order-conflict', 'This order ID stands for another order.');
      case 'unknown-user':
        return refused('not-enrolled', 'This station has no account for you.');
      case 'created':
      case 'exists':
        return this.#fill(orderId);
    }
  }

  /** A generator that is not healthy makes no coins: nothing weaker takes its place. */
  async #newCoins(values: readonly bigint[]): Promise<readonly NewCoin[] | DeskRefusal> {
    const { mint, log, room, coinObjection } = this.#context;
    if (values.length === 0) return [];
    const full = room.refusal;
    if (full !== undefined) return refused('overloaded', `${full} Nothing was changed.`);
    const objection = coinObjection();
    if (objection !== undefined) {
      return refused('certificate-not-valid', `${objection} Nothing was changed.`);
    }
    try {
      return await mint.mint(values);
    } catch (error) {
      if (!(error instanceof EntropyError)) throw error;
      log.warn({ user: this.#user, err: error }, 'no coins are made');
      return refused(
        'no-coin-secrets',
        'The random number generator of this station is not sound, and it makes no coins now. ' +
          'Nothing was changed.',
      );
    }
  }

  /** Coins that were paid for and are not known to be on the card. */
  async resume(): Promise<void> {
    const { store } = this.#context;
    for (const open of await store.openRetirements(this.#user)) await this.#finish(open);
    const left = await store.coinsOf(this.#user, [...waiting], undefined, limits.orderCoins);
    const orders = new Map(left.map((coin) => [coin.orderId.join(), coin.orderId]));
    for (const orderId of orders.values()) await this.#fill(orderId);
  }

  /** Expired coins are money again (design §8): the card forgets them. */
  async eraseExpired(): Promise<void> {
    const { store } = this.#context;
    for (;;) {
      const left = await store.expiredOnCard(this.#user, limits.loadCoins);
      const erased = left.length === 0 ? [] : await this.#erase(left);
      await store.markErased(erased);
      if (erased.length === 0) return;
    }
  }

  /** Together, or one by one where some of them wait for a verdict; which are gone. */
  async #erase(coinIds: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const time = BigInt(Math.floor(this.#context.clock.nowMs() / 1000));
    const outcome = await this.#card.inTurn(() => this.#card.eraseExpired(coinIds, time));
    if (outcome === 'erased') return coinIds;
    const gone: Uint8Array[] = [];
    for (const coinId of coinIds.length === 1 ? [] : coinIds) {
      gone.push(...(await this.#erase([coinId])));
    }
    return gone;
  }

  async retire(
    order: Retirement,
    lines: readonly OrderLine[],
  ): Promise<{ readonly outcome: 'done' } | DeskRefusal> {
    const { store, clock } = this.#context;
    const count = lines.reduce((sum, line) => sum + line.count, 0);
    if (count > limits.orderCoins) {
      return refused('order-conflict', `An exchange gives at most ${limits.orderCoins} coins.`);
    }
    const values = lines.flatMap((line) => Array<bigint>(line.count).fill(line.value));
    if (values.includes(0n)) return refused('order-conflict', 'A coin is worth at least 1.');
    const closed = booksClosed(this.#context);
    if (closed !== undefined) return closed;
    const given = await store.coins(order.coinIds);
    const isDone = given.every((coin) => coin !== undefined && isRetired(coin));
    const replacements = isDone ? [] : await this.#newCoins(values);
    if ('outcome' in replacements) return replacements;
    const retired = await store.retire({
      orderId: order.orderId,
      user: this.#user,
      operation: order.operation,
      coinIds: order.coinIds,
      lines,
      replacements,
      nowMs: clock.nowMs(),
    });
    switch (retired) {
      case 'order-conflict':
        return refused('order-conflict', 'This order ID stands for another order.');
      case 'coin-not-unspent':
        return refused('coin-not-unspent', 'One of these coins is not unspent; nothing was done.');
      case 'sums-differ':
        return refused('order-conflict', 'Coins asked for and coins returned differ in their sum.');
      case 'created':
      case 'exists':
        // Done before, and only the answer was lost: the card may have forgotten the coins by now.
        return isDone ? this.#complete(order) : this.#finish(order);
    }
  }

  async #finish(order: Retirement): Promise<{ readonly outcome: 'done' } | DeskRefusal> {
    const { store, clock } = this.#context;
    const outcome = await this.#card.inTurn(() => this.#card.retire(order));
    if (outcome !== 'retired') {
      await store.cancelRetirement(order.orderId);
      return outcome === 'not-authorised'
        ? refused('not-authorised', 'The card was not asked to give up these coins.')
        : refused('coin-not-unspent', 'The card does not hold these coins as unspent.');
    }
    await store.finishRetirement(order.orderId, clock.nowMs());
    return this.#complete(order);
  }

  /** What follows once the money has moved; can be repeated. */
  async #complete(order: Retirement): Promise<{ readonly outcome: 'done' } | DeskRefusal> {
    await this.#card.inTurn(() => this.#card.erase(order.coinIds));
    return order.operation === 'exchange' ? this.#fill(order.orderId) : { outcome: 'done' };
  }

  async #fill(orderId: Uint8Array): Promise<{ readonly outcome: 'done' } | DeskRefusal> {
    const { store } = this.#context;
    const all = await store.coinsOfOrder(orderId);
    // Order IDs of the user's choice and those of replaced coins may meet: only what is the user's.
    const ordered = all.filter(
      (coin) => coin.owner === this.#user && coin.state !== 'retiring' && !isRetired(coin),
    );
    const left = ordered.filter((coin) => coin.state === 'reserved' || coin.state === 'loading');
    let loaded = ordered.length - left.length;
    for (let start = 0; start < left.length; start += limits.loadCoins) {
      const some = left.slice(start, start + limits.loadCoins);
      const outcome = await this.#card.inTurn(() => this.#card.load(some));
      if (outcome.outcome === 'pool-full') {
        return refused(
          'pool-full',
          `The card is full: ${loaded} of ${ordered.length} coins were loaded; spend or return ` +
            'some coins, and the rest follows at the next connection.',
        );
      }
      loaded += some.length;
      this.#onLoaded(orderId, loaded, ordered.length, some);
    }
    return { outcome: 'done' };
  }

  async #tooLow(values: readonly bigint[]): Promise<string> {
    const record = await this.#context.store.user(this.#user);
    const total = values.reduce((sum, value) => sum + value, 0n);
    const { currency } = this.#context;
    return (
      `These coins cost ${formatMoney(total, currency)}, the account holds ` +
      `${formatMoney(record?.balance ?? 0n, currency)}; top it up first.`
    );
  }
}

/** The public parts, as the host keeps them. */
export function publicParts(coins: readonly CoinRecord[]) {
  return coins.map((one) => coinKind.decode(one.coin));
}

function isRetired(coin: CoinRecord): boolean {
  return coin.state === 'refunded' || coin.state === 'exchanged';
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
