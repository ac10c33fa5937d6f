/**
 * Failure 34: which certificates were revoked when a payment was taken. A station keeps every list
 * that it judged payments by, and from when on; what was revoked later undoes no payment.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import type { Certificate } from '../../applet-spec/certificate.ts';
import { crlGraceMostSeconds, crlServesUntil, parseCrl, verifyCrl } from '../../applet-spec/crl.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { AuditedCrl } from '../store/audit-store.ts';
import type { KeptList } from '../store/book-store.ts';
import type { Finding } from './finding.ts';

/** Between its check and its storing a payment may have waited, and a newer list may have come. */
const checkedBeforeMs = 60_000;

interface List {
  readonly crlNumber: bigint;
  readonly sinceMs: number;
  readonly servesUntil: bigint;
}

/** From one list to another, both included: certificates that have ended leave the lists. */
interface Span {
  readonly from: number;
  to: number;
}

/** A certificate that the audit came across and that a list here names. */
export interface RevokedReport {
  readonly who: string;
  readonly serialNumber: string;
  /** The first list that named it, and from when on payments were judged by that. */
  readonly list: string;
  readonly since: string;
}

export interface ListsReport {
  readonly lists: number;
  /** Payments from before the first of them. */
  readonly paymentsBefore: number;
  readonly revoked: readonly RevokedReport[];
}

interface Options {
  readonly station: StationName;
  readonly primitives: Primitives;
  readonly root: Certificate;
}

export class Revocations {
  readonly findings: Finding[] = [];
  readonly #options: Options;
  readonly #lists: List[] = [];
  /** By serial number: lists of many years, of which each says almost what the last one said. */
  readonly #revoked = new Map<string, Span[]>();
  readonly #seen = new Map<string, string>();
  #kept = 0n;
  #last: (Pick<KeptList, 'digest'> & { readonly crlNumber?: bigint }) | undefined;
  #paymentsBefore = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** In the order of keeping. */
  add({ number, digest, sinceMs, bytes }: KeptList): void {
    const { primitives, root } = this.#options;
    if (number <= this.#kept) {
      this.#find(`a list of revoked certificates is kept as number ${number}`);
      return;
    }
    if (number !== this.#kept + 1n) {
      this.#find(`lists ${this.#kept + 1n} to ${number - 1n} of revoked certificates are gone`);
    }
    this.#kept = number;
    this.#last = { digest };
    try {
      const crl = parseCrl(bytes);
      this.#last = { digest, crlNumber: crl.number };
      if (!equalBytes(primitives.sha256(bytes), digest))
        throw new RangeError('it has another hash');
      if (!verifyCrl(primitives, crl, root)) throw new RangeError('the CA did not sign it');
      const place = this.#lists.length;
      const servesUntil = crlServesUntil(crl, crlGraceMostSeconds);
      // Where the clock was set back the list before it had its time, too.
      const fromMs = Math.max(sinceMs, this.#lists.at(-1)?.sinceMs ?? sinceMs);
      this.#lists.push({ crlNumber: crl.number, sinceMs: fromMs, servesUntil });
      for (const serial of crl.revoked) this.#revoke(serial, place);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unreadable';
      this.#find(`list ${number} of revoked certificates: ${why}`);
    }
  }

  /**
   * Once all are told: the list that payments are judged by now is the one that was kept last, and
   * a later one takes its place.
   */
  inForce(crl: AuditedCrl | undefined): void {
    const last = this.#last;
    if (last === undefined) return;
    const isLast =
      crl !== undefined &&
      equalBytes(this.#options.primitives.sha256(crl.bytes), last.digest) &&
      crl.number === (last.crlNumber ?? crl.number);
    if (!isLast) this.#find('the list of revoked certificates in force is not the one kept last');
  }

  /** What no list that may have been judged by leaves of a certificate; undefined if one does. */
  objection(certificate: SeenCertificate, storedMs: number): string | undefined {
    const serial = this.seen(certificate);
    const then = this.#around(storedMs);
    const [first] = then;
    if (first === undefined) return undefined;
    if (!then.every((place) => this.#isRevoked(serial, place))) return undefined;
    const { who } = certificate;
    return `list ${this.#lists[first]?.crlNumber} of that time revokes the certificate of ${who}`;
  }

  /** A payment was stored at that time: whether any certificate could be believed then. */
  payment(storedMs: number): string | undefined {
    const then = this.#around(storedMs).map((place) => this.#lists[place]);
    if (then.length === 0) this.#paymentsBefore++;
    const checked = BigInt(Math.floor((storedMs - checkedBeforeMs) / 1_000));
    const isStale = then.every((list) => list !== undefined && list.servesUntil < checked);
    return then.length > 0 && isStale
      ? `no list of revoked certificates was fresh: number ${then[0]?.crlNumber ?? ''} had ended`
      : undefined;
  }

  /** For the report; its serial number as lists have it. */
  seen({ who, serialNumber }: SeenCertificate): string {
    const serial = toHex(serialNumber);
    if (this.#revoked.has(serial)) this.#seen.set(serial, who);
    return serial;
  }

  report(): ListsReport {
    const revoked = [...this.#seen].flatMap(([serialNumber, who]) => {
      const list = this.#lists[this.#revoked.get(serialNumber)?.[0]?.from ?? -1];
      if (list === undefined) return [];
      const since = new Date(list.sinceMs).toISOString();
      return [{ who, serialNumber, list: String(list.crlNumber), since }];
    });
    return { lists: this.#lists.length, paymentsBefore: this.#paymentsBefore, revoked };
  }

  /** Those that were in force at some time between the check of a payment and its storing. */
  #around(storedMs: number): readonly number[] {
    const first = this.#inForceAt(storedMs - checkedBeforeMs);
    const last = this.#inForceAt(storedMs);
    const places = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return places.filter((place) => place >= 0);
  }

  /** -1 before the first. */
  #inForceAt(timeMs: number): number {
    let low = 0;
    let high = this.#lists.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#lists[middle]?.sinceMs ?? 0) <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #isRevoked(serial: string, place: number): boolean {
    const spans = this.#revoked.get(serial) ?? [];
    return spans.some(({ from, to }) => from <= place && place <= to);
  }

  #revoke(serial: string, place: number): void {
    const spans = this.#revoked.get(serial) ?? [];
    const last = spans.at(-1);
    if (last?.to === place - 1) last.to = place;
    else spans.push({ from: place, to: place });
    this.#revoked.set(serial, spans);
  }

  #find(detail: string): void {
    this.findings.push({ code: 'revocation-list', detail, party: this.#options.station });
  }
}

export interface SeenCertificate {
  readonly who: string;
  readonly serialNumber: Uint8Array;
}
