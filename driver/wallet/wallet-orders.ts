import { retirement, type Retirement } from '../../applet-spec/card-objects.ts';
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { WalletError } from './wallet-error.ts';
import type { SqlRow, WalletFile } from './wallet-file.ts';
import {
  blobOf,
  decodeStored,
  numberOf,
  optionalBlobOf,
  optionalTextOf,
  textOf,
  wordOf,
} from './wallet-row.ts';

export type OrderKind = 'buy' | 'exchange' | 'refund';

/** What was asked of the station: coins for money, coins for coins, or money for coins. */
export interface OrderRequest {
  readonly orderId: Uint8Array;
  readonly kind: OrderKind;
  /** Empty for a refund. */
  readonly lines: readonly OrderLine[];
  /** The coins given back; absent for a purchase. */
  readonly retirement?: Retirement;
}

export interface WalletOrder extends OrderRequest {
  readonly state: 'open' | 'done' | 'refused';
  /** The desk's words, where it refused. */
  readonly detail?: string;
  /** Coins that have arrived so far. */
  readonly loaded: number;
}

/**
 * Orders are durable before they are sent, and repeated under the same ID until they have ended.
 */
export class WalletOrders {
  readonly #file: WalletFile;

  constructor(file: WalletFile) {
    this.#file = file;
  }

  open(order: OrderRequest, nowMs: number): void {
    this.#file.run(
      `insert into orders (order_id, kind, lines, retirement, state, created_ms)
       values (?, ?, ?, ?, 'open', ?) on conflict (order_id) do nothing`,
      order.orderId,
      order.kind,
      order.lines.map(({ value, count }) => `${count}x${value}`).join(' '),
      order.retirement === undefined ? null : retirement.encode(order.retirement),
      BigInt(nowMs),
    );
  }

  /** A later notice never lowers the count. */
  progress(orderId: Uint8Array, loaded: number): void {
    const sql = 'update orders set loaded = max(loaded, ?) where order_id = ?';
    this.#file.run(sql, BigInt(loaded), orderId);
  }

  end(orderId: Uint8Array, state: 'done' | 'refused', detail?: string): void {
    this.#file.run(
      `update orders set state = ?, detail = ? where order_id = ? and state = 'open'`,
      state,
      detail ?? null,
      orderId,
    );
  }

  find(orderId: Uint8Array): WalletOrder | undefined {
    const row = this.#file.first('select * from orders where order_id = ?', orderId);
    return row === undefined ? undefined : readOrder(row);
  }

  /** The oldest first. */
  pending(): readonly WalletOrder[] {
    return this.#file
      .all(`select * from orders where state = 'open' order by created_ms`)
      .map(readOrder);
  }
}

function readOrder(row: SqlRow): WalletOrder {
  const retired = optionalBlobOf(row, 'retirement');
  const detail = optionalTextOf(row, 'detail');
  return {
    orderId: blobOf(row, 'order_id'),
    kind: wordOf(row, 'kind', ['buy', 'exchange', 'refund']),
    lines: readLines(textOf(row, 'lines')),
    ...(retired && {
      retirement: decodeStored('order', () => decodeElement(retirement, retired, 'retirement')),
    }),
    state: wordOf(row, 'state', ['open', 'done', 'refused']),
    ...(detail !== undefined && { detail }),
    loaded: numberOf(row, 'loaded'),
  };
}

function readLines(text: string): OrderLine[] {
  if (text === '') return [];
  return text.split(' ').map((line) => {
    const [, count, value] = /^([0-9]+)x([0-9]+)$/.exec(line) ?? [];
    if (count === undefined || value === undefined) {
      throw new WalletError('wallet-damaged', `the wallet's order line "${line}" is none`);
    }
    return { count: Number(count), value: BigInt(value) };
  });
}
