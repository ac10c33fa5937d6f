/**
 * Q2 … Qn (S36): what comes in from a neighbour is checked, stored, confirmed, and only then passed
 * on (I30). Payments, receipts and advice each have their own way, so that receipts never wait for
 * payments (I33), and each next station its own batch, so that a slow one holds up only itself (I41).
 */
import type { StationName } from '../../applet-spec/names.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import {
  receipt as receiptKind,
  refusal as refusalKind,
  type Receipt,
  type Reason,
  type Refusal,
} from '../../applet-spec/receipt.ts';
import { Batch } from '../batch.ts';
import type { InboundRecord } from '../link/links.ts';
import type { AcceptOutcome, NewPayment } from '../store/store.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import type { Issuer } from './issuer.ts';
import type { LastStation } from './last-station.ts';
import { checkPayment, type ArrivingPayment } from './payment-check.ts';
import {
  newPayment,
  paymentMessage,
  signRefusal,
  storedPayment,
  type TollContext,
} from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

interface Holding {
  readonly arriving: ArrivingPayment;
  readonly place: number;
}

type PaymentMessage = Extract<WireMessage, { kind: 'payment' }>['content'];

export class Carrier {
  readonly #context: TollContext;
  readonly #verdicts: Verdicts;
  readonly #lastStation: LastStation;
  readonly #issuer: Issuer;
  readonly #holding = new Map<StationName | undefined, Batch<Holding, AcceptOutcome>>();
  #underWay = 0;
  #whenIdle: (() => void)[] = [];

  constructor(
    context: TollContext,
    parts: {
      readonly verdicts: Verdicts;
      readonly lastStation: LastStation;
      readonly issuer: Issuer;
    },
  ) {
    this.#context = context;
    this.#verdicts = parts.verdicts;
    this.#lastStation = parts.lastStation;
    this.#issuer = parts.issuer;
  }

  /** Records of a neighbour's outbox. Each is confirmed once what follows from it is durable. */
  received(peer: StationName, records: readonly InboundRecord[]): void {
    this.#underWay++;
    this.#receive(peer, records)
      .catch(this.#context.log.fault)
      .finally(() => {
        this.#underWay--;
        if (this.#underWay === 0) for (const tell of this.#whenIdle.splice(0)) tell();
      });
  }

  async idle(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    for (const batch of this.#holding.values()) await batch.idle();
  }

  async #receive(peer: StationName, records: readonly InboundRecord[]): Promise<void> {
    const done = await Promise.all(records.map((record) => this.#take(peer, record)));
    const confirmed = records.flatMap(({ rowId }, i) => (done[i] === true ? [rowId] : []));
    if (confirmed.length > 0) this.#context.links.confirm(peer, confirmed);
  }

  /** True once the record may be forgotten by the sender. A fault keeps it in the sender's outbox. */
  async #take(peer: StationName, record: InboundRecord): Promise<boolean> {
    try {
      const { message } = record;
      if (message.kind === 'payment') await this.#payment(peer, message.content, record.secret);
      else if (message.kind === 'receipt') await this.#receipt(peer, message.content.receipt);
      else if (message.kind === 'refusal') await this.#advice(message.content.refusal);
      return true;
    } catch (error) {
      this.#context.log.fault(error);
      return false;
    }
  }

  async #payment(
    previous: StationName,
    { payment, admission }: PaymentMessage,
    coinSecret: Uint8Array | undefined,
  ): Promise<void> {
    const { primitives, store, log } = this.#context;
    const paymentId = paymentIdOf(primitives, payment.transactionBytes);
    // Known already: nothing is checked or drawn twice, the first stored wins (I24).
    const [known] = await store.payments([paymentId]);
    if (known !== undefined || coinSecret === undefined) return;
    const arriving: ArrivingPayment = { paymentId, payment, admission, previous, coinSecret };
    const check = await checkPayment(this.#context.check, arriving);
    if (!check.ok) {
      log.payment('warn', paymentId, 'not carried', {
        from: previous,
        reason: check.reason,
        detail: check.detail,
      });
      await this.#advise(previous, paymentId, check.reason);
      return;
    }
    const outcome = await this.#batch(check.next).add({ arriving, place: check.place });
    coinSecret.fill(0);
    if (outcome.outcome === 'coin-used' || outcome.outcome === 'coin-not-unspent') {
      log.payment('warn', paymentId, 'its coin was carried for another payment');
      await this.#advise(previous, paymentId, 'coin-not-unspent');
    } else if (outcome.outcome === 'entombed') {
      await this.#verdicts.passBack(previous, receiptKind.decode(outcome.receipt));
    }
  }

  async #receipt(from: StationName, receipt: Receipt): Promise<void> {
    const outcome = await this.#verdicts.take(receipt, from);
    if (outcome === 'not-ours') {
      this.#context.log.payment('warn', receipt.body.paymentId, 'a receipt for no payment of ours');
    }
  }

  /** Advice goes back towards the issuer, which alone acts on it. */
  async #advice(advice: Refusal): Promise<void> {
    const { store, directory, log } = this.#context;
    const { paymentId, station, reason } = advice.body;
    const [row] = await store.payments([paymentId]);
    const author = directory.entry(station);
    if (row === undefined || author === undefined) return;
    const onRoute = storedPayment(row).quote.bill.some((line) => line.station === station);
    if (!onRoute || !refusalKind.verify(advice, author.documentKey)) {
      log.payment('warn', paymentId, `advice in the name of ${station} does not hold`);
      return;
    }
    log.payment('info', paymentId, 'advice', { station, reason });
    if (row.previous === undefined) {
      await store.putAdvice([{ paymentId, refusal: advice.bytes }]);
      await this.#issuer.pursue(paymentId, 'advice');
    } else {
      await this.#passBack(row.previous, advice);
    }
  }

  async #advise(previous: StationName, paymentId: Uint8Array, why: Reason): Promise<void> {
    await this.#passBack(previous, signRefusal(this.#context, paymentId, why));
  }

  async #passBack(previous: StationName, advice: Refusal): Promise<void> {
    const { links, store, outbox } = this.#context;
    const message = wireMessage.encode({ kind: 'refusal', content: { refusal: advice } });
    const [record] = await links.protect(previous, [{ message }]);
    if (record === undefined) return;
    const [rowId] = await store.putAdvice([
      {
        paymentId: advice.body.paymentId,
        refusal: advice.bytes,
        outbox: { peer: previous, record },
      },
    ]);
    if (rowId !== undefined) outbox.push(previous, [{ rowId, record }]);
  }

  #batch(next: StationName | undefined): Batch<Holding, AcceptOutcome> {
    const known = this.#holding.get(next);
    if (known !== undefined) return known;
    const batch = new Batch<Holding, AcceptOutcome>((items) =>
      next === undefined ? this.#holdHere(items) : this.#holdFor(next, items),
    );
    this.#holding.set(next, batch);
    return batch;
  }

  async #holdFor(next: StationName, items: readonly Holding[]): Promise<readonly AcceptOutcome[]> {
    const { links, store, outbox } = this.#context;
    const records = await links.protect(
      next,
      items.map(({ arriving }) => ({
        message: paymentMessage(arriving),
        secret: arriving.coinSecret,
      })),
    );
    const outcomes = await store.hold(
      items.map(({ arriving, place }, i): NewPayment => {
        const record = records[i];
        return {
          ...newPayment(this.#context, 'relay', arriving, place),
          ...(record && { outbox: record }),
        };
      }),
    );
    outbox.push(
      next,
      outcomes.flatMap((outcome, i) => {
        const record = records[i];
        return outcome.outcome === 'created' && outcome.outboxRow !== undefined && record
          ? [{ rowId: outcome.outboxRow, record }]
          : [];
      }),
    );
    return outcomes;
  }

  async #holdHere(items: readonly Holding[]): Promise<readonly AcceptOutcome[]> {
    const { store } = this.#context;
    const outcomes = await store.hold(
      items.map(({ arriving, place }) => ({
        ...newPayment(this.#context, 'last', arriving, place),
        secret: arriving.coinSecret,
      })),
    );
    const created = items.flatMap(({ arriving }, i) =>
      outcomes[i]?.outcome === 'created' ? [arriving.paymentId] : [],
    );
    for (const row of await store.payments(created)) {
      if (row !== undefined) this.#lastStation.held(row);
    }
    return outcomes;
  }
}
