/**
 * Making a verdict durable, whatever the role: the receipt, the ledger, the coin, the outbox row
 * that passes the receipt on, and then the user's card. One way for every reason (failure 50).
 */
import type { StationName } from '../../applet-spec/names.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { receipt as receiptKind, type Receipt } from '../../applet-spec/receipt.ts';
import type { VerifyingKey } from '../../applet-spec/primitives.ts';
import { Batch } from '../batch.ts';
import type { Conclusion } from '../desk/desk-seams.ts';
import type { DecideOutcome, Decision, NewCoin, PaymentRow } from '../store/store.ts';
import { wireMessage } from '../wire/wire-message.ts';
import { keepSecondVerdict } from './kept-evidence.ts';
import type { OpenPayment } from './open-payments.ts';
import { stepPayment } from './payment-machine.ts';
import { wordRecords } from './protect-in-time.ts';
import { isOfRecord } from './quarantine.ts';
import type { TollContext } from './toll-context.ts';

/** So long after a link had no keys in time none waits for them: what has queued up is kept. */
const starvedMs = 1_000;

interface Verdict {
  readonly open: OpenPayment;
  readonly receipt: Receipt;
  readonly onwards: StationName | undefined;
  readonly replacement: NewCoin | undefined;
}

/** What came of a receipt that somebody showed us. */
export type ReceiptOutcome = 'taken' | 'known' | 'not-ours' | 'forged' | 'contradiction';

export class Verdicts {
  readonly #context: TollContext;
  readonly #onDecided: ((open: OpenPayment, receipt: Receipt) => void)[] = [];
  readonly #batches = new Map<StationName | undefined, Batch<Verdict, DecideOutcome>>();
  readonly #starvedAtMs = new Map<StationName, number>();

  constructor(context: TollContext) {
    this.#context = context;
  }

  /** Told of every verdict once it is durable here. */
  onDecided(listener: (open: OpenPayment, receipt: Receipt) => void): void {
    this.#onDecided.push(listener);
  }

  /**
   * A receipt from a neighbour or in an answer. It is believed for the last station's signature
   * alone, and passed on to the side that it did not come from. `toRebuiltBooks`: a neighbour shows
   * it to books that had lost it; whoever else lacks it asks by itself, and our own counts too.
   */
  async take(
    receipt: Receipt,
    from: StationName | undefined,
    toRebuiltBooks = false,
  ): Promise<ReceiptOutcome> {
    const { primitives, log } = this.#context;
    const open = await this.#context.open.find(receipt.body.paymentId);
    if (open === undefined) return 'not-ours';
    const { paymentId, payment, role, previous, next } = open;
    const peer = from ?? receipt.body.station;
    if (
      receipt.body.station !== payment.quote.bill.at(-1)?.station ||
      !receiptKind.verify(primitives, receipt, this.#lastStationKey(open))
    ) {
      log.notice('warn', paymentId, 'a receipt that the last station did not sign', { peer });
      return 'forged';
    }
    const step = stepPayment(role, open.state, {
      kind: toRebuiltBooks && role === 'last' ? 'own-receipt' : 'receipt',
      verdict: receipt.body.verdict,
    });
    if (step.kind === 'refused') {
      log.notice('warn', paymentId, 'receipt refused', { peer, why: step.why });
      if (role !== 'last' || toRebuiltBooks) await keepSecondVerdict(this.#context, receipt);
      return 'contradiction';
    }
    if (step.kind === 'ignored') return 'known';
    const onwards = from === previous ? next : previous;
    const decided = await this.decide(open, receipt, toRebuiltBooks ? undefined : onwards);
    // Another one came first, in the same moment.
    return decided.outcome === 'exists' ? this.#knownBefore(decided.row, receipt) : 'taken';
  }

  async #knownBefore({ state }: PaymentRow, receipt: Receipt): Promise<ReceiptOutcome> {
    if (state === receipt.body.verdict) return 'known';
    await keepSecondVerdict(this.#context, receipt);
    return 'contradiction';
  }

  /** The key that the quote names; the directory's of the same station remembers its batches. */
  #lastStationKey({ payment }: OpenPayment): VerifyingKey {
    const { primitives, directory } = this.#context;
    const { payeeStationKey, bill, time } = payment.quote;
    const last = bill.at(-1)?.station;
    const known = last === undefined ? [] : directory.keysAt(last, 'station-document', time);
    return (
      known.find(({ publicKey }) => equalBytes(publicKey, payeeStationKey)) ??
      primitives.verifyingKey(payeeStationKey)
    );
  }

  /** A payment that came after its tombstone: the stations behind it learn how it ended. */
  async passBack(previous: StationName, receipt: Receipt): Promise<void> {
    const { store, outbox } = this.#context;
    const message = wireMessage.encode({ kind: 'receipt', content: { receipt } });
    const [word] = await wordRecords(this.#context, previous, [message]);
    // No neighbour any more.
    if (word === undefined) return;
    const { record } = word;
    const { paymentId } = receipt.body;
    const [rowId] = await store.enqueue([{ peer: previous, paymentId, record }]);
    if (rowId !== undefined) outbox.push(previous, 'word', [{ rowId, record }]);
  }

  /** Stores the verdict and passes the receipt on. */
  async decide(
    open: OpenPayment,
    receipt: Receipt,
    onwards: StationName | undefined,
  ): Promise<DecideOutcome> {
    const { role, payment } = open;
    // Made before the batch: a generator that fails holds up no other verdict.
    const isBurned = role === 'issuer' && receipt.body.verdict === 'undelivered';
    const [replacement] = isBurned
      ? await this.#context.mint.mint([payment.coin.body.value])
      : [undefined];
    return this.#batch(onwards).add({ open, receipt, onwards, replacement });
  }

  async idle(): Promise<void> {
    for (const batch of this.#batches.values()) await batch.idle();
  }

  #batch(onwards: StationName | undefined): Batch<Verdict, DecideOutcome> {
    const known = this.#batches.get(onwards);
    if (known !== undefined) return known;
    const batch = new Batch<Verdict, DecideOutcome>(
      (verdicts) => this.#store(onwards, verdicts),
      isOfRecord,
    );
    this.#batches.set(onwards, batch);
    return batch;
  }

  async #store(
    onwards: StationName | undefined,
    verdicts: readonly Verdict[],
  ): Promise<readonly DecideOutcome[]> {
    const { store, outbox } = this.#context;
    const records = onwards === undefined ? [] : await this.#records(onwards, verdicts);
    const outcomes = await store.decide(
      verdicts.map((verdict, i) => this.#decision(verdict, records[i])),
    );
    if (onwards !== undefined) {
      outbox.push(
        onwards,
        'word',
        outcomes.flatMap((outcome, i) => {
          const record = records[i];
          return outcome.outcome === 'decided' && outcome.outboxRow !== undefined && record
            ? [{ rowId: outcome.outboxRow, record }]
            : [];
        }),
      );
    }
    verdicts.forEach(({ open, receipt }, i) => {
      this.#context.open.forget(open.paymentId);
      if (outcomes[i]?.outcome !== 'decided') return;
      this.#tellCard(open, receipt);
      for (const listener of this.#onDecided) listener(open, receipt);
    });
    return outcomes;
  }

  /**
   * Under `otp` a receipt needs keys. Where there are none it is kept, and goes once there are: no
   * card, coin or payer waits for a neighbour's link, nor one batch behind another for the same.
   */
  async #records(
    onwards: StationName,
    verdicts: readonly Verdict[],
  ): Promise<readonly Uint8Array[]> {
    const { clock } = this.#context;
    const starvedAtMs = this.#starvedAtMs.get(onwards) ?? Number.NEGATIVE_INFINITY;
    // Also where the clock was set back.
    const isStarved = Math.abs(clock.nowMs() - starvedAtMs) < starvedMs;
    const messages = verdicts.map(({ receipt }) =>
      wireMessage.encode({ kind: 'receipt', content: { receipt } }),
    );
    const wait = isStarved ? 'not' : 'a-moment';
    const words = await wordRecords(this.#context, onwards, messages, wait);
    const isDry = words.some(({ isCovered }) => !isCovered);
    if (isDry && !isStarved) this.#starvedAtMs.set(onwards, clock.nowMs());
    return words.map(({ record }) => record);
  }

  #decision(
    { open: { paymentId }, receipt, onwards, replacement }: Verdict,
    record: Uint8Array | undefined,
  ): Decision {
    const { verdict, reason } = receipt.body;
    return {
      paymentId,
      verdict,
      receipt: receipt.bytes,
      nowMs: this.#context.clock.nowMs(),
      ...(reason !== undefined && { reason }),
      ...(onwards !== undefined && record && { outbox: { peer: onwards, record } }),
      ...(replacement && { replacement }),
    };
  }

  #tellCard({ paymentId, role, payment, admission }: OpenPayment, receipt: Receipt): void {
    const { counter, log } = this.#context;
    const { verdict, reason } = receipt.body;
    log.payment('info', paymentId, verdict, reason === undefined ? {} : { reason });
    if (role === 'relay') return;
    const [user, part] =
      role === 'issuer'
        ? ([payment.quote.payer, 'payer'] as const)
        : ([payment.quote.payee, 'payee'] as const);
    const conclusion: Conclusion = {
      paymentId,
      role: part,
      record: { payment, ...(admission && { admission }), receipt, standing: verdict },
    };
    counter().concluded(user, conclusion);
  }
}
