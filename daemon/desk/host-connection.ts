/**
 * One host at the desk: greets, authenticates its card, and from then on exchanges sealed records.
 * It knows the protocol (`applet-spec/desk-messages.ts`), not the business: that is `visit.ts`.
 */
import {
  deskMessage,
  deskVersion,
  hostMessage,
  type DeskMessage,
  type HostMessage,
} from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { RecordOpener, RecordSealer } from '../../applet-spec/sealed-record.ts';
import { hostLinkKeys } from '../../applet-spec/traffic-keys.ts';
import type { Socket } from '../socket.ts';
import type { CardRecord } from '../store/store.ts';
import { CardChannel, type OpenedCard } from './card-channel.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError, fitting } from './desk-error.ts';
import type { StrangerReports } from './stranger-reports.ts';

interface Sealing {
  readonly sealer: RecordSealer;
  readonly opener: RecordOpener;
}

interface WaitingAnswer {
  readonly resolve: (apdu: Uint8Array) => void;
  readonly reject: (error: DeskError) => void;
  readonly cancel: () => void;
}

/** Greeting and authentication together may take this long, and one APDU this long. */
const greetingMs = 30_000;
const cardMs = 60_000;
/** Answers that a host has not read: a few of the largest. */
const unreadBytesMost = 4 * limits.deskMessageBytes;

export interface HostListener {
  /** The first sealed record has come: card and PIN are there. */
  present(): void;
  request(message: HostMessage): void;
  closed(): void;
}

export class HostConnection {
  readonly card: CardRecord;
  readonly channel: CardChannel;
  readonly opened: OpenedCard;
  readonly #line: Line;

  private constructor(line: Line, opened: OpenedCard) {
    this.#line = line;
    this.card = opened.card;
    this.channel = opened.channel;
    this.opened = opened;
  }

  /** Rejects with DeskError; the host has been told then and the socket is closing. */
  static async greet(
    context: DeskContext,
    socket: Socket,
    strangers: StrangerReports,
  ): Promise<HostConnection> {
    const line = new Line(context, socket, strangers);
    const cancel = context.clock.after(greetingMs, () => {
      line.end(new DeskError('bad-message', 'The greeting took too long.'));
    });
    try {
      const hello = await line.hello;
      const known = await context.store.cardByIdentifier(hello.cardIdentifier);
      const opened = await CardChannel.openOneOf({
        primitives: context.primitives,
        entropy: context.entropy,
        transmit: (apdu) => line.transmit(apdu),
        cards: candidates(context, known),
      });
      if (opened.outcome === 'refused') {
        const { remote } = socket;
        const { why } = opened;
        context.log[strangers.level(remote)]({ remote, why }, 'a card was not authenticated');
        throw new DeskError('unknown-card', 'The card could not be authenticated.');
      }
      line.seal(opened, hello.hostNonce);
      return new HostConnection(line, opened);
    } catch (error) {
      line.end(
        error instanceof DeskError
          ? error
          : new DeskError('bad-message', 'The greeting failed.', { cause: error }),
      );
      throw error;
    } finally {
      cancel();
    }
  }

  listen(listener: HostListener): void {
    this.#line.listen(listener);
  }

  send(message: DeskMessage): void {
    this.#line.send(message);
  }

  /** Tells the host why, and ends the connection. */
  end(error: DeskError): void {
    this.#line.end(error);
  }
}

const cardsAPage = 100;

/**
 * Which card it may be; throws DeskError for one that is not of this station. Books that have lost
 * records may lack the handle that it shows now: then it is looked for among all.
 */
function candidates(
  context: DeskContext,
  known: CardRecord | undefined,
): Iterable<CardRecord> | AsyncIterable<CardRecord> {
  const { station, standing, searches } = context;
  if (known?.state === 'frozen') throw notServed();
  if (known !== undefined) return [known];
  const mayBeLost = standing.rolledBack !== undefined || standing.declared !== undefined;
  if (mayBeLost && searches.emptyUntilMs(station) === undefined) {
    searches.take(station);
    return allCards(context);
  }
  throw new DeskError(
    'unknown-card',
    `${station} does not know this card; its operator runs \`keytolld enrol\` first.`,
  );
}

/** What a card is told that the operator has given up. */
export function notServed(): DeskError {
  const words = 'This card is not served any more: another one has taken its place.';
  return new DeskError('unknown-card', words);
}

async function* allCards({ store }: DeskContext): AsyncGenerator<CardRecord, void> {
  for (let after: Uint8Array | undefined; ;) {
    const page = await store.cards(after, cardsAPage);
    yield* page.filter(({ state }) => state !== 'frozen');
    after = page.at(-1)?.serial;
    if (after === undefined || page.length < cardsAPage) return;
  }
}

type Hello = Extract<HostMessage, { kind: 'hello' }>['content'];

/** The socket with its sealing, and the APDUs that are under way. */
class Line {
  readonly hello: Promise<Hello>;
  readonly #context: DeskContext;
  readonly #socket: Socket;
  readonly #strangers: StrangerReports;
  readonly #answers = new Map<bigint, WaitingAnswer>();
  #resolveHello: (hello: Hello) => void = () => undefined;
  #rejectHello: (error: DeskError) => void = () => undefined;
  #sealing: Sealing | undefined;
  #listener: HostListener | undefined;
  #present = false;
  #exchange = 0n;
  #ended = false;

  constructor(context: DeskContext, socket: Socket, strangers: StrangerReports) {
    this.#context = context;
    this.#socket = socket;
    this.#strangers = strangers;
    this.hello = new Promise((resolve, reject) => {
      this.#resolveHello = resolve;
      this.#rejectHello = reject;
    });
    socket.listen({
      message: (bytes) => {
        this.#receive(bytes);
      },
      closed: (reason) => {
        context.log.debug({ remote: socket.remote, reason }, 'a connection has ended');
        this.#closed(new DeskError('stopping', 'The connection ended.'));
      },
    });
  }

  listen(listener: HostListener): void {
    this.#listener = listener;
    if (this.#ended) listener.closed();
  }

  send(message: DeskMessage): void {
    if (this.#ended) return;
    if (this.#socket.bufferedBytes > unreadBytesMost) {
      this.#socket.destroy();
      this.#closed(new DeskError('overloaded', 'The host does not read what it asked for.'));
      return;
    }
    const bytes = deskMessage.encode(message);
    this.#socket.send(this.#sealing === undefined ? bytes : this.#sealing.sealer.seal(bytes));
  }

  /**
   * A whole APDU through the host; rejects with DeskError `outcome-unknown` where no answer comes.
   */
  transmit(apdu: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new DeskError('outcome-unknown', 'The host is gone.'));
        return;
      }
      const exchange = this.#exchange++;
      const cancel = this.#context.clock.after(cardMs, () => {
        this.end(new DeskError('card-fault', 'The card has not answered in time.'));
      });
      this.#answers.set(exchange, { resolve, reject, cancel });
      this.send({ kind: 'command', content: { exchange, apdu } });
    });
  }

  /** `established` is the last message in the clear; everything after it is sealed, both ways. */
  seal(opened: OpenedCard, hostNonce: Uint8Array): void {
    const { primitives, station } = this.#context;
    const { toStation, toHost } = hostLinkKeys(primitives, opened.keys.hostLink, {
      cardChallenge: opened.cardChallenge,
      stationChallenge: opened.stationChallenge,
      hostNonce,
    });
    this.send({ kind: 'established', content: { station } });
    const common = { primitives, kind: 'desk', epoch: 0n } as const;
    this.#sealing = {
      sealer: new RecordSealer({ ...common, recordKey: toHost }),
      opener: new RecordOpener({ ...common, recordKey: toStation }, 'strict'),
    };
  }

  end(error: DeskError): void {
    if (this.#ended) return;
    this.send({ kind: 'bye', content: { code: error.code, message: fitting(error.message) } });
    this.#socket.close(error.code);
    this.#closed(error);
  }

  #closed(error: DeskError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#rejectHello(error);
    for (const { reject, cancel } of this.#answers.values()) {
      cancel();
      reject(new DeskError('outcome-unknown', 'The connection ended before the card answered.'));
    }
    this.#answers.clear();
    this.#listener?.closed();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    let message: HostMessage;
    try {
      message = hostMessage.decode(this.#sealing?.opener.open(bytes).plaintext ?? bytes);
    } catch (error) {
      const { remote } = this.#socket;
      const level = this.#sealing === undefined ? this.#strangers.level(remote) : 'warn';
      this.#context.log[level]({ remote, err: error }, 'a message was refused');
      const advice = 'A message could not be read; connect again, with a keytoll of this version.';
      this.end(new DeskError('bad-message', advice, { cause: error }));
      return;
    }
    if (this.#sealing !== undefined && !this.#present) {
      this.#present = true;
      this.#listener?.present();
    }
    this.#dispatch(message);
  }

  #dispatch(message: HostMessage): void {
    switch (message.kind) {
      case 'hello':
        if (message.content.version === deskVersion) this.#resolveHello(message.content);
        else {
          this.end(
            new DeskError(
              'version-not-supported',
              `This desk speaks version ${deskVersion}, the host ${message.content.version}.`,
            ),
          );
        }
        return;
      case 'answer': {
        const waiting = this.#answers.get(message.content.exchange);
        this.#answers.delete(message.content.exchange);
        waiting?.cancel();
        waiting?.resolve(message.content.apdu);
        return;
      }
      case 'bye':
        this.end(new DeskError('stopping', 'Good-bye.'));
        return;
      default:
        if (this.#sealing === undefined) {
          this.end(new DeskError('bad-message', 'A request before the connection is sealed.'));
        } else this.#listener?.request(message);
    }
  }
}
