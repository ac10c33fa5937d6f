/**
 * Qn (S37): only this station decides, once, durably, before any effect (design §7). A payment is
 * offered when the payee's card is at the desk, until the delivery deadline by this station's clock.
 */
import { concatBytes } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { labels } from '../../applet-spec/labels.ts';
import { headNow, type StationName, type UserName } from '../../applet-spec/names.ts';
import {
  acknowledgement,
  receipt as receiptKind,
  type Reason,
  type Receipt,
  type ReceiptBody,
} from '../../applet-spec/receipt.ts';
import { signBatch, type Leaf } from '../../applet-spec/signed-object.ts';
import { Batch } from '../batch.ts';
import type { PaymentRow } from '../store/store.ts';
import { stepPayment, type PaymentInput } from './payment-machine.ts';
import { nameOf, nowSeconds, storedPayment, type TollContext } from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

interface Open {
  readonly row: PaymentRow;
  offering: boolean;
  readonly cancelDeadline: () => void;
}

interface Deciding {
  readonly body: ReceiptBody;
  readonly leaf: Leaf;
}

export class LastStation {
  readonly #context: TollContext;
  readonly #verdicts: Verdicts;
  readonly #open = new Map<string, Open>();
  readonly #signing: Batch<Deciding, Receipt>;

  constructor(context: TollContext, verdicts: Verdicts) {
    this.#context = context;
    this.#verdicts = verdicts;
    this.#signing = new Batch((items) => {
      const { primitives, documentKey } = context;
      const proofs = signBatch(
        primitives,
        items.map((item) => item.leaf),
        documentKey,
      );
      return Promise.resolve(
        items.flatMap((item, i) => {
          const proof = proofs[i];
          return proof === undefined ? [] : [receiptKind.prove(item.body, proof)];
        }),
      );
    });
  }

  /** Payments that a stop left undecided: their deadlines run on, their offers are made again. */
  async start(): Promise<void> {
    for (const row of await this.#context.store.openPayments('last', 1_000_000)) this.#watch(row);
  }

  close(): void {
    for (const { cancelDeadline } of this.#open.values()) cancelDeadline();
    this.#open.clear();
  }

  async idle(): Promise<void> {
    await this.#signing.idle();
  }

  /** A payment was stored just now. */
  held(row: PaymentRow): void {
    this.#offer(this.#watch(row));
  }

  /** The payee's card is at the desk. */
  arrived(user: UserName): void {
    for (const open of this.#open.values()) {
      if (open.row.payee === user) this.#offer(open);
    }
  }

  /** The issuer, and nobody else, may ask: what was decided, or else `undelivered` from now on (failures 14, 15). */
  async verdict(paymentId: Uint8Array, asker?: StationName): Promise<Receipt | undefined> {
    const { store } = this.#context;
    const [row] = await store.payments([paymentId]);
    if (row !== undefined) {
      if (row.role !== 'last' || row.issuer !== asker) return undefined;
      const decided = await this.#input(row, { kind: 'asked' });
      if (decided !== undefined) return decided;
      const [now] = await store.payments([paymentId]);
      if (now?.receipt !== undefined) return receiptKind.decode(now.receipt);
      throw new RangeError('a payment asked for has no receipt');
    }
    const buried = await store.tombstone(paymentId);
    if (buried !== undefined) return receiptKind.decode(buried);
    const stone = await this.#sign(this.#body(paymentId, 'undelivered', 'asked-by-issuer'));
    const [buriedNow] = await store.entomb([{ paymentId, receipt: stone.bytes }]);
    // It came in the meantime: then it is decided like any other.
    if (buriedNow === 'payment-known') return this.verdict(paymentId, asker);
    const first = await store.tombstone(paymentId);
    return first === undefined ? stone : receiptKind.decode(first);
  }

  #watch(row: PaymentRow): Open {
    const name = nameOf(row.paymentId);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const waitMs = Number(row.deliveryDeadline) * 1000 - this.#context.clock.nowMs();
    const open: Open = {
      row,
      offering: false,
      cancelDeadline: this.#context.clock.after(Math.max(0, waitMs), () => {
        this.#input(row, { kind: 'delivery-deadline' }).catch(this.#context.log.fault);
      }),
    };
    this.#open.set(name, open);
    return open;
  }

  #offer(open: Open): void {
    if (open.offering) return;
    open.offering = true;
    this.#offerNow(open.row)
      .catch(this.#context.log.fault)
      .finally(() => {
        open.offering = false;
      });
  }

  async #offerNow(row: PaymentRow): Promise<void> {
    const { store, counter, log } = this.#context;
    if (!counter().isHere(row.payee)) return;
    const secret = await store.heldSecret(row.paymentId);
    if (secret === undefined) return;
    await store.markOffered([row.paymentId]);
    const payment = storedPayment(row);
    const outcome = await counter().offer(row.payee, payment, secret);
    secret.fill(0);
    switch (outcome.outcome) {
      case 'acknowledged':
        if (await this.#acknowledges(row, outcome.signature)) {
          await this.#input(row, { kind: 'acknowledged' }, outcome.signature);
        } else {
          await this.#input(row, { kind: 'card-refused', reason: 'payee-card-fault' });
        }
        return;
      case 'refused':
        await this.#input(row, { kind: 'card-refused', reason: outcome.reason });
        return;
      case 'absent':
      case 'unknown':
        log.payment('info', row.paymentId, 'the payee left before the offer was answered');
    }
  }

  /** The payee's signature, under the certificate that the quote promised. */
  async #acknowledges(row: PaymentRow, signature: Uint8Array): Promise<boolean> {
    const { store, primitives } = this.#context;
    const { payeeCertificate } = storedPayment(row).quote;
    const certificate = await store.certificate(payeeCertificate);
    if (certificate === undefined) return false;
    const body = { ...headNow, paymentId: row.paymentId, payeeCertificate };
    const message = concatBytes(labels.acknowledgement, acknowledgement.body.encode(body));
    return primitives
      .verifyingKey(parseCertificate(certificate).publicKey)
      .verify(message, signature);
  }

  /** Feeds the machine with the state that is stored now; returns the receipt where it decided. */
  async #input(
    stale: PaymentRow,
    input: PaymentInput,
    signature?: Uint8Array,
  ): Promise<Receipt | undefined> {
    const { store, log } = this.#context;
    const [row] = await store.payments([stale.paymentId]);
    if (row === undefined) return undefined;
    const step = stepPayment('last', row.state, input);
    if (step.kind === 'refused') log.payment('warn', row.paymentId, step.why);
    if (step.kind !== 'next' || step.effect?.kind !== 'decide') return undefined;
    const { effect } = step;
    const body = this.#body(
      row.paymentId,
      effect.verdict,
      effect.verdict === 'undelivered' ? effect.reason : undefined,
      signature,
    );
    const receipt = await this.#sign(body);
    const outcome = await this.#verdicts.decide(row, receipt, row.previous);
    this.#forget(row.paymentId);
    return outcome.outcome === 'decided' ? receipt : undefined;
  }

  #forget(paymentId: Uint8Array): void {
    const name = nameOf(paymentId);
    this.#open.get(name)?.cancelDeadline();
    this.#open.delete(name);
  }

  #body(
    paymentId: Uint8Array,
    verdict: ReceiptBody['verdict'],
    reason: Reason | undefined,
    signature?: Uint8Array,
  ): ReceiptBody {
    const { station } = this.#context;
    return {
      ...headNow,
      paymentId,
      station,
      verdict,
      time: nowSeconds(this.#context),
      ...(reason !== undefined && { reason }),
      ...(signature !== undefined && { acknowledgement: signature }),
    };
  }

  #sign(body: ReceiptBody): Promise<Receipt> {
    return this.#signing.add({ body, leaf: receiptKind.leaf(this.#context.primitives, body) });
  }
}
