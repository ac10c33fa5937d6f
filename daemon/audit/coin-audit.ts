/**
 * Every coin that this station issued (S6a): its content, its signature, and its state against its
 * payment.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { coin as coinKind, coinIssuedSeconds, type Coin } from '../../applet-spec/coin.ts';
import type { Currency, StationName, UserName } from '../../applet-spec/names.ts';
import type { AuditedCoin, CoinOrder, HeadOfPayment } from '../store/audit-store.ts';
import type { CoinRecord, CoinState } from '../store/store.ts';
import type { Finding, FindingCode } from './finding.ts';
import type { StationKeys } from './station-keys.ts';

export interface CoinAuditContext {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  readonly keys: StationKeys;
}

/** What the store says of a coin's surroundings. */
export interface CoinSurroundings {
  /** The payment that the record names. */
  readonly payment: HeadOfPayment | undefined;
  /** The coin that replaces it, and the one that it replaces. */
  readonly successor: CoinRecord | undefined;
  readonly predecessor: CoinRecord | undefined;
}

export function auditCoin(
  context: CoinAuditContext,
  record: AuditedCoin,
  around: CoinSurroundings,
): readonly Finding[] {
  const findings: Finding[] = [];
  const find = (code: FindingCode, detail: string): void => {
    const { paymentId } = record;
    const words = `coin ${toHex(record.coinId)}: ${detail}`;
    const party = context.station;
    findings.push({ code, detail: words, party, ...(paymentId !== undefined && { paymentId }) });
  };
  const content = contentFault(context, record);
  if (content !== undefined) find('coin-differs-from-record', content);
  const state = stateFault(record, around.payment);
  if (state !== undefined) find('coin-state', state);
  const replacement = replacementFault(record, around);
  if (replacement !== undefined) find('coin-replacement', replacement);
  const order = orderFault(record, around.predecessor);
  if (order !== undefined) find('order-differs', order);
  return findings;
}

/** Of a coin's public part against its record, made or still waiting to be. */
export function contentFault(
  context: CoinAuditContext,
  record: Pick<CoinRecord, 'coinId' | 'commitment' | 'value' | 'expirySeconds' | 'coin'>,
): string | undefined {
  let coin: Coin;
  try {
    coin = coinKind.decode(record.coin);
  } catch {
    return 'its public part does not decode';
  }
  const { body } = coin;
  const same =
    equalBytes(body.coinId, record.coinId) &&
    equalBytes(body.commitment, record.commitment) &&
    body.value === record.value &&
    body.expiry === record.expirySeconds;
  if (!same) return 'its record differs from what was signed';
  if (body.issuer !== context.station || body.network !== context.network) {
    return 'it is of another issuer or network';
  }
  if (body.currency !== context.currency) return 'it is of another currency';
  const keys = context.keys.coinKeys(context.station, coinIssuedSeconds(body.coinId));
  const signed = keys.some((one) => coinKind.verify(coin, one));
  return signed ? undefined : 'its signature does not verify';
}

const withoutSecret: ReadonlySet<CoinState> = new Set([
  'spent',
  'burned',
  'refunded',
  'exchanged',
  'expired',
]);
const retiredBy: Readonly<Partial<Record<CoinState, readonly CoinOrder['kind'][]>>> = {
  retiring: ['refund', 'exchange'],
  refunded: ['refund'],
  exchanged: ['exchange'],
};
const withPayment: ReadonlySet<CoinState> = new Set(['pending', 'spent', 'burned']);

/** A coin ends as its payment ended; burned early where the payer was made whole (I26). */
function stateFault(record: AuditedCoin, payment: HeadOfPayment | undefined): string | undefined {
  const { state, paymentId, coinId } = record;
  if (record.holdsSecret === withoutSecret.has(state)) {
    return `it is ${state} and ${record.holdsSecret ? 'has its secret still' : 'has no secret'}`;
  }
  if (!withPayment.has(state)) {
    return paymentId === undefined ? undefined : `it is ${state} and names a payment`;
  }
  if (paymentId === undefined || payment === undefined) {
    return `it is ${state}, and its payment is not stored`;
  }
  if (!equalBytes(payment.coinId, coinId) || payment.role !== 'issuer') {
    return 'its payment was made with another coin';
  }
  const decided = payment.state === 'delivered' || payment.state === 'undelivered';
  const fits =
    state === 'burned' ||
    (state === 'spent' ? payment.state === 'delivered' : !decided && payment.state !== 'refused');
  return fits ? undefined : `it is ${state}, its payment is ${payment.state}`;
}

/**
 * Which order made it, and which took it: a replacement, and a coin that came to light after a
 * loss, is of the payment that it goes with.
 */
function orderFault(
  { orderId, paymentId, replaces, retirementId, madeBy, takenBy, state }: AuditedCoin,
  predecessor: CoinRecord | undefined,
): string | undefined {
  const taking = retiredBy[state];
  if ((taking === undefined) !== (retirementId === undefined)) {
    return `it is ${state} and names ${taking === undefined ? 'an' : 'no'} order that took it`;
  }
  if (taking !== undefined && (takenBy === undefined || !taking.includes(takenBy))) {
    return `it is ${state}, and no such order took it`;
  }
  const payment = replaces === undefined ? paymentId : predecessor?.paymentId;
  const isOfPayment = payment !== undefined && equalBytes(orderId, payment.slice(0, 16));
  if (isOfPayment) return undefined;
  if (replaces !== undefined) return 'it is a replacement for another payment';
  const isMade = madeBy === 'buy' || madeBy === 'exchange';
  return isMade ? undefined : `no order ${toHex(orderId)} made it`;
}

function replacementFault(
  record: CoinRecord,
  { successor, predecessor }: CoinSurroundings,
): string | undefined {
  if (record.state === 'burned') {
    if (successor === undefined) return 'it is burned and was not replaced';
    if (successor.value !== record.value || successor.owner !== record.owner) {
      return 'its replacement has another value or owner';
    }
  } else if (successor !== undefined) {
    return `it is ${record.state} and was replaced`;
  }
  if (record.replaces !== undefined && predecessor?.state !== 'burned') {
    return 'it replaces a coin that was not burned';
  }
  return undefined;
}

/** Values of one user's coins by what became of them, for the sums that no single coin shows. */
export interface OwnerSums {
  /** Not from a purchase and not in the place of a burned coin: from exchanges, or from nowhere. */
  exchangedIn: bigint;
  exchangedOut: bigint;
  refunded: bigint;
}

export function ownerFindings(
  owner: UserName,
  sums: OwnerSums,
  refundsBooked: bigint,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (sums.exchangedIn !== sums.exchangedOut) {
    const detail =
      `coins of ${owner} worth ${sums.exchangedIn} come from no purchase, ` +
      `coins worth ${sums.exchangedOut} were exchanged`;
    findings.push({ code: 'exchange-sums-differ', detail, party: owner });
  }
  if (sums.refunded !== refundsBooked) {
    const back = `coins of ${owner} worth ${sums.refunded} were given back`;
    const detail = `${back}, ${refundsBooked} was credited`;
    findings.push({ code: 'refund-sums-differ', detail, party: owner });
  }
  return findings;
}
