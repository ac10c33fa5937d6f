import type { StationName } from '../../applet-spec/names.ts';
import type { SqliteDatabase } from './database.ts';

/** What an integer of the database holds. */
const unlimited = 2n ** 63n - 1n;

interface Position {
  amount: bigint;
  moved: bigint;
  limit: bigint | undefined;
}

/**
 * What each issuer may come to owe (I8), inside the transactions of the other parts: read once and
 * written once a call, however many payments. Between calls nothing is remembered: another program
 * may have booked a window as paid.
 */
export class PositionRows {
  readonly #sql: ReturnType<typeof preparePositions>;
  readonly #positions = new Map<StationName, Position>();

  constructor(database: SqliteDatabase) {
    this.#sql = preparePositions(database);
    database.beforeEnd(() => {
      this.#move();
    });
    database.afterRollback(() => {
      this.#positions.clear();
    });
  }

  /** As it was committed; for reading outside a transaction. */
  amount(issuer: StationName): bigint {
    return this.#sql.get.get(issuer)?.amount ?? 0n;
  }

  /**
   * A line on a payment of this issuer. Undefined: it counts from now on. Otherwise nothing is
   * taken, and this is where the position stands, too near its limit.
   */
  take(issuer: StationName, fee: bigint, limit = unlimited): bigint | undefined {
    if (fee === 0n) return undefined;
    const position = this.#positionOf(issuer);
    if (position.amount + fee > limit) return position.amount;
    position.amount += fee;
    position.moved += fee;
    position.limit = limit;
    return undefined;
  }

  /** The line was not earned, or it was paid. */
  giveBack(issuer: StationName, amount: bigint): void {
    const position = this.#positionOf(issuer);
    position.amount -= amount;
    position.moved -= amount;
  }

  #positionOf(issuer: StationName): Position {
    const known = this.#positions.get(issuer);
    if (known !== undefined) return known;
    const position = { amount: this.amount(issuer), moved: 0n, limit: undefined };
    this.#positions.set(issuer, position);
    return position;
  }

  #move(): void {
    for (const [issuer, { moved, limit }] of this.#positions) {
      if (moved === 0n) continue;
      const move = (): number => this.#sql.move.run(moved, limit ?? null, issuer).changes;
      if (move() > 0) continue;
      this.#sql.insert.run(issuer, limit ?? unlimited);
      move();
    }
    this.#positions.clear();
  }
}

function preparePositions(database: SqliteDatabase) {
  return {
    get: database.prepare<[string], { readonly amount: bigint }>(
      'SELECT amount FROM position WHERE issuer = ?',
    ),
    move: database.prepare<[bigint, bigint | null, string]>(
      'UPDATE position SET amount = amount + ?, most = coalesce(?, most) WHERE issuer = ?',
    ),
    insert: database.prepare<[string, bigint]>(
      'INSERT INTO position (issuer, amount, most) VALUES (?, 0, ?)',
    ),
  };
}
