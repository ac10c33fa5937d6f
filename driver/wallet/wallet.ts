import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import {
  isCurrency,
  isStationName,
  isUserName,
  type Currency,
  type StationName,
  type UserName,
} from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ReplayWindows } from './replay-windows.ts';
import { WalletCertificates } from './wallet-certificates.ts';
import { WalletCoins } from './wallet-coins.ts';
import { WalletError } from './wallet-error.ts';
import { WalletFile, type SqlRow } from './wallet-file.ts';
import { WalletOrders } from './wallet-orders.ts';
import { WalletPayments } from './wallet-payments.ts';
import { WalletQuotes } from './wallet-quotes.ts';
import { bigOf, blobOf, optionalBlobOf, optionalTextOf, textOf } from './wallet-row.ts';

const walletFileName = 'wallet.db';

/** What `card init` sets, before a station has been reached. */
export interface StationSettings {
  /** `ws://host:port` of the desk. */
  readonly stationUrl: string;
  /** DER of the CA's root certificate: the one trust anchor. */
  readonly rootCertificate: Uint8Array;
}

/** What the station and the card have told since. */
export interface AccountSettings {
  readonly station: StationName;
  readonly user: UserName;
  readonly network: string;
  readonly currency: Currency;
}

export interface WalletSettings extends StationSettings {
  readonly account?: AccountSettings;
  /** Where `payments` goes on from. */
  readonly paymentsCursor: bigint;
}

/**
 * What the user's machine remembers: settings, coins' public parts, quotes, payments, orders and
 * replay windows, in one SQLite file. Never a secret, never a user's certificate. Calls are
 * synchronous and durable when they return. Throws WalletError.
 */
export class Wallet {
  readonly coins: WalletCoins;
  readonly quotes: WalletQuotes;
  readonly payments: WalletPayments;
  readonly orders: WalletOrders;
  readonly certificates: WalletCertificates;
  readonly replayWindows: ReplayWindows;
  readonly #file: WalletFile;

  private constructor(file: WalletFile, primitives: Primitives) {
    this.#file = file;
    this.coins = new WalletCoins(file);
    this.quotes = new WalletQuotes(file, primitives);
    this.payments = new WalletPayments(file, primitives);
    this.orders = new WalletOrders(file);
    this.certificates = new WalletCertificates(file, primitives);
    this.replayWindows = new ReplayWindows(file);
  }

  /** The wallet in a folder of its own, made where there is none. */
  static open(folder: string, primitives: Primitives = noblePrimitives): Wallet {
    return new Wallet(WalletFile.open(join(folder, walletFileName)), primitives);
  }

  /** As `open`; where there is none, an empty one in memory: a wrong folder is left as it is. */
  static openExisting(folder: string, primitives: Primitives = noblePrimitives): Wallet {
    const path = join(folder, walletFileName);
    if (isThere(folder, path)) return Wallet.open(folder, primitives);
    return new Wallet(WalletFile.inMemory(), primitives);
  }

  /** As `openExisting`; one that nobody can write here is read all the same, and stays as it is. */
  static openToRead(folder: string, primitives: Primitives = noblePrimitives): Wallet {
    try {
      return Wallet.openExisting(folder, primitives);
    } catch (error) {
      const path = join(folder, walletFileName);
      const isUnwritable = error instanceof WalletError && error.code === 'wallet-unreachable';
      if (!isUnwritable || !isThere(folder, path)) throw error;
      return new Wallet(WalletFile.copyOf(path), primitives);
    }
  }

  settings(): WalletSettings | undefined {
    const row = this.#file.first('select * from settings');
    if (row === undefined) return undefined;
    const account = accountOf(row);
    return {
      stationUrl: textOf(row, 'station_url'),
      rootCertificate: blobOf(row, 'root_certificate'),
      ...(account && { account }),
      paymentsCursor: bigOf(row, 'payments_cursor'),
    };
  }

  /** Throws WalletError `wallet-not-set-up`. */
  requireSettings(): WalletSettings {
    const settings = this.settings();
    if (settings !== undefined) return settings;
    throw new WalletError('wallet-not-set-up', 'this wallet knows no station yet');
  }

  saveStation(station: StationSettings): void {
    this.#file.run(
      `insert into settings (only, station_url, root_certificate) values (1, ?, ?)
       on conflict (only) do update set station_url = excluded.station_url,
         root_certificate = excluded.root_certificate,
         crl = case when root_certificate = excluded.root_certificate then crl end,
         payments_cursor =
           case when station_url = excluded.station_url then payments_cursor else '0' end`,
      station.stationUrl,
      station.rootCertificate,
    );
  }

  saveAccount(account: AccountSettings): void {
    this.#file.run(
      'update settings set station = ?, user = ?, network = ?, currency = ?',
      account.station,
      account.user,
      account.network,
      account.currency,
    );
  }

  /** The newest CRL seen, DER: an older one is never taken again. */
  crl(): Uint8Array | undefined {
    const row = this.#file.first('select crl from settings');
    return row === undefined ? undefined : optionalBlobOf(row, 'crl');
  }

  saveCrl(der: Uint8Array): void {
    this.#file.run('update settings set crl = ?', der);
  }

  savePaymentsCursor(cursor: bigint): void {
    this.#file.run('update settings set payments_cursor = ?', cursor.toString());
  }

  close(): void {
    this.#file.close();
  }
}

function accountOf(row: SqlRow): AccountSettings | undefined {
  const station = optionalTextOf(row, 'station');
  if (station === undefined) return undefined;
  const user = textOf(row, 'user');
  const currency = textOf(row, 'currency');
  if (!isStationName(station) || !isUserName(user) || !isCurrency(currency)) {
    throw new WalletError('wallet-damaged', "the wallet's account settings are not as written");
  }
  return { station, user, network: textOf(row, 'network'), currency };
}

/** Throws WalletError `wallet-unreachable` where nobody can tell, or no wallet can be. */
function isThere(folder: string, path: string): boolean {
  try {
    const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
    if (isFolder !== false) return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new WalletError('wallet-unreachable', `${path}: ${detail}`, { cause });
  }
  throw new WalletError('wallet-unreachable', `${folder} is no folder`);
}
