/** A card under test with both its hands, taken through its life as far as a test needs it. */
import type { LengthForm } from '../../applet-spec/apdu.ts';
import { concatBytes, uintToBytes } from '../../applet-spec/bytes.ts';
import type { CardDelivery } from '../../applet-spec/card-delivery.ts';
import {
  applicationInfo,
  generatedKey,
  journalAnswer,
  journalQuery,
  offer as offerObject,
  offerAnswer,
  payAnswer,
  peerKeyPage,
  profile,
  type ApplicationInfo,
  type JournalAnswer,
  type JournalQuery,
  type LoadedCoin,
  type PayAnswer,
  type PeerKeyEntry,
} from '../../applet-spec/card-objects.ts';
import { dataObjects, payWithCertificate } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { TestHost, TestStation, type SecureReply, type Transmit } from './applet-host.ts';
import {
  alice,
  certificateFor,
  loadOf,
  profileOf,
  quoteDigest,
  type ProfileContent,
} from './applet-papers.ts';

/** What a bench must give: a new card in some reader, powered. */
export interface CardUnderTest {
  readonly delivery: CardDelivery;
  readonly form: LengthForm;
  /** One APDU, or where `form` is `extended` one whole command, however it travels. */
  readonly transmit: Transmit;
  /** One APDU as it stands, where `transmit` is not that already. */
  readonly transmitRaw?: Transmit;
  /** Off and on again; resolves when the card can be spoken to. */
  powerCycle(): Promise<void>;
  /** Takes the card away. */
  dispose(): Promise<void>;
}

/** As its maker delivers it, with a device key. */
export interface GenuineCard extends CardUnderTest {
  /** DER of the root under which the card's device key is certified. */
  readonly makerRoot: Uint8Array;
}

export type MakeBlankCard = () => Promise<GenuineCard>;

export const pin = '2580';
export const puk = '90210731';

export class Subject {
  readonly card: CardUnderTest;
  readonly host: TestHost;
  /** Everything that passed between reader and card. */
  readonly wire: Uint8Array[] = [];
  keys: CardKeys;
  publicKey: Uint8Array = new Uint8Array(0);
  certificate: Uint8Array = new Uint8Array(0);
  #challenges = 0n;

  constructor(card: CardUnderTest) {
    this.card = card;
    this.keys = card.delivery.keys;
    this.host = new TestHost(async (apdu) => {
      this.wire.push(apdu);
      const answer = await card.transmit(apdu);
      this.wire.push(answer);
      return answer;
    }, card.form);
  }

  /** SELECT, PIN, and a fresh session with the station. */
  async connect(): Promise<TestStation> {
    await this.host.select();
    await this.host.verify(pin);
    return this.openSession();
  }

  async openSession(): Promise<TestStation> {
    this.#challenges += 1n;
    return TestStation.open(this.host, this.keys, uintToBytes(this.#challenges, 16));
  }

  async info(): Promise<ApplicationInfo> {
    const { applicationInfo: object } = dataObjects;
    const data = await this.host.done('getData', new Uint8Array(0), object >> 8, object & 0xff);
    return decodeElement(applicationInfo, data, 'information');
  }

  async peerKeys(): Promise<readonly PeerKeyEntry[]> {
    const data = await this.host.done('listPeerKeys');
    return decodeElement(peerKeyPage, data, 'peer keys').entries;
  }

  /** PIN and PUK, key pair, certificate and profile; the transport keys stay. */
  async personalise(changes: Partial<ProfileContent> = {}): Promise<TestStation> {
    await this.host.select();
    await this.host.setReferences(pin, puk);
    const station = await this.connect();
    await this.certify(station);
    await station.done('putProfile', profile.encode(profileOf(changes)));
    return station;
  }

  /** Another key pair and its certificate, as at enrolment and at every renewal. */
  async certify(station: TestStation): Promise<void> {
    const nonce = new Uint8Array(16).fill(0x4e);
    const made = await station.done('generateKeyPair', nonce);
    const { publicKey, possession } = decodeElement(generatedKey, made, 'generated key');
    const proof = concatBytes(labels.possession, nonce, publicKey);
    if (!primitives.verifyingKey(publicKey).verify(proof, possession)) {
      throw new Error('the card does not prove that it has its key');
    }
    this.publicKey = publicKey;
    this.certificate = certificateFor(publicKey);
    await station.done('putCertificate', this.certificate);
  }

  /** The whole enrolment; resolves with a session under the station's own keys. */
  async enrol(changes: Partial<ProfileContent> = {}): Promise<TestStation> {
    const station = await this.personalise(changes);
    const { keys, keyVersion } = this.card.delivery;
    const own = stationKeys(0x51);
    await station.exchange(putKey(primitives, keys.dek, keyVersion, 1, own));
    this.keys = own;
    return this.connect();
  }
}

export async function blank(make: MakeBlankCard): Promise<Subject> {
  return new Subject(await make());
}

/** Marked, so that they are found wherever they leak. */
export function stationKeys(mark: number): CardKeys {
  const key = (n: number): Uint8Array => new Uint8Array(32).fill(mark + n);
  return { enc: key(0), mac: key(1), dek: key(2), hostLink: key(3) };
}

export async function load(station: TestStation, ...coins: readonly LoadedCoin[]): Promise<void> {
  await station.done('loadCoins', loadOf(...coins));
}

/** The host authorises, the station has the card pay. */
export async function pay(
  station: TestStation,
  quoteBytes: Uint8Array,
  p1: number = payWithCertificate,
): Promise<SecureReply> {
  await station.host.authorise('pay', quoteDigest(quoteBytes));
  return station.send('pay', quoteBytes, p1);
}

export async function paid(station: TestStation, quoteBytes: Uint8Array): Promise<PayAnswer> {
  const { result, payload } = await pay(station, quoteBytes);
  if (result !== 'done') throw new Error(`PAY: ${result}`);
  return decodeElement(payAnswer, payload, 'answer to PAY');
}

export async function journal(station: TestStation, query: JournalQuery): Promise<JournalAnswer> {
  const payload = await station.done('queryJournal', journalQuery.encode(query));
  return decodeElement(journalAnswer, payload, 'answer to QUERY JOURNAL');
}

export async function offered(
  station: TestStation,
  transactionBytes: Uint8Array,
  coinSecret: Uint8Array,
): Promise<SecureReply> {
  const data = offerObject.encode({ payer: alice, transaction: transactionBytes, coinSecret });
  return station.send('offer', data);
}

export function acknowledgementSignature({ payload }: SecureReply): Uint8Array {
  return decodeElement(offerAnswer, payload, 'answer to OFFER').signature;
}
