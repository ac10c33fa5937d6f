import { toLatin1 } from '../../applet-spec/bytes.ts';
import { bytesOf, bytesOrNone, present } from './row-values.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { accounts } from '../ledger/chart-of-accounts.ts';
import type { SqliteDatabase } from './database.ts';
import type { SealedPlace } from './sealing.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { CoinRecord, CoinState, CoinStore, NewCoin } from './store.ts';

/** What a step needs to know. */
export interface CoinHead {
  readonly number: bigint;
  readonly coin_id: Uint8Array;
  readonly owner: UserName;
  readonly value: bigint;
  readonly state: CoinState;
  readonly payment_id: Uint8Array | null;
}

export interface CoinRow extends CoinHead {
  readonly expiry: bigint;
  readonly commitment: Uint8Array;
  readonly coin: Uint8Array;
  readonly order_id: Uint8Array;
  readonly replaces: Uint8Array | null;
  readonly sealed: Uint8Array | null;
}

/** Coins of this station: the pool (S1), and the steps that only an order or expiry makes. */
export class CoinRows implements Omit<
  CoinStore,
  'retire' | 'finishRetirement' | 'cancelRetirement' | 'openRetirements'
> {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareCoins>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareCoins(parts.database);
  }

  readonly reserveCoins: CoinStore['reserveCoins'] = (order) =>
    this.#parts.database.write(() => {
      const content = JSON.stringify(order.lines.map(({ value, count }) => [`${value}`, count]));
      const before = this.#sql.order.get(order.orderId);
      if (before !== undefined) {
        const same =
          before.kind === 'buy' && before.user === order.user && before.content === content;
        return same ? 'exists' : 'order-conflict';
      }
      if (this.#sql.user.get(order.user) === undefined) return 'unknown-user';
      requireOrdered(order.lines, order.coins);
      const amount = totalOf(order.coins);
      if (this.#parts.ledger.credit(accounts.user(order.user)) < amount) return 'account-too-low';
      this.#sql.insertOrder.run(order.orderId, order.user, content, order.nowMs);
      for (const coin of order.coins) this.insert(coin, order.user, order.orderId);
      const event = { event: 'coins-bought', user: order.user, amount } as const;
      this.#parts.ledger.post(event, order.orderId, order.nowMs);
      return 'created';
    });

  readonly coins: CoinStore['coins'] = (coinIds) =>
    this.#parts.database.read(() =>
      coinIds.map((coinId) => {
        const row = this.#sql.byId.get(coinId);
        return row && coinRecord(row);
      }),
    );

  readonly coinsOfOrder: CoinStore['coinsOfOrder'] = (orderId) =>
    this.#parts.database.read(() => this.#sql.ofOrder.all(orderId).map(coinRecord));

  readonly coinsOf: CoinStore['coinsOf'] = (user, states, after, limit) =>
    this.#parts.database.read(() => {
      const values = {
        owner: user,
        after: after ?? new Uint8Array(0),
        states: JSON.stringify(states),
        limit,
      };
      const live = states.every((state) => liveStates.has(state));
      return (live ? this.#sql.liveOfUser : this.#sql.ofUser).all(values).map(coinRecord);
    });

  readonly replacements: CoinStore['replacements'] = (burned) =>
    this.#parts.database.read(() =>
      burned.map((coinId) => {
        const row = this.#sql.replacing.get(coinId);
        return row && coinRecord(row);
      }),
    );

  readonly outstanding: CoinStore['outstanding'] = (user) =>
    this.#parts.database.read(() => {
      const row = this.#sql.outstanding.get(user);
      return { coins: Number(row?.coins ?? 0n), value: row?.value ?? 0n };
    });

  readonly coinSecrets: CoinStore['coinSecrets'] = (coinIds) =>
    this.#parts.database.read(() =>
      coinIds.map((coinId) => {
        const sealed = this.#sql.sealed.get(coinId)?.sealed ?? undefined;
        return sealed && this.#parts.sealer.open(coinPlace(coinId), sealed);
      }),
    );

  readonly markLoading: CoinStore['markLoading'] = (coinIds) =>
    this.#parts.database.write(() => {
      for (const coinId of coinIds) this.#step(coinId, 'loading', []);
    });

  readonly markLoaded: CoinStore['markLoaded'] = (coinIds) =>
    this.#parts.database.write(() => {
      for (const coinId of coinIds) this.#step(coinId, 'unspent', ['reserved']);
    });

  readonly expireCoins: CoinStore['expireCoins'] = (nowSeconds, limit) =>
    this.#parts.database.write(() => {
      const rows = this.#sql.expiring.all(nowSeconds, limit);
      const nowMs = Number(nowSeconds) * 1_000;
      for (const row of rows) {
        this.#sql.expire.run(row.number);
        // A reserved coin never came to the card.
        if (row.state !== 'reserved') this.#sql.leaveOnCard.run(bytesOf(row.coin_id), row.owner);
        const event = { event: 'coins-expired', user: row.owner, amount: row.value } as const;
        this.#parts.ledger.post(event, bytesOf(row.coin_id), nowMs);
      }
      return rows.length;
    });

  readonly worthlessOnCard: CoinStore['worthlessOnCard'] = (user, limit) =>
    this.#parts.database.read(() =>
      this.#sql.onCard.all(user, limit).map(({ coin_id }) => bytesOf(coin_id)),
    );

  readonly markErased: CoinStore['markErased'] = (coinIds) =>
    this.#parts.database.write(() => {
      for (const coinId of coinIds) this.#sql.erased.run(coinId);
    });

  /** The rest is for the store's other parts, inside their transactions. */
  leaveOnCard({ coin_id, owner }: CoinHead): void {
    this.#sql.leaveOnCard.run(coin_id, owner);
  }

  head(coinId: Uint8Array): CoinHead | undefined {
    return this.#sql.head.get(coinId);
  }

  insert(coin: NewCoin, owner: UserName, orderId: Uint8Array, replaces?: Uint8Array): void {
    this.insertSealed({ ...coin, sealed: this.sealSecret(coin) }, owner, orderId, replaces);
  }

  insertSealed(
    coin: Omit<NewCoin, 'secret'> & { readonly sealed: Uint8Array },
    owner: UserName,
    orderId: Uint8Array,
    replaces?: Uint8Array,
  ): void {
    this.#sql.insert.run({
      coinId: coin.coinId,
      owner,
      value: coin.value,
      expiry: coin.expirySeconds,
      commitment: coin.commitment,
      coin: coin.coin,
      orderId,
      replaces: replaces ?? null,
      sealed: coin.sealed,
    });
  }

  sealSecret(coin: NewCoin): Uint8Array {
    return this.#parts.sealer.seal(coinPlace(coin.coinId), coin.secret);
  }

  /** unspent → pending. */
  markPending(coin: CoinHead, paymentId: Uint8Array): void {
    this.#sql.spend.run(paymentId, coin.number);
  }

  /** pending → spent, or burned and replaced by a coin of the same value and owner. */
  conclude(coin: CoinHead, end: 'spent' | 'burned', replacement?: NewCoin): void {
    this.#sql.conclude.run(end, coin.number);
    if (end === 'spent') return;
    if (replacement?.value !== coin.value) {
      throw new StoreError('defect', 'a burned coin is replaced by one of the same value');
    }
    if (coin.payment_id === null) throw new StoreError('defect', 'a burned coin names its payment');
    const orderId = bytesOf(coin.payment_id).slice(0, 16);
    this.insert(replacement, coin.owner, orderId, bytesOf(coin.coin_id));
  }

  /** A step that may have been made before; `tooEarly` are states from which it is a defect. */
  #step(coinId: Uint8Array, to: 'loading' | 'unspent', tooEarly: readonly CoinState[]): void {
    const from = to === 'loading' ? 'reserved' : 'loading';
    if (this.#sql.step.run(to, coinId, from).changes === 1) return;
    const state = this.head(coinId)?.state;
    if (state === undefined) throw new StoreError('unknown', 'no such coin');
    if (tooEarly.includes(state))
      throw new StoreError('wrong-state', `a ${state} coin is not ${to}`);
  }
}

/** Throws StoreError `defect` unless the coins are what the lines ask for, in any order. */
function requireOrdered(
  lines: readonly { readonly value: bigint; readonly count: number }[],
  coins: readonly NewCoin[],
): void {
  const wanted = new Map<bigint, number>();
  for (const { value, count } of lines) wanted.set(value, (wanted.get(value) ?? 0) + count);
  for (const { value } of coins) wanted.set(value, (wanted.get(value) ?? 0) - 1);
  const distinct = new Set(coins.map(({ coinId }) => toLatin1(coinId)));
  if (distinct.size !== coins.length || [...wanted.values()].some((rest) => rest !== 0)) {
    throw new StoreError('defect', 'the coins are not those of the order');
  }
}

export function totalOf(coins: readonly { readonly value: bigint }[]): bigint {
  return coins.reduce((sum, { value }) => sum + value, 0n);
}

function coinPlace(coinId: Uint8Array): SealedPlace {
  return { table: 'coin', row: coinId, version: 1, state: 'in-pool' };
}

const liveStates: ReadonlySet<CoinState> = new Set(['reserved', 'loading', 'unspent', 'retiring']);

export function coinRecord(row: CoinRow): CoinRecord {
  return {
    coinId: bytesOf(row.coin_id),
    owner: row.owner,
    value: row.value,
    expirySeconds: row.expiry,
    state: row.state,
    commitment: bytesOf(row.commitment),
    coin: bytesOf(row.coin),
    orderId: bytesOf(row.order_id),
    ...present('paymentId', bytesOrNone(row.payment_id)),
    ...present('replaces', bytesOrNone(row.replaces)),
  };
}

interface CoinPage {
  readonly owner: string;
  readonly after: Uint8Array;
  readonly states: string;
  readonly limit: number;
}

interface CoinValues {
  readonly coinId: Uint8Array;
  readonly owner: string;
  readonly value: bigint;
  readonly expiry: bigint;
  readonly commitment: Uint8Array;
  readonly coin: Uint8Array;
  readonly orderId: Uint8Array;
  readonly replaces: Uint8Array | null;
  readonly sealed: Uint8Array;
}

function prepareCoins(database: SqliteDatabase) {
  const page = (live: string) => `SELECT * FROM coin WHERE owner = @owner AND coin_id > @after
    ${live} AND state IN (SELECT value FROM json_each(@states)) ORDER BY coin_id LIMIT @limit`;
  const head = 'number, coin_id, owner, value, state, payment_id';
  // Letter for letter what the partial indexes say, or SQLite would not use them.
  const isLive =
    "(state = 'reserved' OR state = 'loading' OR state = 'unspent' OR state = 'retiring')";
  const canExpire = "(state = 'reserved' OR state = 'loading' OR state = 'unspent')";
  return {
    order: database.prepare<
      [Uint8Array],
      { readonly kind: string; readonly user: string; readonly content: string }
    >('SELECT kind, user, content FROM coin_order WHERE order_id = ?'),
    user: database.prepare<[string], { readonly name: string }>(
      'SELECT name FROM user WHERE name = ?',
    ),
    insertOrder: database.prepare<[Uint8Array, string, string, number]>(
      `INSERT INTO coin_order (order_id, user, kind, state, content, time_ms)
       VALUES (?, ?, 'buy', 'done', ?, ?)`,
    ),
    insert: database.prepare<[CoinValues]>(
      `INSERT INTO coin (coin_id, owner, value, expiry, state, commitment, coin, order_id, replaces,
         sealed)
       VALUES (@coinId, @owner, @value, @expiry, 'reserved', @commitment, @coin, @orderId,
         @replaces, @sealed)`,
    ),
    head: database.prepare<[Uint8Array], CoinHead>(`SELECT ${head} FROM coin WHERE coin_id = ?`),
    byId: database.prepare<[Uint8Array], CoinRow>('SELECT * FROM coin WHERE coin_id = ?'),
    sealed: database.prepare<[Uint8Array], { readonly sealed: Uint8Array | null }>(
      'SELECT sealed FROM coin WHERE coin_id = ?',
    ),
    ofOrder: database.prepare<[Uint8Array], CoinRow>(
      'SELECT * FROM coin WHERE order_id = ? ORDER BY coin_id',
    ),
    ofUser: database.prepare<[CoinPage], CoinRow>(page('')),
    liveOfUser: database.prepare<[CoinPage], CoinRow>(page(`AND ${isLive}`)),
    replacing: database.prepare<[Uint8Array], CoinRow>('SELECT * FROM coin WHERE replaces = ?'),
    outstanding: database.prepare<[string], { readonly coins: bigint; readonly value: bigint }>(
      `SELECT count(*) AS coins, coalesce(sum(value), 0) AS value FROM coin
       WHERE owner = ? AND ${isLive}`,
    ),
    step: database.prepare<[string, Uint8Array, string]>(
      'UPDATE coin SET state = ? WHERE coin_id = ? AND state = ?',
    ),
    spend: database.prepare<[Uint8Array, bigint]>(
      "UPDATE coin SET state = 'pending', payment_id = ? WHERE number = ?",
    ),
    conclude: database.prepare<[string, bigint]>(
      'UPDATE coin SET state = ?, sealed = NULL WHERE number = ?',
    ),
    expiring: database.prepare<[bigint, number], CoinHead>(
      `SELECT ${head} FROM coin WHERE expiry <= ? AND ${canExpire} ORDER BY expiry LIMIT ?`,
    ),
    expire: database.prepare<[bigint]>(
      "UPDATE coin SET state = 'expired', sealed = NULL WHERE number = ?",
    ),
    leaveOnCard: database.prepare<[Uint8Array, string]>(
      'INSERT INTO expired_on_card (coin_id, owner) VALUES (?, ?) ON CONFLICT DO NOTHING',
    ),
    onCard: database.prepare<[string, number], { readonly coin_id: Uint8Array }>(
      'SELECT coin_id FROM expired_on_card WHERE owner = ? ORDER BY coin_id LIMIT ?',
    ),
    erased: database.prepare<[Uint8Array]>('DELETE FROM expired_on_card WHERE coin_id = ?'),
  };
}
