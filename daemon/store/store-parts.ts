/** What every part of the SQLite store is made from. */
import type { Currency, StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { SqliteDatabase } from './database.ts';
import type { LedgerRows } from './ledger-rows.ts';
import type { LogRows } from './log-rows.ts';
import type { PositionRows } from './position-rows.ts';
import type { Sealer } from './sealing.ts';

export interface StoreParts {
  readonly database: SqliteDatabase;
  readonly sealer: Sealer;
  readonly ledger: LedgerRows;
  readonly log: LogRows;
  readonly positions: PositionRows;
  readonly primitives: Primitives;
  readonly station: StationName;
  readonly currency: Currency;
}
