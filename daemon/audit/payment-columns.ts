/**
 * The columns of a stored payment, and the rows beside it, against the payment itself: a station
 * works by the columns, and what was signed is only in the payment. Pure.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { AuditedPayment } from '../store/audit-store.ts';
import type { PaymentRole, PaymentState } from '../store/store.ts';

/** See `daemon/relay/payment-machine.ts`. */
const statesOf: Readonly<Record<PaymentRole, readonly PaymentState[]>> = {
  issuer: ['admitted', 'relayed', 'delivered', 'undelivered', 'refused'],
  relay: ['held', 'forwarded', 'delivered', 'undelivered'],
  last: ['held', 'offered', 'delivered', 'undelivered'],
};

const ended: ReadonlySet<PaymentState> = new Set(['delivered', 'undelivered', 'refused']);

/** What differs, by name. */
export function columnFaults(
  context: { readonly station: StationName; readonly primitives: Primitives },
  stored: AuditedPayment,
  payment: Payment,
): readonly string[] {
  const checks = [
    ...copiedColumns(context, stored, payment),
    ...derivedColumns(context, stored, payment),
    ...rowsBeside(stored),
  ];
  return checks.flatMap(([name, same]) => (same ? [] : [name]));
}

type Check = readonly [name: string, same: boolean];

function copiedColumns(
  { station }: { readonly station: StationName },
  stored: AuditedPayment,
  { quote, coin, transaction }: Payment,
): readonly Check[] {
  const names = quote.bill.map((line) => line.station);
  const place = names.indexOf(station);
  const role = place === 0 ? 'issuer' : place === names.length - 1 ? 'last' : 'relay';
  const isAbsent = place < 0;
  return [
    ['role', isAbsent || stored.role === role],
    ['payer', stored.payer === quote.payer],
    ['payee', stored.payee === quote.payee],
    ['issuer', stored.issuer === coin.body.issuer],
    ['coin', equalBytes(stored.coinId, coin.body.coinId)],
    ['value', stored.value === coin.body.value],
    ['fee', isAbsent || stored.fee === quote.bill[place]?.fee],
    ['quote digest', equalBytes(stored.quoteDigest, transaction.quoteDigest)],
    ['previous station', isAbsent || stored.previous === names[place - 1]],
    ['next station', isAbsent || stored.next === names[place + 1]],
    ['delivery deadline', stored.deliveryDeadline === quote.deliveryDeadline],
    ['resolution deadline', stored.resolutionDeadline === quote.resolutionDeadline],
  ];
}

function derivedColumns(
  { primitives }: { readonly primitives: Primitives },
  stored: AuditedPayment,
  { quote, transaction }: Payment,
): readonly Check[] {
  const { contentHash, certificateHash, bill, state } = stored;
  const isSameBill =
    bill?.length === quote.bill.length &&
    bill.every(({ station, fee }, i) => {
      const signed = quote.bill[i];
      return station === signed?.station && fee === signed.fee;
    });
  // Refused perhaps because it came with another certificate than it names.
  const isOfPayer =
    state === 'refused' ||
    (certificateHash !== undefined && equalBytes(certificateHash, transaction.payerCertificate));
  return [
    ['bill', isSameBill],
    ['hour of its deadline', stored.isFindable],
    [
      'hash of its content',
      contentHash === undefined || equalBytes(contentHash, primitives.sha256(stored.payment)),
    ],
    ["payer's certificate", isOfPayer],
  ];
}

/** By role and state: its word, its record for the next station, its secret, its claim. */
function rowsBeside(stored: AuditedPayment): readonly Check[] {
  const { role, state, isRestored } = stored;
  const hasEnded = ended.has(state);
  // What came back from a neighbour has neither a record of ours nor a secret.
  const goesOn = state === 'admitted' || (role === 'relay' && state === 'held');
  const mayHoldSecret = role === 'last' && !hasEnded;
  const isEarned = role !== 'issuer' && state === 'delivered' && stored.fee > 0n;
  const isRefused = state === 'refused';
  return [
    ['state', statesOf[role].includes(state)],
    ['time of its end', hasEnded === (stored.decidedMs !== undefined)],
    ['refusal', isRefused || stored.refusal === undefined],
    ['receipt', !isRefused || stored.receipt === undefined],
    ['record for the next station', stored.outbox === (goesOn ? 'kept' : 'none')],
    ['secret', stored.holdsSecret ? mayHoldSecret : !mayHoldSecret || isRestored],
    ['mark that no claim names its fee', stored.isUnclaimed === (isEarned && !stored.isClaimed)],
    ['marks, which are neither 0 nor 1', !stored.hasOddMark],
    ["mark that its user's card knows", !stored.cardConcluded || (hasEnded && role !== 'relay')],
  ];
}
