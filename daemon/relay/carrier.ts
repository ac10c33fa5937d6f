/**
 * Q2 … Qn (S36): what comes in from a neighbour is checked, stored, confirmed, and only then passed
 * on (I30). Payments, receipts and advice each have their own way, so that receipts never wait for
 * payments (I33), and each next station its own batch, so that a slow one holds up only itself
 * (I41).
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { paymentIdOf, withoutCertificate, type Payment } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { quote as quoteKind } from '../../applet-spec/quote.ts';
import { receipt as receiptKind, type Receipt } from '../../applet-spec/receipt.ts';
import { Batch } from '../batch.ts';
import type { FailedRow, InboundRecord } from '../link/links.ts';
import type { AcceptOutcome, HoldOutcome, NewPayment } from '../store/store.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import { advise, takeAdvice } from './advice.ts';
import { UnfinishedError, type CarefulStart } from './careful-start.ts';
import type { Issuer } from './issuer.ts';
import type { LastStation } from './last-station.ts';
import type { OpenPayment } from './open-payments.ts';
import { keepContradiction, keepEvidence } from './kept-evidence.ts';
import { nothingNew, type NothingNew } from './nothing-new.ts';
import { checkPayment, type ArrivingPayment, type PaymentCheck } from './payment-check.ts';
import { bytesOf, protectInTime, unprotected, withKeys } from './protect-in-time.ts';
import { isOfRecord, type Quarantine } from './quarantine.ts';
import { isLate, pause } from './store-patience.ts';
import { newPayment, type TollContext } from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

interface Holding {
  readonly arriving: ArrivingPayment;
  readonly place: number;
}

/** What is not stored is not carried, and the issuer is told why. */
type Held = HoldOutcome | 'no-keys';
type NotCarried = 'no-keys' | 'position-limit' | 'too-many-failures' | NothingNew['code'];

/** Records of one neighbour at once: several times what its outbox sends before it hears of any. */
const underWayMost = 8_192;

type PaymentMessage = Extract<WireMessage, { kind: 'payment' }>['content'];

export class Carrier {
  readonly #context: TollContext;
  readonly #verdicts: Verdicts;
  readonly #lastStation: LastStation;
  readonly #issuer: Issuer;
  readonly #quarantine: Quarantine;
  readonly #carefulStart: CarefulStart;
  readonly #holding = new Map<StationName | undefined, Batch<Holding, Held>>();
  readonly #underWay = new Map<StationName, number>();
  #whenIdle: (() => void)[] = [];

  constructor(
    context: TollContext,
    parts: {
      readonly verdicts: Verdicts;
      readonly lastStation: LastStation;
      readonly issuer: Issuer;
      readonly quarantine: Quarantine;
      readonly carefulStart: CarefulStart;
    },
  ) {
    this.#context = context;
    this.#verdicts = parts.verdicts;
    this.#lastStation = parts.lastStation;
    this.#issuer = parts.issuer;
    this.#quarantine = parts.quarantine;
    this.#carefulStart = parts.carefulStart;
  }

  /** Records of a neighbour's outbox. Each is confirmed once what follows from it is durable. */
  received(peer: StationName, records: readonly InboundRecord[]): void {
    const before = this.#underWay.get(peer) ?? 0;
    // What is not taken stays in the sender's outbox.
    if (this.#context.stopping.aborted || before + records.length > underWayMost) return;
    this.#underWay.set(peer, before + records.length);
    for (const record of records) {
      this.#receive(peer, record)
        .catch(this.#context.log.fault)
        .finally(() => {
          this.#leave(peer);
        });
    }
  }

  /** Rows that say nothing here: no payment is known that could be refused. */
  notUnderstood(peer: StationName, rows: readonly FailedRow[]): void {
    if (this.#context.stopping.aborted) return;
    this.#underWay.set(peer, (this.#underWay.get(peer) ?? 0) + rows.length);
    for (const row of rows) {
      this.#failedRow(peer, row)
        .catch(this.#context.log.fault)
        .finally(() => {
          this.#leave(peer);
        });
    }
  }

  /** Out of quarantine, at the operator's wish. */
  async again(peer: StationName, message: WireMessage): Promise<void> {
    await this.#handle(peer, { rowId: 0n, message });
  }

  async idle(): Promise<void> {
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    for (const batch of this.#holding.values()) await batch.idle();
  }

  /** Confirmed alone: one that waits for the keys of its next link holds up no other (I41). */
  async #receive(peer: StationName, record: InboundRecord): Promise<void> {
    const { isCareful } = this.#carefulStart;
    const isTaken = await (isCareful ? this.#carefully(peer, record) : this.#take(peer, record));
    if (isTaken) this.#context.links.confirm(peer, [record.rowId]);
  }

  /** Whether the process outlives it is not known. */
  async #carefully(peer: StationName, record: InboundRecord): Promise<boolean> {
    const row = failedRow(record, new UnfinishedError('the station ended while it was at work'));
    const taken = await this.#carefulStart.take(peer, row, () => this.#take(peer, record));
    if (taken === 'quarantined') await this.#refuse(peer, record);
    return taken !== false;
  }

  #leave(peer: StationName): void {
    const left = (this.#underWay.get(peer) ?? 0) - 1;
    if (left > 0) this.#underWay.set(peer, left);
    else this.#underWay.delete(peer);
    if (this.#underWay.size === 0) for (const tell of this.#whenIdle.splice(0)) tell();
  }

  async #failedRow(peer: StationName, row: FailedRow): Promise<void> {
    if (await this.#quarantine.failed(peer, row)) this.#context.links.confirm(peer, [row.rowId]);
  }

  /**
   * True once the record may be forgotten by the sender. A fault keeps it in the sender's outbox
   * until the next connection, a few times; a store that is busy or full is tried again until then.
   */
  async #take(peer: StationName, record: InboundRecord): Promise<boolean> {
    for (;;) {
      try {
        await this.#handle(peer, record);
        return true;
      } catch (error) {
        this.#context.log.fault(error);
        if (!isLate(error)) return this.#failed(peer, record, error);
        if (!(await pause(this.#context))) return false;
      }
    }
  }

  async #failed(peer: StationName, record: InboundRecord, cause: unknown): Promise<boolean> {
    const isQuarantined = await this.#quarantine.failed(peer, failedRow(record, cause));
    if (isQuarantined) await this.#refuse(peer, record);
    else record.secret?.fill(0);
    return isQuarantined;
  }

  /** A payment that is quarantined: its end comes from the last station (failure 16). */
  async #refuse(peer: StationName, { message, secret }: InboundRecord): Promise<void> {
    secret?.fill(0);
    if (message.kind !== 'payment') return;
    const { primitives, log } = this.#context;
    const paymentId = paymentIdOf(primitives, message.content.payment.transactionBytes);
    // Without that word the issuer asks by itself once the deadline has passed.
    await advise(this.#context, peer, paymentId, 'verification-failed').catch(log.fault);
  }

  async #handle(peer: StationName, { message, secret }: InboundRecord): Promise<void> {
    if (message.kind === 'payment') await this.#payment(peer, message.content, secret);
    else if (message.kind === 'receipt') await this.#receipt(peer, message.content.receipt);
    else if (message.kind === 'refusal')
      await takeAdvice(this.#context, this.#issuer, peer, message.content.refusal);
  }

  async #payment(
    previous: StationName,
    { payment, admission }: PaymentMessage,
    coinSecret: Uint8Array | undefined,
  ): Promise<void> {
    const { primitives, store, log } = this.#context;
    const paymentId = paymentIdOf(primitives, payment.transactionBytes);
    // Known already: nothing is checked or drawn twice, the first stored wins (I24).
    const [known] = await store.payments([paymentId], deadlineOf(primitives, payment));
    if (known !== undefined) {
      await keepContradiction(this.#context, previous, known, { payment, admission });
      return;
    }
    if (coinSecret === undefined) {
      // It never comes with one: nothing to wait for, and the issuer asks the last station.
      log.notice('warn', paymentId, 'came without its coin secret', { peer: previous });
      return;
    }
    const arriving: ArrivingPayment = { paymentId, payment, admission, previous, coinSecret };
    const check = await checkPayment(this.#context.check, arriving);
    if (!check.ok) {
      log.notice('warn', paymentId, 'not carried', {
        peer: previous,
        reason: check.reason,
        detail: check.detail,
      });
      coinSecret.fill(0);
      await advise(this.#context, previous, paymentId, check.reason);
      return;
    }
    const outcome = await this.#hold(arriving, check);
    coinSecret.fill(0);
    if (typeof outcome === 'string') {
      log.notice('warn', paymentId, 'not carried', { peer: previous, reason: outcome });
      await advise(this.#context, previous, paymentId, outcome);
    } else if (outcome.outcome === 'coin-used' || outcome.outcome === 'coin-not-unspent') {
      const words = 'its coin was carried for another payment';
      log.notice('warn', paymentId, words, { peer: previous });
      if ('by' in outcome) await keepEvidence(this.#context, outcome.by, { payment, admission });
      await advise(this.#context, previous, paymentId, 'coin-not-unspent');
    } else if (outcome.outcome === 'entombed') {
      await this.#verdicts.passBack(previous, receiptKind.decode(outcome.receipt));
    }
  }

  async #hold(
    arriving: ArrivingPayment,
    { place, next }: Extract<PaymentCheck, { ok: true }>,
  ): Promise<AcceptOutcome | NotCarried> {
    const { positions, failures, standing } = this.#context;
    const closed = nothingNew(this.#context);
    if (closed !== undefined) return closed.code;
    if (standing.isOfLostTime(arriving.payment.quote)) return 'rolled-back';
    const { issuer } = arriving.payment.coin.body;
    const fee = arriving.payment.quote.bill[place]?.fee ?? 0n;
    const last = arriving.payment.quote.bill.at(-1)?.station;
    const isBurning = next !== undefined && failures.spent({ stations: [issuer, last] });
    if (isBurning) return 'too-many-failures';
    if (positions.isReached(issuer) && !(await positions.trusts(issuer, fee))) {
      return 'position-limit';
    }
    const length = bytesOf(this.#context, next, arriving);
    const held = await withKeys(this.#context, next, length, (keys) =>
      this.#batch(next).add({ arriving: { ...arriving, keys }, place }),
    );
    if (held === 'no-keys' || held.outcome !== 'position-limit') return held;
    positions.reached(issuer);
    return held.outcome;
  }

  async #receipt(from: StationName, receipt: Receipt): Promise<void> {
    const outcome = await this.#verdicts.take(receipt, from);
    if (outcome === 'not-ours') {
      const { paymentId } = receipt.body;
      const words = 'a receipt for no payment of ours';
      this.#context.log.notice('warn', paymentId, words, { peer: from });
    }
  }

  #batch(next: StationName | undefined): Batch<Holding, Held> {
    const known = this.#holding.get(next);
    if (known !== undefined) return known;
    const batch = new Batch<Holding, Held>(
      (items) => (next === undefined ? this.#holdHere(items) : this.#holdFor(next, items)),
      isOfRecord,
    );
    this.#holding.set(next, batch);
    return batch;
  }

  /** Failure 43: what the next link has no keys for is not carried, and the issuer is told so. */
  async #holdFor(next: StationName, items: readonly Holding[]): Promise<readonly Held[]> {
    const { store, outbox } = this.#context;
    const records = await protectInTime(
      this.#context,
      next,
      items.map(({ arriving }) => unprotected(arriving)),
    );
    if (records === undefined) return items.map(() => 'no-keys');
    const outcomes = await store.hold(
      items.map(({ arriving, place }, i): NewPayment => {
        const record = records[i];
        return {
          ...newPayment(this.#context, 'relay', arriving, place),
          ...(record && { outbox: record }),
        };
      }),
    );
    for (const { arriving } of created(items, outcomes)) {
      const payment = openPayment('relay', arriving, next);
      this.#context.open.add(payment);
      this.#context.failures.begun(payment);
    }
    outbox.push(
      next,
      'payment',
      outcomes.flatMap((outcome, i) => {
        const record = records[i];
        return outcome.outcome === 'created' && outcome.outboxRow !== undefined && record
          ? [{ rowId: outcome.outboxRow, record }]
          : [];
      }),
    );
    return outcomes;
  }

  async #holdHere(items: readonly Holding[]): Promise<readonly HoldOutcome[]> {
    const { store } = this.#context;
    const outcomes = await store.hold(
      items.map(({ arriving, place }) => ({
        ...newPayment(this.#context, 'last', arriving, place),
        secret: arriving.coinSecret,
      })),
    );
    for (const { arriving } of created(items, outcomes)) {
      // A copy: the carrier wipes its own as soon as the payment is stored.
      this.#lastStation.held(openPayment('last', arriving), arriving.coinSecret.slice());
    }
    return outcomes;
  }
}

/** Undefined for another quote than the payer signed: it says nothing of when its payment ends. */
function deadlineOf(
  primitives: Primitives,
  { transaction, quote, quoteBytes }: Payment,
): bigint | undefined {
  const isSigned = equalBytes(quoteKind.digest(primitives, quoteBytes), transaction.quoteDigest);
  return isSigned ? quote.deliveryDeadline : undefined;
}

/** Without its secret, which is not kept. */
function failedRow({ rowId, message }: InboundRecord, cause: unknown): FailedRow {
  return { rowId, form: 'message', bytes: wireMessage.encode(message), cause };
}

/** What was stored just now. */
function created(items: readonly Holding[], outcomes: readonly HoldOutcome[]): Holding[] {
  return items.filter((_, i) => outcomes[i]?.outcome === 'created');
}

function openPayment(
  role: 'relay' | 'last',
  { paymentId, payment, admission, previous }: ArrivingPayment,
  next?: StationName,
): OpenPayment {
  return {
    paymentId,
    role,
    state: 'held',
    payment: withoutCertificate(payment),
    ...(admission && { admission }),
    ...(previous !== undefined && { previous }),
    ...(next !== undefined && { next }),
  };
}
