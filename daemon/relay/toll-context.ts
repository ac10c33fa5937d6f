/** What the parts of the toll share: one object, made by the station, read only. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec, type Payment } from '../../applet-spec/payment.ts';
import type { Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import { admission, refusal, type Reason, type Refusal } from '../../applet-spec/receipt.ts';
import { headNow } from '../../applet-spec/names.ts';
import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { CoinMint } from '../coin-mint.ts';
import type { Counter } from '../desk/desk-seams.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import type { Picture } from '../network/picture.ts';
import type { Questions } from '../network/questions.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { NewPayment, PaymentRole, PaymentRow, Store } from '../store/store.ts';
import { wireMessage } from '../wire/wire-message.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import type { OpenPayments } from './open-payments.ts';
import type { Outbox } from './outbox.ts';
import type { ArrivingPayment, PaymentContext } from './payment-check.ts';
import type { FailureBudgets } from './failure-budgets.ts';
import type { Positions } from './positions.ts';

const undecidedAPage = 256;

type NoticeDetail = Readonly<Record<string, string>> &
  (Readonly<Record<'peer', string>> | Readonly<Record<'user', string>>);

export interface TollLog {
  /** What becomes of one payment, once each; never a secret. */
  payment(
    level: 'info' | 'warn',
    paymentId: Uint8Array,
    message: string,
    detail?: Readonly<Record<string, string>>,
  ): void;
  /**
   * What a peer or a user can bring about as often as they like: so many a minute are written of
   * each. The message holds no word of theirs.
   */
  notice(
    level: 'info' | 'warn',
    paymentId: Uint8Array,
    message: string,
    detail: NoticeDetail,
  ): void;
  /** The same of a neighbour, where it is about no payment. */
  peer(
    level: 'info' | 'warn',
    peer: StationName,
    message: string,
    detail: Readonly<Record<string, string>>,
  ): void;
  readonly fault: (error: unknown) => void;
}

export interface TollContext {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly documentKey: SigningKey;
  /** This and former ones: a verdict is signed with the one that the payment's quote names. */
  readonly documentKeys: readonly SigningKey[];
  readonly mint: CoinMint;
  readonly links: Links;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly open: OpenPayments;
  readonly directory: Directory;
  readonly picture: Picture;
  readonly positions: Positions;
  readonly failures: FailureBudgets;
  readonly standing: LogStanding;
  readonly room: Pick<DiskRoom, 'refusal'>;
  readonly check: PaymentContext;
  readonly questions: () => Questions;
  readonly counter: () => Counter;
  /** Fires when the toll closes: nothing waits for keys any longer. */
  readonly stopping: AbortSignal;
  readonly log: TollLog;
}

export function nowSeconds(context: TollContext): bigint {
  return BigInt(Math.floor(context.clock.nowMs() / 1000));
}

/** Payments without a verdict, read by the page: a backlog never has to fit into memory at once. */
export async function* undecided(
  store: Pick<Store, 'openPayments'>,
  role: PaymentRole,
): AsyncGenerator<PaymentRow, void> {
  let last: PaymentRow | undefined;
  do {
    const page = await store.openPayments(role, undecidedAPage, last);
    yield* page;
    last = page.length < undecidedAPage ? undefined : page.at(-1);
  } while (last !== undefined);
}

/** The row's payment, as every station keeps it: without the certificate. */
export function storedPayment(row: PaymentRow): Payment {
  return paymentCodec.decode(row.payment);
}

/** The message that carries a payment to the next station, certificate included. */
export function paymentMessage(arriving: ArrivingPayment): Uint8Array {
  const { admission: admitted, payment } = arriving;
  if (admitted === undefined) throw new RangeError('a payment goes nowhere before its admission');
  return wireMessage.encode({ kind: 'payment', content: { payment, admission: admitted } });
}

export function newPayment(
  context: Pick<TollContext, 'clock' | 'positions'>,
  role: PaymentRole,
  arriving: Pick<ArrivingPayment, 'paymentId' | 'payment' | 'admission'>,
  place: number,
): NewPayment {
  const { payment, paymentId } = arriving;
  const { payerCertificate, ...kept } = payment;
  const line = payment.quote.bill[place];
  if (line === undefined || payerCertificate === undefined) {
    throw new RangeError('a payment without our line or without its certificate');
  }
  const previous = payment.quote.bill[place - 1]?.station;
  const next = payment.quote.bill[place + 1]?.station;
  const { issuer } = payment.coin.body;
  return {
    paymentId,
    role,
    payment: paymentCodec.encode(kept),
    payerCertificate,
    ...(arriving.admission && { admission: admission.encode(arriving.admission) }),
    payer: payment.quote.payer,
    payee: payment.quote.payee,
    issuer,
    coinId: payment.coin.body.coinId,
    value: payment.coin.body.value,
    fee: line.fee,
    bill: payment.quote.bill,
    positionLimit: context.positions.limitOf(issuer),
    quoteDigest: payment.transaction.quoteDigest,
    ...(previous !== undefined && { previous }),
    ...(next !== undefined && { next }),
    deliveryDeadline: payment.quote.deliveryDeadline,
    resolutionDeadline: payment.quote.resolutionDeadline,
    storedMs: context.clock.nowMs(),
  };
}

export function signRefusal(context: TollContext, paymentId: Uint8Array, why: Reason): Refusal {
  return refusal.sign(
    {
      ...headNow,
      paymentId,
      station: context.station,
      reason: why,
      time: nowSeconds(context),
    },
    context.documentKey,
  );
}

/** What payments are looked up by in memory. */
export function nameOf(paymentId: Uint8Array): string {
  return toLatin1(paymentId);
}
