/** S1 at the desk: buying, returning and exchanging coins, each resumed where it was left. */
import { toHex } from '../../applet-spec/bytes.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import type { Retirement } from '../../applet-spec/card-objects.ts';
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { EntropyError } from '../entropy-error.ts';
import { StoreError } from '../store/store-error.ts';
import type { CoinRecord, NewCoin } from '../store/store.ts';
import type { CardVisit } from './card-visit.ts';
import { booksClosed, type DeskContext } from './desk-context.ts';
import { DeskError } from './desk-error.ts';
import type { DeskRefusal } from './desk-seams.ts';

/** Told as coins come to lie on the card: how many of the order, and their public parts. */
export type OnLoaded = (
  orderId: Uint8Array,
  loaded: number,
  of: number,
  coins: CoinRecord[],
) => void;

/** What orders need of a card, and of the desk. */
export type OrdersCard = Pick<CardVisit, 'inTurn' | 'load' | 'retire' | 'erase' | 'eraseExpired'>;
export type OrdersContext = Pick<
  DeskContext,
  'store' | 'clock' | 'currency' | 'room' | 'coinObjection'
> & {
  readonly log: Pick<DeskContext['log'], 'warn'>;
  readonly mint: Pick<DeskContext['mint'], 'mint'>;
  readonly standing: Pick<DeskContext['standing'], 'refusal'>;
};

const waiting = ['reserved', 'loading'] as const;

export class Orders {
  readonly #context: OrdersContext;
  readonly #user: UserName;
  readonly #card: OrdersCard;
  readonly #onLoaded: OnLoaded;

  constructor(context: OrdersContext, user: UserName, card: OrdersCard, onLoaded: OnLoaded) {
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

  /**
   * Coins that were paid for and are not known to be on the card. An order that fails keeps no
   * other from going on; rejects with DeskError `outcome-unknown` only, which ends the visit.
   */
  async resume(): Promise<void> {
    for (const open of await this.#context.store.openRetirements(this.#user)) {
      await this.#attempt(open.orderId, () => this.#finish(open));
    }
    for (const orderId of await this.#waiting()) {
      await this.#attempt(orderId, () => this.#fill(orderId));
    }
  }

  /** Orders with coins that wait, the oldest coin first. */
  async #waiting(): Promise<Iterable<Uint8Array>> {
    const orders = new Map<string, Uint8Array>();
    for (let after: Uint8Array | undefined; ;) {
      const most = limits.orderCoins;
      const page = await this.#context.store.coinsOf(this.#user, [...waiting], after, most);
      for (const { orderId } of page) orders.set(toHex(orderId), orderId);
      after = page.at(-1)?.coinId;
      if (after === undefined || page.length < most) return orders.values();
    }
  }

  async #attempt(orderId: Uint8Array, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DeskError && error.code === 'outcome-unknown') throw error;
      const detail = { user: this.#user, order: toHex(orderId), err: error };
      this.#context.log.warn(detail, 'an order could not be resumed');
    }
  }

  /**
   * Expired coins are money again (design §8), and so are those that were given back in a visit
   * which ended too soon: the card forgets them.
   */
  async eraseExpired(): Promise<void> {
    const { store } = this.#context;
    for (;;) {
      const left = await store.worthlessOnCard(this.#user, limits.loadCoins);
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
    await this.#context.store.markErased(order.coinIds);
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
    let fault: Error | undefined;
    const loads = inLoads(left);
    for (let some = loads.shift(); some !== undefined; some = loads.shift()) {
      const coins = some;
      const outcome = await this.#card.inTurn(() => this.#card.load(coins)).catch(faultOfOne);
      if (outcome.outcome === 'failed') {
        // One alone may be at fault: its secret is damaged, or the card does not take it.
        if (some.length > 1) loads.unshift(...some.map((coin) => [coin]));
        else fault ??= outcome.error;
        continue;
      }
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
    if (fault !== undefined) throw fault;
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

/** As many coins at a time as one LOAD takes. */
function inLoads(coins: readonly CoinRecord[]): CoinRecord[][] {
  const loads = Math.ceil(coins.length / limits.loadCoins);
  return Array.from({ length: loads }, (_, i) =>
    coins.slice(i * limits.loadCoins, (i + 1) * limits.loadCoins),
  );
}

/** Throws what is no single coin's fault: it ends the visit, or the disk is full. */
function faultOfOne(error: unknown): { readonly outcome: 'failed'; readonly error: Error } {
  const isOfAll =
    (error instanceof DeskError && error.code !== 'card-fault') ||
    (error instanceof StoreError && error.code !== 'corrupt');
  if (isOfAll || !(error instanceof Error)) throw error;
  return { outcome: 'failed', error };
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
