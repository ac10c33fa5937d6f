/**
 * What a station's money must do, told a second time and as simply as possible: coins are words in
 * a map, accounts are sums over them. Shares no rule with `daemon/`.
 */

export const users = ['alice@q1', 'carol@q1'] as const;
export type ModelUser = (typeof users)[number];

/** Everything by name, so that an operation is plain JSON. */
export type Operation =
  | {
      readonly do: 'top-up';
      readonly user: ModelUser;
      readonly amount: number;
      readonly slip: string;
    }
  | { readonly do: 'buy'; readonly user: ModelUser; readonly order: string; readonly count: number }
  | { readonly do: 'load' | 'loaded'; readonly order: string }
  | {
      readonly do: 'admit';
      readonly payment: string;
      readonly user: ModelUser;
      readonly coin: string;
    }
  | {
      readonly do: 'refuse';
      readonly payment: string;
      readonly user: ModelUser;
      readonly coin: string;
    }
  | { readonly do: 'confirm' }
  | { readonly do: 'deliver' | 'fail' | 'make-whole'; readonly payment: string }
  | {
      readonly do: 'refund' | 'exchange';
      readonly order: string;
      readonly user: ModelUser;
      readonly coin: string;
    }
  | { readonly do: 'finish' | 'cancel'; readonly order: string }
  | { readonly do: 'expire' };

export const coinValue = 12;
export const fees = [5, 4, 3] as const;

interface ModelCoin {
  state: string;
  readonly owner: ModelUser;
  readonly value: number;
  readonly order: string;
}

interface ModelPayment {
  state: string;
  readonly coin: string;
  madeWhole: boolean;
}

interface ModelOrder {
  state: string;
  readonly kind: string;
  readonly user: ModelUser;
  readonly coin: string;
}

/** What can be seen of a store, and of the model, alike. */
export interface Observation {
  readonly coins: Record<string, string>;
  readonly payments: Record<string, string>;
  readonly balances: Record<string, string>;
}

export class MoneyModel {
  readonly coins = new Map<string, ModelCoin>();
  readonly payments = new Map<string, ModelPayment>();
  readonly #slips = new Map<string, { readonly user: ModelUser; readonly amount: number }>();
  readonly #bought = new Map<string, { readonly user: ModelUser; readonly count: number }>();
  readonly #orders = new Map<string, ModelOrder>();

  apply(operation: Operation): void {
    switch (operation.do) {
      case 'top-up':
        if (!this.#slips.has(operation.slip)) this.#slips.set(operation.slip, operation);
        return;
      case 'buy':
        this.#buy(operation.user, operation.order, operation.count);
        return;
      case 'load':
        this.#move(operation.order, 'reserved', 'loading');
        return;
      case 'loaded':
        this.#move(operation.order, 'loading', 'unspent');
        return;
      case 'admit':
      case 'refuse':
        this.#accept(operation);
        return;
      case 'confirm':
        for (const payment of this.payments.values()) {
          if (payment.state === 'admitted') payment.state = 'relayed';
        }
        return;
      case 'deliver':
      case 'fail':
        this.#decide(operation.payment, operation.do === 'deliver');
        return;
      case 'make-whole':
        this.#makeWhole(operation.payment);
        return;
      case 'refund':
      case 'exchange':
        this.#retire(operation);
        return;
      case 'finish':
        this.#finish(operation.order);
        return;
      case 'cancel':
        this.#cancel(operation.order);
        return;
      case 'expire':
        for (const coin of this.coins.values()) {
          if (['reserved', 'loading', 'unspent'].includes(coin.state)) coin.state = 'expired';
        }
    }
  }

  balance(user: ModelUser): number {
    let sum = 0;
    for (const slip of this.#slips.values()) if (slip.user === user) sum += slip.amount;
    for (const { user: buyer, count } of this.#bought.values()) {
      if (buyer === user) sum -= coinValue * count;
    }
    for (const { owner, state, value } of this.coins.values()) {
      if (owner === user && ['refunded', 'expired'].includes(state)) sum += value;
    }
    return sum;
  }

  observe(): Observation {
    const payments = [...this.payments.values()];
    const open = payments.filter(({ state }) => ['admitted', 'relayed'].includes(state));
    const delivered = payments.filter(({ state }) => state === 'delivered').length;
    const unrecovered = payments.filter(
      ({ madeWhole, state }) => madeWhole && state !== 'undelivered',
    );
    const live = [...this.coins.values()].filter(({ state }) =>
      ['reserved', 'loading', 'unspent', 'retiring'].includes(state),
    );
    const sums: [string, number][] = [
      ['cash', [...this.#slips.values()].reduce((sum, { amount }) => sum + amount, 0)],
      ['coins-outstanding', -live.reduce((sum, { value }) => sum + value, 0)],
      ['pending-payments', -coinValue * open.length],
      ['resolution-losses', coinValue * unrecovered.length],
      ['fees-earned', -fees[0] * delivered],
      ['payable:q2', -fees[1] * delivered],
      ['payable:q3', -fees[2] * delivered],
      ...users.map((user): [string, number] => [`user:${user}`, -this.balance(user)]),
    ];
    return {
      coins: Object.fromEntries([...this.coins].map(([name, { state }]) => [name, state])),
      payments: Object.fromEntries([...this.payments].map(([name, { state }]) => [name, state])),
      balances: Object.fromEntries(
        sums.filter(([, sum]) => sum !== 0).map(([name, sum]) => [name, String(sum)]),
      ),
    };
  }

  #buy(user: ModelUser, order: string, count: number): void {
    if (this.#bought.has(order) || this.#orders.has(order)) return;
    if (this.balance(user) < coinValue * count) return;
    this.#bought.set(order, { user, count });
    for (let i = 0; i < count; i++) {
      this.coins.set(`${order}/${i}`, { state: 'reserved', owner: user, value: coinValue, order });
    }
  }

  #move(order: string, from: string, to: string): void {
    const coins = [...this.coins.values()].filter((coin) => coin.order === order);
    // The whole call is refused where a coin is not even loading.
    if (to === 'unspent' && coins.some(({ state }) => state === 'reserved')) return;
    for (const coin of coins) if (coin.state === from) coin.state = to;
  }

  #accept(wish: Extract<Operation, { readonly do: 'admit' | 'refuse' }>): void {
    const coin = this.coins.get(wish.coin);
    if (this.payments.has(wish.payment) || coin?.state !== 'unspent') return;
    if (coin.owner !== wish.user || coin.value !== coinValue) return;
    const admitted = wish.do === 'admit';
    const state = admitted ? 'admitted' : 'refused';
    this.payments.set(wish.payment, { state, coin: wish.coin, madeWhole: false });
    coin.state = 'pending';
    if (!admitted) this.#burn(wish.payment, wish.coin);
  }

  #decide(name: string, delivered: boolean): void {
    const payment = this.payments.get(name);
    if (payment === undefined || !['admitted', 'relayed'].includes(payment.state)) return;
    payment.state = delivered ? 'delivered' : 'undelivered';
    if (payment.madeWhole) return;
    const coin = this.coins.get(payment.coin);
    if (delivered && coin !== undefined) coin.state = 'spent';
    if (!delivered) this.#burn(name, payment.coin);
  }

  #makeWhole(name: string): void {
    const payment = this.payments.get(name);
    if (payment === undefined || !['admitted', 'relayed'].includes(payment.state)) return;
    if (payment.madeWhole) return;
    payment.madeWhole = true;
    this.#burn(name, payment.coin);
  }

  #burn(payment: string, name: string): void {
    const coin = this.coins.get(name);
    if (coin === undefined) throw new Error('no coin to burn');
    coin.state = 'burned';
    const order = `replacement of ${payment}`;
    this.coins.set(`for ${payment}`, { ...coin, state: 'reserved', order });
  }

  #retire(wish: Extract<Operation, { readonly do: 'refund' | 'exchange' }>): void {
    const coin = this.coins.get(wish.coin);
    const before = this.#orders.get(wish.order);
    const { kind, user, coin: given } = before ?? { ...wish, kind: wish.do };
    const isAnother = kind !== wish.do || user !== wish.user || given !== wish.coin;
    if (isAnother || this.#bought.has(wish.order)) return;
    if (before !== undefined && before.state !== 'cancelled') return;
    if (coin?.state !== 'unspent' || coin.owner !== wish.user || coin.value !== coinValue) return;
    coin.state = 'retiring';
    this.#orders.set(wish.order, {
      state: 'open',
      kind: wish.do,
      user: wish.user,
      coin: wish.coin,
    });
  }

  #finish(name: string): void {
    const order = this.#orders.get(name);
    const coin = order && this.coins.get(order.coin);
    if (order?.state !== 'open' || coin === undefined) return;
    order.state = 'done';
    coin.state = order.kind === 'refund' ? 'refunded' : 'exchanged';
    if (order.kind === 'refund') return;
    for (const half of ['first', 'second']) {
      this.coins.set(`${half} half of ${name}`, {
        state: 'reserved',
        owner: order.user,
        value: coinValue / 2,
        order: name,
      });
    }
  }

  #cancel(name: string): void {
    const order = this.#orders.get(name);
    const coin = order && this.coins.get(order.coin);
    if (order?.state !== 'open' || coin === undefined) return;
    order.state = 'cancelled';
    coin.state = 'unspent';
  }
}
