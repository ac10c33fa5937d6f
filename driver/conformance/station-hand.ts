import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import {
  cardResults,
  commands,
  type CardResult,
  type CommandName,
} from '../../applet-spec/commands.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  authenticateCard,
  decodeCardGreeting,
  initializeUpdate,
  type CardGreeting,
} from '../../applet-spec/scp03-handshake.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import {
  keytollSecurityLevel,
  unwrapAnswer,
  wrapCommand,
  type OpenChannel,
} from '../../applet-spec/scp03.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { expectStatus, NotConforming } from './expectation.ts';

type Exchange = (command: CommandApdu) => Promise<ResponseApdu>;

export interface SecureReply {
  readonly result: CardResult;
  readonly payload: Uint8Array;
}

const none = new Uint8Array(0);
const wholeAnswer = 65_536;
const resultNames = new Map<number, CardResult>(
  Object.entries(cardResults).map(([name, code]) => [code, name as CardResult]),
);

/** The station's hand on a card whose keys it has: one SCP03 session. */
export class StationHand {
  readonly greeting: CardGreeting;
  readonly challenge: Uint8Array;
  readonly #primitives: Primitives;
  readonly #exchange: Exchange;
  #channel: OpenChannel;

  private constructor(
    opened: {
      readonly primitives: Primitives;
      readonly exchange: Exchange;
      readonly greeting: CardGreeting;
      readonly challenge: Uint8Array;
    },
    channel: OpenChannel,
  ) {
    this.greeting = opened.greeting;
    this.challenge = opened.challenge;
    this.#primitives = opened.primitives;
    this.#exchange = opened.exchange;
    this.#channel = channel;
  }

  /** Throws NotConforming where the card does not prove the keys or does not open. */
  static async open(
    primitives: Primitives,
    exchange: Exchange,
    keys: CardKeys,
    challenge: Uint8Array,
  ): Promise<StationHand> {
    const greeted = await exchange(initializeUpdate(0, challenge));
    expectStatus('INITIALIZE UPDATE', greeted.sw, statusWords.done);
    const greeting = decodeCardGreeting(greeted.data);
    const proof = authenticateCard(primitives, keys, challenge, greeting, keytollSecurityLevel);
    if (proof.verdict === 'refused') {
      throw new NotConforming(`the card does not prove its keys: ${proof.reason}`);
    }
    const accepted = await exchange(proof.command);
    expectStatus('EXTERNAL AUTHENTICATE', accepted.sw, statusWords.done);
    return new StationHand({ primitives, exchange, greeting, challenge }, proof.channel);
  }

  /** The wrapped command, not sent; the session goes on as if it had been. */
  wrap(name: CommandName, data: Uint8Array = none, p1 = 0, p2 = 0): CommandApdu {
    const { cla, ins } = commands[name];
    const command = { cla, ins, p1, p2, data, ne: wholeAnswer };
    return this.wrapCommand(command);
  }

  wrapCommand(command: CommandApdu): CommandApdu {
    const wrapped = wrapCommand(this.#primitives, this.#channel, command);
    this.#channel = wrapped.channel;
    return wrapped.command;
  }

  /** Throws NotConforming for an answer without a valid MAC. */
  async send(name: CommandName, data: Uint8Array = none, p1 = 0, p2 = 0): Promise<SecureReply> {
    return this.read(name, await this.#exchange(this.wrap(name, data, p1, p2)));
  }

  /** The payload where the result is `done`, or what `wanted` says. */
  async expect(
    wanted: CardResult,
    name: CommandName,
    data: Uint8Array = none,
    p1 = 0,
  ): Promise<Uint8Array> {
    const { result, payload } = await this.send(name, data, p1);
    if (result === wanted) return payload;
    throw new NotConforming(`${name}: ${result} where ${wanted} is specified`);
  }

  read(name: string, answer: ResponseApdu): SecureReply {
    const read = unwrapAnswer(this.#primitives, this.#channel, answer);
    if (read.answer === 'unknown') {
      const sw = read.sw.toString(16).toUpperCase().padStart(4, '0');
      throw new NotConforming(`${name}: ${sw} without a valid MAC`);
    }
    this.#channel = read.channel;
    const result = resultNames.get(read.data[0] ?? 0xff);
    if (result === undefined) throw new NotConforming(`${name}: a result that there is not`);
    return { result, payload: read.data.slice(1) };
  }
}
