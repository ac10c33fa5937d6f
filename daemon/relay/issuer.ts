/**
 * Q1 (S34–S36, S38): the one counter at which a coin is spent. A payment is admitted, or refused with
 * a signed, sticky word; nothing in between is ever told to the user.
 */
import { coin as coinKind } from '../../applet-spec/coin.ts';
import type { PayAnswer } from '../../applet-spec/card-objects.ts';
import { certificateHash } from '../../applet-spec/certificate.ts';
import { headNow, type StationName, type UserName } from '../../applet-spec/names.ts';
import {
  paymentIdOf,
  transaction,
  type Payment,
  type Transaction,
} from '../../applet-spec/payment.ts';
import { quote as quoteKind, type Quote } from '../../applet-spec/quote.ts';
import {
  admission as admissionKind,
  refusal as refusalKind,
  type AdmissionBody,
  type Reason,
} from '../../applet-spec/receipt.ts';
import { signBatch } from '../../applet-spec/signed-object.ts';
import { Batch } from '../batch.ts';
import type { DeskRefusal, Paid } from '../desk/desk-seams.ts';
import { findRoute } from '../network/routes.ts';
import type { AcceptOutcome, NewPayment, PaymentRow } from '../store/store.ts';
import { checkPayment, type ArrivingPayment } from './payment-check.ts';
import { stepPayment } from './payment-machine.ts';
import {
  nameOf,
  newPayment,
  nowSeconds,
  paymentMessage,
  signRefusal,
  storedPayment,
  type TollContext,
} from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

/** After the delivery deadline the last station's word should be here within this time. */
const overdueMs = 30_000;
const askTimeoutMs = 10_000;
/** How long an admission may wait for QKD keys before the user is refused. */
const keysTimeoutMs = 10_000;

export class Issuer {
  readonly #context: TollContext;
  readonly #verdicts: Verdicts;
  readonly #admitting = new Map<StationName, Batch<ArrivingPayment, AcceptOutcome>>();
  readonly #overdue = new Map<string, () => void>();

  constructor(context: TollContext, verdicts: Verdicts) {
    this.#context = context;
    this.#verdicts = verdicts;
  }

  async start(): Promise<void> {
    for (const row of await this.#context.store.openPayments('issuer', 1_000_000)) {
      this.#watch(row.paymentId, row.deliveryDeadline);
    }
  }

  close(): void {
    for (const cancel of this.#overdue.values()) cancel();
    this.#overdue.clear();
  }

  async idle(): Promise<void> {
    for (const batch of this.#admitting.values()) await batch.idle();
  }

  async payable(
    payer: UserName,
    quoteDigest: Uint8Array,
  ): Promise<
    | { readonly outcome: 'payable'; readonly quote: Quote }
    | { readonly outcome: 'paid-before'; readonly row: PaymentRow }
    | DeskRefusal
  > {
    const { store, links } = this.#context;
    const stored = await store.quote(quoteDigest);
    if (stored?.payer !== payer) {
      return refused('quote-unknown', 'This station gave no such quote; ask for a new one.');
    }
    const paid = await store.paymentByQuote(quoteDigest);
    if (paid !== undefined) return { outcome: 'paid-before', row: paid };
    const quote = quoteKind.decode(stored.quote);
    if (nowSeconds(this.#context) > quote.body.expiry) {
      return refused(
        'quote-expired',
        'The quote has expired; ask for a new one. No coin was used.',
      );
    }
    const next = quote.body.bill[1]?.station;
    const link = next === undefined ? undefined : links.status(next);
    if (link?.state !== 'up') {
      const why = link?.detail ?? link?.state ?? 'unknown';
      return refused(
        link?.state === 'waiting-for-keys' ? 'no-keys' : 'no-route',
        `The link to ${next ?? 'the next station'} is out of service (${why}). No coin was used; ` +
          'ask for a new quote.',
      );
    }
    return { outcome: 'payable', quote };
  }

  async pay(payer: UserName, quote: Quote, answer: PayAnswer): Promise<Paid | DeskRefusal> {
    const built = await this.#build(payer, quote, answer);
    if ('outcome' in built) return built;
    const { store, log } = this.#context;
    const [known] = await store.payments([built.paymentId]);
    if (known !== undefined) return { outcome: 'paid', row: known };
    const check = await checkPayment(this.#context.check, built);
    const next = check.ok ? check.next : undefined;
    if (!check.ok || next === undefined) {
      const why = check.ok ? 'route-mismatch' : check.reason;
      log.payment('warn', built.paymentId, 'refused before admission', {
        reason: why,
        ...(!check.ok && { detail: check.detail }),
      });
      return this.#refuse(built, why);
    }
    const outcome = await this.#batch(next).add(built);
    switch (outcome.outcome) {
      case 'exists':
        return { outcome: 'paid', row: outcome.row };
      case 'created': {
        this.#watch(built.paymentId, quote.body.deliveryDeadline);
        log.payment('info', built.paymentId, 'admitted', { payer, next });
        return this.#paid(built.paymentId);
      }
      case 'coin-used':
      case 'coin-not-unspent':
      case 'entombed':
        log.payment('warn', built.paymentId, 'the coin is not unspent', {
          evidence: evidenceOf(outcome),
        });
        return refused('coin-not-unspent', 'This coin was used or returned before.');
    }
  }

  /** A station on the way advises that it will not carry the payment, or no verdict has come. */
  async pursue(paymentId: Uint8Array, why: 'advice' | 'overdue'): Promise<void> {
    const [row] = await this.#context.store.payments([paymentId]);
    if (row === undefined) return;
    const step = stepPayment(row.role, row.state, { kind: why });
    if (step.kind !== 'next' || step.effect?.kind !== 'ask-last-station') return;
    if (nowSeconds(this.#context) > row.resolutionDeadline) await this.#makeWhole(row);
    const asked = await this.#context
      .questions()
      .ask(this.#routeToLast(row), { kind: 'verdict', content: { paymentId } }, askTimeoutMs);
    if (asked.kind === 'verdict') {
      await this.#verdicts.take(asked.content.receipt, undefined);
      return;
    }
    this.#overdueIn(paymentId, overdueMs);
  }

  /** No verdict in a day: the user gets a new coin at the station's own risk (I26). */
  async #makeWhole(row: PaymentRow): Promise<void> {
    const { store, mint, clock, log } = this.#context;
    const replacement = mint.one(row.value);
    const item = { paymentId: row.paymentId, replacement, nowMs: clock.nowMs() };
    const [outcome] = await store.makeWhole([item]);
    if (outcome === 'created') log.payment('warn', row.paymentId, 'no verdict: coin replaced');
  }

  /** The route of the bill, or any other one now that a station on it may have failed. */
  #routeToLast(row: PaymentRow): readonly StationName[] {
    const { directory, station } = this.#context;
    const { bill } = storedPayment(row).quote;
    const billed = bill.map((line) => line.station);
    const last = billed.at(-1);
    if (last === undefined) return billed;
    const found = findRoute(directory.inForce, {
      from: station,
      to: last,
      minimumSuite: 'aes',
      avoid: new Set(),
      nowSeconds: nowSeconds(this.#context),
    });
    return found.outcome === 'found' ? found.route.stations.map((entry) => entry.station) : billed;
  }

  /** Puts the payment together: the card gave coin ID and signature, the rest is ours. */
  async #build(
    payer: UserName,
    quote: Quote,
    answer: PayAnswer,
  ): Promise<ArrivingPayment | DeskRefusal> {
    const { store, primitives } = this.#context;
    const [[record], [secret], user] = await Promise.all([
      store.coins([answer.coinId]),
      store.coinSecrets([answer.coinId]),
      store.user(payer),
    ]);
    const certificate =
      answer.certificate ??
      (user?.certificateHash && (await store.certificate(user.certificateHash)));
    if (record?.owner !== payer) {
      return refused('coin-not-unspent', 'This station did not issue that coin to you.');
    }
    if (certificate === undefined) {
      return refused('certificate-not-valid', 'This station does not hold your certificate.');
    }
    const signed: Transaction = {
      ...headNow,
      quoteDigest: quoteKind.digest(primitives, quote.bodyBytes),
      coinId: answer.coinId,
      coinValue: record.value,
      commitment: record.commitment,
      payerCertificate: certificateHash(primitives, certificate),
    };
    const transactionBytes = transaction.encode(signed);
    const paymentId = paymentIdOf(primitives, transactionBytes);
    const before = await store.payments([paymentId]);
    if (secret === undefined && before[0] === undefined) {
      return refused('coin-not-unspent', 'This coin was used or returned before.');
    }
    const payment: Payment = {
      transaction: signed,
      transactionBytes,
      payerSignature: answer.signature,
      quote: quote.body,
      quoteBytes: quote.bodyBytes,
      coin: coinKind.decode(record.coin),
      payerCertificate: certificate,
    };
    return { paymentId, payment, coinSecret: secret ?? new Uint8Array(32) };
  }

  #batch(next: StationName): Batch<ArrivingPayment, AcceptOutcome> {
    const known = this.#admitting.get(next);
    if (known !== undefined) return known;
    const batch = new Batch<ArrivingPayment, AcceptOutcome>((items) => this.#admit(next, items));
    this.#admitting.set(next, batch);
    return batch;
  }

  /** S34, S36: one signature admits the whole batch; then pads, then one commit, then the link. */
  async #admit(
    next: StationName,
    items: readonly ArrivingPayment[],
  ): Promise<readonly AcceptOutcome[]> {
    const { store, outbox } = this.#context;
    const admitted = this.#signAdmissions(items);
    const records = await this.#protect(next, admitted);
    const outcomes = await store.admit(
      admitted.map((item, i): NewPayment => {
        const record = records[i];
        return {
          ...newPayment(this.#context, 'issuer', item, 0),
          ...(record && { outbox: record }),
        };
      }),
    );
    for (const { coinSecret } of items) coinSecret.fill(0);
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

  async #protect(
    next: StationName,
    items: readonly ArrivingPayment[],
  ): Promise<readonly Uint8Array[]> {
    const { links, clock } = this.#context;
    const patience = new AbortController();
    const cancel = clock.after(keysTimeoutMs, () => {
      patience.abort();
    });
    try {
      return await links.protect(
        next,
        items.map((item) => ({ message: paymentMessage(item), secret: item.coinSecret })),
        patience.signal,
      );
    } finally {
      cancel();
    }
  }

  #signAdmissions(items: readonly ArrivingPayment[]): ArrivingPayment[] {
    const { primitives, station, documentKey } = this.#context;
    const bodies = items.map(({ paymentId }): AdmissionBody => ({
      ...headNow,
      paymentId,
      issuer: station,
      time: nowSeconds(this.#context),
    }));
    const proofs = signBatch(
      primitives,
      bodies.map((body) => admissionKind.leaf(primitives, body)),
      documentKey,
    );
    return items.map((item, i) => {
      const body = bodies[i];
      const proof = proofs[i];
      if (body === undefined || proof === undefined) throw new RangeError('a batch lost an item');
      return { ...item, admission: admissionKind.prove(body, proof) };
    });
  }

  async #refuse(built: ArrivingPayment, why: Reason): Promise<Paid | DeskRefusal> {
    const { store, mint, counter } = this.#context;
    const signed = signRefusal(this.#context, built.paymentId, why);
    const [outcome] = await store.refuse([
      {
        payment: newPayment(this.#context, 'issuer', built, 0),
        refusal: refusalKind.encode(signed),
        replacement: mint.one(built.payment.coin.body.value),
      },
    ]);
    if (outcome?.outcome === 'coin-used' || outcome?.outcome === 'coin-not-unspent') {
      return refused('coin-not-unspent', 'This coin was used or returned before.');
    }
    counter().concluded(built.payment.quote.payer, built.paymentId);
    return this.#paid(built.paymentId);
  }

  async #paid(paymentId: Uint8Array): Promise<Paid | DeskRefusal> {
    const [row] = await this.#context.store.payments([paymentId]);
    return row === undefined
      ? refused('outcome-unknown', 'The payment is not to be found; ask for its state.')
      : { outcome: 'paid', row };
  }

  #watch(paymentId: Uint8Array, deliveryDeadline: bigint): void {
    const dueMs = Number(deliveryDeadline) * 1000 + overdueMs;
    this.#overdueIn(paymentId, Math.max(0, dueMs - this.#context.clock.nowMs()));
  }

  #overdueIn(paymentId: Uint8Array, waitMs: number): void {
    const name = nameOf(paymentId);
    this.#overdue.get(name)?.();
    this.#overdue.set(
      name,
      this.#context.clock.after(waitMs, () => {
        this.#overdue.delete(name);
        this.pursue(paymentId, 'overdue').catch(this.#context.log.fault);
      }),
    );
  }
}

function evidenceOf(outcome: AcceptOutcome): string {
  if (outcome.outcome === 'coin-used') return nameOf(outcome.by);
  return outcome.outcome === 'coin-not-unspent' ? outcome.state : outcome.outcome;
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
