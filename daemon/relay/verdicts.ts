/**
 * Making a verdict durable, whatever the role: the receipt, the ledger, the coin, the outbox row that
 * passes the receipt on, and then the user's card. One way for every reason (failure 50).
 */
import type { StationName } from '../../applet-spec/names.ts';
import { receipt as receiptKind, type Receipt } from '../../applet-spec/receipt.ts';
import { Batch } from '../batch.ts';
import type { DecideOutcome, Decision, PaymentRow } from '../store/store.ts';
import { wireMessage } from '../wire/wire-message.ts';
import { stepPayment } from './payment-machine.ts';
import { storedPayment, type TollContext } from './toll-context.ts';

interface Verdict {
  readonly row: PaymentRow;
  readonly receipt: Receipt;
  readonly onwards: StationName | undefined;
}

/** What came of a receipt that somebody showed us. */
export type ReceiptOutcome = 'taken' | 'known' | 'not-ours' | 'forged' | 'contradiction';

export class Verdicts {
  readonly #context: TollContext;
  readonly #batches = new Map<StationName | undefined, Batch<Verdict, DecideOutcome>>();

  constructor(context: TollContext) {
    this.#context = context;
  }

  /**
   * A receipt from a neighbour or in an answer. It is believed for the last station's signature
   * alone, and passed on to the side that it did not come from.
   */
  async take(receipt: Receipt, from: StationName | undefined): Promise<ReceiptOutcome> {
    const { store, primitives, log } = this.#context;
    const [row] = await store.payments([receipt.body.paymentId]);
    if (row === undefined) return 'not-ours';
    const { payeeStationKey, bill } = storedPayment(row).quote;
    if (
      receipt.body.station !== bill.at(-1)?.station ||
      !receiptKind.verify(primitives, receipt, primitives.verifyingKey(payeeStationKey))
    ) {
      log.payment('warn', row.paymentId, 'a receipt that the last station did not sign');
      return 'forged';
    }
    const step = stepPayment(row.role, row.state, {
      kind: 'receipt',
      verdict: receipt.body.verdict,
    });
    if (step.kind === 'refused') {
      log.payment('warn', row.paymentId, `receipt refused: ${step.why}`);
      return 'contradiction';
    }
    if (step.kind === 'ignored') return 'known';
    await this.decide(row, receipt, from === row.previous ? row.next : row.previous);
    return 'taken';
  }

  /** A payment that came after its tombstone: the stations behind it learn how it ended. */
  async passBack(previous: StationName, receipt: Receipt): Promise<void> {
    const { links, store, outbox } = this.#context;
    const message = wireMessage.encode({ kind: 'receipt', content: { receipt } });
    const [record] = await links.protect(previous, [{ message }]);
    if (record === undefined) return;
    const { paymentId } = receipt.body;
    const [rowId] = await store.enqueue([{ peer: previous, paymentId, record }]);
    if (rowId !== undefined) outbox.push(previous, [{ rowId, record }]);
  }

  /** Stores the verdict and passes the receipt on. */
  async decide(
    row: PaymentRow,
    receipt: Receipt,
    onwards: StationName | undefined,
  ): Promise<DecideOutcome> {
    return this.#batch(onwards).add({ row, receipt, onwards });
  }

  async idle(): Promise<void> {
    for (const batch of this.#batches.values()) await batch.idle();
  }

  #batch(onwards: StationName | undefined): Batch<Verdict, DecideOutcome> {
    const known = this.#batches.get(onwards);
    if (known !== undefined) return known;
    const batch = new Batch<Verdict, DecideOutcome>((verdicts) => this.#store(onwards, verdicts));
    this.#batches.set(onwards, batch);
    return batch;
  }

  async #store(
    onwards: StationName | undefined,
    verdicts: readonly Verdict[],
  ): Promise<readonly DecideOutcome[]> {
    const { links, store, outbox } = this.#context;
    const records =
      onwards === undefined
        ? []
        : await links.protect(
            onwards,
            verdicts.map(({ receipt }) => ({
              message: wireMessage.encode({ kind: 'receipt', content: { receipt } }),
            })),
          );
    const outcomes = await store.decide(
      verdicts.map(({ row, receipt }, i) => this.#decision(row, receipt, onwards, records[i])),
    );
    if (onwards !== undefined) {
      outbox.push(
        onwards,
        outcomes.flatMap((outcome, i) => {
          const record = records[i];
          return outcome.outcome === 'decided' && outcome.outboxRow !== undefined && record
            ? [{ rowId: outcome.outboxRow, record }]
            : [];
        }),
      );
    }
    verdicts.forEach(({ row, receipt }, i) => {
      if (outcomes[i]?.outcome === 'decided') this.#tellCard(row, receipt);
    });
    return outcomes;
  }

  #decision(
    row: PaymentRow,
    receipt: Receipt,
    onwards: StationName | undefined,
    record: Uint8Array | undefined,
  ): Decision {
    const { verdict, reason } = receipt.body;
    return {
      paymentId: row.paymentId,
      verdict,
      receipt: receipt.bytes,
      nowMs: this.#context.clock.nowMs(),
      ...(reason !== undefined && { reason }),
      ...(onwards !== undefined && record && { outbox: { peer: onwards, record } }),
      ...(row.role === 'issuer' &&
        verdict === 'undelivered' && { replacement: this.#context.mint.one(row.value) }),
    };
  }

  #tellCard(row: PaymentRow, receipt: Receipt): void {
    const { counter, log } = this.#context;
    const { verdict, reason } = receipt.body;
    log.payment('info', row.paymentId, verdict, reason === undefined ? {} : { reason });
    if (row.role === 'issuer') counter().concluded(row.payer, row.paymentId);
    if (row.role === 'last') counter().concluded(row.payee, row.paymentId);
  }
}
