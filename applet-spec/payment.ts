/**
 * The transaction that a payer's card signs (S32, S33) and the payment that every station keeps.
 * The transaction names the quote by its digest, so that a card builds it in a few hundred bytes;
 * the payment carries quote and coin whole.
 */
import { coin, type Coin } from './coin.ts';
import { concatBytes } from './bytes.ts';
import { labels } from './labels.ts';
import { certificate, hash, money, shortId, signature, signedHead } from './names.ts';
import type { Primitives, VerifyingKey } from './primitives.ts';
import { quote, type QuoteBody } from './quote.ts';
import {
  decodeElement,
  element,
  octets,
  optional,
  struct,
  writePart,
  type RequiredElement,
  type Static,
} from './tlv.ts';

const transactionBody = struct({
  ...signedHead,
  /** SHA-256(label ‖ quote body): payer, payee, route, bill, time, deadlines, network. */
  quoteDigest: element(0x82, hash),
  coinId: element(0x83, shortId),
  coinValue: element(0x84, money),
  commitment: element(0x85, hash),
  /** SHA-256 of the payer's certificate. */
  payerCertificate: element(0x86, hash),
});

export type Transaction = Static<typeof transactionBody>;

/** The transaction's element, as signed. */
export const transaction = element(0xe4, transactionBody);

/** SHA-256(label ‖ transaction): what the card signs, and the payment's ID for ever. */
export type PaymentId = Uint8Array;

export function paymentIdOf(primitives: Primitives, transactionBytes: Uint8Array): PaymentId {
  return primitives.sha256(labels.transaction, transactionBytes);
}

const paymentBody = struct({
  transaction: element(0xa0, octets(0, 512)),
  payerSignature: element(0x81, signature),
  /** The quote's body; the issuer's admission stands for its signature. */
  quote: element(0xa2, octets(0, 4_096)),
  coin,
  /** Absent where a station or wallet keeps it apart, by its hash. */
  payerCertificate: optional(element(0x84, certificate)),
});

const paymentElement = element(0xe5, paymentBody);

export interface Payment {
  readonly transaction: Transaction;
  readonly transactionBytes: Uint8Array;
  readonly payerSignature: Uint8Array;
  readonly quote: QuoteBody;
  readonly quoteBytes: Uint8Array;
  readonly coin: Coin;
  readonly payerCertificate?: Uint8Array;
}

function partsOf(value: Payment): Static<typeof paymentBody> {
  return {
    transaction: value.transactionBytes,
    payerSignature: value.payerSignature,
    quote: value.quoteBytes,
    coin: value.coin,
    ...(value.payerCertificate && { payerCertificate: value.payerCertificate }),
  };
}

/** The payment's element. Decoding reads the inner bodies too. Throws TlvError. */
export const payment: RequiredElement<Payment> & { decode(bytes: Uint8Array): Payment } = {
  tag: 0xe5,
  optional: false,
  encode: (value) => paymentElement.encode(partsOf(value)),
  write: (value, to) => {
    writePart(paymentElement, partsOf(value), to);
  },
  decodeTlv(tlv) {
    const found = paymentElement.decodeTlv(tlv);
    return {
      transaction: decodeElement(transaction, found.transaction, 'transaction'),
      transactionBytes: found.transaction,
      payerSignature: found.payerSignature,
      quote: decodeElement(quote.body, found.quote, 'quote'),
      quoteBytes: found.quote,
      coin: found.coin,
      ...(found.payerCertificate && { payerCertificate: found.payerCertificate }),
    };
  },
  decode: (bytes) => decodeElement(payment, bytes, 'payment'),
};

/** The payment without the payer's certificate: what wallets keep and hosts may see (design §4). */
export function withoutCertificate(value: Payment): Payment {
  const { payerCertificate: _apart, ...rest } = value;
  return rest;
}

export function verifyPayerSignature(value: Payment, payerKey: VerifyingKey): boolean {
  return payerKey.verify(
    concatBytes(labels.transaction, value.transactionBytes),
    value.payerSignature,
  );
}
