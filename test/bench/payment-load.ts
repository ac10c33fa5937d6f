/**
 * The load: prepared payments, paid by the stand-ins, each timed until its payer's card has the
 * verdict.
 */
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../daemon/clock.ts';
import type { PreparedPayment } from './payment-preparation.ts';
import type { StandInHost } from './stand-in-host.ts';

export interface DonePayment {
  readonly payment: PreparedPayment;
  /** Milliseconds from the request until the payer was told the verdict. */
  readonly latencyMs: number;
  /** On the clock of `performance.now()`. */
  readonly doneMs: number;
  readonly delivered: boolean;
}

interface UnderWay {
  readonly payment: PreparedPayment;
  readonly startMs: number;
  readonly resolve: (done: DonePayment) => void;
}

const drainMs = 60_000;

export class PaymentLoad {
  readonly #payers: readonly StandInHost[];
  readonly #payments: Iterator<PreparedPayment>;
  readonly #underWay = new Map<string, UnderWay>();
  #exhausted = false;

  constructor(payers: readonly StandInHost[], payments: readonly PreparedPayment[]) {
    this.#payers = payers;
    this.#payments = payments[Symbol.iterator]();
    for (const host of payers) {
      host.onConcluded = (paymentId, delivered) => {
        this.#concluded(paymentId, delivered);
      };
    }
  }

  /** No payment is left; what was measured is short then. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** Keeps so many payments in flight for a time, then waits for the last of them. */
  async closedLoop(inFlight: number, forMs: number): Promise<readonly DonePayment[]> {
    const done: DonePayment[] = [];
    const untilMs = performance.now() + forMs;
    const lane = async (): Promise<void> => {
      while (performance.now() < untilMs) {
        const paid = this.#payNext();
        if (paid === undefined) return;
        done.push(await paid);
      }
    };
    await withDeadline(Promise.all(Array.from({ length: inFlight }, lane)), forMs + drainMs);
    return done;
  }

  /** Starts payments at a steady rate, whatever becomes of those before. */
  async openLoop(perSecond: number, forMs: number): Promise<readonly DonePayment[]> {
    const startMs = performance.now();
    const paid: Promise<DonePayment>[] = [];
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= forMs) break;
      while (paid.length < (elapsedMs * perSecond) / 1_000) {
        const next = this.#payNext();
        if (next === undefined) break;
        paid.push(next);
      }
      if (this.#exhausted) break;
      await new Promise<void>((resolve) => systemClock.after(1, resolve));
    }
    return withDeadline(Promise.all(paid), drainMs);
  }

  #payNext(): Promise<DonePayment> | undefined {
    const next = this.#payments.next();
    if (next.done === true) {
      this.#exhausted = true;
      return undefined;
    }
    const payment = next.value;
    const host = this.#payers[payment.payer];
    if (host === undefined) throw new RangeError('a payment of nobody');
    if (host.ended !== undefined) throw new Error(`a payer was sent away: ${host.ended}`);
    return new Promise((resolve, reject) => {
      this.#underWay.set(payment.paymentId, { payment, startMs: performance.now(), resolve });
      host
        .request((requestId) => ({
          kind: 'pay',
          content: { requestId, quoteDigest: payment.quoteDigest },
        }))
        .then((reply) => {
          if (reply.kind === 'paid-ended') return;
          const why = reply.kind === 'refused' ? reply.content.message : reply.kind;
          reject(new Error(`a payment was not taken: ${why}`));
        }, reject);
    });
  }

  #concluded(paymentId: string, delivered: boolean): void {
    const underWay = this.#underWay.get(paymentId);
    if (underWay === undefined) return;
    this.#underWay.delete(paymentId);
    const { payment, startMs, resolve } = underWay;
    const doneMs = performance.now();
    resolve({ payment, latencyMs: doneMs - startMs, doneMs, delivered });
  }
}

async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.after(ms, () => {
      reject(new Error(`payments were still under way after ${ms} ms`));
    });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
