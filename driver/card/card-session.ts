import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import {
  applicationInfo,
  authorisation,
  coinPage,
  hostLinkAnswer,
  owner,
  peerKeyPage,
  signatureCheck,
  trafficAnswer,
  trafficRequest,
  type ApplicationInfo,
  type CoinEntry,
  type HostLinkAnswer,
  type Operation,
  type Owner,
  type PeerKeyEntry,
  type TrafficAnswer,
} from '../../applet-spec/card-objects.ts';
import { concatBytes, equalBytes, toUtf8, wipe } from '../../applet-spec/bytes.ts';
import {
  appletId,
  changeReference,
  commands,
  dataObjects,
  pinReference,
  pukReference,
  trafficDirections,
  type CommandName,
} from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { decodeElement, type Element } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { CardError, referenceError, statusError } from './card-error.ts';

/** What the session needs of a connected card: `driver/reader/apdu-exchange.ts` has it. */
export interface CardChannel {
  /** One logical command; chaining and GET RESPONSE are done below. Throws the reader's errors. */
  transmit(command: CommandApdu): Promise<ResponseApdu>;
  /** A whole command APDU of the station's to the card, and the card's whole answer. */
  transmitWhole(apdu: Uint8Array): Promise<Uint8Array>;
}

const none = new Uint8Array(0);
const answerMost = 256;
const appletNotHere: readonly number[] = [
  statusWords['application-not-found'],
  statusWords['instruction-not-supported'],
  statusWords['class-not-supported'],
  statusWords['function-not-supported'],
];

/**
 * The host's side of one card whose applet is selected (design §6): everything in the clear that a
 * host may ask. The station's secure commands pass through it whole, ununderstood. Throws CardError
 * for what the card refuses and the reader's errors for what never reached it or came to nothing.
 */
export class CardSession {
  readonly #channel: CardChannel;
  #pinVerified = false;

  private constructor(channel: CardChannel) {
    this.#channel = channel;
  }

  /**
   * Selects the applet (ISO/IEC 7816-4 §11.2.2); a station session that was open on the card ends.
   */
  static async open(channel: CardChannel): Promise<CardSession> {
    const session = new CardSession(channel);
    const { sw } = await session.#send('select', 0x04, 0x00, appletId, answerMost);
    if (appletNotHere.includes(sw)) {
      throw new CardError('applet-not-found', 'this card has no Keytoll applet', {
        statusWord: sw,
      });
    }
    requireDone(sw, 'SELECT');
    return session;
  }

  /** Whether this session has verified the PIN since it was opened. */
  get pinVerified(): boolean {
    return this.#pinVerified;
  }

  async applicationInfo(): Promise<ApplicationInfo> {
    return this.#getData(dataObjects.applicationInfo, applicationInfo, 'application information');
  }

  /** Who the card belongs to, where, and within which limits; after the PIN. */
  async owner(): Promise<Owner> {
    return this.#getData(dataObjects.owner, owner, 'owner');
  }

  /** VERIFY. A wrong PIN costs one of three tries; `pin-wrong` says how many are left. */
  async verifyPin(pin: string): Promise<void> {
    this.#pinVerified = false;
    const sw = await this.#present('verify', 0x00, pinReference, [pin]);
    if (sw !== statusWords.done) throw referenceError(sw, 'PIN');
    this.#pinVerified = true;
  }

  /** The old PIN is verified by this, too. */
  async changePin(oldPin: string, newPin: string): Promise<void> {
    wipe(referenceBytes(newPin));
    await this.verifyPin(oldPin);
    const parts = [oldPin, newPin];
    const p1 = changeReference.exchange;
    const sw = await this.#present('changeReferenceData', p1, pinReference, parts);
    if (sw !== statusWords.done) throw referenceError(sw, 'PIN');
  }

  async changePuk(oldPuk: string, newPuk: string): Promise<void> {
    wipe(referenceBytes(newPuk));
    await this.#verifyPuk(oldPuk);
    const parts = [oldPuk, newPuk];
    const p1 = changeReference.exchange;
    const sw = await this.#present('changeReferenceData', p1, pukReference, parts);
    if (sw !== statusWords.done) throw referenceError(sw, 'PUK');
  }

  /** The first PIN and PUK of a blank card; each only where none is set yet. */
  async setFirst(reference: 'PIN' | 'PUK', value: string): Promise<void> {
    const p2 = reference === 'PIN' ? pinReference : pukReference;
    const sw = await this.#present('changeReferenceData', changeReference.first, p2, [value]);
    if (sw === statusWords.done) return;
    if (sw === statusWords['conditions-of-use-not-satisfied']) {
      throw new CardError('reference-set-already', `a ${reference} is already set on this card`, {
        statusWord: sw,
      });
    }
    throw referenceError(sw, reference);
  }

  /** RESET RETRY COUNTER: the PUK gives a new PIN, which is not verified yet, and all tries. */
  async unblockPin(puk: string, newPin: string): Promise<void> {
    wipe(referenceBytes(newPin));
    await this.#verifyPuk(puk);
    const sw = await this.#present('resetRetryCounter', 0x00, pinReference, [puk, newPin]);
    if (sw !== statusWords.done) throw referenceError(sw, 'PUK');
    this.#pinVerified = false;
  }

  /**
   * One operation with one digest, used up by the station's next matching command (design §6.2).
   */
  async authorise(operation: Operation, digest: Uint8Array): Promise<void> {
    const data = authorisation.encode({ operation, digest });
    const { sw } = await this.#send('authorise', 0, 0, data);
    requireDone(sw, 'AUTHORISE');
  }

  /** The keys that seal host–desk records; needs the PIN and an open station session. */
  async deriveHostLink(hostNonce: Uint8Array): Promise<HostLinkAnswer> {
    const { data, sw } = await this.#send('deriveHostLink', 0, 0, hostNonce, answerMost);
    requireDone(sw, 'DERIVE HOST LINK');
    return decodeAnswer(hostLinkAnswer, data, 'host-link keys');
  }

  async listCoins(): Promise<readonly CoinEntry[]> {
    const page = async (first: number): Promise<Page<CoinEntry>> => {
      const [p1, p2] = [first >> 8, first & 0xff];
      const { data, sw } = await this.#send('listCoins', p1, p2, none, answerMost);
      requireDone(sw, 'LIST COINS');
      return decodeAnswer(coinPage, data, 'list of coins');
    };
    return wholeList('coins', page, ({ coinId }) => coinId);
  }

  async listPeerKeys(): Promise<readonly PeerKeyEntry[]> {
    const page = async (first: number): Promise<Page<PeerKeyEntry>> => {
      const { data, sw } = await this.#send('listPeerKeys', first, 0, none, answerMost);
      requireDone(sw, 'LIST PEER KEYS');
      return decodeAnswer(peerKeyPage, data, 'list of peer keys');
    };
    return wholeList('peer keys', page, ({ paymentId }) => paymentId);
  }

  async erasePeerKey(paymentId: Uint8Array): Promise<void> {
    const { sw } = await this.#send('erasePeerKey', 0, 0, paymentId);
    requireDone(sw, 'ERASE PEER KEY');
  }

  /**
   * CHECK SIGNATURE (S6): of a transaction that this card signed, or of a payment that it
   * acknowledged under a certificate, by its hash. Undefined where it was signed under one that
   * this card does not know.
   */
  async checkSignature(
    over:
      | { readonly transaction: Uint8Array }
      | { readonly paymentId: Uint8Array; readonly certificate: Uint8Array },
    signature: Uint8Array,
  ): Promise<boolean | undefined> {
    const asked = signatureCheck.encode({ ...over, signature });
    const { data, sw } = await this.#send('checkSignature', 0, 0, asked, 1);
    if (sw === statusWords['reference-data-not-found']) return undefined;
    requireDone(sw, 'CHECK SIGNATURE');
    return data[0] === 1;
  }

  /** S4. For sending, the card advances and returns its epoch; it never gives one twice. */
  async deriveSendTraffic(paymentId: Uint8Array): Promise<TrafficAnswer> {
    return this.#deriveTraffic(trafficDirections.send, trafficRequest.encode({ paymentId }));
  }

  /** S4. For receiving, the record's header names the epoch. */
  async deriveReceiveTraffic(paymentId: Uint8Array, epoch: bigint): Promise<TrafficAnswer> {
    const request = trafficRequest.encode({ paymentId, epoch });
    return this.#deriveTraffic(trafficDirections.receive, request);
  }

  /** The station's command, whole and ununderstood; the card's answer, whole. */
  async passThrough(apdu: Uint8Array): Promise<Uint8Array> {
    return this.#channel.transmitWhole(apdu);
  }

  /**
   * The card splits old from new by the length that it knows: an old value with a character too
   * many would be taken, and that character become the new one's first. So old ones are verified
   * alone before they are joined.
   */
  async #verifyPuk(puk: string): Promise<void> {
    const sw = await this.#present('verify', 0x00, pukReference, [puk]);
    if (sw !== statusWords.done) throw referenceError(sw, 'PUK');
  }

  async #deriveTraffic(p1: number, request: Uint8Array): Promise<TrafficAnswer> {
    const { data, sw } = await this.#send('deriveTraffic', p1, 0, request, answerMost);
    requireDone(sw, 'DERIVE TRAFFIC');
    return decodeAnswer(trafficAnswer, data, 'traffic key');
  }

  async #getData<T>(object: number, of: Element<T>, what: string): Promise<T> {
    const { data, sw } = await this.#send('getData', object >> 8, object & 0xff, none, answerMost);
    requireDone(sw, 'GET DATA');
    return decodeAnswer(of, data, what);
  }

  /**
   * A command whose data is one or two references, joined as ISO/IEC 7816-4 §11.6.7 and §11.6.10
   * say.
   */
  async #present(
    name: CommandName,
    p1: number,
    p2: number,
    references: readonly string[],
  ): Promise<number> {
    const data = concatBytes(...references.map(referenceBytes));
    try {
      return (await this.#send(name, p1, p2, data)).sw;
    } finally {
      wipe(data);
    }
  }

  async #send(
    name: CommandName,
    p1: number,
    p2: number,
    data: Uint8Array,
    ne?: number,
  ): Promise<ResponseApdu> {
    const { cla, ins } = commands[name];
    return this.#channel.transmit({ cla, ins, p1, p2, data, ...(ne !== undefined && { ne }) });
  }
}

/** As the card takes them. Throws CardError `reference-length`. */
export function referenceBytes(reference: string): Uint8Array {
  const bytes = toUtf8(reference);
  if (bytes.length < limits.pinBytesLeast || bytes.length > limits.pinBytesMost) {
    throw new CardError(
      'reference-length',
      `a PIN or PUK has ${limits.pinBytesLeast} to ${limits.pinBytesMost} characters`,
    );
  }
  return bytes;
}

function requireDone(sw: number, command: string): void {
  if (sw !== statusWords.done) throw statusError(sw, command);
}

interface Page<T> {
  readonly total: number;
  readonly entries: readonly T[];
}

/** The station's commands come between the pages; so often in a row they never do. */
const listAttempts = 8;

async function wholeList<T>(
  what: string,
  page: (first: number) => Promise<Page<T>>,
  idOf: (entry: T) => Uint8Array,
): Promise<readonly T[]> {
  for (let attempt = 0; attempt < listAttempts; attempt++) {
    const entries = await listOnce(what, page, idOf);
    if (entries !== undefined) return entries;
  }
  throw new CardError('malformed-answer', `the card's list of ${what} never stays as it is`);
}

/**
 * Each page begins with the last entry of the one before. Where that is another, something has left
 * meanwhile and an entry may have slipped through between the pages: undefined.
 */
async function listOnce<T>(
  what: string,
  page: (first: number) => Promise<Page<T>>,
  idOf: (entry: T) => Uint8Array,
): Promise<readonly T[] | undefined> {
  const listed: T[] = [];
  for (;;) {
    const last = listed.at(-1);
    const { total, entries } = await page(last === undefined ? 0 : listed.length - 1);
    const [first, ...others] = entries;
    if (last !== undefined && (first === undefined || !equalBytes(idOf(first), idOf(last)))) {
      return undefined;
    }
    const added = last === undefined ? entries : others;
    listed.push(...added);
    if (listed.length >= total) return listed;
    // A card that stops before its own total would keep the host asking for ever.
    if (added.length === 0) {
      throw new CardError('malformed-answer', `the card lists fewer ${what} than it says it has`);
    }
  }
}

function decodeAnswer<T>(of: Element<T>, data: Uint8Array, what: string): T {
  try {
    return decodeElement(of, data, what);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw new CardError('malformed-answer', `the card's ${what} is not as specified`, {
      cause: error,
    });
  }
}
