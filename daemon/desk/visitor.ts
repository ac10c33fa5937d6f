/** A user at the desk: what happens on arrival, each request and its reply, each notice. */
import type {
  DeskMessage,
  DeskRefusalCode,
  HostMessage,
  PaymentRecord,
} from '../../applet-spec/desk-messages.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { limits } from '../../applet-spec/limits.ts';
import { suiteCodes, type Suite, type UserName } from '../../applet-spec/names.ts';
import { quote as quoteKind } from '../../applet-spec/quote.ts';
import type { CoinRecord } from '../store/store.ts';
import { accountReply } from './account-reply.ts';
import { AwaitedVerdicts } from './awaited-verdicts.ts';
import { cardRefusal, whatCame } from './card-refusals.ts';
import { CardVisit } from './card-visit.ts';
import { isNearItsEnd, renewNearEnd } from './certificate-renewal.ts';
import { booksClosed, type DeskContext } from './desk-context.ts';
import { DeskError, fitting } from './desk-error.ts';
import type { Conclusion, DeskRefusal, Paid, Payable } from './desk-seams.ts';
import type { HostConnection } from './host-connection.ts';
import { Orders, publicParts } from './orders.ts';
import { conclusionOf, paymentRecord } from './payment-record.ts';
import { paymentsPage } from './payments-page.ts';
import { stationPapers } from './station-papers.ts';

/** Requests of one host under way at once. */
const requestsMost = 16;
/** Requests that use coins. */
const changing: ReadonlySet<Request['kind']> = new Set(['buy', 'pay', 'refund', 'exchange']);

type Request = Exclude<HostMessage, { kind: 'hello' | 'answer' | 'bye' }>;

export class Visitor {
  readonly user: UserName;
  readonly card: CardVisit;
  readonly #context: DeskContext;
  readonly #host: HostConnection;
  readonly #orders: Orders;
  readonly #awaited: AwaitedVerdicts;
  #underWay = 0;
  #arrival: Promise<void> = Promise.resolve();
  #introduced: Promise<void> = Promise.resolve();
  #certificate: Uint8Array | undefined;

  constructor(context: DeskContext, host: HostConnection) {
    this.#context = context;
    this.#host = host;
    this.user = host.card.user;
    this.card = new CardVisit(context, host.channel, host.card);
    this.#orders = new Orders(context, this.user, this.card, (orderId, loaded, of, coins) => {
      this.#tellLoaded(orderId, loaded, of, coins);
    });
    this.#awaited = new AwaitedVerdicts(context.clock, (requestId, record) => {
      host.send({ kind: 'paid', content: { requestId, record } });
    });
  }

  /** Enrols a new card; otherwise a new handle, and whatever the last visit left open. */
  arrive(): Promise<void> {
    this.#arrival = this.#takeIn();
    return this.#arrival;
  }

  async #takeIn(): Promise<void> {
    const { store } = this.#context;
    const { card, opened } = this.#host;
    // After a PUT KEY whose answer was lost the card tells by its version which keys it has.
    const { nextKeys: _keys, nextKeyVersion: _version, ...rest } = card;
    const current = { ...rest, keys: opened.keys, keyVersion: opened.keyVersion };
    const closed = booksClosed(this.#context);
    if (closed !== undefined) {
      if (card.state === 'awaiting-enrolment') throw new DeskError(closed.code, closed.message);
      return;
    }
    if (card.state === 'awaiting-enrolment') {
      this.#introduced = this.card.inTurn(() => this.card.enrol(current));
      await this.#introduced;
      const { station } = this.#context;
      this.#host.send({ kind: 'enrolled', content: { user: this.user, station } });
      return;
    }
    this.#introduced = this.card.inTurn(() => this.card.introduce(current));
    await this.#introduced;
    for (const quoteDigest of await store.paying(this.user)) {
      await this.#attempt('a payment could not be taken up', () => this.#takeUp(quoteDigest));
    }
    await this.concludeRest();
    await this.eraseExpired();
    await this.loadWaiting();
    await this.#attempt('a certificate could not be renewed', () => this.#renew());
  }

  async #renew(): Promise<void> {
    const certificate = await this.#keptCertificate();
    if (certificate === undefined) return;
    await renewNearEnd(this.#context, this.card, this.user, certificate);
    this.#certificate = undefined;
  }

  /** Every verdict that the card has not. */
  async concludeRest(): Promise<void> {
    const rows = await this.#context.store.unconcluded(this.user);
    // Read each in its own turn: one that the disk has damaged bars nobody from the desk.
    for (const row of rows) await this.#concludeOne(() => conclusionOf(row));
  }

  /** Coins that belong on the card, and orders that were left half-way. */
  async loadWaiting(): Promise<void> {
    if (booksClosed(this.#context) !== undefined) return;
    return this.#attempt('an order could not be resumed', () => this.#orders.resume());
  }

  async eraseExpired(): Promise<void> {
    if (booksClosed(this.#context) !== undefined) return;
    return this.#attempt('expired coins could not be erased', () => this.#orders.eraseExpired());
  }

  /** CONCLUDE, the replacement of a burned coin, and the notice to the host. */
  conclude(conclusion: Conclusion): Promise<void> {
    return this.#concludeOne(() => conclusion);
  }

  #concludeOne(read: () => Conclusion): Promise<void> {
    return this.#attempt('a payment could not be concluded', () => this.#conclude(read()));
  }

  /**
   * What card or store refuse is left for the next visit, and bars nobody from the desk (failure
   * 46); rejects with DeskError `outcome-unknown` only, which ends the visit.
   */
  async #attempt(failed: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DeskError && error.code === 'outcome-unknown') throw error;
      this.#context.log.warn({ user: this.user, err: error }, failed);
    }
  }

  async #conclude({ paymentId, role, record }: Conclusion): Promise<void> {
    await this.card.inTurn(() => this.card.conclude(record));
    const replacement = role === 'payer' ? await this.#replace(record) : undefined;
    // Told first and marked then: a stop between them tells it again at the next visit.
    const answered = role === 'payer' && this.#awaited.answer(paymentId, record);
    if (!answered || replacement !== undefined) {
      const coin = replacement && { replacement: coinKind.decode(replacement.coin) };
      this.#host.send({ kind: 'concluded', content: { record, role, ...coin } });
    }
    await this.#context.concluding.add(paymentId);
  }

  /** The connection is over. */
  left(): void {
    this.#awaited.close();
  }

  /** Answers a request exactly once; `pay` perhaps later than this. */
  async answer(request: Request): Promise<void> {
    const { requestId } = request.content;
    if (this.#underWay >= requestsMost) {
      this.#refuse(requestId, { code: 'overloaded', message: 'Too many requests at once.' });
      return;
    }
    this.#underWay++;
    try {
      // What the last visit left open comes first: it may be about the same coins.
      if (changing.has(request.kind)) await this.#arrival;
      const reply = await this.#reply(request);
      if (reply === 'later') return;
      if ('outcome' in reply) this.#refuse(requestId, reply);
      else this.#host.send(reply);
    } catch (error) {
      this.#context.log.warn({ user: this.user, err: error }, `request ${request.kind} failed`);
      if (error instanceof DeskError) {
        this.#refuse(requestId, error);
        if (error.code === 'outcome-unknown') this.#host.end(error);
      } else {
        this.#refuse(requestId, { code: 'card-fault', message: 'The station failed; try again.' });
      }
    } finally {
      this.#underWay--;
    }
  }

  async #reply(request: Request): Promise<DeskMessage | DeskRefusal | 'later'> {
    switch (request.kind) {
      case 'station':
        // The host compares them with what its card knows, and takes its card for enrolled then.
        if (!this.card.knowsStationKey || this.#host.card.state === 'awaiting-enrolment') {
          await this.#introduced.catch(() => undefined);
        }
        return stationPapers(this.#context, request.content.requestId);
      case 'account':
        return this.#account(request.content.requestId);
      case 'buy':
        return this.#buy(request.content);
      case 'quote':
        return this.#quote(request.content);
      case 'pay':
        return this.#pay(request.content);
      case 'payment':
        return this.#payment(request.content);
      case 'coins':
        return this.#coins(request.content);
      case 'payments':
        return paymentsPage(this.#context, this.user, request.content);
      case 'refund':
      case 'exchange':
        return this.#retire(request);
    }
  }

  async #account(requestId: bigint): Promise<DeskMessage> {
    const { clock } = this.#context;
    let certificate = await this.#keptCertificate();
    if (certificate !== undefined && isNearItsEnd(certificate, clock)) {
      // The card may be about to get another one.
      await this.#arrival.catch(() => undefined);
      certificate = await this.#keptCertificate();
    }
    return accountReply(this.#context, this.user, requestId, certificate);
  }

  async #buy(asked: Extract<Request, { kind: 'buy' }>['content']) {
    const bought = await this.#orders.buy(asked.orderId, asked.lines);
    if (bought.outcome === 'refused') return bought;
    const { requestId, orderId } = asked;
    const balance = await this.#balance();
    return { kind: 'ordered', content: { requestId, orderId, balance } } as const;
  }

  async #quote(asked: Extract<Request, { kind: 'quote' }>['content']) {
    const minimumSuite: Suite = asked.minimumSuite in suiteCodes ? asked.minimumSuite : 'aes';
    const quoted = await this.#context.toll.quote(this.user, { ...asked, minimumSuite });
    if (quoted.outcome === 'refused') return quoted;
    const { outcome: _quoted, ...content } = quoted;
    return { kind: 'quote', content: { requestId: asked.requestId, ...content } } as const;
  }

  async #pay(
    asked: Extract<Request, { kind: 'pay' }>['content'],
  ): Promise<DeskMessage | DeskRefusal | 'later'> {
    const { toll } = this.#context;
    const { requestId, quoteDigest } = asked;
    const payable = await toll.payable(this.user, quoteDigest);
    if (payable.outcome === 'refused') {
      const left = await this.#takeUpIfMarked(quoteDigest);
      return left === undefined ? payable : { kind: 'paid', content: { requestId, record: left } };
    }
    if (payable.outcome === 'paid-before') {
      return { kind: 'paid', content: { requestId, record: paymentRecord(payable.row) } };
    }
    return this.#payOnCard(requestId, quoteDigest, payable).finally(() => {
      payable.keys?.release();
    });
  }

  async #payOnCard(
    requestId: bigint,
    quoteDigest: Uint8Array,
    { quote, keys }: Payable,
  ): Promise<DeskMessage | DeskRefusal | 'later'> {
    const { toll, store } = this.#context;
    const kept = await this.#keptCertificate();
    const signed = await this.card.inTurn(async () => {
      await store.markPaying(quoteDigest, this.user);
      const answered = await this.card.pay(quote, kept === undefined);
      if (answered.outcome === 'refused') await store.unmarkPaying(quoteDigest);
      return answered;
    });
    if (signed.outcome === 'refused') return cardRefusal(signed.result);
    const answer = { certificate: kept, keys, ...signed.answer };
    const paid = whatCame(await toll.pay(this.user, quote, answer));
    if (paid.outcome === 'refused') return paid;
    if (paid.outcome === 'paid' && paid.record.standing === 'admitted') {
      this.#awaited.wait(requestId, paid.paymentId, paid.record);
      return 'later';
    }
    return { kind: 'paid', content: { requestId, record: recordOf(paid) } };
  }

  async #takeUpIfMarked(quoteDigest: Uint8Array): Promise<PaymentRecord | undefined> {
    const marked = await this.#context.store.paying(this.user);
    const isMarked = marked.some((digest) => equalBytes(digest, quoteDigest));
    return isMarked ? this.#takeUp(quoteDigest) : undefined;
  }

  /**
   * The card was told to pay this quote and no payment is stored: its journal says whether it
   * signed. Then the payment is admitted, or refused with a word that gives the coin back, as it
   * would have been at once (failures 1 and 7).
   */
  async #takeUp(quoteDigest: Uint8Array): Promise<PaymentRecord | undefined> {
    const { toll, store } = this.#context;
    const signed = await this.card.inTurn(async () => {
      const { payment } = await this.card.journal({ quoteDigest });
      if (payment?.signature === undefined) await store.unmarkPaying(quoteDigest);
      return payment;
    });
    const stored = await store.quote(quoteDigest);
    if (stored === undefined || signed?.signature === undefined) return undefined;
    const { coinId, signature } = signed;
    const certificate = await this.#keptCertificate();
    const quote = quoteKind.decode(stored.quote);
    const paid = whatCame(await toll.pay(this.user, quote, { coinId, signature, certificate }));
    if (paid.outcome === 'refused') return undefined;
    if (paid.outcome === 'paid-before') await store.unmarkPaying(quoteDigest);
    return recordOf(paid);
  }

  /** Of this card. */
  async #keptCertificate(): Promise<Uint8Array | undefined> {
    if (this.#certificate !== undefined) return this.#certificate;
    const { store } = this.#context;
    const user = await store.user(this.user);
    this.#certificate = user?.certificateHash && (await store.certificate(user.certificateHash));
    return this.#certificate;
  }

  async #payment(
    asked: Extract<Request, { kind: 'payment' }>['content'],
  ): Promise<DeskMessage | DeskRefusal> {
    const [row] = await this.#context.store.payments([asked.paymentId]);
    if (row === undefined || (row.payer !== this.user && row.payee !== this.user)) {
      return refused('payment-unknown', 'This station holds no such payment of yours.');
    }
    const { requestId } = asked;
    return { kind: 'payment', content: { requestId, record: paymentRecord(row) } };
  }

  async #coins(asked: Extract<Request, { kind: 'coins' }>['content']): Promise<DeskMessage> {
    const most = limits.loadCoins;
    const found = await this.#context.store.coinsOf(this.user, ['unspent'], asked.after, most + 1);
    const { requestId } = asked;
    const more = found.length > most ? 1 : 0;
    const coins = publicParts(found.slice(0, most));
    return { kind: 'coins', content: { requestId, coins, more } };
  }

  async #retire(
    request: Extract<Request, { kind: 'refund' | 'exchange' }>,
  ): Promise<DeskMessage | DeskRefusal> {
    const { requestId, retirement } = request.content;
    if (retirement.operation !== request.kind) {
      return refused('bad-message', 'The order says one thing and the request another.');
    }
    const lines = request.kind === 'exchange' ? request.content.lines : [];
    const done = await this.#orders.retire(retirement, lines);
    if (done.outcome === 'refused') return done;
    const { orderId } = retirement;
    return request.kind === 'refund'
      ? { kind: 'refunded', content: { requestId, orderId, balance: await this.#balance() } }
      : { kind: 'exchanged', content: { requestId, orderId } };
  }

  /** The coin that took the place of this payment's burned one, put onto the card. */
  async #replace({ standing, payment }: PaymentRecord): Promise<CoinRecord | undefined> {
    if (standing === 'delivered' || booksClosed(this.#context) !== undefined) return undefined;
    const { store } = this.#context;
    const [coin] = await store.replacements([payment.coin.body.coinId]);
    if (coin?.state !== 'reserved' && coin?.state !== 'loading') return undefined;
    const loaded = await this.card.inTurn(() => this.card.load([coin]));
    return loaded.outcome === 'loaded' ? coin : undefined;
  }

  async #balance(): Promise<bigint> {
    return (await this.#context.store.user(this.user))?.balance ?? 0n;
  }

  #tellLoaded(orderId: Uint8Array, loaded: number, of: number, coins: CoinRecord[]): void {
    const content = {
      orderId: orderId.subarray(0, 16),
      loaded: BigInt(loaded),
      of: BigInt(of),
      coins: publicParts(coins),
    };
    this.#host.send({ kind: 'coinsLoaded', content });
  }

  #refuse(requestId: bigint, { code, message }: { code: DeskRefusalCode; message: string }): void {
    this.#host.send({
      kind: 'refused',
      content: { requestId, code, message: fitting(message) },
    });
  }
}

function recordOf(paid: Paid): PaymentRecord {
  return paid.outcome === 'paid' ? paid.record : paymentRecord(paid.row);
}

function refused(code: DeskRefusalCode, message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
