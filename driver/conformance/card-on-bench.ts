/** A card under check: its reader, its power, and both hands that a card knows. */
import { decodeResponse, type CommandApdu, type ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, equalBytes, fromHex, toUtf8 } from '../../applet-spec/bytes.ts';
import type { CardDelivery } from '../../applet-spec/card-delivery.ts';
import { applicationInfo, type ApplicationInfo } from '../../applet-spec/card-objects.ts';
import type { Certificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import {
  appletId,
  commands,
  dataObjects,
  pinReference,
  type CommandName,
} from '../../applet-spec/commands.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { CardChannel } from '../card/card-session.ts';
import { ApduExchange } from '../reader/apdu-exchange.ts';
import { parseAtr } from '../reader/atr.ts';
import { connectCard } from '../reader/connect-card.ts';
import type { CardConnection, Reader } from '../reader/connection.ts';
import { expectStatus, NotApplicable } from './expectation.ts';
import { SpecimenLife } from './specimen-life.ts';
import { StationHand } from './station-hand.ts';

export interface BenchOptions {
  readonly reader: Reader;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly primitives: Primitives;
  readonly pin?: string;
  readonly delivery?: CardDelivery;
  /** The root of the card's maker, as a station would trust it. */
  readonly makerRoot?: Certificate;
}

/** For a card to be put in, and for a reader to see it. */
const cardWaitMs = 10_000;
const none = new Uint8Array(0);
const wholeAnswer = 65_536;

export class CardOnBench {
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  readonly delivery: CardDelivery | undefined;
  readonly #makerRoot: Certificate | undefined;
  /** The PIN, where it is known: the caller's, or the one that an expendable card was given. */
  pin: string | undefined;
  /** The keys in force, where they are known. */
  keys: CardKeys | undefined;
  /** What an expendable card has become in the course of the checklist. */
  readonly life = new SpecimenLife();
  readonly #reader: Reader;
  readonly #clock: Clock;
  #connection: CardConnection | undefined;
  #exchange: ApduExchange | undefined;

  constructor(options: BenchOptions) {
    this.#reader = options.reader;
    this.#clock = options.clock;
    this.entropy = options.entropy;
    this.primitives = options.primitives;
    this.delivery = options.delivery;
    this.#makerRoot = options.makerRoot;
    this.pin = options.pin;
  }

  /** Off and on again. Throws ReaderError. */
  async powerCycle(): Promise<void> {
    await this.close();
    this.#connection = await connectCard(this.#reader, { clock: this.#clock, mostMs: cardWaitMs });
    this.#exchange = new ApduExchange(this.#connection, { clock: this.#clock });
  }

  async close(): Promise<void> {
    await this.#exchange?.close();
    this.#exchange = undefined;
    this.#connection = undefined;
  }

  get atr(): Uint8Array {
    return this.#connected.atr;
  }

  get isT0(): boolean {
    const { atr, protocol } = this.#connected;
    return (protocol ?? (parseAtr(atr)?.protocols[0] === 0 ? 'T=0' : 'T=1')) === 'T=0';
  }

  /** One APDU as it stands, in hexadecimal with blanks as one likes. */
  async raw(...parts: readonly (string | Uint8Array)[]): Promise<ResponseApdu> {
    const bytes = parts.map((part) =>
      typeof part === 'string' ? fromHex(part.replaceAll(' ', '')) : part,
    );
    return decodeResponse(await this.#connected.transmit(concatBytes(...bytes)));
  }

  /** A whole command, chained and fetched as the card's profile asks. */
  exchange(command: CommandApdu): Promise<ResponseApdu> {
    if (this.#exchange === undefined) throw new RangeError('no card is connected');
    return this.#exchange.transmit(command);
  }

  send(name: CommandName, data: Uint8Array = none, p1 = 0, p2 = 0): Promise<ResponseApdu> {
    const { cla, ins } = commands[name];
    return this.exchange({ cla, ins, p1, p2, data, ne: wholeAnswer });
  }

  /** The data of a 9000 answer. Throws NotConforming for any other. */
  async done(name: CommandName, data: Uint8Array = none, p1 = 0, p2 = 0): Promise<Uint8Array> {
    const answer = await this.send(name, data, p1, p2);
    expectStatus(name, answer.sw, statusWords.done);
    return answer.data;
  }

  select(): Promise<Uint8Array> {
    return this.done('select', appletId, 0x04);
  }

  async info(): Promise<ApplicationInfo> {
    const { applicationInfo: object } = dataObjects;
    const data = await this.done('getData', none, object >> 8, object & 0xff);
    return decodeElement(applicationInfo, data, 'application information');
  }

  async verify(pin: string): Promise<number> {
    return (await this.send('verify', toUtf8(pin), 0, pinReference)).sw;
  }

  /** Throws NotApplicable where there is no delivery file. */
  get requireDelivery(): CardDelivery {
    if (this.delivery === undefined) throw new NotApplicable('there is no delivery file');
    return this.delivery;
  }

  /** Throws NotApplicable where it was not given. */
  get requireMakerRoot(): Certificate {
    if (this.#makerRoot !== undefined) return this.#makerRoot;
    throw new NotApplicable('needs the root certificate of the card’s maker: --maker-root');
  }

  get nowSeconds(): bigint {
    return BigInt(Math.floor(this.#clock.nowMs() / 1_000));
  }

  get requireKeys(): CardKeys {
    if (this.keys === undefined) throw new NotApplicable('the keys in force are not known');
    return this.keys;
  }

  get knownPin(): string {
    if (this.pin === undefined) throw new NotApplicable('the PIN is not known');
    return this.pin;
  }

  /** SELECT and the right PIN. */
  async enter(): Promise<void> {
    await this.select();
    expectStatus('VERIFY', await this.verify(this.knownPin), statusWords.done);
  }

  /** A new session under the keys in force. Throws NotApplicable where they are not known. */
  openSession(): Promise<StationHand> {
    const exchange = (command: CommandApdu): Promise<ResponseApdu> => this.exchange(command);
    const challenge = this.entropy.randomBytes(16);
    return StationHand.open(this.primitives, exchange, this.requireKeys, challenge);
  }

  /** SELECT, the PIN, and a session. */
  async enterWithStation(): Promise<StationHand> {
    await this.enter();
    return this.openSession();
  }

  /** Whether the card shows the serial number and key version of this delivery file. */
  async isDelivered({ serial, keyVersion }: CardDelivery): Promise<boolean> {
    const info = await this.info();
    return equalBytes(info.identifier, serial) && info.keyVersion === keyVersion;
  }

  /** For a session of the driver's own. */
  get channel(): CardChannel {
    if (this.#exchange === undefined) throw new RangeError('no card is connected');
    return this.#exchange;
  }

  /** False also where `publicKey` is no point of P-256. */
  verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    try {
      return this.primitives.verifyingKey(publicKey).verify(message, signature);
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  get #connected(): CardConnection {
    if (this.#connection === undefined) throw new RangeError('no card is connected');
    return this.#connection;
  }
}
