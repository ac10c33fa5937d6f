import type { UserName } from '../../applet-spec/names.ts';
import type { AuditCoinStore, AuditedCoin, CoinOrder, HeadOfCoin } from './audit-store.ts';
import { coinRecord, type CoinRow } from './coin-rows.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf, bytesOrNone, present } from './row-values.ts';
import type { StoreParts } from './store-parts.ts';

/** What only an audit reads (S6a): coins whoever owns them, and the orders that made them. */
export class AuditCoinRows implements AuditCoinStore {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareAuditCoins>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareAuditCoins(parts.database);
  }

  readonly auditedCoins: AuditCoinStore['auditedCoins'] = (after, limit) =>
    this.#parts.database.read(() => this.#sql.coins.all(after, limit).map(auditedCoin));

  readonly coinOrders: AuditCoinStore['coinOrders'] = (after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.orders.all(after ?? new Uint8Array(0), limit).map(coinOrder),
    );

  readonly coinsOfOrders: AuditCoinStore['coinsOfOrders'] = (orderIds) =>
    this.#parts.database.read(() =>
      orderIds.map((orderId) => ({
        made: this.#sql.made.all(orderId).map(headOfCoin),
        taken: this.#sql.taken.all(orderId).map(headOfCoin),
      })),
    );

  readonly waitingCoins: AuditCoinStore['waitingCoins'] = () =>
    this.#parts.database.read(() =>
      this.#sql.waiting.all().map((row) => ({
        orderId: bytesOf(row.order_id),
        coinId: bytesOf(row.coin_id),
        value: row.value,
        expirySeconds: row.expiry,
        commitment: bytesOf(row.commitment),
        coin: bytesOf(row.coin),
      })),
    );
}

interface AuditedCoinRow extends CoinRow {
  readonly retirement_id: Uint8Array | null;
  readonly made_by: CoinOrder['kind'] | null;
  readonly taken_by: CoinOrder['kind'] | null;
}

interface OrderRow {
  readonly order_id: Uint8Array;
  readonly user: UserName;
  readonly kind: CoinOrder['kind'];
  readonly state: CoinOrder['state'];
  readonly content: string;
  readonly time_ms: bigint;
}

type WaitingRow = Pick<
  CoinRow,
  'order_id' | 'coin_id' | 'value' | 'expiry' | 'commitment' | 'coin'
>;

function auditedCoin(row: AuditedCoinRow): AuditedCoin {
  return {
    ...coinRecord(row),
    number: row.number,
    holdsSecret: row.sealed !== null,
    ...present('retirementId', bytesOrNone(row.retirement_id)),
    ...present('madeBy', row.made_by),
    ...present('takenBy', row.taken_by),
  };
}

type HeadRow = Pick<CoinRow, 'coin_id' | 'owner' | 'value' | 'state'>;

function headOfCoin({ coin_id, ...row }: HeadRow): HeadOfCoin {
  return { ...row, coinId: bytesOf(coin_id) };
}

function coinOrder({ order_id, time_ms, ...row }: OrderRow): CoinOrder {
  return { ...row, orderId: bytesOf(order_id), timeMs: Number(time_ms) };
}

function prepareAuditCoins(database: SqliteDatabase) {
  const coins = `SELECT c.*, m.kind AS made_by, t.kind AS taken_by FROM coin c
    LEFT JOIN coin_order m ON m.order_id = c.order_id
    LEFT JOIN coin_order t ON t.order_id = c.retirement_id`;
  const head = 'SELECT coin_id, owner, value, state FROM coin';
  return {
    coins: database.prepare<[bigint, number], AuditedCoinRow>(
      `${coins} WHERE c.number > ? ORDER BY c.number LIMIT ?`,
    ),
    orders: database.prepare<[Uint8Array, number], OrderRow>(
      `SELECT order_id, user, kind, state, content, time_ms FROM coin_order
       WHERE order_id > ? ORDER BY order_id LIMIT ?`,
    ),
    made: database.prepare<[Uint8Array], HeadRow>(
      `${head} WHERE order_id = ? AND replaces IS NULL ORDER BY coin_id`,
    ),
    taken: database.prepare<[Uint8Array], HeadRow>(
      `${head} WHERE retirement_id = ? ORDER BY coin_id`,
    ),
    waiting: database.prepare<[], WaitingRow>(
      `SELECT order_id, coin_id, value, expiry, commitment, coin FROM coin_in_waiting
       ORDER BY order_id, coin_id`,
    ),
  };
}
