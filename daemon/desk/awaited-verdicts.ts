/**
 * Replies to `pay` that wait for the end of their payment: as a rule it comes soon, and one message
 * tells the payer all.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { PaymentRecord } from '../../applet-spec/desk-messages.ts';

/** After this time without a verdict the reply says what is so far. */
const patienceMs = 2_000;

interface Waiting {
  readonly requestId: bigint;
  readonly cancel: () => void;
}

export class AwaitedVerdicts {
  readonly #clock: Clock;
  readonly #reply: (requestId: bigint, record: PaymentRecord) => void;
  readonly #waiting = new Map<string, Waiting>();
  #closed = false;

  constructor(clock: Clock, reply: (requestId: bigint, record: PaymentRecord) => void) {
    this.#clock = clock;
    this.#reply = reply;
  }

  /** `soFar` is the record without a verdict. */
  wait(requestId: bigint, paymentId: Uint8Array, soFar: PaymentRecord): void {
    if (this.#closed) return;
    const cancel = this.#clock.after(patienceMs, () => {
      this.answer(paymentId, soFar);
    });
    this.#waiting.set(toLatin1(paymentId), { requestId, cancel });
  }

  /** False where no reply waits for this payment. */
  answer(paymentId: Uint8Array, record: PaymentRecord): boolean {
    const name = toLatin1(paymentId);
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return false;
    this.#waiting.delete(name);
    waiting.cancel();
    this.#reply(waiting.requestId, record);
    return true;
  }

  /** The connection is over: nobody is left to be answered, and no timer is left behind. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }
}
