import { toHex, toLatin1 } from '../../applet-spec/bytes.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { totalOf, type CoinHead, type CoinRows } from './coin-rows.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { CoinStore, NewCoin } from './store.ts';

type Retirement = Parameters<CoinStore['retire']>[0];

/**
 * Refund and exchange (S1): from the moment the coins leave the unspent pool to the money's move.
 */
export class RetirementRows implements Pick<
  CoinStore,
  'retire' | 'finishRetirement' | 'cancelRetirement' | 'openRetirements'
> {
  readonly #parts: StoreParts;
  readonly #coins: CoinRows;
  readonly #sql: ReturnType<typeof prepareRetirements>;

  constructor(parts: StoreParts, coins: CoinRows) {
    this.#parts = parts;
    this.#coins = coins;
    this.#sql = prepareRetirements(parts.database);
  }

  readonly retire: CoinStore['retire'] = (order) =>
    this.#parts.database.write(() => {
      const coinsGiven = order.coinIds.map(toHex);
      const wanted = (order.lines ?? []).map(({ value, count }) => `${count}x${value}`);
      const content = JSON.stringify([...coinsGiven, ...wanted]);
      const before = this.#sql.order.get(order.orderId);
      if (before !== undefined) {
        const same =
          before.kind === order.operation &&
          before.user === order.user &&
          // Older programs did not keep what was asked for.
          (before.content === content || before.content === JSON.stringify(coinsGiven));
        if (!same) return 'order-conflict';
        if (before.state !== 'cancelled') return 'exists';
      }
      const coins = this.#unspentOf(order);
      if (coins === undefined) return 'coin-not-unspent';
      const back = order.operation === 'exchange' ? totalOf(order.replacements) : totalOf(coins);
      const strayCoins = order.operation === 'refund' && order.replacements.length > 0;
      if (back !== totalOf(coins) || strayCoins) return 'sums-differ';
      const { orderId, user, operation, nowMs } = order;
      // Nothing came of it while it was cancelled, and it is asked again under its own ID.
      if (before !== undefined) this.#sql.step.run('open', orderId);
      else this.#sql.insertOrder.run(orderId, user, operation, content, nowMs);
      for (const coin of coins) this.#sql.retire.run(orderId, coin.number);
      for (const coin of order.replacements) this.#keepWaiting(orderId, coin);
      return 'created';
    });

  readonly finishRetirement: CoinStore['finishRetirement'] = (orderId, nowMs) =>
    this.#parts.database.write(() => {
      const order = this.#order(orderId);
      if (order.state === 'done') return;
      if (order.state === 'cancelled')
        throw new StoreError('wrong-state', 'the order is cancelled');
      const coins = this.#sql.retiring.all(orderId);
      const end = order.kind === 'refund' ? 'refunded' : 'exchanged';
      for (const coin of coins) {
        this.#sql.finish.run(end, coin.number);
        // Until it has erased them: the visit may be cut off before that.
        this.#coins.leaveOnCard(coin);
      }
      if (order.kind === 'refund') {
        const event = {
          event: 'coins-refunded',
          user: order.user,
          amount: totalOf(coins),
        } as const;
        this.#parts.ledger.post(event, orderId, nowMs);
      }
      for (const coin of this.#sql.waiting.all(orderId)) {
        const { coin_id: coinId, expiry: expirySeconds, ...rest } = coin;
        this.#coins.insertSealed({ coinId, expirySeconds, ...rest }, order.user, orderId);
      }
      this.#end(orderId, 'done');
    });

  readonly cancelRetirement: CoinStore['cancelRetirement'] = (orderId) =>
    this.#parts.database.write(() => {
      const order = this.#order(orderId);
      if (order.state === 'cancelled') return;
      if (order.state === 'done') throw new StoreError('wrong-state', 'the order is done');
      this.#cancel(orderId);
    });

  readonly openRetirements: CoinStore['openRetirements'] = (user) =>
    this.#parts.database.read(() =>
      this.#sql.open.all(user).map(({ order_id, kind }) => ({
        orderId: bytesOf(order_id),
        operation: kind,
        coinIds: this.#sql.retiring.all(order_id).map(({ coin_id }) => bytesOf(coin_id)),
      })),
    );

  /**
   * For the store's other parts, inside their transactions: a retiring coin has paid, so no card
   * has retired any coin of its order.
   */
  neverRetired(coin: CoinHead): void {
    const orderId = this.#sql.orderOf.get(coin.number)?.retirement_id;
    if (orderId === undefined) throw new StoreError('defect', 'a retiring coin without an order');
    this.#cancel(bytesOf(orderId));
  }

  #cancel(orderId: Uint8Array): void {
    this.#sql.giveBack.run(orderId);
    this.#end(orderId, 'cancelled');
  }

  #unspentOf(order: Retirement): CoinHead[] | undefined {
    const coins: CoinHead[] = [];
    const seen = new Set<string>();
    for (const coinId of order.coinIds) {
      const coin = this.#coins.head(coinId);
      if (coin?.state !== 'unspent' || coin.owner !== order.user) return undefined;
      if (seen.has(toLatin1(coinId))) return undefined;
      seen.add(toLatin1(coinId));
      coins.push(coin);
    }
    return coins;
  }

  #order(orderId: Uint8Array): OrderRow {
    const order = this.#sql.order.get(orderId);
    if (order === undefined || order.kind === 'buy') {
      throw new StoreError('unknown', 'no such retirement');
    }
    return order;
  }

  #keepWaiting(orderId: Uint8Array, coin: NewCoin): void {
    if (this.#coins.head(coin.coinId) !== undefined) {
      throw new StoreError('defect', 'a new coin has the ID of an old one');
    }
    this.#sql.insertWaiting.run({
      orderId,
      coinId: coin.coinId,
      value: coin.value,
      expiry: coin.expirySeconds,
      commitment: coin.commitment,
      coin: coin.coin,
      sealed: this.#coins.sealSecret(coin),
    });
  }

  #end(orderId: Uint8Array, state: 'done' | 'cancelled'): void {
    this.#sql.dropWaiting.run(orderId);
    this.#sql.step.run(state, orderId);
  }
}

interface OrderRow {
  readonly order_id: Uint8Array;
  readonly user: UserName;
  readonly kind: 'buy' | 'refund' | 'exchange';
  readonly state: 'open' | 'done' | 'cancelled';
  readonly content: string;
}

interface OpenRow {
  readonly order_id: Uint8Array;
  readonly kind: 'refund' | 'exchange';
}

interface WaitingRow {
  readonly coin_id: Uint8Array;
  readonly value: bigint;
  readonly expiry: bigint;
  readonly commitment: Uint8Array;
  readonly coin: Uint8Array;
  readonly sealed: Uint8Array;
}

interface WaitingValues extends Omit<WaitingRow, 'coin_id'> {
  readonly orderId: Uint8Array;
  readonly coinId: Uint8Array;
}

function prepareRetirements(database: SqliteDatabase) {
  return {
    order: database.prepare<[Uint8Array], OrderRow>('SELECT * FROM coin_order WHERE order_id = ?'),
    insertOrder: database.prepare<[Uint8Array, string, string, string, number]>(
      `INSERT INTO coin_order (order_id, user, kind, state, content, time_ms)
       VALUES (?, ?, ?, 'open', ?, ?)`,
    ),
    open: database.prepare<[string], OpenRow>(
      "SELECT order_id, kind FROM coin_order WHERE user = ? AND state = 'open' ORDER BY time_ms",
    ),
    step: database.prepare<[string, Uint8Array]>(
      'UPDATE coin_order SET state = ? WHERE order_id = ?',
    ),
    retire: database.prepare<[Uint8Array, bigint]>(
      "UPDATE coin SET state = 'retiring', retirement_id = ? WHERE number = ?",
    ),
    retiring: database.prepare<[Uint8Array], CoinHead>(
      `SELECT number, coin_id, owner, value, state, payment_id FROM coin
       WHERE retirement_id = ? ORDER BY coin_id`,
    ),
    finish: database.prepare<[string, bigint]>(
      'UPDATE coin SET state = ?, sealed = NULL WHERE number = ?',
    ),
    orderOf: database.prepare<[bigint], { readonly retirement_id: Uint8Array }>(
      'SELECT retirement_id FROM coin WHERE number = ? AND retirement_id IS NOT NULL',
    ),
    giveBack: database.prepare<[Uint8Array]>(
      "UPDATE coin SET state = 'unspent', retirement_id = NULL WHERE retirement_id = ?",
    ),
    insertWaiting: database.prepare<[WaitingValues]>(
      `INSERT INTO coin_in_waiting (order_id, coin_id, value, expiry, commitment, coin, sealed)
       VALUES (@orderId, @coinId, @value, @expiry, @commitment, @coin, @sealed)`,
    ),
    waiting: database.prepare<[Uint8Array], WaitingRow>(
      `SELECT coin_id, value, expiry, commitment, coin, sealed FROM coin_in_waiting
       WHERE order_id = ? ORDER BY coin_id`,
    ),
    dropWaiting: database.prepare<[Uint8Array]>('DELETE FROM coin_in_waiting WHERE order_id = ?'),
  };
}
