/**
 * Qn (S37): only this station decides, once, durably, before any effect (design §7). A payment is
 * offered when the payee's card is at the desk, until the delivery deadline by this station's
 * clock.
 */
import { concatBytes, toHex, toLatin1 } from '../../applet-spec/bytes.ts';
import { labels } from '../../applet-spec/labels.ts';
import { headNow, type UserName } from '../../applet-spec/names.ts';
import type { QuoteBody } from '../../applet-spec/quote.ts';
import type { SigningKey } from '../../applet-spec/primitives.ts';
import {
  acknowledgement,
  receipt as receiptKind,
  type Reason,
  type Receipt,
  type ReceiptBody,
} from '../../applet-spec/receipt.ts';
import { signBatch, type Leaf } from '../../applet-spec/signed-object.ts';
import { Batch } from '../batch.ts';
import type { PaymentState } from '../store/store.ts';
import { unlessDamaged } from './damaged-secrets.ts';
import type { AskedFor } from './inquiries.ts';
import { heldPayments } from './held-payments.ts';
import { paymentOfRow, type OpenPayment } from './open-payments.ts';
import { PayeeKeys } from './payee-keys.ts';
import { stepPayment, type PaymentInput } from './payment-machine.ts';
import { untilStored } from './store-patience.ts';
import { nameOf, nowSeconds, type TollContext } from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

/**
 * After a start nothing is ended by its deadline for so long: neighbours say first whether these
 * books were rolled back (failure 38).
 */
const hearingMs = 10_000;

interface Open {
  readonly payment: OpenPayment;
  state: PaymentState;
  offering: boolean;
  /** The payee came to the desk while an offer was being made: make another. */
  again: boolean;
  /** A verdict is being stored: from here on the card is told that, and offered nothing. */
  deciding: boolean;
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
  /** By the public key that quotes name. */
  readonly #signing: ReadonlyMap<string, Batch<Deciding, Receipt>>;
  /** Which lost books may have decided: the payee's card alone can tell (failure 38). */
  readonly #doubtful = new Set<string>();
  readonly #payeeKeys: PayeeKeys;

  constructor(context: TollContext, verdicts: Verdicts) {
    this.#context = context;
    this.#verdicts = verdicts;
    this.#payeeKeys = new PayeeKeys(context);
    verdicts.onDecided(({ paymentId, role }) => {
      if (role === 'last') this.#forget(paymentId);
    });
    this.#signing = new Map(
      context.documentKeys.map((key) => [toLatin1(key.publicKey), this.#signingWith(key)]),
    );
  }

  /**
   * Payments that a stop left undecided: their deadlines run on, their offers are made again. Also
   * once books were rebuilt.
   */
  async start(): Promise<void> {
    await this.doubt();
    for await (const payment of heldPayments(this.#context)) {
      const open = this.#watch(payment, hearingMs);
      if (this.#doubtful.has(nameOf(payment.paymentId))) this.#offer(open);
    }
  }

  /** Before anything is decided on rebuilt books: what the lost ones may have decided. */
  async doubt(): Promise<void> {
    for (const paymentId of await this.#context.store.doubtful()) {
      this.#doubtful.add(nameOf(paymentId));
    }
  }

  close(): void {
    for (const { cancelDeadline } of this.#open.values()) cancelDeadline();
    this.#open.clear();
  }

  async idle(): Promise<void> {
    for (const signing of this.#signing.values()) await signing.idle();
  }

  /** A payment was stored just now; `coinSecret` is wiped once the card has it, or is not here. */
  held(payment: OpenPayment, coinSecret: Uint8Array): void {
    this.#context.failures.begun(payment);
    this.#offer(this.#watch(payment), coinSecret);
  }

  /** Payments to this user are held here, and not decided. */
  awaits(user: UserName): boolean {
    return [...this.#open.values()].some(({ payment }) => payment.payment.quote.payee === user);
  }

  /** The payee's card is at the desk. */
  arrived(user: UserName): void {
    for (const open of this.#open.values()) {
      if (open.payment.payment.quote.payee === user) this.#offer(open);
    }
  }

  /**
   * The issuer asks (`inquiries.ts`): what was decided, or else `undelivered` from now on (failures
   * 14, 15). Books that were rolled back only tell what they hold: what the lost ones decided
   * nobody may decide anew (failure 38).
   */
  async verdict(asked: AskedFor): Promise<Receipt | undefined> {
    const { paymentId, reason } = asked;
    const { deliveryDeadline } = asked.quote;
    const { store, standing } = this.#context;
    const [row] = await store.payments([paymentId], deliveryDeadline);
    if (standing.refusal !== undefined) {
      const word = row?.receipt ?? (await store.tombstone(paymentId));
      return word && receiptKind.decode(word);
    }
    if (row !== undefined) {
      // Whoever asks must wait for the payee's card; the payer is made whole in the meantime.
      if (this.#doubtful.has(nameOf(paymentId))) return undefined;
      const decided = await this.#input(paymentOfRow(row), { kind: 'asked', reason });
      if (decided !== undefined) return decided;
      const [now] = await store.payments([paymentId]);
      if (now?.receipt !== undefined) return receiptKind.decode(now.receipt);
      throw new RangeError('a payment asked for has no receipt');
    }
    const buried = await store.tombstone(paymentId);
    if (buried !== undefined) return receiptKind.decode(buried);
    if (standing.mayHaveLost(asked.quote)) return undefined;
    const stone = await this.#sign(this.#body(paymentId, 'undelivered', reason), asked.quote);
    if (stone === undefined) return undefined;
    const [buriedNow] = await store.entomb([{ paymentId, receipt: stone.bytes, deliveryDeadline }]);
    // It came in the meantime: then it is decided like any other.
    if (buriedNow === 'payment-known') return this.verdict(asked);
    const first = await store.tombstone(paymentId);
    return first === undefined ? stone : receiptKind.decode(first);
  }

  #watch(payment: OpenPayment, atLeastMs = 0): Open {
    const name = nameOf(payment.paymentId);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const { deliveryDeadline } = payment.payment.quote;
    const waitMs = Number(deliveryDeadline) * 1000 - this.#context.clock.nowMs();
    const open: Open = {
      payment,
      state: payment.state,
      offering: false,
      again: false,
      deciding: false,
      cancelDeadline: this.#context.clock.after(Math.max(atLeastMs, waitMs), () => {
        const isOpen = (): boolean => this.#open.get(name) === open;
        const input = { kind: 'delivery-deadline' } as const;
        void untilStored(this.#context, isOpen, () => this.#input(payment, input));
      }),
    };
    this.#open.set(name, open);
    return open;
  }

  #offer(open: Open, coinSecret?: Uint8Array): void {
    if (open.offering) {
      open.again = true;
      coinSecret?.fill(0);
      return;
    }
    open.offering = true;
    open.again = false;
    const isOpen = (): boolean => this.#isOpen(open);
    // Wiped by the first offer: the store has it then.
    const given = [coinSecret];
    const offer = (): Promise<void> => this.#offerNow(open, given.pop());
    void untilStored(this.#context, isOpen, offer).finally(() => {
      coinSecret?.fill(0);
      open.offering = false;
      if (open.again && this.#isOpen(open)) this.#offer(open);
    });
  }

  async #offerNow(open: Open, coinSecret?: Uint8Array): Promise<void> {
    const { store, counter, clock, log } = this.#context;
    const { payment } = open;
    const { payee, deliveryDeadline } = payment.payment.quote;
    if (!counter().isHere(payee)) return;
    if (await this.#askedCard(open)) return;
    // The alarm may be late: after a start, or where the clock was set forward.
    if (clock.nowMs() >= Number(deliveryDeadline) * 1000) return;
    const secret = coinSecret ?? (await unlessDamaged(store.heldSecret(payment.paymentId)));
    if (secret === undefined) return;
    if (secret === 'damaged') {
      // No fault of the payee's: there is nothing to offer any more.
      log.payment('warn', payment.paymentId, 'its secret is damaged: it cannot be offered');
      await this.#input(payment, { kind: 'card-refused', reason: 'commitment-mismatch' });
      return;
    }
    // In memory only: after a stop it is held, and offered again.
    open.state = 'offered';
    const outcome = await counter().offer(payee, payment.payment, secret, () => this.#isOpen(open));
    secret.fill(0);
    switch (outcome.outcome) {
      case 'acknowledged':
        if (await this.#acknowledges(payment, outcome.signature)) {
          await this.#input(payment, { kind: 'acknowledged' }, outcome.signature);
        } else {
          await this.#input(payment, { kind: 'card-refused', reason: 'payee-card-fault' });
        }
        return;
      case 'refused':
        await this.#input(payment, { kind: 'card-refused', reason: outcome.reason });
        return;
      case 'absent':
      case 'unknown':
        log.notice('info', payment.paymentId, 'the payee left before the offer was answered', {
          user: payee,
        });
    }
  }

  /**
   * Of a doubtful payment that cannot be offered again, what the payee's card says of itself under
   * MAC: it has stored the key, or never will. False where there is nothing to ask.
   */
  async #askedCard(open: Open): Promise<boolean> {
    const { store, counter, clock } = this.#context;
    const { payment } = open;
    const { paymentId } = payment;
    const { payee, deliveryDeadline } = payment.payment.quote;
    if (!this.#doubtful.has(nameOf(paymentId))) return false;
    const canOffer = clock.nowMs() < Number(deliveryDeadline) * 1000;
    const secret = canOffer ? await unlessDamaged(store.heldSecret(paymentId)) : undefined;
    if (secret instanceof Uint8Array) {
      secret.fill(0);
      return false;
    }
    open.state = 'offered';
    const word = await counter().hasKey(payee, paymentId, () => this.#isOpen(open));
    if (word.outcome === 'has' && (await this.#acknowledges(payment, word.signature))) {
      await this.#input(payment, { kind: 'acknowledged' }, word.signature);
    } else if (word.outcome === 'has' || word.outcome === 'has-not') {
      await this.#input(payment, { kind: 'card-refused', reason: 'rolled-back' });
    }
    return true;
  }

  /** The payee's signature, under the certificate that the quote promised. */
  async #acknowledges(
    { paymentId, payment }: OpenPayment,
    signature: Uint8Array,
  ): Promise<boolean> {
    const { payeeCertificate } = payment.quote;
    const payeeKey = await this.#payeeKeys.of(payeeCertificate);
    if (payeeKey === undefined) return false;
    const body = { ...headNow, paymentId, payeeCertificate };
    const message = concatBytes(labels.acknowledgement, acknowledgement.body.encode(body));
    return payeeKey.verify(message, signature);
  }

  /** Feeds the machine with the state that holds now; returns the receipt where it decided. */
  async #input(
    payment: OpenPayment,
    input: PaymentInput,
    signature?: Uint8Array,
  ): Promise<Receipt | undefined> {
    const { log } = this.#context;
    const { paymentId } = payment;
    const isDoubtful = this.#doubtful.has(nameOf(paymentId));
    if (isDoubtful && (input.kind === 'asked' || input.kind === 'delivery-deadline')) {
      return undefined;
    }
    // No alarm counts the time by which the clock was set, or the machine slept.
    const isPast = nowSeconds(this.#context) > payment.payment.quote.deliveryDeadline;
    if (input.kind === 'acknowledged' && isPast && !isDoubtful) {
      return this.#input(payment, { kind: 'delivery-deadline' });
    }
    const state = await this.#stateOf(paymentId);
    if (state === undefined) return undefined;
    const step = stepPayment('last', state, input);
    const user = payment.payment.quote.payee;
    if (step.kind === 'refused') log.notice('warn', paymentId, step.why, { user });
    if (step.kind !== 'next' || step.effect?.kind !== 'decide') return undefined;
    if (this.#context.standing.refusal !== undefined) {
      const words = 'not decided: this station’s books were rolled back';
      log.notice('warn', paymentId, words, { user });
      return undefined;
    }
    const { effect } = step;
    const body = this.#body(
      paymentId,
      effect.verdict,
      effect.verdict === 'undelivered' ? effect.reason : undefined,
      signature,
    );
    // Nothing is offered after the deadline: what the card has, it had by then.
    const { deliveryDeadline } = payment.payment.quote;
    const isLate = isDoubtful && signature !== undefined && body.time > deliveryDeadline;
    const timely = isLate ? { ...body, time: deliveryDeadline } : body;
    const receipt = await this.#sign(timely, payment.payment.quote);
    if (receipt === undefined) return undefined;
    const open = this.#open.get(nameOf(paymentId));
    if (open !== undefined) open.deciding = true;
    try {
      const outcome = await this.#verdicts.decide(payment, receipt, payment.previous);
      this.#forget(paymentId);
      return outcome.outcome === 'decided' ? receipt : undefined;
    } finally {
      if (open !== undefined) open.deciding = false;
    }
  }

  #isOpen(open: Open): boolean {
    return !open.deciding && this.#open.get(nameOf(open.payment.paymentId)) === open;
  }

  /**
   * Of a payment that is open here, this file alone changes the state; the store knows the rest.
   */
  async #stateOf(paymentId: Uint8Array): Promise<PaymentState | undefined> {
    const open = this.#open.get(nameOf(paymentId));
    if (open !== undefined) return open.state;
    const [row] = await this.#context.store.payments([paymentId]);
    return row?.state;
  }

  #forget(paymentId: Uint8Array): void {
    const name = nameOf(paymentId);
    this.#open.get(name)?.cancelDeadline();
    this.#open.delete(name);
    this.#doubtful.delete(name);
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

  /**
   * With the key that the payment's quote names, as cards believe no other; undefined where that is
   * gone. Then it cannot be decided, and the payer is made whole in time.
   */
  async #sign(
    body: ReceiptBody,
    { payeeStationKey: verdictKey, payee: user }: QuoteBody,
  ): Promise<Receipt | undefined> {
    const { primitives, log } = this.#context;
    const signing = this.#signing.get(toLatin1(verdictKey));
    if (signing !== undefined) {
      return signing.add({ body, leaf: receiptKind.leaf(primitives, body) });
    }
    const detail = { user, publicKey: toHex(verdictKey) };
    const why = 'not decided: the document key that its quote names is gone';
    log.notice('warn', body.paymentId, why, detail);
    return undefined;
  }

  #signingWith(documentKey: SigningKey): Batch<Deciding, Receipt> {
    const { primitives } = this.#context;
    return new Batch((items) => {
      const leaves = items.map(({ leaf }) => leaf);
      const proofs = signBatch(primitives, leaves, documentKey);
      return Promise.resolve(
        items.flatMap(({ body }, i) => {
          const proof = proofs[i];
          return proof === undefined ? [] : [receiptKind.prove(body, proof)];
        }),
      );
    });
  }
}
