/** A user at the desk: what happens on arrival, each request and its reply, each notice. */
import type { CardResult } from '../../applet-spec/commands.ts';
import type { DeskMessage, DeskRefusalCode, HostMessage } from '../../applet-spec/desk-messages.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { limits } from '../../applet-spec/limits.ts';
import { suiteCodes, type Suite, type UserName } from '../../applet-spec/names.ts';
import type { CoinRecord, PaymentRow } from '../store/store.ts';
import { CardVisit } from './card-visit.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError, fitting } from './desk-error.ts';
import type { DeskRefusal } from './desk-seams.ts';
import type { HostConnection } from './host-connection.ts';
import { Orders, publicParts } from './orders.ts';
import { paymentRecord } from './payment-record.ts';

/** Requests of one host under way at once. */
const requestsMost = 16;
const recordsAPage = 16n;

type Request = Exclude<HostMessage, { kind: 'hello' | 'answer' | 'bye' }>;

export class Visitor {
  readonly user: UserName;
  readonly card: CardVisit;
  readonly #context: DeskContext;
  readonly #host: HostConnection;
  readonly #orders: Orders;
  #underWay = 0;

  constructor(context: DeskContext, host: HostConnection) {
    this.#context = context;
    this.#host = host;
    this.user = host.card.user;
    this.card = new CardVisit(context, host.channel);
    this.#orders = new Orders(context, this.user, this.card, (orderId, loaded, of, coins) => {
      this.#tellLoaded(orderId, loaded, of, coins);
    });
  }

  /** Enrols a new card; otherwise a new handle, and whatever the last visit left open. */
  async arrive(): Promise<void> {
    const { store } = this.#context;
    const { card, opened } = this.#host;
    if (card.state === 'awaiting-enrolment') {
      await this.card.inTurn(() => this.card.enrol(card));
      const { station } = this.#context;
      this.#host.send({ kind: 'enrolled', content: { user: this.user, station } });
      return;
    }
    const { nextKeys: _keys, nextKeyVersion: _version, ...rest } = card;
    const current = { ...rest, keys: opened.keys, keyVersion: opened.keyVersion };
    await this.card.inTurn(() => this.card.replaceHandle(current));
    for (const row of await store.unconcluded(this.user)) await this.conclude(row);
    await this.#orders.resume();
  }

  /** CONCLUDE, the replacement of a burned coin, and the notice to the host. */
  async conclude(row: PaymentRow): Promise<void> {
    const { store } = this.#context;
    await this.card.inTurn(() => this.card.conclude(row));
    const replacement = row.role === 'issuer' ? await this.#replace(row) : undefined;
    await store.markConcluded([row.paymentId]);
    this.#host.send({
      kind: 'concluded',
      content: {
        record: paymentRecord(row),
        role: row.role === 'issuer' ? 'payer' : 'payee',
        ...(replacement && { replacement: coinKind.decode(replacement.coin) }),
      },
    });
  }

  /** Answers a request exactly once. */
  async answer(request: Request): Promise<void> {
    const { requestId } = request.content;
    if (this.#underWay >= requestsMost) {
      this.#refuse(requestId, { code: 'overloaded', message: 'Too many requests at once.' });
      return;
    }
    this.#underWay++;
    try {
      const reply = await this.#reply(request);
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

  async #reply(request: Request): Promise<DeskMessage | DeskRefusal> {
    switch (request.kind) {
      case 'station':
        return this.#station(request.content.requestId);
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
        return this.#payments(request.content);
      case 'refund':
      case 'exchange':
        return this.#retire(request);
    }
  }

  #station(requestId: bigint): DeskMessage | DeskRefusal {
    const { coinCertificate, documentCertificate, crl: currentCrl, station } = this.#context;
    const crl = currentCrl();
    if (crl === undefined) {
      return refused('certificate-not-valid', `${station} has no CRL; its operator loads one.`);
    }
    return { kind: 'station', content: { requestId, coinCertificate, documentCertificate, crl } };
  }

  async #account(requestId: bigint): Promise<DeskMessage> {
    const { store, station, network, currency } = this.#context;
    const record = await store.user(this.user);
    const outstanding = await store.outstanding(this.user);
    return {
      kind: 'account',
      content: {
        requestId,
        user: this.user,
        station,
        network,
        currency,
        balance: record?.balance ?? 0n,
        coinsOutstanding: BigInt(outstanding.coins),
        valueOutstanding: outstanding.value,
      },
    };
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
  ): Promise<DeskMessage | DeskRefusal> {
    const { toll, store } = this.#context;
    const { requestId, quoteDigest } = asked;
    const payable = await toll.payable(this.user, quoteDigest);
    if (payable.outcome === 'refused') return payable;
    if (payable.outcome === 'paid-before') {
      return { kind: 'paid', content: { requestId, record: paymentRecord(payable.row) } };
    }
    const { quote } = payable;
    const user = await store.user(this.user);
    const known = user?.certificateHash && (await store.certificate(user.certificateHash));
    const signed = await this.card.inTurn(() => this.card.pay(quote, known === undefined));
    if (signed.outcome === 'refused') return cardRefusal(signed.result);
    const paid = await toll.pay(this.user, quote, signed.answer);
    if (paid.outcome === 'refused') return paid;
    return { kind: 'paid', content: { requestId, record: paymentRecord(paid.row) } };
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

  async #payments(asked: Extract<Request, { kind: 'payments' }>['content']): Promise<DeskMessage> {
    const { requestId, since } = asked;
    const page = await this.#context.store.paymentsOf(this.user, since, Number(recordsAPage));
    const records = page.rows.map(paymentRecord);
    const more = BigInt(records.length) === recordsAPage ? 1 : 0;
    return { kind: 'payments', content: { requestId, records, next: page.next, more } };
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
  async #replace(row: PaymentRow): Promise<CoinRecord | undefined> {
    if (row.state === 'delivered') return undefined;
    const { store } = this.#context;
    const [coin] = await store.replacements([row.coinId]);
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

const cardWords: Partial<Record<CardResult, DeskRefusal>> = {
  'not-authorised': refused('not-authorised', 'The card was not asked to pay this quote.'),
  'no-matching-coin': refused(
    'no-matching-coin',
    'The card holds no unspent coin of exactly this sum; buy one or exchange coins first.',
  ),
  'payment-limit-exceeded': refused(
    'limit-exceeded',
    'The sum is above what the card may spend at once.',
  ),
  'day-limit-exceeded': refused('limit-exceeded', 'The card has spent its limit for today.'),
  'peer-keys-full': refused('peer-keys-full', 'The card has no room for a key; erase an old one.'),
};

function cardRefusal(result: CardResult): DeskRefusal {
  return cardWords[result] ?? refused('card-fault', `The card refused the payment: ${result}.`);
}

function refused(code: DeskRefusalCode, message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
