/**
 * One station of the toll room as it runs: its whole toll over a real database. Its neighbours are
 * the test's: what it sends them is written down, and they may say anything.
 */
import { join } from 'node:path';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import { toStationName, type StationName, type UserName } from '../../../applet-spec/names.ts';
import { quote as quoteKind } from '../../../applet-spec/quote.ts';
import type { Reason } from '../../../applet-spec/receipt.ts';
import { CoinMint } from '../../../daemon/coin-mint.ts';
import type { DeskRefusal, HeldKey, OfferOutcome, Paid } from '../../../daemon/desk/desk-seams.ts';
import { WitnessedLog } from '../../../daemon/witness/witnessed-log.ts';
import { LinkError } from '../../../daemon/link/link-error.ts';
import type { InboundRecord, Links } from '../../../daemon/link/links.ts';
import { Announcer } from '../../../daemon/network/announcer.ts';
import { Picture } from '../../../daemon/network/picture.ts';
import { Questions } from '../../../daemon/network/questions.ts';
import { Outbox } from '../../../daemon/relay/outbox.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import {
  defaultFailureLimits,
  FailureBudgets,
  type FailureLimits,
} from '../../../daemon/relay/failure-budgets.ts';
import { defaultPositionLimit, Positions } from '../../../daemon/relay/positions.ts';
import { defaultTerms, Quoting } from '../../../daemon/relay/quoting.ts';
import type { TollLog } from '../../../daemon/relay/toll-context.ts';
import { tollContextOf, TollRoad } from '../../../daemon/relay/toll-road.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import type { Store } from '../../../daemon/store/store.ts';
import { wireMessage, type WireMessage } from '../../../daemon/wire/wire-message.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { rawDatabase } from '../../raw-database.ts';
import { keysInStock } from '../network/neighbours.ts';
import { euro, network, primitives, type RoomStation } from '../network/network-room.ts';
import type { Place, TollRoom } from './toll-room.ts';

/** What a station said to a neighbour. */
export interface Said {
  readonly peer: StationName;
  readonly message: WireMessage;
}

/** What a station puts up with. */
interface Borne {
  /** How much each issuer may owe it. */
  readonly position: bigint;
  readonly failures: FailureLimits;
}

const asConfigured: Borne = { position: defaultPositionLimit, failures: defaultFailureLimits };

/** Every row of every table, by table. */
export type Durable = Readonly<Record<string, readonly string[]>>;

export class TollStation {
  readonly place: Place;
  readonly store: Store;
  readonly said: Said[] = [];
  /** What the operator reads of payments that are not as they should be. */
  readonly complaints: string[] = [];
  /** Set by a test that brings faults about: what else the operator reads. */
  faults: unknown[] | undefined;
  /** Pads drawn for coin secrets: each is a QKD key that is gone. */
  keysDrawn = 0;
  /** Neighbours whose links are down: nothing is told over them. */
  readonly cutOff = new Set<StationName>();
  /** Neighbours whose links have no keys for whoever waits. */
  readonly starved = new Set<StationName>();
  /** Words to them that were kept for want of keys, and sent. */
  readonly #kept: { readonly peer: StationName; readonly record: Uint8Array }[] = [];
  /** Set by a test: what the payee's card answers; without it no payee is at the desk. */
  payeesCard: (() => OfferOutcome) | undefined;
  /** Set by a test: the disk is almost full. */
  readonly room: { refusal: string | undefined } = { refusal: undefined };
  /** What it says of keys that it may have. */
  payeesJournal: HeldKey = { outcome: 'unknown' };
  readonly toll: TollRoad;
  readonly #room: TollRoom;
  readonly #borne: Borne;
  readonly #file: string;
  readonly #entropy;
  readonly #confirmed = new Map<bigint, () => void>();
  #rows = 0n;
  #orders = 0;

  private constructor(
    room: TollRoom,
    place: Place,
    opened: { readonly store: Store; readonly file: string; readonly borne: Borne },
  ) {
    this.#room = room;
    this.#borne = opened.borne;
    this.place = place;
    this.store = opened.store;
    this.#file = opened.file;
    this.#entropy = seededEntropy(`station ${place}`);
    this.toll = this.#join();
  }

  static async open(
    room: TollRoom,
    place: Place,
    borne: Partial<Borne> = {},
  ): Promise<TollStation> {
    const file = join(room.room.folder, `${place}.sqlite`);
    const store = await openSqliteStore({
      file,
      stationKey: primitives.sha256(toUtf8(place)),
      station: room.stations[place].name,
      currency: euro,
      primitives,
      entropy: seededEntropy(`store ${place}`),
    });
    return new TollStation(room, place, { store, file, borne: { ...asConfigured, ...borne } });
  }

  async close(): Promise<void> {
    await this.toll.close();
    await this.store.close();
  }

  /** All that a stop would leave; `without` names tables that a test expects to change. */
  durable(without: readonly string[] = []): Durable {
    const database = rawDatabase(this.#file, { readonly: true });
    try {
      const tables = database
        .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .all()
        .map(({ name }) => name)
        .filter((name) => !without.includes(name));
      return Object.fromEntries(
        tables.map((name) => [
          name,
          database.prepare(`SELECT * FROM ${name}`).all().map(rowText).sort(),
        ]),
      );
    } finally {
      database.close();
    }
  }

  /** A neighbour's record: resolves once the station has confirmed it. */
  hears(peer: StationName, message: WireMessage, secret?: Uint8Array): Promise<void> {
    const rowId = ++this.#rows;
    return new Promise((resolve) => {
      this.#confirmed.set(rowId, resolve);
      this.toll.received(peer, [{ rowId, message, ...(secret && { secret: secret.slice() }) }]);
    });
  }

  /**
   * A record under the row ID of its sender, as it comes with each connection: whether it was
   * confirmed before nothing was under way any more.
   */
  async hearsRow(peer: StationName, record: InboundRecord): Promise<boolean> {
    const heard = { confirmed: false };
    this.#confirmed.set(record.rowId, () => {
      heard.confirmed = true;
    });
    const { secret } = record;
    this.toll.received(peer, [{ ...record, ...(secret && { secret: secret.slice() }) }]);
    for (let i = 0; i < 100 && !heard.confirmed; i++) await new Promise(setImmediate);
    return heard.confirmed;
  }

  /** A payment handed over by its previous station; the reason why it was not carried. */
  async receives(arriving: ArrivingPayment): Promise<Reason | 'carried'> {
    const { payment, admission, previous, coinSecret } = arriving;
    if (admission === undefined || previous === undefined) throw new Error('none hands it over');
    const before = this.said.length;
    await this.hears(previous, { kind: 'payment', content: { payment, admission } }, coinSecret);
    const advice = this.said.slice(before).find(({ message }) => message.kind === 'refusal');
    if (advice?.message.kind !== 'refusal') return 'carried';
    return advice.message.content.refusal.body.reason;
  }

  /** The coin of this payment is bought and on the payer's card. */
  async sells({ payment, coinSecret }: ArrivingPayment): Promise<void> {
    const { coin, quote } = payment;
    const { coinId, value, commitment, expiry } = coin.body;
    const nowMs = this.#room.room.clock.nowMs();
    const user = quote.payer;
    await this.store.addUser(user, euro);
    await this.store.topUp(user, value, `cash ${++this.#orders}`, nowMs);
    const orderId = this.#entropy.randomBytes(16);
    const made = { coinId, value, commitment, expirySeconds: expiry, coin: coin.bytes };
    await this.store.reserveCoins({
      orderId,
      user,
      lines: [{ value, count: 1 }],
      coins: [{ ...made, secret: coinSecret }],
      nowMs,
    });
    await this.store.markLoading([coinId]);
    await this.store.markLoaded([coinId]);
  }

  /** The payer pays at the desk, as the card signed it. */
  pays({ payment }: ArrivingPayment, payer?: UserName): Promise<Paid | DeskRefusal> {
    const { documentKey } = this.#station;
    return this.toll.pay(payer ?? payment.quote.payer, quoteKind.sign(payment.quote, documentKey), {
      coinId: payment.transaction.coinId,
      signature: payment.payerSignature,
      certificate: payment.payerCertificate,
    });
  }

  /** The link to a neighbour has keys again: what it kept goes out. */
  feed(peer: StationName): void {
    this.starved.delete(peer);
    for (const { peer: to, record } of this.#kept.splice(0)) this.#say(to, record);
  }

  get #station(): RoomStation {
    return this.#room.stations[this.place];
  }

  #join(): TollRoad {
    const { room, directory, trust } = this.#room;
    const { clock } = room;
    const station = this.#station;
    const { store } = this;
    const entropy = this.#entropy;
    const links = this.#links();
    const onFault = (error: unknown): void => {
      if (this.faults === undefined) throw error;
      this.faults.push(error);
    };
    const shared = { network, currency: euro, primitives, clock, links, store, directory, trust };
    const picture = new Picture({ ...shared, station: station.name });
    const positions = new Positions(store, { limit: this.#borne.position, peers: new Map() });
    const { name, documentKey } = station;
    const failures = new FailureBudgets(station.name, this.#borne.failures, clock);
    const witnessedLog = this.#witnessedLog(links);
    const { standing } = witnessedLog;
    const noted = { picture, positions, failures, standing, room: this.room };
    const documentKeys = [documentKey];
    const own = { ...shared, ...noted, station: name, documentKey, documentKeys, entropy };
    const mint = new CoinMint({
      ...own,
      issuer: station.name,
      coinKey: station.coinKey,
      secretEntropy: {
        randomBytes: (length) => entropy.randomBytes(length),
        reserve: () => Promise.resolve(),
        close: () => Promise.resolve(),
      },
      validSeconds: 86_400n,
    });
    const questions: Questions = new Questions({
      ...own,
      answerer: (question, route) => toll.answer(question, route),
    });
    const counter = () => this.#counter();
    const quoting = new Quoting({
      ...own,
      terms: defaultTerms,
      questions: () => questions,
      counter,
    });
    const announcer = new Announcer({
      ...own,
      ...station,
      formerCertificates: () => [],
      ownCertificates: [],
      fee: 0n,
      onRefused: () => undefined,
      onFault,
    });
    const context = tollContextOf({
      ...own,
      mint,
      outbox: new Outbox({ clock, links, store, onFault }),
      fees: this.#room.fees(this.place),
      questions: () => questions,
      counter,
      log: this.#log(onFault),
    });
    const toll = new TollRoad(context, quoting, { announcer, witnessedLog }, () => ({
      answer: () => Promise.resolve(undefined),
    }));
    return toll;
  }

  #log(fault: TollLog['fault']): TollLog {
    const payment: TollLog['payment'] = (level, _paymentId, message, detail = {}) => {
      const words = [message, ...Object.values(detail)].join(': ');
      if (level === 'warn') this.complaints.push(words);
    };
    const peer: TollLog['peer'] = (_level, name, message) => {
      this.complaints.push(`${name}: ${message}`);
    };
    return { payment, notice: payment, peer, fault };
  }

  #witnessedLog(links: Links): WitnessedLog {
    const { room, directory } = this.#room;
    const { name: station, documentKey } = this.#station;
    return new WitnessedLog({
      ...{ station, network, documentKey, primitives, links, directory, store: this.store },
      clock: room.clock,
      everySeconds: 60,
      onRefused: () => undefined,
      onRolledBack: () => undefined,
      onFault: (error) => {
        throw error;
      },
    });
  }

  #links(): Links {
    const peers = [...this.#room.suites.keys()]
      .map((link) => link.split(' '))
      .flatMap(([one, other]) => (one === this.place && other ? [toStationName(other)] : []));
    const keys = keysInStock(1_000_000n);
    const up = { state: 'up', sinceMs: 0, missingBits: 0n, aheadBits: 65_536, keys } as const;
    const suiteTo = (peer: StationName) => this.#room.suites.get(`${this.place} ${peer}`);
    return {
      peers,
      listen: () => undefined,
      status: (peer) => {
        const suite = suiteTo(peer);
        return suite && { ...up, peer, suite };
      },
      reserve: () => Promise.resolve(undefined),
      protect: (peer, items, signal) => {
        if (suiteTo(peer) === undefined) return Promise.reject(noNeighbour(peer));
        if (this.starved.has(peer)) return abortedOn(signal);
        this.keysDrawn += items.filter(({ secret }) => secret !== undefined).length;
        return Promise.resolve(items.map(({ message }) => message));
      },
      keep: (message) => message.slice(),
      send: (peer, records) => {
        for (const { record } of records) {
          if (this.starved.has(peer)) this.#kept.push({ peer, record });
          else this.#say(peer, record);
        }
        return true;
      },
      tell: (peer, message) => {
        if (this.cutOff.has(peer)) return false;
        this.said.push({ peer, message });
        return true;
      },
      confirm: (_peer, rowIds) => {
        for (const rowId of rowIds) this.#confirmed.get(rowId)?.();
      },
      close: () => Promise.resolve(),
    };
  }

  #say(peer: StationName, record: Uint8Array): void {
    this.said.push({ peer, message: wireMessage.decode(record) });
  }

  #counter() {
    const card = this.payeesCard;
    return {
      presence: () => Promise.resolve({ at: 'away' } as const),
      isHere: () => card !== undefined,
      offer: () => Promise.resolve(card?.() ?? ({ outcome: 'absent' } as const)),
      hasKey: () => Promise.resolve(this.payeesJournal),
      concluded: () => undefined,
      coinsWait: () => undefined,
    };
  }
}

/** As the links of a station answer for a peer that is not in its configuration. */
function noNeighbour(peer: StationName): LinkError {
  return new LinkError('unknown-peer', `there is no neighbour ${peer}`);
}

function abortedOn(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => {
      reject(new LinkError('aborted', 'no keys for as long as was waited'));
    });
  });
}

function rowText(row: unknown): string {
  return JSON.stringify(row);
}
