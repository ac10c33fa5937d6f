import type { Currency, StationName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { equalBytes, fromUtf8, toUtf8 } from '../../applet-spec/bytes.ts';
import { auditRows } from './audit-rows.ts';
import { CardRows } from './card-rows.ts';
import { startCheckpoints } from './checkpoints.ts';
import { CoinRows } from './coin-rows.ts';
import { SqliteDatabase } from './database.ts';
import { KeyUseRows } from './key-use-rows.ts';
import { BookRows, LedgerRows } from './ledger-rows.ts';
import { LogQueries } from './log-queries.ts';
import { LogRows } from './log-rows.ts';
import { logWhatWasBefore } from './log-start.ts';
import { migrate } from './migrate.ts';
import { NetworkRows } from './network-rows.ts';
import { OutboxRows } from './outbox-rows.ts';
import { PaymentAcceptance } from './payment-acceptance.ts';
import { PaymentQueries } from './payment-queries.ts';
import { PaymentRows } from './payment-rows.ts';
import { PaymentVerdict } from './payment-verdict.ts';
import { PositionRows } from './position-rows.ts';
import { QuarantineRows } from './quarantine-rows.ts';
import { RecoveryRows } from './recovery-rows.ts';
import { RestoringRows } from './restoring-rows.ts';
import { RetirementRows } from './retirement-rows.ts';
import { bytesOf } from './row-values.ts';
import { Sealer } from './sealing.ts';
import { SettlementRows } from './settlement-rows.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { Store } from './store.ts';
import { UserRows } from './user-rows.ts';
import { WitnessRows } from './witness-rows.ts';

export interface SqliteStoreOptions {
  /** The database's path, or `:memory:`. */
  readonly file: string;
  /** 32 bytes; copied. */
  readonly stationKey: Uint8Array;
  readonly station: StationName;
  /** All accounts of a station are in one currency. */
  readonly currency: Currency;
  /** Its coins are good in one network; without it, in whichever the database is of. */
  readonly network?: string;
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  /**
   * `worker` takes checkpoints off the writer, and needs the compiled program. Default `inline`.
   */
  readonly checkpoints?: 'inline' | 'worker';
  /** The disk failed or the file is damaged: every call from now on is refused with this. */
  readonly onBroken?: (fault: StoreError) => void;
}

/**
 * Opens or makes a station's database. Rejects with StoreError: `wrong-key`, `wrong-station`,
 * `newer-schema`, `corrupt`, `io`.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const database = new SqliteDatabase(options.file, options.onBroken);
  const sealer = new Sealer(options);
  try {
    migrate(database);
    claimDatabase(database, sealer, options);
    startCheckpoints(database, options.file, options.checkpoints ?? 'inline');
  } catch (fault) {
    sealer.destroy();
    await database.close();
    throw fault;
  }
  const { primitives, station, currency } = options;
  const log = new LogRows(database, station, primitives);
  const ledger = new LedgerRows(database, log);
  const positions = new PositionRows(database);
  return storeOf({ database, sealer, ledger, log, positions, primitives, station, currency });
}

/** Every part's methods are fields bound to their part, so that one object can carry them all. */
function storeOf(parts: StoreParts): Store {
  const { database, sealer, ledger, primitives } = parts;
  const coins = new CoinRows(parts);
  const payments = new PaymentRows(database);
  logWhatWasBefore(parts, payments);
  const outbox = new OutboxRows(parts, payments);
  const people = Object.assign(new UserRows(parts), new CardRows(parts));
  const network = Object.assign(new NetworkRows(database, primitives), new QuarantineRows(parts));
  const books = Object.assign(new BookRows(database, ledger), network);
  const retirements = new RetirementRows(parts, coins);
  const pool = Object.assign(coins, retirements, new KeyUseRows(database));
  const paid = Object.assign(
    new PaymentAcceptance(parts, coins, payments, outbox),
    new PaymentVerdict(parts, coins, payments, outbox),
    new PaymentQueries(parts, payments),
    outbox,
  );
  const settlement = new SettlementRows(parts, payments);
  const close = async (): Promise<void> => {
    await database.close();
    sealer.destroy();
  };
  const log = Object.assign(new LogQueries(parts, payments), new WitnessRows(parts));
  const audit = auditRows(parts, payments);
  const left = Object.assign({ close }, people, books, Object.assign(pool, log));
  const recovery = Object.assign(
    new RecoveryRows(parts),
    new RestoringRows(parts, coins, payments, retirements),
  );
  return Object.assign(left, Object.assign(paid, recovery), settlement, audit);
}

const canary = toUtf8('keytoll station database 1');

/**
 * A new database is marked as this station's; another's is refused before anything is read of it.
 */
function claimDatabase(
  database: SqliteDatabase,
  sealer: Sealer,
  { file, station, currency, network }: SqliteStoreOptions,
): void {
  const place = { table: 'meta', row: toUtf8('canary'), version: 1, state: 'kept' };
  const get = database.prepare<[string], { readonly value: Uint8Array }>(
    'SELECT value FROM meta WHERE name = ?',
  );
  const put = database.prepare<[string, Uint8Array]>(
    'INSERT INTO meta (name, value) VALUES (?, ?)',
  );
  const owner = toUtf8(`${station} ${currency}`);
  const claimed = database.writeNow(() => {
    const row = get.get('owner');
    if (row !== undefined) return bytesOf(row.value);
    put.run('owner', owner);
    put.run('canary', sealer.seal(place, canary));
    return owner;
  });
  if (!equalBytes(claimed, owner)) {
    const theirs = fromUtf8(claimed).replace(' ', ' in ');
    throw new StoreError(
      'wrong-station',
      `${file} is the database of ${theirs}, not of ${station} in ${currency}`,
    );
  }
  const sealed = get.get('canary');
  if (sealed === undefined) throw new StoreError('corrupt', 'the database has no canary');
  try {
    sealer.open(place, bytesOf(sealed.value));
  } catch (cause) {
    const words = `the storage key does not open ${file}, which was made under another one`;
    throw new StoreError('wrong-key', words, cause);
  }
  if (network === undefined) return;
  // Databases from before this was kept are of the network that they are first opened for.
  if (get.get('network') === undefined) put.run('network', toUtf8(network));
  const kept = get.get('network');
  const of = kept && fromUtf8(bytesOf(kept.value));
  if (of === network) return;
  throw new StoreError('wrong-station', `${file} is of the network ${of ?? ''}, not of ${network}`);
}
