/**
 * Q1 (S34–S36, S38): the one counter at which a coin is spent. A payment is admitted, or refused
 * with a signed, sticky word; nothing in between is ever told to the user.
 */
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { certificateHash } from '../../applet-spec/certificate.ts';
import { headNow, type StationName, type UserName } from '../../applet-spec/names.ts';
import {
  paymentIdOf,
  transaction,
  withoutCertificate,
  type Payment,
  type Transaction,
} from '../../applet-spec/payment.ts';
import { quote as quoteKind, type Quote } from '../../applet-spec/quote.ts';
import {
  admission as admissionKind,
  refusal as refusalKind,
  type Admission,
  type AdmissionBody,
  type Reason,
} from '../../applet-spec/receipt.ts';
import { signBatch } from '../../applet-spec/signed-object.ts';
import { Batch } from '../batch.ts';
import type { DeskRefusal, Paid, PaySigned, Toll } from '../desk/desk-seams.ts';
import type { Asked } from '../network/questions.ts';
import type { AcceptOutcome, NewPayment } from '../store/store.ts';
import { askedAgainMs, overdueMs } from './asked-again.ts';
import { secretToSpend } from './damaged-secrets.ts';
import { inquire, routeToLast } from './inquiries.ts';
import { noteSpentAgain } from './kept-evidence.ts';
import { isTooEarly, makeWhole } from './made-whole.ts';
import { checkPayment, type ArrivingPayment } from './payment-check.ts';
import { stepPayment } from './payment-machine.ts';
import {
  bytesAhead,
  protectInTime,
  reserveInTime,
  unprotected,
  withKeys,
} from './protect-in-time.ts';
import { isOfRecord } from './quarantine.ts';
import {
  nameOf,
  newPayment,
  nowSeconds,
  signRefusal,
  undecided,
  type TollContext,
} from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

const askTimeoutMs = 10_000;

export class Issuer {
  readonly #context: TollContext;
  readonly #verdicts: Verdicts;
  readonly #admitting = new Map<StationName, Batch<ArrivingPayment, AdmitOutcome>>();
  readonly #overdue = new Map<string, () => void>();
  /** Payments whose last stations are being asked. */
  readonly #asking = new Set<string>();
  #startedMs = Number.NEGATIVE_INFINITY;

  constructor(context: TollContext, verdicts: Verdicts) {
    this.#context = context;
    this.#verdicts = verdicts;
    verdicts.onDecided(({ paymentId }) => {
      this.#unwatch(paymentId);
    });
  }

  /** Neighbours first bring the verdicts that they have kept for this station. */
  async start(): Promise<void> {
    this.#startedMs = this.#context.clock.nowMs();
    for await (const row of undecided(this.#context.store, 'issuer')) {
      this.#watch(row.paymentId, row.deliveryDeadline, overdueMs);
    }
  }

  close(): void {
    for (const cancel of this.#overdue.values()) cancel();
    this.#overdue.clear();
  }

  async idle(): Promise<void> {
    for (const batch of this.#admitting.values()) await batch.idle();
  }

  async payable(payer: UserName, quoteDigest: Uint8Array): ReturnType<Toll['payable']> {
    const { store, links } = this.#context;
    const stored = await store.quote(quoteDigest);
    if (stored?.payer !== payer) {
      return refused('quote-unknown', 'This station gave no such quote; ask for a new one.');
    }
    const quote = quoteKind.decode(stored.quote);
    const paid = await store.paymentByQuote(quoteDigest, quote.body.deliveryDeadline);
    if (paid !== undefined) return { outcome: 'paid-before', row: paid };
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
    const keys = await reserveInTime(this.#context, next, bytesAhead(quote));
    if (keys === 'no-keys') {
      return refused(
        'no-keys',
        `The link to ${link.peer} has no quantum keys left. No coin was used; ask for a new quote.`,
      );
    }
    return { outcome: 'payable', quote, ...(keys && { keys }) };
  }

  async pay(payer: UserName, quote: Quote, answer: PaySigned): Promise<Paid | DeskRefusal> {
    const built = await this.#build(payer, quote, answer);
    if ('outcome' in built) return built;
    const { log } = this.#context;
    if (isGone(built)) return this.#refuseSpent(built);
    const check = await checkPayment(this.#context.check, built);
    const next = check.ok ? check.next : undefined;
    if (!check.ok || next === undefined) {
      const why = check.ok ? 'route-mismatch' : check.reason;
      log.notice('warn', built.paymentId, 'refused before admission', {
        user: payer,
        reason: why,
        ...(!check.ok && { detail: check.detail }),
      });
      return this.#refuse(built, why);
    }
    const admitted = await withKeys(this.#context, next, answer.keys ?? bytesAhead(quote), (keys) =>
      this.#batch(next).add({ ...built, keys }),
    );
    if (admitted === 'no-keys') {
      const detail = { user: payer, reason: 'no-keys', next };
      log.notice('warn', built.paymentId, 'refused before admission', detail);
      return this.#refuse(built, 'no-keys');
    }
    const { outcome, admission } = admitted;
    switch (outcome.outcome) {
      case 'exists':
        return { outcome: 'paid-before', row: outcome.row };
      case 'created': {
        log.payment('info', built.paymentId, 'admitted', { payer, next });
        const payment = withoutCertificate(built.payment);
        const record = { payment, admission, standing: 'admitted' } as const;
        return { outcome: 'paid', paymentId: built.paymentId, record };
      }
      case 'coin-used':
        return this.#refuseSpent({ ...built, coinSecret: new Uint8Array(0) });
      case 'coin-not-unspent':
      case 'entombed':
        log.notice('warn', built.paymentId, 'the coin is not unspent', {
          user: payer,
          evidence: outcome.outcome === 'coin-not-unspent' ? outcome.state : outcome.outcome,
        });
        return refused('coin-not-unspent', 'This coin was used or returned before.');
    }
  }

  /** A station on the way advises that it will not carry the payment, or no verdict has come. */
  async pursue(paymentId: Uint8Array, why: 'advice' | 'overdue', advised?: Reason): Promise<void> {
    const name = nameOf(paymentId);
    // One question at a time: advice may come without end, and others have to ask, too.
    if (this.#asking.has(name)) {
      if (!this.#overdue.has(name)) this.#overdueIn(paymentId, overdueMs);
      return;
    }
    this.#asking.add(name);
    await this.#ask(paymentId, why, advised).finally(() => this.#asking.delete(name));
  }

  async #ask(paymentId: Uint8Array, why: 'advice' | 'overdue', advised?: Reason): Promise<void> {
    const { store, questions } = this.#context;
    const [row] = await store.payments([paymentId]);
    if (row === undefined) return;
    const step = stepPayment(row.role, row.state, { kind: why });
    if (step.kind !== 'next' || step.effect?.kind !== 'ask-last-station') return;
    // Set before anything can fail: nothing but a verdict ends the asking.
    this.#overdueIn(paymentId, askedAgainMs(row, this.#context.clock.nowMs()));
    const route = routeToLast(this.#context, row);
    let asked: Asked | undefined;
    try {
      asked = await questions().ask(route, inquire(this.#context, row, advised), askTimeoutMs);
      if (asked.kind === 'verdict') await this.#verdicts.take(asked.content.receipt, undefined);
    } finally {
      const sinceStartMs = this.#context.clock.nowMs() - this.#startedMs;
      if (!isTooEarly(asked, route, sinceStartMs)) await makeWhole(this.#context, row);
    }
  }

  /** Puts the payment together: the card gave coin ID and signature, the rest is ours. */
  async #build(
    payer: UserName,
    quote: Quote,
    answer: PaySigned,
  ): Promise<ArrivingPayment | Paid | DeskRefusal> {
    const { store, primitives } = this.#context;
    const { certificate } = answer;
    const [record] = await store.coins([answer.coinId]);
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
    // An unspent coin is in no payment yet.
    const [before] = record.state === 'unspent' ? [] : await store.payments([paymentId]);
    if (before !== undefined) return { outcome: 'paid-before', row: before };
    const payment: Payment = {
      transaction: signed,
      transactionBytes,
      payerSignature: answer.signature,
      quote: quote.body,
      quoteBytes: quote.bodyBytes,
      coin: coinKind.decode(record.coin),
      payerCertificate: certificate,
    };
    const coinSecret = await secretToSpend(this.#context, record, paymentId);
    return { paymentId, payment, coinSecret };
  }

  #batch(next: StationName): Batch<ArrivingPayment, AdmitOutcome> {
    const known = this.#admitting.get(next);
    if (known !== undefined) return known;
    const admit = (items: readonly ArrivingPayment[]) => this.#admit(next, items);
    const batch = new Batch(admit, isOfRecord);
    this.#admitting.set(next, batch);
    return batch;
  }

  /** S34, S36: one signature admits the whole batch; then pads, then one commit, then the link. */
  async #admit(
    next: StationName,
    items: readonly ArrivingPayment[],
  ): Promise<readonly AdmitOutcome[]> {
    const { store, outbox } = this.#context;
    const admitted = this.#signAdmissions(items);
    const records = await protectInTime(this.#context, next, admitted.map(unprotected));
    if (records === undefined) return items.map(() => 'no-keys');
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
    admitted.forEach((item, i) => {
      if (outcomes[i]?.outcome === 'created') this.#opened(item, next);
    });
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
    return admitted.flatMap(({ admission }, i) => {
      const outcome = outcomes[i];
      return outcome === undefined ? [] : [{ outcome, admission }];
    });
  }

  /** It is durable; its verdict is awaited before anybody else can know of it. */
  #opened({ paymentId, payment, admission }: AdmittedPayment, next: StationName): void {
    const kept = withoutCertificate(payment);
    const role = 'issuer';
    this.#context.open.add({ paymentId, role, state: 'admitted', payment: kept, admission, next });
    this.#context.failures.begun({ role, payment: kept });
    this.#watch(paymentId, payment.quote.deliveryDeadline);
  }

  #signAdmissions(items: readonly ArrivingPayment[]): AdmittedPayment[] {
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

  /** Failure 20: what the card gave is kept, refused; its coin stays with the first payment. */
  async #refuseSpent(built: ArrivingPayment): Promise<Paid | DeskRefusal> {
    await noteSpentAgain(this.#context, built);
    return this.#refuse(built, 'coin-not-unspent');
  }

  /** S34: the coin is burned and replaced; of one that is gone already its money went before. */
  async #refuse(built: ArrivingPayment, why: Reason): Promise<Paid | DeskRefusal> {
    const { store, mint, counter } = this.#context;
    const { value } = built.payment.coin.body;
    const [replacement] = isGone(built) ? [undefined] : await mint.mint([value]);
    built.coinSecret.fill(0);
    const signed = signRefusal(this.#context, built.paymentId, why);
    const [outcome] = await store.refuse([
      {
        payment: newPayment(this.#context, 'issuer', built, 0),
        refusal: refusalKind.encode(signed),
        replacement,
      },
    ]);
    if (outcome?.outcome === 'coin-used' || outcome?.outcome === 'coin-not-unspent') {
      return refused('coin-not-unspent', 'This coin was used or returned before.');
    }
    if (outcome?.outcome === 'exists') return { outcome: 'paid-before', row: outcome.row };
    const payment = withoutCertificate(built.payment);
    const record = { payment, refusal: signed, standing: 'refused' } as const;
    const { paymentId } = built;
    counter().concluded(payment.quote.payer, { paymentId, role: 'payer', record });
    return { outcome: 'paid', paymentId, record };
  }

  #unwatch(paymentId: Uint8Array): void {
    const name = nameOf(paymentId);
    this.#overdue.get(name)?.();
    this.#overdue.delete(name);
  }

  #watch(paymentId: Uint8Array, deliveryDeadline: bigint, atLeastMs = 0): void {
    const dueMs = Number(deliveryDeadline) * 1000 + overdueMs;
    this.#overdueIn(paymentId, Math.max(atLeastMs, dueMs - this.#context.clock.nowMs()));
  }

  #overdueIn(paymentId: Uint8Array, waitMs: number): void {
    if (this.#context.stopping.aborted) return;
    const name = nameOf(paymentId);
    this.#overdue.get(name)?.();
    this.#overdue.set(
      name,
      this.#context.clock.after(waitMs, () => {
        this.#overdue.delete(name);
        this.pursue(paymentId, 'overdue').catch((error: unknown) => {
          this.#context.log.fault(error);
          if (!this.#overdue.has(name)) this.#overdueIn(paymentId, overdueMs);
        });
      }),
    );
  }
}

interface AdmittedPayment extends ArrivingPayment {
  readonly admission: Admission;
}

interface Admitted {
  readonly outcome: AcceptOutcome;
  readonly admission: Admission;
}

/** `no-keys`: nothing was stored, as the link had none in time. */
type AdmitOutcome = Admitted | 'no-keys';

/** In another payment, spent, returned or expired: no secret of it is to be had any more. */
function isGone({ coinSecret }: ArrivingPayment): boolean {
  return coinSecret.length === 0;
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
