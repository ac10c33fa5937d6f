/**
 * Who says what became of a payment: admission, acknowledgement, receipt, refusal (S34, S37, S38).
 */
import { labels } from './labels.ts';
import { hash, seconds, signature, signedHead, stationName } from './names.ts';
import { signedKind, statementKind, type Signed, type Statement } from './signed-object.ts';
import {
  checked,
  element,
  oneOf,
  oneOfGrowing,
  optional,
  struct,
  type Static,
  type UnnamedWord,
} from './tlv.ts';

const admissionBody = struct({
  ...signedHead,
  paymentId: element(0x82, hash),
  issuer: element(0x83, stationName),
  time: element(0x84, seconds),
});

export type AdmissionBody = Static<typeof admissionBody>;
export type Admission = Statement<AdmissionBody>;

/** The issuer verified the payment and owes every line of its bill once delivered. */
export const admission = statementKind('admission', 0xe6, labels.admission, admissionBody);

const acknowledgementBody = struct({
  ...signedHead,
  paymentId: element(0x82, hash),
  /** SHA-256 of the payee's certificate. */
  payeeCertificate: element(0x83, hash),
});

export type AcknowledgementBody = Static<typeof acknowledgementBody>;
export type Acknowledgement = Signed<AcknowledgementBody>;

/** Signed by the payee's card: it holds the key and has recomputed the commitment. */
export const acknowledgement = signedKind(
  'acknowledgement',
  0xe7,
  labels.acknowledgement,
  acknowledgementBody,
);

/** Why a payment ended without a key, or was never admitted. */
export const reasonCodes = {
  'deadline-passed': 1,
  'payee-absent': 2,
  'payee-refused': 3,
  'payee-card-full': 4,
  'payee-card-fault': 5,
  'commitment-mismatch': 6,
  'verification-failed': 7,
  'route-mismatch': 8,
  'fee-below-announcement': 9,
  'suite-too-weak': 10,
  'no-keys': 11,
  overloaded: 12,
  'asked-by-issuer': 13,
  'coin-not-unspent': 14,
  'quote-expired': 15,
  'payer-not-allowed': 16,
  'certificate-not-valid': 17,
  'resolution-deadline-passed': 18,
  'position-limit': 19,
  'too-many-failures': 20,
  'rolled-back': 21,
} as const;
/** What this program gives, or what a newer one gave, which is passed on as it came. */
export type Reason = keyof typeof reasonCodes | UnnamedWord;
export const reason = oneOfGrowing(reasonCodes);

const receiptFields = struct({
  ...signedHead,
  paymentId: element(0x82, hash),
  station: element(0x83, stationName),
  verdict: element(0x84, oneOf({ delivered: 1, undelivered: 2 })),
  time: element(0x85, seconds),
  /** Present when undelivered. */
  reason: optional(element(0x86, reason)),
  /** Present when delivered: the payee's card's signature over its acknowledgement. */
  acknowledgement: optional(element(0x87, signature)),
});

export type ReceiptBody = Static<typeof receiptFields>;
export type Receipt = Statement<ReceiptBody>;
export type Verdict = ReceiptBody['verdict'];

/** A verdict has its own evidence and none of the other's. */
const receiptBody = checked(receiptFields, ({ verdict, reason, acknowledgement }) => {
  const delivered = verdict === 'delivered';
  return (acknowledgement !== undefined) === delivered && (reason !== undefined) !== delivered
    ? undefined
    : `${verdict} needs ${delivered ? 'an acknowledgement' : 'a reason'} and nothing else`;
});

/** The last station's final word, under its document key. */
export const receipt = statementKind('receipt', 0xe8, labels.receipt, receiptBody);

const refusalBody = struct({
  ...signedHead,
  paymentId: element(0x82, hash),
  station: element(0x83, stationName),
  reason: element(0x84, reason),
  time: element(0x85, seconds),
});

export type RefusalBody = Static<typeof refusalBody>;
export type Refusal = Signed<RefusalBody>;

/**
 * A station's signed word that it will not carry a payment. From the issuer before admission it is
 * final and the card takes it; from a relay it is advice to the issuer.
 */
export const refusal = signedKind('refusal', 0xea, labels.refusal, refusalBody);
