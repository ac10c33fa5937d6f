/**
 * What the station does with a card that is at its desk, one operation at a time: enrol it, load
 * coins, have it pay, offer it a key, tell it a verdict. After an answer without a valid MAC the
 * visit ends; the next one asks the journal, or repeats what is harmless to repeat.
 */
import {
  applicationInfo,
  coinErasure,
  coinLoad,
  generatedKey,
  journalAnswer,
  journalQuery,
  offer as offerObject,
  offerAnswer,
  payAnswer,
  profile,
  retirement as retirementObject,
  type JournalAnswer,
  type PayAnswer,
  type Retirement,
} from '../../applet-spec/card-objects.ts';
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import {
  commands,
  dataObjects,
  payWithCertificate,
  type CardResult,
} from '../../applet-spec/commands.ts';
import { coin as coinKind, type Coin } from '../../applet-spec/coin.ts';
import type { PaymentRecord } from '../../applet-spec/desk-messages.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { Quote } from '../../applet-spec/quote.ts';
import { refusal as refusalKind, type Refusal } from '../../applet-spec/receipt.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { CardRecord, CoinRecord } from '../store/store.ts';
import { checkAttestation } from './card-attestation.ts';
import type { CardChannel, CardReply } from './card-channel.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError } from './desk-error.ts';
import type { OfferOutcome } from './desk-seams.ts';

export type Loaded =
  | { readonly outcome: 'loaded'; readonly coins: readonly Coin[] }
  | { readonly outcome: 'pool-full' };

export class CardVisit {
  readonly #context: DeskContext;
  readonly #channel: CardChannel;
  readonly #card: CardRecord;
  /** The document key of this station that the card's profile names; undefined while in doubt. */
  #stationKey: Uint8Array | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #counting: Promise<number> | undefined;

  /** `card`: as it came; its profile and its limits do not change in a visit. */
  constructor(context: DeskContext, channel: CardChannel, card: CardRecord) {
    this.#context = context;
    this.#channel = channel;
    this.#card = card;
    this.#stationKey = card.stationKey;
  }

  /** Whether the card's profile names the document key that this station signs with now. */
  get knowsStationKey(): boolean {
    return this.#isKnown(this.#context.documentKey);
  }

  /** Operations on one card never interleave. */
  inTurn<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(operation);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /**
   * Enrolment: key pair, certificate, profile, and last the station's own keys in the place of the
   * transport keys. Every step can be repeated by the next visit. A card that is enrolled gets
   * another certificate, for another key pair, in the same way.
   */
  async enrol(card: CardRecord): Promise<void> {
    const { certifyUser, store, primitives, entropy, station } = this.#context;
    if (certifyUser === undefined) {
      throw new DeskError(
        'not-enrolled',
        `${station} has no CA at hand; its operator sets ca.folder to enrol cards.`,
      );
    }
    const nonce = entropy.randomBytes(16);
    const answer = await this.#done('generateKeyPair', nonce);
    const { publicKey, possession } = decodeElement(generatedKey, answer, 'generated key');
    const proof = concatBytes(labels.possession, nonce, publicKey);
    if (!primitives.verifyingKey(publicKey).verify(proof, possession)) {
      throw new DeskError('card-fault', 'The card cannot prove that it holds its key.');
    }
    const maker = await checkAttestation(this.#context, this.#channel, card, publicKey);
    const certificate = await certifyUser(card.user, publicKey);
    // Cut off from here on, an enrolled card may sign under a certificate that the books do not
    // name: the next visit enrols it again before anything else.
    await store.putCard({ ...card, state: 'awaiting-enrolment' });
    await this.#done('putCertificate', certificate);
    await this.#know(this.#context.documentKey);
    const nextKeys = newCardKeys(this.#context);
    const nextKeyVersion = card.keyVersion === 1 ? 2 : 1;
    // What an enrolment that was cut off knew of another key pair counts no more.
    const { attestedBy: _former, ...known } = card;
    const vouched = { ...known, ...(maker && { attestedBy: primitives.sha256(maker.der) }) };
    await store.putCard({ ...vouched, nextKeys, nextKeyVersion });
    const keyCommand = putKey(primitives, card.keys.dek, card.keyVersion, nextKeyVersion, nextKeys);
    expectDone(await this.#channel.sendCommand(keyCommand));
    await store.putCard({ ...vouched, keys: nextKeys, keyVersion: nextKeyVersion });
    await store.enrolCard(card.serial, certificate);
  }

  /** A new handle for the next visit; and the key that this station signs with now. */
  async introduce(card: CardRecord): Promise<void> {
    await this.#replaceHandle(card);
    await this.#know(this.#context.documentKey);
  }

  /**
   * Its profile names this document key from here on: the card believes refusals under it, and
   * verdicts on the keys that it is offered. Each payment keeps the key of its quote to its end.
   */
  async #know(stationKey: Uint8Array): Promise<void> {
    if (this.#isKnown(stationKey)) return;
    const { store } = this.#context;
    this.#stationKey = undefined;
    await store.putStationKey(this.#card.serial, undefined);
    await this.#done('putProfile', this.#profileOf(stationKey));
    await store.putStationKey(this.#card.serial, stationKey);
    this.#stationKey = stationKey;
  }

  #isKnown(stationKey: Uint8Array): boolean {
    return this.#stationKey !== undefined && equalBytes(this.#stationKey, stationKey);
  }

  /**
   * One that a visit before could not bring to its end comes first: the card may show it, or the
   * one before it, and the station never knows more than two.
   */
  async #replaceHandle(card: CardRecord): Promise<void> {
    const { nextHandle, ...rest } = card;
    const known = nextHandle === undefined ? rest : await this.#putHandle(card, nextHandle);
    await this.#putHandle(known, this.#context.entropy.randomBytes(16));
  }

  /** The station knows both until the card has said that it took the new one. */
  async #putHandle(card: CardRecord, handle: Uint8Array): Promise<CardRecord> {
    const { store } = this.#context;
    const { nextHandle: _taken, ...rest } = card;
    await store.putCard({ ...card, nextHandle: handle });
    await this.#done('putHandle', handle);
    await store.putCard({ ...rest, handle });
    return { ...rest, handle };
  }

  /** S1: at most `limits.loadCoins` coins that are reserved or loading. Idempotent by coin ID. */
  async load(coins: readonly CoinRecord[]): Promise<Loaded> {
    const { store } = this.#context;
    const coinIds = coins.map((one) => one.coinId);
    if (coinIds.length > limits.loadCoins) throw new RangeError('more coins than one LOAD takes');
    await store.markLoading(coinIds);
    const secrets = await store.coinSecrets(coinIds);
    const data = coinLoad.encode({
      coins: coins.map(({ coinId, value, expirySeconds }, i) => {
        const secret = secrets[i];
        if (secret === undefined) throw new RangeError('a coin that waits has lost its secret');
        return { coinId, secret, value, expiry: expirySeconds };
      }),
    });
    for (const secret of secrets) secret?.fill(0);
    const reply = await this.#channel.send('loadCoins', data);
    data.fill(0);
    const { result } = this.#answered(reply);
    if (result === 'pool-full') return { outcome: 'pool-full' };
    if (result !== 'done') throw fault('LOAD COINS', result);
    await store.markLoaded(coinIds);
    return { outcome: 'loaded', coins: coins.map((one) => coinKind.decode(one.coin)) };
  }

  /** S32, S33. The card refuses, or has signed; a repeat for the same quote signs nothing new. */
  async pay(
    quote: Quote,
    withCertificate: boolean,
  ): Promise<
    | { readonly outcome: 'signed'; readonly answer: PayAnswer }
    | { readonly outcome: 'refused'; readonly result: CardResult }
  > {
    const p1 = withCertificate ? payWithCertificate : 0;
    const { result, payload } = this.#answered(
      await this.#channel.send('pay', quote.bodyBytes, p1),
    );
    if (result !== 'done') return { outcome: 'refused', result };
    return { outcome: 'signed', answer: decodeElement(payAnswer, payload, 'answer to PAY') };
  }

  /** S37. */
  async offer(payment: Payment, coinSecret: Uint8Array): Promise<OfferOutcome> {
    await this.#know(payment.quote.payeeStationKey);
    const data = offerObject.encode({
      payer: payment.quote.payer,
      transaction: payment.transactionBytes,
      coinSecret,
    });
    const reply = await this.#channel.send('offer', data);
    data.fill(0);
    if (reply.outcome === 'unknown') return { outcome: 'unknown' };
    switch (reply.result) {
      case 'done':
        return {
          outcome: 'acknowledged',
          signature: decodeElement(offerAnswer, reply.payload, 'answer to OFFER').signature,
        };
      case 'peer-keys-full':
        return { outcome: 'refused', reason: 'payee-card-full' };
      case 'commitment-mismatch':
        return { outcome: 'refused', reason: 'commitment-mismatch' };
      default:
        return { outcome: 'refused', reason: 'payee-card-fault' };
    }
  }

  /**
   * S38, S39: the verdict. A payee's card that never got the offer has nothing to conclude, which
   * is as good.
   */
  async conclude({ receipt, refusal }: PaymentRecord): Promise<void> {
    const word = (receipt ?? refusal)?.bytes;
    if (word === undefined) throw new RangeError('a payment without a verdict');
    if (receipt === undefined && refusal !== undefined) await this.#knowSigner(refusal);
    const { result } = this.#answered(await this.#channel.send('conclude', word));
    if (result !== 'done' && result !== 'not-found') throw fault('CONCLUDE', result);
  }

  async #knowSigner(refusal: Refusal): Promise<void> {
    const { documentKeys } = this.#context;
    const signer = documentKeys.find((one) => refusalKind.verify(refusal, one));
    if (signer !== undefined) await this.#know(signer.publicKey);
  }

  async journal(query: {
    readonly paymentId?: Uint8Array;
    readonly quoteDigest?: Uint8Array;
    readonly coinId?: Uint8Array;
  }): Promise<JournalAnswer> {
    const payload = await this.#done('queryJournal', journalQuery.encode(query));
    return decodeElement(journalAnswer, payload, 'answer to QUERY JOURNAL');
  }

  /**
   * How many more keys the card can take, as it says itself: a hint for acceptances (S21), which
   * spares a payment that could only fail. In turn, and once for all who ask meanwhile: strangers'
   * questions never queue up before the card's own business.
   */
  freePeerKeys(): Promise<number> {
    this.#counting ??= this.inTurn(() => this.#countFreePeerKeys()).finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  async #countFreePeerKeys(): Promise<number> {
    const { cla, ins } = commands.getData;
    const [p1, p2] = [dataObjects.applicationInfo >> 8, dataObjects.applicationInfo & 0xff];
    const answer = await this.#channel.sendClear({
      cla,
      ins,
      p1,
      p2,
      data: new Uint8Array(0),
      ne: 256,
    });
    if (answer.sw !== statusWords.done) return 0;
    const info = decodeElement(applicationInfo, answer.data, 'application information');
    return Math.max(0, info.peerKeysCapacity - info.peerKeys);
  }

  /** Refund or exchange: the card takes authorised coins out of its pool, durably. */
  async retire(order: Retirement): Promise<'retired' | 'not-authorised' | 'not-unspent'> {
    const { result } = this.#answered(
      await this.#channel.send('retireCoins', retirementObject.encode(order)),
    );
    if (result === 'done') return 'retired';
    if (result === 'not-authorised' || result === 'not-unspent') return result;
    throw fault('RETIRE COINS', result);
  }

  async erase(coinIds: readonly Uint8Array[]): Promise<void> {
    await this.#done('eraseCoins', coinErasure.encode({ coinIds }));
  }

  /**
   * Coins that have expired by this time, in Unix seconds. One that the card has signed stays until
   * its verdict: `signed`, and none of these was erased.
   */
  async eraseExpired(coinIds: readonly Uint8Array[], time: bigint): Promise<'erased' | 'signed'> {
    const { result } = this.#answered(
      await this.#channel.send('eraseCoins', coinErasure.encode({ coinIds, time })),
    );
    if (result === 'done') return 'erased';
    if (result === 'not-unspent') return 'signed';
    throw fault('ERASE COINS', result);
  }

  #profileOf(homeStationKey: Uint8Array): Uint8Array {
    const { station: homeStation, network, currency } = this.#context;
    const { user, paymentLimit, dayLimit } = this.#card;
    const where = { homeStation, network, currency, homeStationKey };
    return profile.encode({ user, ...where, paymentLimit, dayLimit });
  }

  async #done(name: Parameters<CardChannel['send']>[0], data: Uint8Array): Promise<Uint8Array> {
    return expectDone(await this.#channel.send(name, data), name);
  }

  #answered(reply: CardReply): Extract<CardReply, { outcome: 'answered' }> {
    if (reply.outcome === 'answered') return reply;
    throw new DeskError('outcome-unknown', 'The card’s answer was not authentic; connect again.');
  }
}

function expectDone(reply: CardReply, command = 'PUT KEY'): Uint8Array {
  if (reply.outcome === 'unknown') {
    throw new DeskError('outcome-unknown', 'The card’s answer was not authentic; connect again.');
  }
  if (reply.result !== 'done') throw fault(command, reply.result);
  return reply.payload;
}

function fault(command: string, result: CardResult): DeskError {
  return new DeskError('card-fault', `The card answered ${command} with ${result}.`);
}

function newCardKeys({ entropy }: DeskContext): CardKeys {
  return {
    enc: entropy.randomBytes(32),
    mac: entropy.randomBytes(32),
    dek: entropy.randomBytes(32),
    hostLink: entropy.randomBytes(32),
  };
}
