/**
 * SCP03 from the station's side, over a host that carries APDUs without understanding them (design
 * §5).
 */
import {
  encodeCommand,
  decodeResponse,
  type CommandApdu,
  type ResponseApdu,
} from '../../applet-spec/apdu.ts';
import { cardResults, commands, type CardResult } from '../../applet-spec/commands.ts';
import type { CardRecord } from '../store/store.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import {
  closedChannel,
  keytollSecurityLevel,
  unwrapAnswer,
  wrapCommand,
  type ClosedChannel,
  type OpenChannel,
} from '../../applet-spec/scp03.ts';
import {
  authenticateCard,
  decodeCardGreeting,
  initializeUpdate,
  type CardGreeting,
} from '../../applet-spec/scp03-handshake.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { statusWords } from '../../applet-spec/status-words.ts';

/** One whole APDU to the card and its whole answer. Rejects once the host is gone. */
export type Transmit = (apdu: Uint8Array) => Promise<Uint8Array>;

export type CardReply =
  | { readonly outcome: 'answered'; readonly result: CardResult; readonly payload: Uint8Array }
  /** The command may have run. The channel is closed; ask the journal in a new one. */
  | { readonly outcome: 'unknown' };

export interface ChannelOptions {
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  readonly transmit: Transmit;
}

export interface RefusedCard {
  readonly outcome: 'refused';
  readonly why: string;
}

export interface OpenedCard {
  readonly outcome: 'open';
  readonly card: CardRecord;
  readonly channel: CardChannel;
  /** The version that the card answered under, and its keys. */
  readonly keyVersion: number;
  readonly keys: CardKeys;
  readonly cardChallenge: Uint8Array;
  readonly stationChallenge: Uint8Array;
}

const resultNames = new Map<number, CardResult>(
  Object.entries(cardResults).map(([name, code]) => [code, name as CardResult]),
);
/** Whole answers, however the host has to collect them. */
const wholeAnswer = 65_536;

export class CardChannel {
  readonly #primitives: Primitives;
  readonly #transmit: Transmit;
  #channel: OpenChannel | ClosedChannel;

  private constructor(primitives: Primitives, transmit: Transmit, channel: OpenChannel) {
    this.#primitives = primitives;
    this.#transmit = transmit;
    this.#channel = channel;
  }

  /** Mutual authentication at level 33. `refused` says, for the log, what did not hold. */
  static async open({
    card,
    ...options
  }: ChannelOptions & { readonly card: CardRecord }): Promise<OpenedCard | RefusedCard> {
    return CardChannel.openOneOf({ ...options, cards: [card] });
  }

  /**
   * With whichever of these cards it is, by its answer under the keys that it shares with this
   * station: books that were rebuilt may not know the handle that it shows now.
   */
  static async openOneOf({
    primitives,
    entropy,
    transmit,
    cards,
  }: ChannelOptions & {
    readonly cards: Iterable<CardRecord> | AsyncIterable<CardRecord>;
  }): Promise<OpenedCard | RefusedCard> {
    const stationChallenge = entropy.randomBytes(16);
    const greeted = decodeResponse(
      await transmit(encodeCommand(initializeUpdate(0, stationChallenge), 'short')),
    );
    if (greeted.sw !== statusWords.done) return refused('INITIALIZE UPDATE was not answered');
    let greeting: CardGreeting;
    try {
      greeting = decodeCardGreeting(greeted.data);
    } catch {
      return refused('the answer to INITIALIZE UPDATE is malformed');
    }
    const { keyVersion, cardChallenge } = greeting;
    let why = `key version ${keyVersion} is not known`;
    for await (const card of cards) {
      const keys = keysOf(card, keyVersion);
      if (keys === undefined) continue;
      const level = keytollSecurityLevel;
      const found = authenticateCard(primitives, keys, stationChallenge, greeting, level);
      if (found.verdict === 'refused') {
        why = found.reason;
        continue;
      }
      const answered = decodeResponse(await transmit(encodeCommand(found.command, 'short')));
      if (answered.sw !== statusWords.done) return refused('EXTERNAL AUTHENTICATE was refused');
      const channel = new CardChannel(primitives, transmit, found.channel);
      return { outcome: 'open', card, channel, keyVersion, keys, cardChallenge, stationChallenge };
    }
    return refused(why);
  }

  get isOpen(): boolean {
    return this.#channel.state === 'open';
  }

  /** Wraps and sends a secure command. A second one must wait until the first is answered. */
  async send(name: keyof typeof commands, data: Uint8Array, p1 = 0, p2 = 0): Promise<CardReply> {
    const { cla, ins } = commands[name];
    return this.sendCommand({ cla, ins, p1, p2, data, ne: wholeAnswer });
  }

  /** A command in the clear, whose answer nothing vouches for: for hints only. */
  async sendClear(command: CommandApdu): Promise<ResponseApdu> {
    return decodeResponse(await this.#transmit(encodeCommand(command, 'short')));
  }

  async sendCommand(command: CommandApdu): Promise<CardReply> {
    const open = this.#channel;
    if (open.state !== 'open') return { outcome: 'unknown' };
    const wrapped = wrapCommand(this.#primitives, open, command);
    this.#channel = closedChannel;
    const response = decodeResponse(
      await this.#transmit(encodeCommand(wrapped.command, 'extended')),
    );
    const answer = unwrapAnswer(this.#primitives, wrapped.channel, response);
    if (answer.answer === 'unknown' || answer.sw !== statusWords.done)
      return { outcome: 'unknown' };
    const result = resultNames.get(answer.data[0] ?? 0xff);
    if (result === undefined) return { outcome: 'unknown' };
    this.#channel = answer.channel;
    return { outcome: 'answered', result, payload: answer.data.subarray(1) };
  }
}

/**
 * The card answers under the version in force; after a rotation whose end was not seen, the next.
 */
function keysOf(card: CardRecord, keyVersion: number): CardKeys | undefined {
  if (keyVersion === card.keyVersion) return card.keys;
  return keyVersion === card.nextKeyVersion ? card.nextKeys : undefined;
}

function refused(why: string): RefusedCard {
  return { outcome: 'refused', why };
}
