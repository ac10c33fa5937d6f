/**
 * The papers that stored payments refer to: users' certificates by their hash, this station's
 * announcements by their name. Each is checked once and remembered for a while, since many payments
 * share them.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
} from '../../applet-spec/certificate.ts';
import type { Currency, StationName, UserName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import { announcementName } from '../network/directory.ts';
import { inForce } from '../relay/announced-fees.ts';
import type { AuditStore } from '../store/audit-store.ts';
import type { UserStore } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { announcement } from '../wire/announcement.ts';
import type { StationKeys } from './station-keys.ts';

export interface UserPaper {
  readonly serialNumber: Uint8Array;
  readonly publicKey: VerifyingKey;
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}
export interface PaperFault {
  readonly fault: string;
}

export interface AnnouncedPrice {
  readonly fee: bigint;
  readonly currency: Currency;
  /** Whether quotes of that time could name it. */
  readonly servesAt: (quoteTime: bigint) => boolean;
  /** False for one that is forgotten two days after it was made. */
  readonly isKept: boolean;
}

/** Absent where the store holds nothing. */
export interface StoredPapers {
  readonly payer: UserPaper | PaperFault | undefined;
  readonly payee: UserPaper | PaperFault | undefined;
  readonly ownAnnouncement: AnnouncedPrice | PaperFault | undefined;
}

const rememberMost = 20_000;

export interface PaperShelfOptions {
  readonly station: StationName;
  readonly primitives: Primitives;
  readonly root: Certificate;
  readonly keys: StationKeys;
  readonly store: Pick<UserStore, 'certificate'> & Pick<AuditStore, 'auditedOwnAnnouncement'>;
}

export class PaperShelf {
  readonly #options: PaperShelfOptions;
  readonly #users = new Map<string, StoredPapers['payer']>();
  readonly #tariffs = new Map<string, StoredPapers['ownAnnouncement']>();

  constructor(options: PaperShelfOptions) {
    this.#options = options;
  }

  async papersOf({ transaction, quote }: Payment): Promise<StoredPapers> {
    const line = quote.bill.find(({ station }) => station === this.#options.station);
    return {
      payer: await this.#user(transaction.payerCertificate, quote.payer),
      payee: await this.#user(quote.payeeCertificate, quote.payee),
      ownAnnouncement: line && (await this.#tariff(line.announcement)),
    };
  }

  /** The certificate that a user's account names. */
  userPaper(hash: Uint8Array, user: UserName): Promise<StoredPapers['payer']> {
    return this.#user(hash, user);
  }

  async #user(hash: Uint8Array, user: UserName): Promise<StoredPapers['payer']> {
    return remembered(this.#users, `${user} ${toHex(hash)}`, async () => {
      const { primitives, root, store } = this.#options;
      try {
        const der = await store.certificate(hash);
        if (der === undefined) return undefined;
        if (!equalBytes(primitives.sha256(der), hash)) return { fault: 'it has another hash' };
        const certificate = parseCertificate(der);
        const { notBefore, notAfter, serialNumber } = certificate;
        const refusal = issuanceRefusal(primitives, {
          certificate,
          root,
          nowSeconds: notBefore > root.notBefore ? notBefore : root.notBefore,
          role: 'user',
          name: user,
        });
        if (refusal !== undefined) return { fault: refusal.detail };
        const publicKey = primitives.verifyingKey(certificate.publicKey);
        return { serialNumber, publicKey, notBefore, notAfter };
      } catch (error) {
        // A sealed record that does not open is the store's fault and this audit's finding.
        if (error instanceof StoreError && error.code !== 'corrupt') throw error;
        return { fault: error instanceof Error ? error.message : 'unreadable' };
      }
    });
  }

  async #tariff(name: Uint8Array): Promise<StoredPapers['ownAnnouncement']> {
    return remembered(this.#tariffs, toHex(name), async () => {
      const { station, primitives, keys, store } = this.#options;
      const stored = await store.auditedOwnAnnouncement(name);
      if (stored === undefined) return undefined;
      const { bytes, isKept } = stored;
      try {
        const found = announcement.decode(bytes);
        if (found.body.station !== station) return { fault: 'it is of another station' };
        if (!equalBytes(announcementName(primitives, found), name)) {
          return { fault: 'it has another name than the line gives' };
        }
        const fault = keys.announcementFault(found);
        if (fault !== undefined) return { fault };
        const { fee, currency, time, expiry } = found.body;
        const servesAt = (quoteTime: bigint): boolean => inForce({ time, expiry }, quoteTime);
        return { fee, currency, servesAt, isKept };
      } catch (error) {
        return { fault: error instanceof Error ? error.message : 'unreadable' };
      }
    });
  }
}

async function remembered<T>(
  memory: Map<string, T>,
  name: string,
  read: () => Promise<T>,
): Promise<T> {
  const known = memory.get(name);
  if (known !== undefined) return known;
  const value = await read();
  if (memory.size >= rememberMost) memory.clear();
  memory.set(name, value);
  return value;
}
