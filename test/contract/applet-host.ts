/**
 * The two hands that a card knows, made small for tests: a host in the clear, a station under
 * SCP03.
 */
import {
  decodeResponse,
  encodeCommand,
  type CommandApdu,
  type LengthForm,
  type ResponseApdu,
} from '../../applet-spec/apdu.ts';
import { followUp, splitChain } from '../../applet-spec/apdu-chaining.ts';
import { concatBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import { authorisation, type Operation } from '../../applet-spec/card-objects.ts';
import {
  appletId,
  cardResults,
  changeReference,
  commands,
  pinReference,
  pukReference,
  type CardResult,
  type CommandName,
} from '../../applet-spec/commands.ts';
import { commandAnswers, mayAnswer } from '../../applet-spec/command-answers.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
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

/** One APDU to the card and its answer, whatever lies between. */
export type Transmit = (apdu: Uint8Array) => Promise<Uint8Array>;

const none: Uint8Array = new Uint8Array(0);

/** Whole commands over APDUs of one length form. */
export class TestHost {
  readonly #transmit: Transmit;
  readonly #form: LengthForm;

  constructor(transmit: Transmit, form: LengthForm) {
    this.#transmit = transmit;
    this.#form = form;
  }

  async exchange(command: CommandApdu): Promise<ResponseApdu> {
    const pieces = this.#form === 'short' ? splitChain(command) : [command];
    let answer: ResponseApdu = { data: none, sw: 0 };
    let last = command;
    for (const piece of pieces) {
      last = piece;
      answer = await this.#send(piece);
    }
    let data = answer.data;
    for (let next = followUp(last, answer); next !== undefined; next = followUp(last, answer)) {
      answer = await this.#send(next);
      data = concatBytes(data, answer.data);
    }
    return { data, sw: answer.sw };
  }

  async send(name: CommandName, data = none, p1 = 0, p2 = 0): Promise<ResponseApdu> {
    const { cla, ins } = commands[name];
    const answer = await this.exchange({ cla, ins, p1, p2, data, ne: 256 });
    if (!mayAnswer(name, answer.sw)) {
      throw new Error(`${name} is never answered ${answer.sw.toString(16)}`);
    }
    return answer;
  }

  /** The data of a 9000 answer; any other is an error of the test. */
  async done(name: CommandName, data = none, p1 = 0, p2 = 0): Promise<Uint8Array> {
    const answer = await this.send(name, data, p1, p2);
    if (answer.sw !== statusWords.done) throw new Error(`${name}: ${answer.sw.toString(16)}`);
    return answer.data;
  }

  select(): Promise<Uint8Array> {
    return this.done('select', appletId, 0x04);
  }

  async setReferences(pin: string, puk: string): Promise<void> {
    await this.done('changeReferenceData', toUtf8(pin), changeReference.first, pinReference);
    await this.done('changeReferenceData', toUtf8(puk), changeReference.first, pukReference);
  }

  verify(pin: string): Promise<ResponseApdu> {
    return this.send('verify', toUtf8(pin), 0, pinReference);
  }

  authorise(operation: Operation, digest: Uint8Array): Promise<Uint8Array> {
    return this.done('authorise', authorisation.encode({ operation, digest }));
  }

  async #send(command: CommandApdu): Promise<ResponseApdu> {
    return decodeResponse(await this.#transmit(encodeCommand(command, this.#form)));
  }
}

export interface SecureReply {
  readonly result: CardResult;
  readonly payload: Uint8Array;
}

/** What came back was no authentic answer; `sw` is hearsay. */
export class NotAuthentic extends Error {
  override readonly name = 'NotAuthentic';
  readonly sw: number;

  constructor(sw: number) {
    super(`not authentic, ${sw.toString(16)}`);
    this.sw = sw;
  }
}

/** A station's side of one SCP03 session. */
export class TestStation {
  readonly host: TestHost;
  readonly greeting: CardGreeting;
  readonly challenge: Uint8Array;
  #channel: OpenChannel;

  private constructor(
    host: TestHost,
    channel: OpenChannel,
    greeting: CardGreeting,
    challenge: Uint8Array,
  ) {
    this.host = host;
    this.greeting = greeting;
    this.challenge = challenge;
    this.#channel = channel;
  }

  static async open(host: TestHost, keys: CardKeys, challenge: Uint8Array): Promise<TestStation> {
    const greeted = await host.exchange(initializeUpdate(0, challenge));
    if (greeted.sw !== statusWords.done) throw new NotAuthentic(greeted.sw);
    const greeting = decodeCardGreeting(greeted.data);
    const level = keytollSecurityLevel;
    const proof = authenticateCard(primitives, keys, challenge, greeting, level);
    if (proof.verdict === 'refused') throw new Error(`the card is not authentic: ${proof.reason}`);
    const accepted = await host.exchange(proof.command);
    if (accepted.sw !== statusWords.done) throw new NotAuthentic(accepted.sw);
    return new TestStation(host, proof.channel, greeting, challenge);
  }

  /** The wrapped command, not sent; the session goes on as if it had been. */
  wrap(command: CommandApdu): CommandApdu {
    const wrapped = wrapCommand(primitives, this.#channel, command);
    this.#channel = wrapped.channel;
    return wrapped.command;
  }

  async send(name: CommandName, data = none, p1 = 0, p2 = 0): Promise<SecureReply> {
    const { cla, ins } = commands[name];
    const reply = await this.exchange({ cla, ins, p1, p2, data, ne: 256 });
    if (commandAnswers[name].results?.includes(reply.result) !== true) {
      throw new Error(`${name} is never answered with ${reply.result}`);
    }
    return reply;
  }

  async exchange(command: CommandApdu): Promise<SecureReply> {
    return this.read(await this.host.exchange(this.wrap(command)));
  }

  /** Throws NotAuthentic for an answer without a valid MAC. */
  read(answer: ResponseApdu): SecureReply {
    const read = unwrapAnswer(primitives, this.#channel, answer);
    if (read.answer === 'unknown') throw new NotAuthentic(read.sw);
    this.#channel = read.channel;
    return { result: resultNamed(read.data[0]), payload: read.data.slice(1) };
  }

  /** The payload of a `done` answer; any other is an error of the test. */
  async done(name: CommandName, data = none, p1 = 0, p2 = 0): Promise<Uint8Array> {
    const { result, payload } = await this.send(name, data, p1, p2);
    if (result !== 'done') throw new Error(`${name}: ${result}`);
    return payload;
  }
}

function resultNamed(code: number | undefined): CardResult {
  for (const [name, known] of Object.entries(cardResults)) {
    if (known === code && name in cardResults) return name as CardResult;
  }
  throw new Error(`an unknown result ${String(code)}`);
}
