/**
 * What each station checks of a payment before it stores it (S34, S36; design §7), in the order of
 * cost: the form first, signatures last. Every station checks everything that it can see on its
 * own.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { coin, coinIssuedSeconds, commitmentOf } from '../../applet-spec/coin.ts';
import {
  homeStation,
  suiteAtLeast,
  type StationName,
  type Suite,
} from '../../applet-spec/names.ts';
import { verifyPayerSignature, type Payment } from '../../applet-spec/payment.ts';
import { contentFaults, routeFault } from '../../applet-spec/payment-evidence.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { BillLine, QuoteBody } from '../../applet-spec/quote.ts';
import { admission, type Admission, type Reason } from '../../applet-spec/receipt.ts';
import type { Directory } from '../network/directory.ts';
import type { Trust } from '../network/trust.ts';
import type { KeyReservation } from '../qkd/reservoir.ts';
import type { AnnouncedFee } from './announced-fees.ts';

export interface PaymentContext {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly directory: Directory;
  readonly trust: Trust;
  /**
   * The fee of an announcement of ours, by its name; undefined where it was not in force at that
   * time.
   */
  readonly announcedFee: (name: Uint8Array, quoteTime: bigint) => Promise<AnnouncedFee | undefined>;
  readonly suiteTo: (peer: StationName) => Suite | undefined;
  readonly nowSeconds: () => bigint;
}

export interface ArrivingPayment {
  readonly paymentId: Uint8Array;
  readonly payment: Payment;
  readonly coinSecret: Uint8Array;
  /** Absent at the issuer, which has not admitted it yet. */
  readonly admission?: Admission;
  /** The station that handed it over; absent at the issuer. */
  readonly previous?: StationName;
  /** QKD bits of the next link that are set apart for it. */
  readonly keys?: KeyReservation | undefined;
}

export type PaymentCheck =
  | { readonly ok: true; readonly place: number; readonly next: StationName | undefined }
  | { readonly ok: false; readonly reason: Reason; readonly detail: string };

/** Clocks of stations may differ by this much (design §7). */
export const skewSeconds = 60n;
/**
 * So old a price still counts at most, whatever quote and admission say of their own times: an
 * issuer that dated them back would pay by the announcements of then.
 */
const deliverySecondsMost = 86_400n;
/** A payment is kept open until its deadlines: nobody makes others keep one for longer. */
const resolutionSecondsMost = 31n * 86_400n;
/** What every store holds: a signed 64-bit integer. */
const valueMost = 2n ** 63n - 1n;

export async function checkPayment(
  context: PaymentContext,
  arriving: ArrivingPayment,
): Promise<PaymentCheck> {
  const { payment } = arriving;
  const { quote } = payment;
  const place = quote.bill.findIndex((line) => line.station === context.station);
  const form =
    checkForm(context, payment) ??
    checkPlace(context, arriving, place) ??
    checkTimes(context, arriving) ??
    checkSecret(context, arriving);
  if (form !== undefined) return form;
  const line = quote.bill[place];
  if (line === undefined) return wrong('route-mismatch', 'this station is not in the bill');
  return (
    (await checkFee(context, line, quote)) ??
    checkSignatures(context, arriving) ?? {
      ok: true,
      place,
      next: quote.bill[place + 1]?.station,
    }
  );
}

type Wrong = Extract<PaymentCheck, { ok: false }>;

/** What the payment's parts say of each other. */
function checkForm(context: PaymentContext, payment: Payment): Wrong | undefined {
  const [fault] = contentFaults(context.primitives, payment, context.network);
  return fault && wrong('verification-failed', fault.detail);
}

/**
 * The route: each station once, payer's first, payee's last, and this one between its neighbours.
 */
function checkPlace(
  context: PaymentContext,
  { payment, previous }: ArrivingPayment,
  place: number,
): Wrong | undefined {
  const { quote } = payment;
  const names = quote.bill.map((line) => line.station);
  const route = routeFault(payment);
  if (route !== undefined) return wrong('route-mismatch', route);
  if (place < 0) return wrong('route-mismatch', 'this station is not in the bill');
  if (names[place - 1] !== previous) {
    return wrong(
      'route-mismatch',
      `it came from ${previous ?? 'the desk'}, the bill says ${names[place - 1] ?? 'the desk'}`,
    );
  }
  for (const neighbour of [names[place - 1], names[place + 1]]) {
    if (neighbour === undefined) continue;
    const suite = context.suiteTo(neighbour);
    if (suite === undefined) return wrong('route-mismatch', `${neighbour} is no neighbour`);
    if (!suiteAtLeast(suite, quote.minimumSuite)) {
      return wrong('suite-too-weak', `the link to ${neighbour} runs ${suite}`);
    }
  }
  return undefined;
}

function checkTimes(
  context: PaymentContext,
  { payment, admission: admitted }: ArrivingPayment,
): Wrong | undefined {
  const now = context.nowSeconds();
  const { quote } = payment;
  if (waitsTooLong(quote)) {
    return wrong('verification-failed', 'a deadline that nobody waits for');
  }
  if (payment.coin.body.value > valueMost) return wrong('verification-failed', 'a value too large');
  if (quote.time > now + skewSeconds) return wrong('verification-failed', 'a quote of the future');
  if (payment.coin.body.expiry <= quote.time) return wrong('coin-not-unspent', 'an expired coin');
  if (admitted === undefined && now > quote.expiry) {
    return wrong('quote-expired', 'the quote expired before it was paid');
  }
  if (admitted !== undefined && admitted.body.time > quote.expiry + skewSeconds) {
    return wrong('quote-expired', 'admitted after the quote expired');
  }
  if (admitted !== undefined && isBeforeQuote(admitted.body.time, quote)) {
    return wrong('verification-failed', 'admitted before the quote was made');
  }
  if (now > quote.deliveryDeadline + skewSeconds) {
    return wrong('deadline-passed', 'the delivery deadline has passed');
  }
  return undefined;
}

/** Whatever the time is now. */
export function waitsTooLong({ time, deliveryDeadline, resolutionDeadline }: QuoteBody): boolean {
  return (
    deliveryDeadline > time + deliverySecondsMost ||
    resolutionDeadline > time + resolutionSecondsMost
  );
}

/** Whoever has a former key of a station's dates what it signs to the time of that key. */
export function isBeforeQuote(seconds: bigint, { time }: QuoteBody): boolean {
  return seconds < time - skewSeconds;
}

/** A secret that was altered on the way shows here, at the first hop behind the fault. */
function checkSecret(
  context: PaymentContext,
  { payment, coinSecret }: ArrivingPayment,
): Wrong | undefined {
  const { coinId, commitment } = payment.coin.body;
  return equalBytes(commitmentOf(context.primitives, coinId, coinSecret), commitment)
    ? undefined
    : wrong('commitment-mismatch', 'the coin secret is not the one the coin commits to');
}

async function checkFee(
  context: PaymentContext,
  line: BillLine,
  quote: QuoteBody,
): Promise<Wrong | undefined> {
  const announced = await context.announcedFee(line.announcement, quote.time);
  if (announced === undefined) {
    return wrong(
      'fee-below-announcement',
      `the bill names announcement ${toHex(line.announcement)}, which is none of ours of its time`,
    );
  }
  if (line.fee !== announced.fee || quote.currency !== announced.currency) {
    const { fee, currency } = announced;
    return wrong(
      'fee-below-announcement',
      `the bill gives us ${line.fee} ${quote.currency}, we announced ${fee} ${currency}`,
    );
  }
  return undefined;
}

function checkSignatures(context: PaymentContext, arriving: ArrivingPayment): Wrong | undefined {
  const { payment } = arriving;
  const { quote, transaction } = payment;
  const issuer = context.directory.entry(payment.coin.body.issuer);
  const last = context.directory.entry(homeStation(quote.payee));
  if (issuer === undefined || last === undefined) {
    return wrong('certificate-not-valid', 'no valid certificate of the issuer or last station');
  }
  const lastKeys = context.directory.keysAt(last.station, 'station-document', quote.time);
  if (!lastKeys.some((one) => equalBytes(one.publicKey, quote.payeeStationKey))) {
    return wrong('verification-failed', `the quote names another key for ${last.station}`);
  }
  if (payment.payerCertificate === undefined) {
    return wrong('certificate-not-valid', 'the payer’s certificate is missing');
  }
  const payer = context.trust.check(payment.payerCertificate, 'user', quote.payer);
  if (!payer.ok) return wrong('certificate-not-valid', `payer: ${payer.reason}, ${payer.detail}`);
  if (!equalBytes(payer.hash, transaction.payerCertificate)) {
    return wrong('certificate-not-valid', 'the transaction names another certificate');
  }
  if (!verifyPayerSignature(payment, payer.publicKey)) {
    return wrong('verification-failed', 'the payer’s signature does not verify');
  }
  return checkCoin(context, payment.coin) ?? checkAdmission(context, arriving);
}

/** I15: by a key whose certificate was in force when the coin was made, and is not revoked. */
function checkCoin({ directory }: PaymentContext, paid: Payment['coin']): Wrong | undefined {
  const { issuer, coinId } = paid.body;
  const issued = coinIssuedSeconds(coinId);
  const keys = directory.keysAt(issuer, 'station-coin', issued);
  if (keys.some((one) => coin.verify(paid, one))) return undefined;
  return directory.isRevoked(issuer, 'station-coin', issued, (one) => coin.verify(paid, one))
    ? wrong('certificate-not-valid', `${issuer} signed the coin under a certificate now revoked`)
    : wrong('verification-failed', 'the coin’s signature does not verify');
}

function checkAdmission(
  context: PaymentContext,
  { payment, admission: admitted, paymentId, previous }: ArrivingPayment,
): Wrong | undefined {
  if (previous === undefined) return undefined;
  const { directory, primitives } = context;
  const { issuer } = payment.coin.body;
  const holds =
    admitted?.body.issuer === issuer &&
    equalBytes(admitted.body.paymentId, paymentId) &&
    directory
      .keysAt(issuer, 'station-document', admitted.body.time)
      .some((one) => admission.verify(primitives, admitted, one));
  return holds ? undefined : wrong('verification-failed', 'the issuer’s admission does not hold');
}

function wrong(reason: Reason, detail: string): Wrong {
  return { ok: false, reason, detail };
}
