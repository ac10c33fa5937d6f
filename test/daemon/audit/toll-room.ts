/**
 * A small network whose papers are real and whose stations are only their stores: one CA, stations
 * in a row, a user at each end. Payments are signed as cards and stations sign them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { coin as coinKind } from '../../../applet-spec/coin.ts';
import { parseCrl } from '../../../applet-spec/crl.ts';
import {
  headNow,
  toStationName,
  toUserName,
  type StationName,
  type UserName,
} from '../../../applet-spec/names.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import { quote as quoteKind } from '../../../applet-spec/quote.ts';
import { auditStation, type AuditOptions, type AuditReport } from '../../../daemon/audit/audit.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { CoinMint } from '../../../daemon/coin-mint.ts';
import { announcementName } from '../../../daemon/network/directory.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import type { NewCoin, NewPayment, Store } from '../../../daemon/store/store.ts';
import { announcement, type Announcement } from '../../../daemon/wire/announcement.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { euro, network, signPayment, type PaidPayment, type RoomUser } from './toll-papers.ts';

export { primitives };
export const alice = toUserName('alice@q1');

export interface RoomStation {
  readonly name: StationName;
  readonly fee: bigint;
  readonly file: string;
  readonly store: Store;
  readonly coinKey: SigningKey;
  readonly documentKey: SigningKey;
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
  readonly announcement: Announcement;
  readonly mint: CoinMint;
}

export class TollRoom {
  readonly clock = new VirtualClock(Date.UTC(2026, 6, 1, 12));
  readonly folder = mkdtempSync(join(tmpdir(), 'keytoll-room-'));
  readonly stations: RoomStation[] = [];
  readonly users = new Map<UserName, RoomUser>();
  root: Uint8Array = new Uint8Array(0);
  #ca: CertificateAuthority | undefined;
  #draws = 0;

  readonly entropy = {
    randomBytes: (length: number): Uint8Array =>
      primitives.sha256(toUtf8(`draw ${this.#draws++}`)).slice(0, length),
  };

  static async open(fees: readonly bigint[]): Promise<TollRoom> {
    const room = new TollRoom();
    const { clock, entropy } = room;
    const ca = await CertificateAuthority.init(join(room.folder, 'ca'), {
      clock,
      entropy,
      name: network,
    });
    room.root = ca.root;
    room.#ca = ca;
    for (const [i, fee] of fees.entries()) await room.#addStation(ca, i, fee);
    for (const { name } of room.stations) {
      for (const local of ['alice', 'bob']) await room.#addUser(ca, toUserName(`${local}@${name}`));
    }
    for (const { store } of room.stations) {
      for (const {
        name,
        announcement: { body, bytes },
      } of room.stations) {
        await store.putAnnouncement(name, body.sequence, bytes);
      }
    }
    return room;
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  get nowSeconds(): bigint {
    return BigInt(Math.floor(this.nowMs / 1_000));
  }

  get ca(): CertificateAuthority {
    if (this.#ca === undefined) throw new RangeError('the room is not open');
    return this.#ca;
  }

  /** The CA's next list is in force everywhere from now on. */
  async publishList(): Promise<bigint> {
    const bytes = await this.ca.publishCrl();
    const { number } = parseCrl(bytes);
    for (const { store } of this.stations) await store.putCrl(number, bytes, this.nowMs);
    return number;
  }

  station(name: string): RoomStation {
    const found = this.stations.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(`no station ${name}`);
    return found;
  }

  async close(): Promise<void> {
    for (const { store } of this.stations) await store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Coins bought and on the card. */
  async buy(user: UserName, values: readonly bigint[]): Promise<readonly NewCoin[]> {
    const home = this.station(user.slice(user.indexOf('@') + 1));
    const coins = await home.mint.mint(values);
    const amount = values.reduce((sum, value) => sum + value, 0n);
    const reference = `slip ${this.#draws}`;
    await home.store.topUp(user, amount, reference, this.nowMs);
    const lines = values.map((value) => ({ value, count: 1 }));
    const orderId = this.entropy.randomBytes(16);
    const order = { orderId, user, lines, coins, nowMs: this.nowMs };
    const outcome = await home.store.reserveCoins(order);
    if (outcome !== 'created') throw new Error(`not bought: ${outcome}`);
    await home.store.markLoading(coins.map(({ coinId }) => coinId));
    await home.store.markLoaded(coins.map(({ coinId }) => coinId));
    return coins;
  }

  /** A payment along the stations named, as far as asked. */
  async pay(
    options: {
      readonly route?: readonly string[];
      readonly until?: 'signed' | 'admitted' | 'held' | 'delivered' | 'undelivered';
      /** The last station's verdict has not reached these. */
      readonly unheardBy?: readonly string[];
    } = {},
  ): Promise<PaidPayment> {
    const { until = 'delivered', unheardBy = [] } = options;
    const route = (options.route ?? this.stations.map(({ name }) => name)).map((name) =>
      this.station(name),
    );
    const [issuer] = route;
    const last = route.at(-1);
    if (issuer === undefined || last === undefined) throw new RangeError('a route of none');
    const payer = this.#user(`alice@${issuer.name}`);
    const value = route.reduce((sum, { fee }) => sum + fee, 0n);
    const [minted] = await this.buy(payer.name, [value]);
    if (minted === undefined) throw new RangeError('no coin');
    const paid = signPayment({
      payer,
      payee: this.#user(`bob@${last.name}`),
      coin: coinKind.decode(minted.coin),
      bill: route.map((one) => ({
        station: one.name,
        fee: one.fee,
        announcement: announcementName(primitives, one.announcement),
      })),
      issuerKey: issuer.documentKey,
      lastKey: last.documentKey,
      time: this.nowSeconds,
      verdict: until === 'undelivered' ? 'undelivered' : 'delivered',
      random: (length) => this.entropy.randomBytes(length),
    });
    if (until === 'signed') return paid;
    await issuer.store.admit([this.newPayment(paid, route, 0)]);
    if (until === 'admitted') return paid;
    for (const [place, one] of route.entries()) {
      if (place > 0) await one.store.hold([this.newPayment(paid, route, place)]);
    }
    if (until === 'held') return paid;
    for (const one of [...route].reverse()) {
      if (!unheardBy.includes(one.name)) await this.hear(one, paid);
      this.clock.advance(10);
    }
    return paid;
  }

  /** The last station's verdict becomes this station's. */
  async hear(station: RoomStation, { paymentId, receipt: heard, coin }: PaidPayment) {
    const { verdict, reason } = heard.body;
    const burns = verdict === 'undelivered' && coin.body.issuer === station.name;
    await station.store.decide([
      {
        paymentId,
        verdict,
        receipt: heard.bytes,
        nowMs: this.nowMs,
        ...(reason !== undefined && { reason }),
        ...(burns && { replacement: station.mint.one(coin.body.value) }),
      },
    ]);
  }

  newPayment(paid: PaidPayment, route: readonly RoomStation[], place: number): NewPayment {
    const { quote, coin, paymentId } = paid;
    const previous = route[place - 1]?.name;
    const next = route[place + 1]?.name;
    const role = place === 0 ? 'issuer' : next === undefined ? 'last' : 'relay';
    return {
      paymentId,
      role,
      payment: paid.bytes,
      payerCertificate: this.#user(quote.payer).certificate,
      admission: paid.admission.bytes,
      payer: quote.payer,
      payee: quote.payee,
      issuer: coin.body.issuer,
      coinId: coin.body.coinId,
      value: coin.body.value,
      fee: quote.bill[place]?.fee ?? 0n,
      bill: quote.bill,
      quoteDigest: quoteKind.digest(primitives, quoteKind.body.encode(quote)),
      ...(previous !== undefined && { previous }),
      ...(next !== undefined && { next, outbox: toUtf8('a record') }),
      ...(next === undefined && { secret: new Uint8Array(32).fill(7) }),
      deliveryDeadline: quote.deliveryDeadline,
      resolutionDeadline: quote.resolutionDeadline,
      storedMs: this.nowMs,
    };
  }

  /** Whoever audits: the station itself, over its store or over another file. */
  async audit(
    name: string,
    file?: string,
    options: Pick<AuditOptions, 'filter' | 'onItem'> = {},
  ): Promise<AuditReport> {
    const station = this.station(name);
    const store = file === undefined ? station.store : await this.openStore(station.name, file);
    try {
      return await auditStation({
        ...station,
        station: station.name,
        network,
        currency: euro,
        primitives,
        root: parseCertificate(this.root),
        ownCertificates: [station.coinCertificate, station.documentCertificate],
        store,
        ...options,
      });
    } finally {
      if (file !== undefined) await store.close();
    }
  }

  openStore(station: StationName, file: string): Promise<Store> {
    const stationKey = primitives.sha256(toUtf8(`storage of ${station}`));
    const { entropy } = this;
    return openSqliteStore({ file, stationKey, station, currency: euro, primitives, entropy });
  }

  #user(name: string): RoomUser {
    const user = this.users.get(toUserName(name));
    if (user === undefined) throw new RangeError(`no user ${name}`);
    return user;
  }

  async #addStation(ca: CertificateAuthority, place: number, fee: bigint): Promise<void> {
    const name = toStationName(`q${place + 1}`);
    const coinKey = primitives.signingKey(this.entropy.randomBytes(32));
    const documentKey = primitives.signingKey(this.entropy.randomBytes(32));
    const { clock, entropy, nowSeconds: time } = this;
    const issue = (role: 'station-coin' | 'station-document', { publicKey }: SigningKey) =>
      ca.issue({ role, name, publicKey });
    const coinCertificate = await issue('station-coin', coinKey);
    const documentCertificate = await issue('station-document', documentKey);
    const file = join(this.folder, `${name}.sqlite`);
    const store = await this.openStore(name, file);
    const links = [] as const;
    const body = { ...headNow, network, station: name, sequence: 1n, time, expiry: time + 300n };
    const own = announcement.sign(
      { ...body, currency: euro, fee, links, coinCertificate, documentCertificate },
      documentKey,
    );
    const named = { name: announcementName(primitives, own), sequence: 1n, time };
    await store.putOwnAnnouncement({ ...named, bytes: own.bytes });
    // Every bill of this room names it.
    await store.useOwnAnnouncement(named.name);
    const secretEntropy = {
      randomBytes: (length: number) => entropy.randomBytes(length),
      reserve: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
    const mint = new CoinMint({
      primitives,
      clock,
      entropy,
      secretEntropy,
      coinKey,
      network,
      issuer: name,
      currency: euro,
      validSeconds: 86_400n * 365n,
    });
    this.stations.push({
      name,
      fee,
      file,
      store,
      coinKey,
      documentKey,
      coinCertificate,
      documentCertificate,
      announcement: own,
      mint,
    });
  }

  async #addUser(ca: CertificateAuthority, name: UserName): Promise<void> {
    const userKey = primitives.signingKey(this.entropy.randomBytes(32));
    const certificate = await ca.issue({ role: 'user', name, publicKey: userKey.publicKey });
    const { store } = this.station(name.slice(name.indexOf('@') + 1));
    await store.addUser(name, euro);
    await store.putCertificates([certificate]);
    this.users.set(name, { name, userKey, certificate });
  }
}
