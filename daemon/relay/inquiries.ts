/**
 * Asking the last station for a verdict, and telling who asks: a question travels over stations
 * that may gain from a payment's end, and an undelivered receipt binds the issuer. Only the
 * issuer's own signature, on this payment, moves a last station to decide (I26, I29).
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { headNow, homeStation, type StationName } from '../../applet-spec/names.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { contentFaults, routeFault } from '../../applet-spec/payment-evidence.ts';
import type { QuoteBody } from '../../applet-spec/quote.ts';
import type { Reason } from '../../applet-spec/receipt.ts';
import type { PaymentRow } from '../store/store.ts';
import { inquiry } from '../wire/inquiry.ts';
import type { Question } from '../wire/wire-message.ts';
import { isBeforeQuote } from './payment-check.ts';
import { nowSeconds, storedPayment, type TollContext } from './toll-context.ts';

type VerdictQuestion = Extract<Question, { kind: 'verdict' }>;

/** The issuer's question about a payment of its own. */
export function inquire(
  context: TollContext,
  row: PaymentRow,
  why: Reason | undefined,
): VerdictQuestion {
  const { network, station, documentKey } = context;
  const payment = storedPayment(row);
  const body = {
    ...headNow,
    network,
    paymentId: row.paymentId,
    issuer: station,
    lastStation: homeStation(payment.quote.payee),
    time: nowSeconds(context),
    ...(why !== undefined && { reason: why }),
  };
  return { kind: 'verdict', content: { inquiry: inquiry.sign(body, documentKey), payment } };
}

/** The route of the bill, or any other one now that a station on it may have failed. */
export function routeToLast(
  { picture }: Pick<TollContext, 'picture'>,
  row: PaymentRow,
): readonly StationName[] {
  const billed = storedPayment(row).quote.bill.map((line) => line.station);
  const last = billed.at(-1);
  if (last === undefined) return billed;
  const found = picture.route({ to: last, minimumSuite: 'aes', avoid: new Set() });
  return found.outcome === 'found' ? found.route.stations.map((entry) => entry.station) : billed;
}

/** What an undecided payment ends as, now that its issuer asks. */
export interface AskedFor {
  readonly paymentId: Uint8Array;
  readonly reason: Reason;
  readonly quote: QuoteBody;
}

/**
 * The payment asked about, where its own issuer asks and this station decides it; else undefined,
 * and nobody is answered. The payment ID commits to the quote, and so to the issuer.
 */
export function inquiryOf(
  context: TollContext,
  { inquiry: asked, payment }: VerdictQuestion['content'],
  peer: string,
): AskedFor | undefined {
  const { network, station, primitives, directory, log } = context;
  const { paymentId, issuer, lastStation, network: of } = asked.body;
  const { quote, coin, transactionBytes } = payment;
  const issuerKeys = directory.keysAt(issuer, 'station-document', asked.body.time);
  const holds =
    of === network &&
    lastStation === station &&
    homeStation(quote.payee) === station &&
    issuer === coin.body.issuer &&
    equalBytes(paymentId, paymentIdOf(primitives, transactionBytes)) &&
    contentFaults(primitives, payment, network).length === 0 &&
    routeFault(payment) === undefined &&
    !isBeforeQuote(asked.body.time, quote) &&
    issuerKeys.some((one) => inquiry.verify(asked, one));
  if (holds) return { paymentId, reason: asked.body.reason ?? 'asked-by-issuer', quote };
  log.notice('warn', paymentId, 'asked for a verdict by somebody who may not', { peer, issuer });
  return undefined;
}
