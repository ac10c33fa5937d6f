/**
 * What cards and stations sign for one payment: quote, transaction, admission, acknowledgement,
 * receipt.
 */
import { concatBytes } from '../../../applet-spec/bytes.ts';
import type { Coin } from '../../../applet-spec/coin.ts';
import { labels } from '../../../applet-spec/labels.ts';
import {
  headNow,
  toCurrency,
  type StationName,
  type UserName,
} from '../../../applet-spec/names.ts';
import {
  payment as paymentKind,
  paymentIdOf,
  transaction as transactionElement,
} from '../../../applet-spec/payment.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import { quote as quoteKind, type BillLine, type QuoteBody } from '../../../applet-spec/quote.ts';
import {
  acknowledgement,
  admission,
  receipt,
  type Admission,
  type Reason,
  type Receipt,
} from '../../../applet-spec/receipt.ts';
import { signBatch, type BatchProof, type Leaf } from '../../../applet-spec/signed-object.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';

export const network = 'test';
export const euro = toCurrency('EUR');

export interface RoomUser {
  readonly name: UserName;
  readonly userKey: SigningKey;
  readonly certificate: Uint8Array;
}

export interface PaidPayment {
  readonly paymentId: Uint8Array;
  readonly coin: Coin;
  readonly quote: QuoteBody;
  /** The stored form, without the certificate. */
  readonly bytes: Uint8Array;
  readonly admission: Admission;
  readonly receipt: Receipt;
}

export interface PaymentPlan {
  readonly payer: RoomUser;
  readonly payee: RoomUser;
  readonly coin: Coin;
  readonly bill: readonly BillLine[];
  readonly issuerKey: SigningKey;
  readonly lastKey: SigningKey;
  readonly time: bigint;
  readonly verdict: 'delivered' | 'undelivered';
  readonly random: (length: number) => Uint8Array;
}

export function signPayment(plan: PaymentPlan): PaidPayment {
  const { payer, payee, coin, bill, time } = plan;
  const [first] = bill;
  const last = bill.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a bill of no lines');
  const quote = quoteOf(plan);
  const quoteBytes = quoteKind.body.encode(quote);
  const transaction = {
    ...headNow,
    quoteDigest: quoteKind.digest(primitives, quoteBytes),
    coinId: coin.body.coinId,
    coinValue: coin.body.value,
    commitment: coin.body.commitment,
    payerCertificate: primitives.sha256(payer.certificate),
  };
  const transactionBytes = transactionElement.encode(transaction);
  const paymentId = paymentIdOf(primitives, transactionBytes);
  const payerSignature = payer.userKey.sign(concatBytes(labels.transaction, transactionBytes));
  const content = { transaction, transactionBytes, payerSignature, quote, quoteBytes, coin };
  const admitted = { ...headNow, paymentId, issuer: first.station, time };
  const proof = alone(admission.leaf(primitives, admitted), plan.issuerKey);
  const ending =
    plan.verdict === 'undelivered'
      ? ({ reason: 'deadline-passed' } as const)
      : { acknowledgement: acknowledge(paymentId, quote.payeeCertificate, payee.userKey) };
  return {
    paymentId,
    coin,
    quote,
    bytes: paymentKind.encode(content),
    admission: admission.prove(admitted, proof),
    receipt: signReceipt({ paymentId, station: last.station, time }, plan.lastKey, ending),
  };
}

/** A receipt as the last station would sign it, or as somebody else would. */
export function signReceipt(
  about: {
    readonly paymentId: Uint8Array;
    readonly station: StationName;
    readonly time: bigint;
  },
  documentKey: SigningKey,
  ending: { readonly acknowledgement: Uint8Array } | { readonly reason: Reason },
): Receipt {
  const verdict = 'reason' in ending ? 'undelivered' : 'delivered';
  const body = { ...headNow, ...about, verdict, ...ending } as const;
  return receipt.prove(body, alone(receipt.leaf(primitives, body), documentKey));
}

function quoteOf({ payer, payee, bill, time, lastKey, random }: PaymentPlan): QuoteBody {
  return {
    ...headNow,
    network,
    quoteId: random(16),
    payer: payer.name,
    payee: payee.name,
    currency: euro,
    bill,
    time,
    expiry: time + 120n,
    deliveryDeadline: time + 300n,
    resolutionDeadline: time + 86_400n,
    minimumSuite: 'aes',
    acceptanceId: random(16),
    payeeCertificate: primitives.sha256(payee.certificate),
    payeeStationKey: lastKey.publicKey,
  };
}

function acknowledge(
  paymentId: Uint8Array,
  payeeCertificate: Uint8Array,
  payeeKey: SigningKey,
): Uint8Array {
  const body = { ...headNow, paymentId, payeeCertificate };
  return payeeKey.sign(concatBytes(labels.acknowledgement, acknowledgement.body.encode(body)));
}

function alone(leaf: Leaf, documentKey: SigningKey): BatchProof {
  const [proof] = signBatch(primitives, [leaf], documentKey);
  if (proof === undefined) throw new RangeError('a batch of one has one proof');
  return proof;
}
