/**
 * A small desk that speaks the protocol of `desk-messages.ts` over a real WebSocket, with the
 * station's side of SCP03 towards whatever card the host brings. A test scripts what it says.
 */
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { toHex } from '../../../applet-spec/bytes.ts';
import type { CardDelivery } from '../../../applet-spec/card-delivery.ts';
import {
  coinErasure,
  coinLoad,
  generatedKey,
  payAnswer,
  profile,
  retirement as retirementObject,
} from '../../../applet-spec/card-objects.ts';
import type { Coin } from '../../../applet-spec/coin.ts';
import {
  deskMessage,
  hostMessage,
  type DeskMessage,
  type DeskRefusalCode,
  type OrderLine,
  type PaymentRecord,
} from '../../../applet-spec/desk-messages.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { paymentIdOf } from '../../../applet-spec/payment.ts';
import type { Entropy } from '../../../applet-spec/primitives.ts';
import { quote, type Quote } from '../../../applet-spec/quote.ts';
import type { CardKeys } from '../../../applet-spec/scp03-keys.ts';
import { putKey } from '../../../applet-spec/scp03-put-key.ts';
import { RecordOpener, RecordSealer } from '../../../applet-spec/sealed-record.ts';
import { decodeElement } from '../../../applet-spec/tlv.ts';
import { hostLinkKeys } from '../../../applet-spec/traffic-keys.ts';
import { TestHost, TestStation } from '../../contract/applet-host.ts';
import { alice, q1, type Issued, type Papers } from './stand-in-papers.ts';
import {
  accountOf,
  aliceProfile,
  newScript,
  type Request,
  type RequestKind,
} from './stand-in-script.ts';

export class StandInDesk {
  readonly papers: Papers;
  readonly script = newScript();
  readonly asked: RequestKind[] = [];
  readonly coins = new Map<string, Issued>();
  readonly quotes = new Map<string, Quote>();
  readonly records: PaymentRecord[] = [];
  readonly orders = new Set<string>();
  balance = 10_000n;
  enrolled = false;
  keys: CardKeys;
  keyVersion: number;
  readonly entropy: Entropy;
  readonly #server: WebSocketServer;

  private constructor(
    server: WebSocketServer,
    papers: Papers,
    delivery: CardDelivery,
    entropy: Entropy,
  ) {
    this.#server = server;
    this.papers = papers;
    this.keys = delivery.keys;
    this.keyVersion = delivery.keyVersion;
    this.entropy = entropy;
    server.on('connection', (socket) => {
      new Visit(this, socket);
    });
  }

  static async open(
    papers: Papers,
    delivery: CardDelivery,
    entropy: Entropy,
  ): Promise<StandInDesk> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server.once('listening', resolve));
    return new StandInDesk(server, papers, delivery, entropy);
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('not listening');
    return `ws://127.0.0.1:${address.port}`;
  }

  /** As if the network were cut: nothing is read any more, and nothing is said. */
  freeze(): void {
    for (const client of this.#server.clients) client.pause();
  }

  /** Ends all connections without a word. */
  drop(): void {
    for (const client of this.#server.clients) client.terminate();
  }

  /** May be repeated. */
  async close(): Promise<void> {
    this.drop();
    if (this.#server.address() === null) return;
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One host at the desk. */
class Visit {
  readonly #desk: StandInDesk;
  readonly #socket: WebSocket;
  readonly #answers = new Map<bigint, (apdu: Uint8Array) => void>();
  #exchange = 0n;
  #sealer: RecordSealer | undefined;
  #opener: RecordOpener | undefined;
  #station: TestStation | undefined;
  #present = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(desk: StandInDesk, socket: WebSocket) {
    this.#desk = desk;
    this.#socket = socket;
    socket.on('message', (data) => {
      if (desk.script.instead !== undefined) desk.script.instead(socket);
      else this.#receiveOrLeave(toBytes(data));
    });
  }

  #send(message: DeskMessage): void {
    const { says, onTheWay } = this.#desk.script;
    const bytes = deskMessage.encode(says(message));
    this.#socket.send(this.#sealer === undefined ? bytes : onTheWay(this.#sealer.seal(bytes)));
  }

  #receiveOrLeave(bytes: Uint8Array): void {
    try {
      this.#receive(bytes);
    } catch {
      this.#socket.terminate();
    }
  }

  #receive(bytes: Uint8Array): void {
    const plain = this.#opener === undefined ? bytes : this.#opener.open(bytes).plaintext;
    const message = hostMessage.decode(plain);
    if (this.#opener !== undefined && !this.#present) {
      this.#present = true;
      this.#inTurn(() => this.#arrive());
    }
    if (message.kind === 'answer') {
      const { exchange, apdu } = message.content;
      this.#answers.get(exchange)?.(apdu);
    } else if (message.kind === 'hello') {
      this.#inTurn(() => this.#greet(message.content.hostNonce));
    } else if (message.kind === 'bye') {
      this.#socket.close();
    } else {
      this.#desk.asked.push(message.kind);
      this.#inTurn(() => this.#answerRequest(message));
    }
  }

  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(() => {
      this.#socket.terminate();
    });
  }

  async #greet(hostNonce: Uint8Array): Promise<void> {
    const desk = this.#desk;
    const host = new TestHost((apdu) => this.#transmit(apdu), 'extended');
    const challenge = desk.entropy.randomBytes(16);
    const station = await TestStation.open(host, desk.keys, challenge);
    this.#station = station;
    const { cardChallenge } = station.greeting;
    const context = { cardChallenge, stationChallenge: challenge, hostNonce };
    const keys = hostLinkKeys(primitives, desk.keys.hostLink, context);
    this.#send({ kind: 'established', content: { station: this.#desk.script.name } });
    const common = { primitives, kind: 'desk', epoch: 0n } as const;
    this.#sealer = new RecordSealer({ ...common, recordKey: keys.toHost });
    this.#opener = new RecordOpener({ ...common, recordKey: keys.toStation }, 'strict');
  }

  #transmit(apdu: Uint8Array): Promise<Uint8Array> {
    const exchange = this.#exchange++;
    return new Promise((resolve) => {
      this.#answers.set(exchange, resolve);
      this.#send({ kind: 'command', content: { exchange, apdu } });
    });
  }

  /** A new card is enrolled as the daemon does it. */
  async #arrive(): Promise<void> {
    const desk = this.#desk;
    if (desk.enrolled) return;
    const station = this.#card();
    const made = await station.done('generateKeyPair', desk.entropy.randomBytes(16));
    const { publicKey } = decodeElement(generatedKey, made, 'generated key');
    const certificate = await desk.papers.ca.issue({ role: 'user', name: alice, publicKey });
    desk.papers.userCertificates.set(alice, certificate);
    await station.done('putCertificate', certificate);
    await station.done('putProfile', profile.encode(aliceProfile()));
    const own = {
      enc: desk.entropy.randomBytes(32),
      mac: desk.entropy.randomBytes(32),
      dek: desk.entropy.randomBytes(32),
      hostLink: desk.entropy.randomBytes(32),
    };
    await station.exchange(putKey(primitives, desk.keys.dek, desk.keyVersion, 1, own));
    desk.keys = own;
    desk.keyVersion = 1;
    desk.enrolled = true;
    this.#send({ kind: 'enrolled', content: { user: alice, station: q1 } });
  }

  async #answerRequest(request: Request): Promise<void> {
    const { refuse, cut } = this.#desk.script;
    const { requestId } = request.content;
    const refusal = refuse.get(request.kind);
    if (cut.get(request.kind) === 'before') this.#socket.terminate();
    else if (refusal !== undefined) {
      this.#send({ kind: 'refused', content: { requestId, ...refusal } });
    } else {
      const reply = await this.#reply(request);
      if (cut.get(request.kind) === 'after') this.#socket.terminate();
      else this.#send(reply);
    }
  }

  async #reply(request: Request): Promise<DeskMessage> {
    const desk = this.#desk;
    const { requestId } = request.content;
    switch (request.kind) {
      case 'account':
        return { kind: 'account', content: { requestId, ...accountOf(desk) } };
      case 'station': {
        const { q1Document: documentCertificate, q1Coin: coinCertificate, crl } = desk.papers;
        const content = { requestId, documentCertificate, coinCertificate, crl };
        return { kind: 'station', content };
      }
      case 'buy': {
        const { orderId, lines } = request.content;
        await this.#load(orderId, lines);
        return { kind: 'ordered', content: { requestId, orderId, balance: desk.balance } };
      }
      case 'coins': {
        const coins = [...desk.coins.values()].map((one) => one.coin);
        return { kind: 'coins', content: { requestId, coins, more: 0 } };
      }
      case 'quote': {
        const { fees, quoteChanges } = desk.script;
        const reply = desk.papers.quoteReply(fees, request.content, quoteChanges);
        const digest = quote.digest(primitives, reply.quote.bodyBytes);
        desk.quotes.set(toHex(digest), reply.quote);
        return { kind: 'quote', content: { requestId, ...reply } };
      }
      case 'pay':
        return this.#pay(requestId, request.content.quoteDigest);
      case 'payment':
        return this.#payment(requestId, request.content.paymentId);
      case 'payments': {
        const next = BigInt(desk.records.length);
        const records = desk.records.slice(Number(request.content.since));
        return { kind: 'payments', content: { requestId, records, next, more: 0 } };
      }
      case 'refund':
      case 'exchange': {
        const { retirement } = request.content;
        const { orderId, coinIds } = retirement;
        // What was taken back before is not taken back twice.
        if (coinIds.some((coinId) => desk.coins.has(toHex(coinId)))) {
          await this.#card().done('retireCoins', retirementObject.encode(retirement));
          await this.#card().done('eraseCoins', coinErasure.encode({ coinIds }));
          for (const coinId of coinIds) desk.coins.delete(toHex(coinId));
        }
        if (request.kind === 'refund') {
          return { kind: 'refunded', content: { requestId, orderId, balance: desk.balance } };
        }
        await this.#load(orderId, request.content.lines);
        return { kind: 'exchanged', content: { requestId, orderId } };
      }
    }
  }

  /** One coin at a time, each with its notice. */
  async #load(orderId: Uint8Array, lines: readonly OrderLine[]): Promise<void> {
    const desk = this.#desk;
    if (desk.orders.has(toHex(orderId))) return;
    desk.orders.add(toHex(orderId));
    const values = lines.flatMap(({ value, count }) => Array<bigint>(count).fill(value));
    for (const [i, value] of values.entries()) {
      const issued = desk.papers.issueCoin(value, desk.script.coinKey);
      await this.#card().done('loadCoins', coinLoad.encode({ coins: [issued.loaded] }));
      desk.coins.set(toHex(issued.loaded.coinId), issued);
      const progress = { loaded: BigInt(i + 1), of: BigInt(values.length) };
      const content = { orderId, ...progress, coins: [issued.coin] };
      this.#send({ kind: 'coinsLoaded', content });
    }
  }

  async #pay(requestId: bigint, quoteDigest: Uint8Array): Promise<DeskMessage> {
    const desk = this.#desk;
    const terms = desk.quotes.get(toHex(quoteDigest));
    if (terms === undefined) return this.#refusal(requestId, 'quote-unknown', 'No such quote.');
    const { result, payload } = await this.#card().send('pay', terms.bodyBytes);
    if (result !== 'done') return this.#refusal(requestId, 'no-matching-coin', result);
    const answer = decodeElement(payAnswer, payload, 'answer to PAY');
    const admitted = desk.papers.admitted(terms, this.#coinOf(answer.coinId), answer);
    const ended = desk.papers.concluded(admitted, desk.script.verdict);
    desk.coins.delete(toHex(answer.coinId));
    desk.records.push(ended);
    this.#inTurn(() => this.#conclude(ended));
    return { kind: 'paid', content: { requestId, record: admitted } };
  }

  async #conclude(ended: PaymentRecord): Promise<void> {
    if (ended.receipt === undefined) throw new Error('a verdict has a receipt');
    await this.#card().done('conclude', ended.receipt.bytes);
    if (this.#desk.script.silent) return;
    this.#send({ kind: 'concluded', content: { record: ended, role: 'payer' } });
  }

  #payment(requestId: bigint, paymentId: Uint8Array): DeskMessage {
    const idOf = ({ payment }: PaymentRecord): string =>
      toHex(paymentIdOf(primitives, payment.transactionBytes));
    const record = this.#desk.records.find((one) => idOf(one) === toHex(paymentId));
    if (record === undefined)
      return this.#refusal(requestId, 'payment-unknown', 'No such payment.');
    return { kind: 'payment', content: { requestId, record } };
  }

  #coinOf(coinId: Uint8Array): Coin {
    const issued = this.#desk.coins.get(toHex(coinId));
    if (issued === undefined) throw new Error('a coin that this desk has not issued');
    return issued.coin;
  }

  #refusal(requestId: bigint, code: DeskRefusalCode, message: string): DeskMessage {
    return { kind: 'refused', content: { requestId, code, message } };
  }

  #card(): TestStation {
    if (this.#station === undefined) throw new Error('no session with the card');
    return this.#station;
  }
}

function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data));
  return new Uint8Array(data);
}
