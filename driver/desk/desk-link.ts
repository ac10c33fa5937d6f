import { equalBytes, wipe } from '../../applet-spec/bytes.ts';
import type { Retirement } from '../../applet-spec/card-objects.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { isCarried } from '../../applet-spec/commands.ts';
import {
  deskMessage,
  deskVersion,
  hostMessage,
  type DeskMessage,
  type HostMessage,
  type OrderLine,
  type QuoteRequest,
} from '../../applet-spec/desk-messages.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { RecordError } from '../../applet-spec/record-error.ts';
import { RecordOpener, RecordSealer } from '../../applet-spec/sealed-record.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { HOST_NONCE_BYTES } from '../../applet-spec/traffic-keys.ts';
import { CardError } from '../card/card-error.ts';
import type { CardSession } from '../card/card-session.ts';
import { ReaderError } from '../reader/reader-error.ts';
import { DeskError } from './desk-error.ts';
import {
  DeskRequests,
  type DeskAnswer,
  type DeskRequest,
  type RequestName,
} from './desk-requests.ts';
import type { DeskSocket } from './desk-socket.ts';

/** What the desk says unasked. */
export type DeskNotice = Extract<
  DeskMessage,
  { readonly kind: 'coinsLoaded' | 'concluded' | 'enrolled' }
>;

export interface DeskLinkOptions {
  readonly socket: DeskSocket;
  /** Its PIN must be verified: the card derives the link's keys only then. */
  readonly card: CardSession;
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly onNotice: (notice: DeskNotice) => void;
}

/** A card at work on one command keeps the desk silent for as long; see `ApduExchange`. */
const establishSilenceMs = 60_000;

interface Sealing {
  readonly sealer: RecordSealer;
  readonly opener: RecordOpener;
}

/**
 * The host's connection to its station's desk (design §5). A desk's no is a result; requests throw
 * DeskError: `outcome-unknown` for one that may have changed something and was not answered.
 *
 * The link carries APDUs both ways without understanding them, and, once station and card have
 * authenticated each other, the host's own requests in sealed records. Any fault ends the link; the
 * next one starts afresh.
 */
export class DeskLink {
  /** As the desk calls itself; what the card says of its home station is what counts. */
  readonly station: StationName;
  /** Settles once, with the reason; never rejects. */
  readonly closed: Promise<DeskError>;
  readonly #conversation: Conversation;

  private constructor(station: StationName, conversation: Conversation) {
    this.station = station;
    this.closed = conversation.closed;
    this.#conversation = conversation;
  }

  /** Resolves once the link is sealed. Throws DeskError, CardError, ReaderError. */
  static async establish(options: DeskLinkOptions): Promise<DeskLink> {
    const conversation = new Conversation(options);
    const station = await conversation.open();
    return new DeskLink(station, conversation);
  }

  account(): Promise<DeskAnswer<'account'>> {
    return this.#ask('account', (requestId) => ({ kind: 'account', content: { requestId } }));
  }

  /** The station's own certificates and the CRL, for the host to check. */
  certificates(): Promise<DeskAnswer<'station'>> {
    return this.#ask('station', (requestId) => ({ kind: 'station', content: { requestId } }));
  }

  /** S1. Coins come as `coinsLoaded` notices before the answer. */
  buy(orderId: Uint8Array, lines: readonly OrderLine[]): Promise<DeskAnswer<'buy'>> {
    return this.#ask('buy', (requestId) => ({
      kind: 'buy',
      content: { requestId, orderId, lines },
    }));
  }

  /** S22 to S24. */
  quote(wish: Omit<QuoteRequest, 'requestId'>): Promise<DeskAnswer<'quote'>> {
    return this.#ask('quote', (requestId) => ({ kind: 'quote', content: { requestId, ...wish } }));
  }

  /** S33; the card has authorised this quote. */
  pay(quoteDigest: Uint8Array): Promise<DeskAnswer<'pay'>> {
    return this.#ask('pay', (requestId) => ({ kind: 'pay', content: { requestId, quoteDigest } }));
  }

  payment(paymentId: Uint8Array): Promise<DeskAnswer<'payment'>> {
    return this.#ask('payment', (requestId) => ({
      kind: 'payment',
      content: { requestId, paymentId },
    }));
  }

  /** One page of the coins that the station believes to be on the card. */
  coins(after?: Uint8Array): Promise<DeskAnswer<'coins'>> {
    return this.#ask('coins', (requestId) => ({
      kind: 'coins',
      content: { requestId, ...(after && { after }) },
    }));
  }

  /** One page of the payments whose record changed after the cursor. */
  payments(since: bigint): Promise<DeskAnswer<'payments'>> {
    return this.#ask('payments', (requestId) => ({
      kind: 'payments',
      content: { requestId, since },
    }));
  }

  /** The card has authorised the retirement's digest. */
  refund(retirement: Retirement): Promise<DeskAnswer<'refund'>> {
    return this.#ask('refund', (requestId) => ({
      kind: 'refund',
      content: { requestId, retirement },
    }));
  }

  /** The card has authorised the retirement's digest; the new coins come as in `buy`. */
  exchange(retirement: Retirement, lines: readonly OrderLine[]): Promise<DeskAnswer<'exchange'>> {
    return this.#ask('exchange', (requestId) => ({
      kind: 'exchange',
      content: { requestId, retirement, lines },
    }));
  }

  /** Ends the link for what it brought: such as a notice that does not verify. */
  fail(cause: unknown): void {
    this.#conversation.end(faultOf(cause));
  }

  /** Says goodbye and ends the link. */
  close(): void {
    this.#conversation.end(new DeskError('closed', 'the link was closed here'));
  }

  #ask<K extends RequestName>(
    name: K,
    make: (requestId: bigint) => DeskRequest & { readonly kind: K },
  ): Promise<DeskAnswer<K>> {
    return this.#conversation.requests.ask(name, make);
  }
}

/**
 * One WebSocket's life, as a single loop that handles the desk's messages strictly in their order.
 */
class Conversation {
  readonly closed: Promise<DeskError>;
  readonly requests: DeskRequests;
  readonly #options: DeskLinkOptions;
  readonly #hostNonce: Uint8Array;
  #sealing: Sealing | undefined;
  #ended: DeskError | undefined;
  #settleClosed: (reason: DeskError) => void = () => undefined;
  #settleOpen: {
    resolve(station: StationName): void;
    reject(reason: Error): void;
  } = { resolve: () => undefined, reject: () => undefined };

  constructor(options: DeskLinkOptions) {
    this.#options = options;
    this.#hostNonce = options.entropy.randomBytes(HOST_NONCE_BYTES);
    this.requests = new DeskRequests(options.clock, (message) => {
      this.#send(message);
    });
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
  }

  async open(): Promise<StationName> {
    const { card } = this.#options;
    const info = await card.applicationInfo();
    const opened = new Promise<StationName>((resolve, reject) => {
      this.#settleOpen = { resolve, reject };
    });
    const cardIdentifier = info.identifier;
    const content = { version: deskVersion, cardIdentifier, hostNonce: this.#hostNonce };
    this.#send({ kind: 'hello', content });
    void this.#run();
    return opened;
  }

  end(reason: DeskError, toOpener: Error = reason): void {
    if (this.#ended !== undefined) return;
    if (reason.code === 'closed' && this.#sealing) this.#send({ kind: 'bye', content: {} });
    this.#ended = reason;
    this.#options.socket.close(reason);
    this.requests.end(reason);
    this.#settleOpen.reject(toOpener);
    this.#settleClosed(reason);
  }

  async #run(): Promise<void> {
    const { clock, socket } = this.#options;
    try {
      while (this.#ended === undefined) {
        const cancel = this.#sealing ? undefined : clock.after(establishSilenceMs, this.#giveUp);
        const bytes = await socket.receive().finally(() => cancel?.());
        await this.#take(this.#open(bytes));
      }
    } catch (error) {
      // Whoever opens the link learns of a card's fault as it was.
      const ofCard = error instanceof CardError || error instanceof ReaderError;
      const fault = faultOf(error);
      this.end(fault, ofCard ? error : fault);
    }
  }

  readonly #giveUp = (): void => {
    this.end(new DeskError('no-answer', 'the station has fallen silent over its greeting'));
  };

  async #take(message: DeskMessage): Promise<void> {
    const sealed = this.#sealing !== undefined;
    this.requests.heard();
    switch (message.kind) {
      case 'command': {
        const { exchange, apdu } = message.content;
        // Nobody on the way, and no station, authorises or tries PINs with the user's hand.
        if (!isCarried(apdu, sealed)) throw protocol('sent the card a command that is its owner’s');
        const answer = await this.#options.card.passThrough(apdu);
        this.#send({ kind: 'answer', content: { exchange, apdu: answer } });
        return;
      }
      case 'established':
        if (sealed) throw protocol('greeted twice');
        this.#sealing = await this.#deriveSealing();
        this.#settleOpen.resolve(message.content.station);
        return;
      case 'bye': {
        const { code, message: words } = message.content;
        throw new DeskError('desk-ended', words, { deskCode: code });
      }
      case 'enrolled':
      case 'coinsLoaded':
      case 'concluded':
        if (!sealed) throw protocol(`sent ${message.kind} in the clear`);
        this.#options.onNotice(message);
        return;
      default:
        if (!sealed) throw protocol(`sent ${message.kind} in the clear`);
        if (!this.requests.answer(message)) throw protocol('answered what nobody asked');
    }
  }

  async #deriveSealing(): Promise<Sealing> {
    const { card, primitives } = this.#options;
    const keys = await card.deriveHostLink(this.#hostNonce);
    if (equalBytes(keys.toHost, keys.toStation)) throw protocol('shares one key for both ways');
    const common = { primitives, kind: 'desk', epoch: 0n } as const;
    const sealer = new RecordSealer({ ...common, recordKey: keys.toStation });
    const opener = new RecordOpener({ ...common, recordKey: keys.toHost }, 'strict');
    wipe(keys.toHost);
    wipe(keys.toStation);
    return { sealer, opener };
  }

  #open(bytes: Uint8Array): DeskMessage {
    const plain = this.#sealing ? this.#sealing.opener.open(bytes).plaintext : bytes;
    return deskMessage.decode(plain);
  }

  #send(message: HostMessage): void {
    if (this.#ended !== undefined) return;
    const plain = hostMessage.encode(message);
    this.#options.socket.send(this.#sealing ? this.#sealing.sealer.seal(plain) : plain);
  }
}

function protocol(what: string): DeskError {
  return new DeskError('protocol', `the station broke the protocol: it ${what}`);
}

/** Whatever ended the loop, as the link's end. A card's or reader's fault ends the link, too. */
function faultOf(error: unknown): DeskError {
  if (error instanceof DeskError) return error;
  if (error instanceof RecordError) {
    const detail = 'a record from the station does not open';
    return new DeskError('record-refused', detail, { cause: error });
  }
  if (error instanceof TlvError) {
    const detail = `the station broke the protocol: ${error.message}`;
    return new DeskError('protocol', detail, { cause: error });
  }
  if (error instanceof CardError || error instanceof ReaderError) {
    const detail = 'the card ended the link to the station';
    return new DeskError('link-lost', detail, { cause: error });
  }
  const words = error instanceof Error ? error.message : 'unknown fault';
  const detail = `the link to the station was ended here: ${words}`;
  return new DeskError('link-lost', detail, { cause: error });
}
