/**
 * A host's side of the desk's protocol, as lean as can be: it stands in for 200 users' machines.
 */
import { concatBytes, toLatin1 } from '../../applet-spec/bytes.ts';
import {
  deskMessage,
  deskVersion,
  hostMessage,
  paymentStandings,
  type DeskMessage,
  type HostMessage,
} from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { RecordOpener, RecordSealer } from '../../applet-spec/sealed-record.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { encodeTlv, readTlv, type Tlv } from '../../applet-spec/tlv.ts';
import { hostLinkKeys } from '../../applet-spec/traffic-keys.ts';
import { systemClock } from '../../daemon/clock.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives as primitives } from '../../daemon/openssl-primitives.ts';
import type { Socket } from '../../daemon/socket.ts';
import { webSockets } from '../../daemon/web-socket.ts';
import type { StandInCard } from './stand-in-card.ts';

/** A payment's record with its end, read as little as possible. */
export type Reply = DeskMessage | { readonly kind: 'paid-ended' };

/** A payment has ended for this user: its ID as text (ISO 8859-1), and where it stands. */
export type OnConcluded = (paymentId: string, delivered: boolean) => void;

const tags = {
  command: deskMessage.kinds.command.tag,
  paid: deskMessage.kinds.paid.tag,
  concluded: deskMessage.kinds.concluded.tag,
  coinsLoaded: deskMessage.kinds.coinsLoaded.tag,
  answer: hostMessage.kinds.answer.tag,
};
const standingTag = 0x84;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export class StandInHost {
  readonly card: StandInCard;
  onConcluded: OnConcluded = () => undefined;
  readonly #socket: Socket;
  readonly #hostNonce = systemEntropy.randomBytes(16);
  readonly #waiting = new Map<bigint, Waiting>();
  #sealer: RecordSealer | undefined;
  #opener: RecordOpener | undefined;
  #established: () => void = () => undefined;
  #notEstablished: (error: Error) => void = () => undefined;
  #requestId = 0n;
  #ended: string | undefined;

  private constructor(socket: Socket, card: StandInCard) {
    this.#socket = socket;
    this.card = card;
    socket.listen({
      message: (bytes) => {
        this.#receive(bytes);
      },
      closed: (reason) => {
        this.#end(reason);
      },
    });
  }

  static async connect(url: string, card: StandInCard): Promise<StandInHost> {
    const bytesMost = limits.deskMessageBytes + 64;
    const socket = await webSockets(systemClock).connect(url, bytesMost);
    const host = new StandInHost(socket, card);
    const established = new Promise<void>((resolve, reject) => {
      host.#established = resolve;
      host.#notEstablished = reject;
    });
    const content = {
      version: deskVersion,
      cardIdentifier: card.identifier,
      hostNonce: host.#hostNonce,
    };
    socket.send(hostMessage.encode({ kind: 'hello', content }));
    await established;
    return host;
  }

  /** Why the connection is over; undefined while it is not. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Sends what `message` makes of a request's number, and waits for its reply. */
  request(message: (requestId: bigint) => HostMessage): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#sentAway(this.#ended));
    const requestId = this.#requestId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(requestId, { resolve, reject });
      this.#send(hostMessage.encode(message(requestId)));
    });
  }

  close(): void {
    this.#socket.close('the bench is over');
  }

  #send(bytes: Uint8Array): void {
    this.#socket.send(this.#sealer?.seal(bytes) ?? bytes);
  }

  #receive(sealed: Uint8Array): void {
    const bytes = this.#opener?.open(sealed).plaintext ?? sealed;
    const message = readTlv(bytes, 0);
    switch (message.tag) {
      case tags.coinsLoaded:
        return;
      case tags.paid: {
        const requestId = readTlv(message.content, 0);
        this.#resolve(uintOf(requestId), { kind: 'paid-ended' });
        this.#ends(readTlv(message.content, requestId.end));
        return;
      }
      case tags.concluded:
        this.#ends(readTlv(message.content, 0));
        return;
      case tags.command:
        this.#command(message);
        return;
      default:
        this.#dispatch(deskMessage.decode(bytes));
    }
  }

  /** The answer names the exchange as the command does. */
  #command(message: Tlv): void {
    const exchange = readTlv(message.content, 0);
    const apdu = readTlv(message.content, exchange.end);
    const answered = encodeTlv(apdu.tag, this.card.answer(new Uint8Array(apdu.content)));
    this.#send(encodeTlv(tags.answer, concatBytes(exchange.whole, answered)));
  }

  #dispatch(message: DeskMessage): void {
    switch (message.kind) {
      case 'established':
        this.#seal();
        return;
      case 'bye':
        this.#end(message.content.message);
        return;
      case 'command':
      case 'enrolled':
      case 'coinsLoaded':
      case 'concluded':
        return;
      default:
        this.#resolve(message.content.requestId, message);
    }
  }

  #resolve(requestId: bigint, reply: Reply): void {
    this.#waiting.get(requestId)?.resolve(reply);
    this.#waiting.delete(requestId);
  }

  /** Nothing is waited for that cannot come any more. */
  #end(reason: string): void {
    this.#ended ??= reason;
    const error = this.#sentAway(this.#ended);
    this.#notEstablished(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #sentAway(reason: string): Error {
    return new Error(`a user was sent away: ${reason}`);
  }

  #seal(): void {
    const { keys, session } = this.card;
    if (session === undefined) throw new Error('established without a session of the card');
    const context = { ...session, hostNonce: this.#hostNonce };
    const { toStation, toHost } = hostLinkKeys(primitives, keys.hostLink, context);
    const common = { primitives, kind: 'desk', epoch: 0n } as const;
    this.#sealer = new RecordSealer({ ...common, recordKey: toStation });
    this.#opener = new RecordOpener({ ...common, recordKey: toHost }, 'strict');
    this.#established();
  }

  /**
   * Read as little as possible: the transaction, whose hash is the payment's ID, and the standing.
   */
  #ends(record: Tlv): void {
    const payment = readTlv(record.content, 0);
    const transaction = readTlv(payment.content, 0);
    let standing: Tlv = payment;
    while (standing.tag !== standingTag) standing = readTlv(record.content, standing.end);
    const code = standing.content[0] as number;
    if (code === paymentStandings.admitted || code === paymentStandings.relayed) return;
    const paymentId = paymentIdOf(primitives, transaction.content);
    this.onConcluded(toLatin1(paymentId), code === paymentStandings.delivered);
  }
}

function uintOf({ content }: Tlv): bigint {
  let value = 0n;
  for (const byte of content) value = (value << 8n) | BigInt(byte);
  return value;
}
