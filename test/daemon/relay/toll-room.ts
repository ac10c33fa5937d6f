/**
 * Three stations in a row, a payer and a payee; payments that are good, but for what a test
 * changes.
 */
import { expect } from 'vitest';
import { concatBytes, toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { coin, commitmentOf, makeCoinId, type CoinBody } from '../../../applet-spec/coin.ts';
import { headNow, toUserName, type StationName, type Suite } from '../../../applet-spec/names.ts';
import { paymentIdOf, transaction, type Transaction } from '../../../applet-spec/payment.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import { billTotal, quote, type BillLine, type QuoteBody } from '../../../applet-spec/quote.ts';
import {
  admission,
  receipt,
  type Admission,
  type AdmissionBody,
  type Reason,
  type Receipt,
} from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { announcementName, type Directory } from '../../../daemon/network/directory.ts';
import type { Trust } from '../../../daemon/network/trust.ts';
import { AnnouncedFees } from '../../../daemon/relay/announced-fees.ts';
import {
  checkPayment,
  type ArrivingPayment,
  type PaymentCheck,
  type PaymentContext,
} from '../../../daemon/relay/payment-check.ts';
import { inquiry, type InquiryBody } from '../../../daemon/wire/inquiry.ts';
import type { Question } from '../../../daemon/wire/wire-message.ts';
import { MemoryNetworkStore } from '../network/neighbours.ts';
import {
  euro,
  keyNamed,
  network,
  NetworkRoom,
  primitives,
  type RoomStation,
} from '../network/network-room.ts';

export const alice = toUserName('alice@q1');
export const bob = toUserName('bob@q3');
export type Place = 'q1' | 'q2' | 'q3';

/**
 * What a test makes wrong; everything else follows, signatures included, as its makers would do it.
 */
export interface Changes {
  readonly bill?: (lines: readonly BillLine[]) => readonly BillLine[];
  readonly quote?: Partial<QuoteBody>;
  readonly coin?: Partial<CoinBody>;
  readonly coinKey?: SigningKey;
  readonly transaction?: Partial<Transaction>;
  readonly payerKey?: SigningKey;
  readonly certificate?: Uint8Array | 'none';
  readonly admission?: Partial<AdmissionBody> | 'none';
  readonly admissionKey?: SigningKey;
  readonly secret?: Uint8Array;
  readonly previous?: StationName;
}

export class TollRoom {
  readonly room: NetworkRoom;
  readonly stations: Readonly<Record<Place, RoomStation>>;
  readonly certificate: Uint8Array;
  readonly trust: Trust;
  readonly directory: Directory;
  readonly suites = new Map<string, Suite>();
  readonly #stores: Readonly<Record<Place, MemoryNetworkStore>> = {
    q1: new MemoryNetworkStore(),
    q2: new MemoryNetworkStore(),
    q3: new MemoryNetworkStore(),
  };

  private constructor(
    room: NetworkRoom,
    stations: TollRoom['stations'],
    certificate: Uint8Array,
    trust: Trust,
  ) {
    this.room = room;
    this.stations = stations;
    this.certificate = certificate;
    this.trust = trust;
    this.directory = room.directory(trust);
    for (const [one, other] of [['q1', 'q2'] as const, ['q2', 'q3'] as const]) {
      this.link(one, other, 'otp-secret');
    }
  }

  static async open(): Promise<TollRoom> {
    const room = await NetworkRoom.open();
    const stations = {
      q1: await room.station('q1'),
      q2: await room.station('q2'),
      q3: await room.station('q3'),
    };
    const certificate = await room.ca.issueUser(keyNamed(alice).publicKey, alice);
    return new TollRoom(room, stations, certificate, await room.trust());
  }

  close(): void {
    this.room.close();
  }

  get now(): bigint {
    return this.room.nowSeconds;
  }

  link(one: string, other: string, suite: Suite): void {
    this.suites.set(`${one} ${other}`, suite);
    this.suites.set(`${other} ${one}`, suite);
  }

  /** The station says its fee to all; returns the line of a bill that names what it said. */
  async announce(place: Place, fee: bigint): Promise<BillLine> {
    const station = this.stations[place];
    const found = this.room.announce(station, fee, []);
    const name = announcementName(primitives, found);
    const { sequence, time } = found.body;
    await this.#stores[place].putOwnAnnouncement({ name, sequence, time, bytes: found.bytes });
    const learnt = this.directory.learn(found);
    if (learnt.outcome !== 'newer') throw new Error(`announcement of ${place}: ${learnt.outcome}`);
    return { station: station.name, fee, announcement: name };
  }

  /** The three stations' lines: 100, 20 and 3 cents. */
  async bill(): Promise<readonly BillLine[]> {
    return [
      await this.announce('q1', 100n),
      await this.announce('q2', 20n),
      await this.announce('q3', 3n),
    ];
  }

  fees(place: Place): AnnouncedFees {
    return new AnnouncedFees(this.#stores[place]);
  }

  context(place: Place, changes: Partial<PaymentContext> = {}): PaymentContext {
    const fees = this.fees(place);
    return {
      station: this.stations[place].name,
      network,
      primitives,
      directory: this.directory,
      trust: this.trust,
      announcedFee: (name, quoteTime) => fees.fee(name, quoteTime),
      suiteTo: (peer) => this.suites.get(`${place} ${peer}`),
      nowSeconds: () => this.now,
      ...changes,
    };
  }

  quoteBody(bill: readonly BillLine[], changes: Partial<QuoteBody> = {}): QuoteBody {
    const time = this.now;
    return {
      ...headNow,
      network,
      quoteId: new Uint8Array(16).fill(1),
      payer: alice,
      payee: bob,
      currency: euro,
      bill,
      time,
      expiry: time + 120n,
      deliveryDeadline: time + 300n,
      resolutionDeadline: time + 86_400n,
      minimumSuite: 'aes',
      acceptanceId: new Uint8Array(16).fill(2),
      payeeCertificate: new Uint8Array(32).fill(3),
      payeeStationKey: this.stations.q3.documentKey.publicKey,
      ...changes,
    };
  }

  /** The issuer's question for a verdict, but for what a test changes. */
  asked(
    about: ArrivingPayment,
    changes: Partial<InquiryBody> = {},
    signer: Place = 'q1',
  ): Extract<Question, { kind: 'verdict' }> {
    const body: InquiryBody = {
      ...headNow,
      network,
      paymentId: about.paymentId,
      issuer: this.stations.q1.name,
      lastStation: this.stations.q3.name,
      time: this.now,
      ...changes,
    };
    const { payerCertificate: _apart, ...payment } = about.payment;
    const signed = inquiry.sign(body, this.stations[signer].documentKey);
    return { kind: 'verdict', content: { inquiry: signed, payment } };
  }

  /** A payment as it comes to `place`, from the station before it. */
  async arriving(place: Place, changes: Changes = {}): Promise<ArrivingPayment> {
    const lines = await this.bill();
    const bill = changes.bill?.(lines) ?? lines;
    const coinId = makeCoinId(this.room.clock.nowMs(), new Uint8Array(10).fill(7));
    const secret = primitives.sha256(toUtf8('coin secret'));
    const terms = this.quoteBody(bill, changes.quote);
    const quoteBytes = quote.body.encode(terms);
    const issued = coin.sign(
      {
        ...headNow,
        network,
        coinId,
        issuer: this.stations.q1.name,
        value: billTotal(bill),
        currency: euro,
        commitment: commitmentOf(primitives, coinId, secret),
        expiry: this.now + 1_000_000n,
        ...changes.coin,
      },
      changes.coinKey ?? this.stations.q1.coinKey,
    );
    const certificate = changes.certificate ?? this.certificate;
    const held = certificate === 'none' ? this.certificate : certificate;
    const signed: Transaction = {
      ...headNow,
      quoteDigest: quote.digest(primitives, quoteBytes),
      coinId: issued.body.coinId,
      coinValue: issued.body.value,
      commitment: issued.body.commitment,
      payerCertificate: primitives.sha256(held),
      ...changes.transaction,
    };
    const transactionBytes = transaction.encode(signed);
    const message = concatBytes(labels.transaction, transactionBytes);
    const paymentId = paymentIdOf(primitives, transactionBytes);
    const before = { q1: undefined, q2: this.stations.q1.name, q3: this.stations.q2.name }[place];
    const previous = changes.previous ?? before;
    return {
      paymentId,
      payment: {
        transaction: signed,
        transactionBytes,
        payerSignature: (changes.payerKey ?? keyNamed(alice)).sign(message),
        quote: terms,
        quoteBytes,
        coin: issued,
        ...(certificate !== 'none' && { payerCertificate: certificate }),
      },
      coinSecret: changes.secret ?? secret,
      ...(place !== 'q1' &&
        changes.admission !== 'none' && { admission: this.#admit(paymentId, changes) }),
      ...(previous !== undefined && { previous }),
    };
  }

  /** The last station's word that a payment was not delivered. */
  undelivered(paymentId: Uint8Array, reason: Reason = 'payee-card-fault'): Receipt {
    const { name, documentKey } = this.stations.q3;
    const verdict = 'undelivered';
    const body = { ...headNow, paymentId, station: name, verdict, time: this.now, reason } as const;
    const [proof] = signBatch(primitives, [receipt.leaf(primitives, body)], documentKey);
    if (proof === undefined) throw new Error('a batch of one has one proof');
    return receipt.prove(body, proof);
  }

  /** What `place` says of a payment with these changes. */
  async check(place: Place, changes: Changes = {}): Promise<PaymentCheck> {
    return checkPayment(this.context(place), await this.arriving(place, changes));
  }

  /** What each of the three says. */
  async everywhere(changes: Changes): Promise<readonly PaymentCheck[]> {
    const places: readonly Place[] = ['q1', 'q2', 'q3'];
    return Promise.all(places.map((place) => this.check(place, changes)));
  }

  #admit(paymentId: Uint8Array, changes: Changes): Admission {
    const others = { ...(changes.admission !== 'none' && changes.admission) };
    const body: AdmissionBody = {
      ...headNow,
      paymentId,
      issuer: this.stations.q1.name,
      time: this.now,
      ...others,
    };
    const leaves = [admission.leaf(primitives, body), admission.leaf(primitives, body)];
    const signer = changes.admissionKey ?? this.stations.q1.documentKey;
    const [, proof] = signBatch(primitives, leaves, signer);
    if (proof === undefined) throw new Error(`no proof for ${toHex(paymentId)}`);
    return admission.prove(body, proof);
  }
}

/** Refused for one reason, with words for the operator. */
export function refusal(reason: string, detail: RegExp) {
  return { ok: false, reason, detail: expect.stringMatching(detail) as string };
}
