/**
 * What a neighbour shows of a payment, checked as if it were seen for the first time, but for what
 * only that moment could tell: deadlines, links, revocation, and the announcement behind our fee,
 * which is lost with the records (failures 37, 38). Believed is what payer, coin, issuer and last
 * station signed, never the neighbour.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
} from '../../applet-spec/certificate.ts';
import { coin as coinKind, coinIssuedSeconds } from '../../applet-spec/coin.ts';
import { homeStation, type StationName } from '../../applet-spec/names.ts';
import { paymentIdOf, verifyPayerSignature, type Payment } from '../../applet-spec/payment.ts';
import { admissionFault, contentFaults, routeFault } from '../../applet-spec/payment-evidence.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Directory } from '../network/directory.ts';
import { isBeforeQuote, skewSeconds, waitsTooLong } from '../relay/payment-check.ts';
import type { PaymentRole } from '../store/store.ts';
import type { HeldRecord } from '../wire/wire-message.ts';

export interface RecordContext {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly root: Certificate;
  readonly directory: Pick<Directory, 'entry' | 'keysAt' | 'isRevoked'>;
  /** By the operator's word: what only this station could vouch for is waited for no longer. */
  readonly isLeftOut: (station: StationName) => boolean;
}

export type RecordCheck =
  | { readonly outcome: 'good'; readonly role: PaymentRole; readonly place: number }
  | { readonly outcome: 'refused'; readonly why: string }
  /** A signer's announcement has not come yet. */
  | { readonly outcome: 'later'; readonly station: StationName };

/** What every store holds: a signed 64-bit integer. */
const valueMost = 2n ** 63n - 1n;

export function checkRecord(
  context: RecordContext,
  peer: StationName,
  record: HeldRecord,
): RecordCheck {
  const { payment } = record;
  const names = payment.quote.bill.map(({ station }) => station);
  const place = names.indexOf(context.station);
  const why = formFault(context, payment) ?? placeFault(names, place, peer);
  if (why !== undefined) return { outcome: 'refused', why };
  const station = unknownSigner(context, record);
  if (station !== undefined) {
    if (!context.isLeftOut(station)) return { outcome: 'later', station };
    return { outcome: 'refused', why: `${station} is left out, and nothing is known of its keys` };
  }
  const fault =
    payerFault(context, payment) ??
    coinFault(context, payment) ??
    lastStationFault(context, payment) ??
    admissionFaultOf(context, record);
  if (fault !== undefined) return { outcome: 'refused', why: fault };
  const role = place === 0 ? 'issuer' : place === names.length - 1 ? 'last' : 'relay';
  return { outcome: 'good', role, place };
}

function formFault({ primitives, network }: RecordContext, payment: Payment): string | undefined {
  const { quote, coin } = payment;
  const [content] = contentFaults(primitives, payment, network);
  if (content !== undefined) return content.detail;
  if (waitsTooLong(quote)) return 'a deadline that nobody waits for';
  if (coin.body.value > valueMost) return 'a value too large';
  if (coin.body.expiry <= quote.time) return 'an expired coin';
  return routeFault(payment);
}

function placeFault(
  names: readonly StationName[],
  place: number,
  peer: StationName,
): string | undefined {
  if (place < 0) return 'this station is not in the bill';
  return names[place - 1] === peer || names[place + 1] === peer
    ? undefined
    : `${peer} is not beside this station in the bill`;
}

/** It may yet announce itself: no certificate of its time is known, not even a revoked one. */
function unknownSigner(
  { directory }: RecordContext,
  { payment, admission }: HeldRecord,
): StationName | undefined {
  const { issuer, coinId } = payment.coin.body;
  const signed = [
    [issuer, 'station-coin', coinIssuedSeconds(coinId)],
    [issuer, 'station-document', admission.body.time],
    [homeStation(payment.quote.payee), 'station-document', payment.quote.time],
  ] as const;
  const unknown = signed.find(
    ([station, role, seconds]) =>
      directory.entry(station) === undefined &&
      directory.keysAt(station, role, seconds).length === 0 &&
      !directory.isRevoked(station, role, seconds, () => true),
  );
  return unknown?.[0];
}

/** I15: by keys whose certificates were in force when the coin was made. */
function coinFault({ directory }: RecordContext, { coin }: Payment): string | undefined {
  const { issuer, coinId } = coin.body;
  const keys = directory.keysAt(issuer, 'station-coin', coinIssuedSeconds(coinId));
  return keys.some((one) => coinKind.verify(coin, one))
    ? undefined
    : 'the coin’s signature does not verify';
}

function lastStationFault({ directory }: RecordContext, { quote }: Payment): string | undefined {
  const keys = directory.keysAt(homeStation(quote.payee), 'station-document', quote.time);
  return keys.some((one) => equalBytes(one.publicKey, quote.payeeStationKey))
    ? undefined
    : 'the quote names another key for its last station';
}

function admissionFaultOf(
  { directory, primitives }: RecordContext,
  { payment, admission }: HeldRecord,
): string | undefined {
  if (admission.body.time > payment.quote.expiry + skewSeconds) {
    return 'it was admitted after the quote had expired';
  }
  if (isBeforeQuote(admission.body.time, payment.quote)) {
    return 'it was admitted before the quote was made';
  }
  const subject = { payment, paymentId: paymentIdOf(primitives, payment.transactionBytes) };
  const keys = directory.keysAt(payment.coin.body.issuer, 'station-document', admission.body.time);
  const faults = keys.map((one) => admissionFault(primitives, subject, admission, one));
  if (faults.includes(undefined)) return undefined;
  return faults[0] ?? 'the admission is of a time of which no key of its issuer is known';
}

/** Judged at the time of the quote: a certificate that has expired since does not undo it. */
function payerFault({ primitives, root }: RecordContext, payment: Payment): string | undefined {
  const { payerCertificate: der, quote, transaction } = payment;
  if (der === undefined) return 'the payer’s certificate is missing';
  if (!equalBytes(primitives.sha256(der), transaction.payerCertificate)) {
    return 'the transaction names another certificate';
  }
  try {
    const certificate = parseCertificate(der);
    const refusal = issuanceRefusal(primitives, {
      certificate,
      root,
      nowSeconds: quote.time,
      role: 'user',
      name: quote.payer,
    });
    if (refusal !== undefined) return `payer: ${refusal.detail}`;
    const payerKey = primitives.verifyingKey(certificate.publicKey);
    return verifyPayerSignature(payment, payerKey)
      ? undefined
      : 'the payer’s signature does not verify';
  } catch {
    return 'the payer’s certificate cannot be read';
  }
}
