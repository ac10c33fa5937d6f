/** The newest announcement of every station, each checked against the CA before it counts. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import { announcement, type Announcement } from '../wire/announcement.ts';
import {
  StationCertificates,
  type SigningRole,
  type StationCertificate,
} from './station-certificates.ts';
import type { Trust } from './trust.ts';

export interface StationEntry {
  readonly station: StationName;
  readonly announcement: Announcement;
  /** The first 16 bytes of the announcement's digest. */
  readonly announcementName: Uint8Array;
  readonly coinKey: VerifyingKey;
  readonly documentKey: VerifyingKey;
}

export type Learnt =
  | {
      readonly outcome: 'newer';
      readonly entry: StationEntry;
      /** Certificates that were not known before. */
      readonly certificates: readonly StationCertificate[];
    }
  | { readonly outcome: 'known' }
  | { readonly outcome: 'refused'; readonly detail: string };

/** More stations than this are not kept: a bound on memory, far above any network of today. */
const stationsMost = 1_024;
/** How far ahead of our clock an announcement's time may be. */
const skewSeconds = 60n;

export class Directory {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #trust: Trust;
  readonly #network: string;
  readonly #certificates: StationCertificates;
  readonly #entries = new Map<StationName, StationEntry>();

  constructor(options: {
    readonly primitives: Primitives;
    readonly clock: Clock;
    readonly trust: Trust;
    readonly network: string;
  }) {
    this.#primitives = options.primitives;
    this.#clock = options.clock;
    this.#trust = options.trust;
    this.#network = options.network;
    this.#certificates = new StationCertificates(options);
  }

  /**
   * Takes an announcement where it is newer than what is known and its signature and certificates
   * hold.
   */
  learn(found: Announcement): Learnt {
    const { body } = found;
    const known = this.#entries.get(body.station);
    if (known !== undefined && body.sequence <= known.announcement.body.sequence) {
      return { outcome: 'known' };
    }
    if (body.network !== this.#network) {
      return refused(`announcement of network ${body.network}, ours is ${this.#network}`);
    }
    if (known === undefined && this.#entries.size >= stationsMost) {
      return refused(`more than ${stationsMost} stations`);
    }
    const nowSeconds = BigInt(Math.floor(this.#clock.nowMs() / 1000));
    if (body.time > nowSeconds + skewSeconds) return refused('announcement from the future');
    const forCoins = this.#trust.check(body.coinCertificate, 'station-coin', body.station);
    if (!forCoins.ok) return refused(`coin certificate: ${forCoins.reason}, ${forCoins.detail}`);
    const forDocuments = this.#trust.check(
      body.documentCertificate,
      'station-document',
      body.station,
    );
    if (!forDocuments.ok) {
      return refused(`document certificate: ${forDocuments.reason}, ${forDocuments.detail}`);
    }
    if (!announcement.verify(found, forDocuments.publicKey)) {
      return refused('signature does not verify');
    }
    const { station, coinCertificate, documentCertificate, formerCertificates = [] } = body;
    const told = [coinCertificate, documentCertificate, ...formerCertificates];
    const learnt: StationCertificate[] = [];
    const certificates: StationCertificate[] = [];
    for (const der of told) {
      const one = this.#certificates.learn(der, station);
      if (one.outcome === 'refused') return refused(`former certificate: ${one.detail}`);
      learnt.push(one.certificate);
      if (one.outcome === 'new') certificates.push(one.certificate);
    }
    const [coins, documents] = learnt;
    if (coins === undefined || documents === undefined) throw new RangeError('a key was lost');
    const entry: StationEntry = {
      station,
      announcement: found,
      announcementName: announcementName(this.#primitives, found),
      coinKey: coins.publicKey,
      documentKey: documents.publicKey,
    };
    this.#entries.set(station, entry);
    return { outcome: 'newer', entry, certificates };
  }

  /** Certificates that no announcement brought; which of them were not known before. */
  recall(certificates: readonly Uint8Array[], station: StationName): StationCertificate[] {
    return certificates.flatMap((der) => {
      const learnt = this.#certificates.learn(der, station);
      return learnt.outcome === 'new' ? [learnt.certificate] : [];
    });
  }

  /**
   * The keys by which a station may have signed at a time, in Unix seconds: their certificates were
   * in force then, and none is revoked. The newest first.
   */
  keysAt(station: StationName, role: SigningRole, seconds: bigint): readonly VerifyingKey[] {
    return this.#certificates.inForce(station, role, seconds).map(({ publicKey }) => publicKey);
  }

  /** Whether one of its keys for which `verifies` counts no more, its certificate being revoked. */
  isRevoked(
    station: StationName,
    role: SigningRole,
    seconds: bigint,
    verifies: (key: VerifyingKey) => boolean,
  ): boolean {
    return this.#certificates
      .revoked(station, role, seconds)
      .some(({ publicKey }) => verifies(publicKey));
  }

  /** Undefined for a station never heard of, or whose certificates no longer hold. */
  entry(station: StationName): StationEntry | undefined {
    const entry = this.#entries.get(station);
    if (entry === undefined) return undefined;
    const { coinCertificate, documentCertificate } = entry.announcement.body;
    const holds =
      this.#trust.check(coinCertificate, 'station-coin', station).ok &&
      this.#trust.check(documentCertificate, 'station-document', station).ok;
    return holds ? entry : undefined;
  }

  /** Those whose certificates hold now: what a route may lead over. */
  get inForce(): readonly StationEntry[] {
    return this.entries.filter(({ station }) => this.entry(station) !== undefined);
  }

  /** Everything known, expired announcements included. */
  get entries(): readonly StationEntry[] {
    return [...this.#entries.values()];
  }
}

/** What a bill line names an announcement by. */
export function announcementName(primitives: Primitives, found: Announcement): Uint8Array {
  return announcement.digest(primitives, found.bodyBytes).subarray(0, 16);
}

function refused(detail: string): Learnt {
  return { outcome: 'refused', detail };
}
