/**
 * Keeps the network's picture of this station fresh, and passes on what others say (design §10):
 * announcements and CRLs are flooded, each station repeating what is new to it. On a new link both
 * ends tell what they know, so that healing partitions catch up.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import type { Crl } from '../../applet-spec/crl.ts';
import { headNow, type Currency, type StationName } from '../../applet-spec/names.ts';
import type { Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { NetworkStore } from '../store/store.ts';
import { announcement, type Announcement } from '../wire/announcement.ts';
import type { WireMessage } from '../wire/wire-message.ts';
import { AnnouncementPace } from './announcement-pace.ts';
import { announcedLinks, carriesPayments } from './announced-links.ts';
import { announcementName, type Directory } from './directory.ts';
import type { StationCertificate } from './station-certificates.ts';
import type { Trust } from './trust.ts';

export interface AnnouncerOptions {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  readonly fee: bigint;
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
  /** Besides those two, as they are now: former ones, and one that waits for the next start. */
  readonly formerCertificates: () => readonly Uint8Array[];
  /** All of this station's, for its own archive. */
  readonly ownCertificates: readonly Uint8Array[];
  readonly documentKey: SigningKey;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly links: Links;
  readonly store: NetworkStore;
  readonly directory: Directory;
  readonly trust: Trust;
  /** A line for the operator's log. */
  readonly onRefused: (peer: StationName, detail: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** A new announcement at least this often, and not sooner than this after the last one. */
const everyMs = 30_000;
const notSoonerMs = 100;
const notSoonerForKeysMs = 1_000;
/** How long others may use it. */
const validSeconds = 300n;

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #pace: AnnouncementPace;
  /** Neighbours that have not said what they know on their present link; each is answered once. */
  readonly #newLinks = new Set<StationName>();
  #cancelTimer: () => void = () => undefined;
  #announcedMs = 0;
  /** Neighbours whose links were announced as waiting, or with too few keys: routes avoid them. */
  #avoided: readonly StationName[] = [];
  #keptList: Crl | undefined;
  #due = false;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#pace = new AnnouncementPace(options.clock);
  }

  /** Reads what was known before the last stop, then announces this station. */
  async start(): Promise<void> {
    const { store, trust, directory, station, ownCertificates } = this.#options;
    const crl = await store.crl();
    if (crl !== undefined) trust.learnCrl(crl);
    await this.#keepList();
    for (const one of await store.stationCertificates()) {
      directory.recall([one.certificate], one.station);
    }
    for (const bytes of await store.announcements()) {
      const learnt = directory.learn(announcement.decode(bytes));
      if (learnt.outcome === 'newer') await this.#archive(learnt.certificates);
    }
    await this.#archive(directory.recall(ownCertificates, station));
    await this.#inTurn();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#working;
  }

  /** A link came up or went down, or the tariff changed: say so soon. */
  changed(): void {
    this.#announceSoon(notSoonerMs);
  }

  /** A link starves, or has keys again: that may change often where keys are scarce. */
  keysChanged(): void {
    this.#announceSoon(notSoonerForKeysMs);
  }

  #announceSoon(pauseMs: number): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    const restMs = this.#announcedMs + pauseMs - this.#options.clock.nowMs();
    // No longer than the pause, also where the clock was set back.
    this.#schedule(Math.min(pauseMs, Math.max(0, restMs)));
  }

  linkUp(peer: StationName): void {
    const { directory, links, trust } = this.#options;
    this.#newLinks.add(peer);
    const stations = directory.entries.map((entry) => ({
      station: entry.station,
      sequence: entry.announcement.body.sequence,
    }));
    links.tell(peer, {
      kind: 'known',
      content: { crlNumber: trust.crl?.number ?? 0n, stations },
    });
    this.changed();
  }

  linkDown(): void {
    this.changed();
  }

  /** A CRL from the operator's file or from a neighbour. */
  async learnCrl(der: Uint8Array, from?: StationName): Promise<'newer' | 'known' | 'refused'> {
    const learnt = this.#options.trust.learnCrl(der);
    if (learnt === 'newer') {
      await this.#keepList();
      this.#flood({ kind: 'crl', content: der }, from);
    }
    return learnt;
  }

  /** Payments are judged by it from now on, wherever it came from. */
  async #keepList(): Promise<void> {
    const { trust, store, clock } = this.#options;
    const { crl } = trust;
    if (crl === undefined || crl === this.#keptList) return;
    await store.putCrl(crl.number, crl.der, clock.nowMs());
    this.#keptList = crl;
  }

  /** `announcement`, `crl` and `known` of a neighbour. */
  async told(peer: StationName, message: WireMessage): Promise<void> {
    if (message.kind === 'announcement') {
      await this.#learn(peer, message.content.announcement);
    } else if (message.kind === 'crl') {
      const learnt = await this.learnCrl(message.content, peer);
      if (learnt === 'refused') {
        this.#options.onRefused(peer, 'CRL that the CA did not sign, or of the future');
      }
    } else if (message.kind === 'known') {
      // A few bytes that are answered with megabytes.
      if (!this.#newLinks.delete(peer)) return;
      await this.#working;
      this.#tellNewer(peer, message.content);
    }
  }

  async #learn(peer: StationName, found: Announcement): Promise<void> {
    const { directory, store, station } = this.#options;
    if (found.body.station === station) {
      await this.#passOwn(found);
      return;
    }
    // The next one says all that this one would, and comes in half a minute at the latest.
    if (this.#pace.isTooFast(found.body.station)) return;
    const learnt = directory.learn(found);
    if (learnt.outcome === 'refused') {
      this.#options.onRefused(peer, `announcement of ${found.body.station}: ${learnt.detail}`);
    } else if (learnt.outcome === 'newer') {
      this.#pace.taken(found.body.station);
      await this.#archive(learnt.certificates);
      await store.putAnnouncement(found.body.station, found.body.sequence, found.bytes);
      this.#flood({ kind: 'announcement', content: { announcement: found } }, peer);
    }
  }

  /** What they vouched for is verified with them long after they were announced (failure 34). */
  async #archive(certificates: readonly StationCertificate[]): Promise<void> {
    if (certificates.length === 0) return;
    await this.#options.store.putStationCertificates(
      certificates.map(({ station, der }) => ({ station, certificate: der })),
    );
  }

  /**
   * One of ours that we do not know, from a time of which our database knows nothing: neighbours
   * believe only later ones. What it says of our price we have signed, and bills may name it.
   */
  async #passOwn(found: Announcement): Promise<void> {
    const { directory, documentKey, primitives, store, station } = this.#options;
    const { sequence } = found.body;
    const known = directory.entry(station)?.announcement.body.sequence ?? 0n;
    const keys = [documentKey, ...directory.keysAt(station, 'station-document', found.body.time)];
    if (sequence <= known || !keys.some((one) => announcement.verify(found, one))) return;
    const name = announcementName(primitives, found);
    await store.putOwnAnnouncement({ name, sequence, time: found.body.time, bytes: found.bytes });
    await store.nextSequence(sequence - 1n);
    this.changed();
  }

  #tellNewer(peer: StationName, known: Extract<WireMessage, { kind: 'known' }>['content']): void {
    const { directory, links, station, trust } = this.#options;
    const crl = trust.crl;
    if (crl !== undefined && crl.number > known.crlNumber) {
      links.tell(peer, { kind: 'crl', content: crl.der });
    }
    const sequences = new Map(known.stations.map((one) => [one.station, one.sequence]));
    for (const entry of directory.entries) {
      // What we said of ourselves before this link was there would have it avoided as down.
      if (entry.station === station && this.#due) continue;
      if (entry.announcement.body.sequence > (sequences.get(entry.station) ?? -1n)) {
        const content = { announcement: entry.announcement };
        links.tell(peer, { kind: 'announcement', content });
      }
    }
  }

  #flood(message: WireMessage, except?: StationName): void {
    for (const peer of this.#options.links.peers) {
      if (peer !== except) this.#options.links.tell(peer, message);
    }
  }

  #schedule(waitMs: number): void {
    this.#cancelTimer();
    if (this.#closed) return;
    this.#cancelTimer = this.#options.clock.after(waitMs, () => {
      if (this.#hasToSay()) this.#inTurn().catch(this.#options.onFault);
      else this.#scheduleNext();
    });
  }

  #scheduleNext(): void {
    this.#schedule(this.#avoided.length > 0 ? notSoonerForKeysMs : everyMs);
  }

  /** Each half minute, after a change, and, looked at each second, once a link carries again. */
  #hasToSay(): boolean {
    const elapsedMs = this.#options.clock.nowMs() - this.#announcedMs;
    const isOld = elapsedMs >= everyMs || elapsedMs < 0;
    if (this.#due || isOld || this.#avoided.length === 0) return true;
    const now = announcedLinks(this.#options.links).filter(carriesPayments);
    return now.some(({ neighbour }) => this.#avoided.includes(neighbour));
  }

  /**
   * One announcement at a time, and always a next one: a fault of the store must not silence us.
   */
  #inTurn(): Promise<void> {
    const announced = this.#working.then(() => this.#announce());
    this.#working = announced
      .catch(() => undefined)
      .then(() => {
        // What changed in the meantime has its own, sooner time.
        if (!this.#due) this.#scheduleNext();
      });
    return announced;
  }

  async #announce(): Promise<void> {
    const { station, network, currency, fee, clock, links, store, primitives } = this.#options;
    const formerCertificates = this.#options.formerCertificates();
    this.#due = false;
    // One that found no room on the disk when it came.
    await this.#keepList();
    const nowMs = clock.nowMs();
    this.#announcedMs = nowMs;
    const time = BigInt(Math.floor(nowMs / 1000));
    const found = announcement.sign(
      {
        ...headNow,
        network,
        station,
        sequence: await store.nextSequence(),
        time,
        expiry: time + validSeconds,
        currency,
        fee,
        links: announcedLinks(links),
        coinCertificate: this.#options.coinCertificate,
        documentCertificate: this.#options.documentCertificate,
        ...(formerCertificates.length > 0 && { formerCertificates }),
      },
      this.#options.documentKey,
    );
    this.#avoided = found.body.links
      .filter((link) => !carriesPayments(link))
      .map(({ neighbour }) => neighbour);
    // Kept before it is told: a bill line that names it must be found again after a restart.
    const name = announcementName(primitives, found);
    await store.putOwnAnnouncement({
      name,
      sequence: found.body.sequence,
      time,
      bytes: found.bytes,
    });
    const learnt = this.#options.directory.learn(found);
    if (learnt.outcome === 'refused') {
      this.#options.onRefused(station, `own announcement: ${learnt.detail}`);
    } else if (learnt.outcome === 'newer') {
      await this.#archive(learnt.certificates);
    }
    this.#flood({ kind: 'announcement', content: { announcement: found } });
  }
}
