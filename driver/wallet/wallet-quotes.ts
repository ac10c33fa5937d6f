import type { Primitives } from '../../applet-spec/primitives.ts';
import { acceptance, quote, type Acceptance, type Quote } from '../../applet-spec/quote.ts';
import type { SqlRow, WalletFile } from './wallet-file.ts';
import { blobOf, decodeStored, optionalBlobOf, optionalTextOf, wordOf } from './wallet-row.ts';

/**
 * `offered`: the station's offer. `authorised`: the card may be told to pay it, and the request may
 * have left; it is repeated, never replaced. `paid`: it became the payment `paymentId`. `refused`:
 * the desk said no before anything was signed.
 */
export type WalletQuoteState = 'offered' | 'authorised' | 'paid' | 'refused';

export interface OfferedQuote {
  readonly quote: Quote;
  readonly acceptance: Acceptance;
  /** DER of the stations' document certificates, as they were when the quote was checked. */
  readonly stationCertificate: Uint8Array;
  readonly payeeStationCertificate: Uint8Array;
}

export interface WalletQuote extends OfferedQuote {
  readonly quoteDigest: Uint8Array;
  readonly state: WalletQuoteState;
  /** The desk's words, where it refused. */
  readonly detail?: string;
  readonly paymentId?: Uint8Array;
}

const states = ['offered', 'authorised', 'paid', 'refused'] as const;

export class WalletQuotes {
  readonly #file: WalletFile;
  readonly #primitives: Primitives;

  constructor(file: WalletFile, primitives: Primitives) {
    this.#file = file;
    this.#primitives = primitives;
  }

  /** undefined where the wallet knows another quote by this one's ID, which users pay by. */
  keep(offered: OfferedQuote, nowMs: number): WalletQuote | undefined {
    const { quoteId } = offered.quote.body;
    const quoteDigest = quote.digest(this.#primitives, offered.quote.bodyBytes);
    return this.#file.atomically(() => {
      const other = 'select 1 from quotes where quote_id = ? and quote_digest <> ?';
      if (this.#file.first(other, quoteId, quoteDigest) !== undefined) return undefined;
      this.#file.run(
        `insert into quotes (quote_digest, quote_id, quote, acceptance, station_certificate,
           payee_station_certificate, state, changed_ms) values (?, ?, ?, ?, ?, ?, 'offered', ?)
         on conflict (quote_digest) do nothing`,
        quoteDigest,
        quoteId,
        offered.quote.bytes,
        offered.acceptance.bytes,
        offered.stationCertificate,
        offered.payeeStationCertificate,
        BigInt(nowMs),
      );
      return { ...offered, quoteDigest, state: 'offered' };
    });
  }

  /** By quote ID or digest. */
  find(id: Uint8Array): WalletQuote | undefined {
    const sql = 'select * from quotes where quote_digest = ? or quote_id = ?';
    const row = this.#file.first(sql, id, id);
    return row === undefined ? undefined : this.#read(row);
  }

  /** Durable before the request to pay leaves (failure 2). */
  authorise(quoteDigest: Uint8Array, nowMs: number): void {
    this.#file.run(
      `update quotes set state = 'authorised', detail = null, changed_ms = ?
       where quote_digest = ? and state in ('offered', 'refused', 'authorised')`,
      BigInt(nowMs),
      quoteDigest,
    );
  }

  /** The desk refused before the card signed; the coin is untouched. */
  refuse(quoteDigest: Uint8Array, detail: string, nowMs: number): void {
    this.#file.run(
      `update quotes set state = 'refused', detail = ?, changed_ms = ?
       where quote_digest = ? and state in ('offered', 'authorised')`,
      detail,
      BigInt(nowMs),
      quoteDigest,
    );
  }

  /** Authorised and without a payment so far, the oldest first. */
  pending(): readonly WalletQuote[] {
    return this.#file
      .all(`select * from quotes where state = 'authorised' order by changed_ms`)
      .map((row) => this.#read(row));
  }

  /**
   * After all payments have been fetched: offers that expired before `seconds` are forgotten, and
   * those authorised of which the station knows no payment count as refused. Should one turn up
   * after all, it becomes paid. How many were forgotten.
   */
  lapse(seconds: bigint, nowMs: number): number {
    const expired = this.#file
      .all(`select * from quotes where state <> 'paid'`)
      .map((row) => this.#read(row))
      .filter((one) => one.quote.body.expiry < seconds);
    return this.#file.atomically(() => {
      let forgotten = 0;
      for (const { quoteDigest, state } of expired) {
        if (state === 'authorised') this.refuse(quoteDigest, 'expired before it was paid', nowMs);
        else {
          forgotten += this.#file.run('delete from quotes where quote_digest = ?', quoteDigest);
        }
      }
      return forgotten;
    });
  }

  #read(row: SqlRow): WalletQuote {
    const detail = optionalTextOf(row, 'detail');
    const paymentId = optionalBlobOf(row, 'payment_id');
    return {
      quoteDigest: blobOf(row, 'quote_digest'),
      quote: decodeStored('quote', () => quote.decode(blobOf(row, 'quote'))),
      acceptance: decodeStored('acceptance', () => acceptance.decode(blobOf(row, 'acceptance'))),
      stationCertificate: blobOf(row, 'station_certificate'),
      payeeStationCertificate: blobOf(row, 'payee_station_certificate'),
      state: wordOf(row, 'state', states),
      ...(detail !== undefined && { detail }),
      ...(paymentId !== undefined && { paymentId }),
    };
  }
}
