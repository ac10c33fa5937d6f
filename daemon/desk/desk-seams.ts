/**
 * The two seams between the desk, which knows users and cards, and the toll (`daemon/relay/`),
 * which knows quotes, payments and verdicts. Neither imports the other's implementation.
 */
import type { PayAnswer } from '../../applet-spec/card-objects.ts';
import type { DeskRefusalCode, PaymentRecord } from '../../applet-spec/desk-messages.ts';
import type { StationName, Suite, UserName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { Acceptance, Quote } from '../../applet-spec/quote.ts';
import type { Reason } from '../../applet-spec/receipt.ts';
import type { KeyReservation } from '../qkd/reservoir.ts';
import type { PaymentRow } from '../store/store.ts';

export interface DeskRefusal {
  readonly outcome: 'refused';
  readonly code: DeskRefusalCode;
  /** One sentence for a person: what is wrong and what to do. */
  readonly message: string;
}

export interface Quoted {
  readonly outcome: 'quoted';
  readonly quote: Quote;
  readonly acceptance: Acceptance;
  /** DER, of document keys. */
  readonly stationCertificate: Uint8Array;
  readonly payeeStationCertificate: Uint8Array;
  readonly crl: Uint8Array;
}

/** `pay` came to a stored payment: admitted, or refused before admission with a signed refusal. */
export type Paid =
  | {
      readonly outcome: 'paid';
      readonly paymentId: Uint8Array;
      readonly record: PaymentRecord;
    }
  /** It was stored before. */
  | { readonly outcome: 'paid-before'; readonly row: PaymentRow };

/** A verdict, or a refusal before admission, for a user's card and host. */
export interface Conclusion {
  readonly paymentId: Uint8Array;
  readonly role: 'payer' | 'payee';
  readonly record: PaymentRecord;
}

/** The payer's coin, signature and certificate; without the last nothing can be paid. */
export interface PaySigned extends Omit<PayAnswer, 'certificate'> {
  readonly certificate?: Uint8Array | undefined;
  /** As `Payable` had it. */
  readonly keys?: KeyReservation | undefined;
}

/** The quote may be paid now. */
export interface Payable {
  readonly outcome: 'payable';
  readonly quote: Quote;
  /**
   * QKD bits of the first link, set apart until the payment is admitted; the desk releases them
   * whatever the card says. Absent where the link's suite needs none.
   */
  readonly keys?: KeyReservation;
}

/** What the desk asks of the toll. */
export interface Toll {
  /** S22–S24: route, acceptance and signed quote; stored before it is answered. */
  quote(
    payer: UserName,
    wish: {
      readonly payee: UserName;
      readonly minimumSuite: Suite;
      readonly avoid: readonly StationName[];
    },
  ): Promise<Quoted | DeskRefusal>;
  /** Before PAY: the stored quote, still good and its first link able to carry it; or why not. */
  payable(
    payer: UserName,
    quoteDigest: Uint8Array,
  ): Promise<Payable | { readonly outcome: 'paid-before'; readonly row: PaymentRow } | DeskRefusal>;
  /** S34–S36, with what the card answered to PAY, or what the desk knows of its certificate. */
  pay(payer: UserName, quote: Quote, answer: PaySigned): Promise<Paid | DeskRefusal>;
  /** A user's card is at the desk: offers that wait for it may go on. */
  arrived(user: UserName): void;
  /** Payments to this user are undecided here, under the certificate that their quotes name. */
  awaits(user: UserName): boolean;
}

export type OfferOutcome =
  | { readonly outcome: 'acknowledged'; readonly signature: Uint8Array }
  | { readonly outcome: 'refused'; readonly reason: Reason }
  /** Not connected, or the connection ended before the card was told. */
  | { readonly outcome: 'absent' }
  /** The card may hold the key; its journal tells at its next visit. */
  | { readonly outcome: 'unknown' };

/** What the payee's card says under MAC of a key that it may have been offered. */
export type HeldKey =
  /** With its signature over the acknowledgement. */
  | { readonly outcome: 'has'; readonly signature: Uint8Array }
  | { readonly outcome: 'has-not' }
  | { readonly outcome: 'unknown' };

export type Presence =
  | { readonly at: 'desk'; readonly certificateHash: Uint8Array; readonly freePeerKeys: number }
  | { readonly at: 'away' }
  | { readonly at: 'nowhere' };

/** What the toll asks of the desk. */
export interface Counter {
  /** `nowhere`: no user of this station. */
  presence(user: UserName): Promise<Presence>;
  /** Whether the user's card is at the desk now, without asking it anything. */
  isHere(user: UserName): boolean;
  /**
   * S37: OFFER to the payee's card, under secure messaging; `absent` where the payment is not open
   * any more when the card's turn comes. Idempotent.
   */
  offer(
    payee: UserName,
    payment: Payment,
    coinSecret: Uint8Array,
    isOpen: () => boolean,
  ): Promise<OfferOutcome>;
  /** Asks the payee's card for its journal; `unknown` also where it is not here. */
  hasKey(payee: UserName, paymentId: Uint8Array, isOpen: () => boolean): Promise<HeldKey>;
  /**
   * A verdict is durable: tell the user's card (CONCLUDE), load the replacement of a burned coin,
   * and notify the host; now if the card is here, otherwise at its next visit
   * (`Store.unconcluded`).
   */
  concluded(user: UserName, conclusion: Conclusion): void;
  /** Coins of this user are to be loaded: now if the card is here, otherwise at its next visit. */
  coinsWait(user: UserName): void;
}
