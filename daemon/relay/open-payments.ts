/**
 * Payments under way as this station knows them: what it decided from when it stored them, so that
 * a verdict costs no reading and decoding of rows. A memory only: whatever is not here is in the
 * store.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec, type Payment } from '../../applet-spec/payment.ts';
import { admission as admissionKind, type Admission } from '../../applet-spec/receipt.ts';
import type { PaymentRole, PaymentRow, PaymentState, PaymentStore } from '../store/store.ts';

/** Several seconds at full speed, some 4 KB each. */
const rememberedMost = 8_192;

export interface OpenPayment {
  readonly paymentId: Uint8Array;
  readonly role: PaymentRole;
  /** As it was stored or read; how far it has come on its way since then, only the store knows. */
  readonly state: PaymentState;
  /** Without the certificate. */
  readonly payment: Payment;
  readonly admission?: Admission;
  readonly previous?: StationName;
  readonly next?: StationName;
}

export class OpenPayments {
  readonly #store: Pick<PaymentStore, 'payments'>;
  readonly #open = new Map<string, OpenPayment>();

  constructor(store: Pick<PaymentStore, 'payments'>) {
    this.#store = store;
  }

  /** A payment was stored just now. */
  add(payment: OpenPayment): void {
    if (this.#open.size >= rememberedMost) {
      const oldest = this.#open.keys().next();
      if (oldest.done !== true) this.#open.delete(oldest.value);
    }
    this.#open.set(toLatin1(payment.paymentId), payment);
  }

  /** Its verdict is durable, by whatever way: from now on the store speaks for it. */
  forget(paymentId: Uint8Array): void {
    this.#open.delete(toLatin1(paymentId));
  }

  /** From memory or from the store; undefined where there is none. */
  async find(paymentId: Uint8Array): Promise<OpenPayment | undefined> {
    const known = this.#open.get(toLatin1(paymentId));
    if (known !== undefined) return known;
    const [row] = await this.#store.payments([paymentId]);
    return row && paymentOfRow(row);
  }
}

export function paymentOfRow(row: PaymentRow): OpenPayment {
  return {
    paymentId: row.paymentId,
    role: row.role,
    state: row.state,
    payment: paymentCodec.decode(row.payment),
    ...(row.admission && { admission: admissionKind.decode(row.admission) }),
    ...(row.previous !== undefined && { previous: row.previous }),
    ...(row.next !== undefined && { next: row.next }),
  };
}
