/**
 * The network as this station looks for routes over it: announcements in force, its own links as
 * they are at this moment, and without links and stations that it has just seen fail.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName, Suite } from '../../applet-spec/names.ts';
import type { Links } from '../link/links.ts';
import { announcedLinks } from './announced-links.ts';
import type { Directory, StationEntry } from './directory.ts';
import { directedLink, findRoute, type DirectedLink, type FoundRoute } from './routes.ts';

export interface PictureOptions {
  readonly station: StationName;
  readonly directory: Pick<Directory, 'inForce' | 'entry'>;
  readonly links: Pick<Links, 'peers' | 'status'>;
  readonly clock: Clock;
}

/** How long a failure counts where its station announces nothing newer. */
const failedMs = 60_000;
const failedMost = 1_024;
/** How long a silent station is gone round: its own announcements prove nothing against it. */
const silentMs = 600_000;

export class Picture {
  readonly #options: PictureOptions;
  readonly #failed = new Map<DirectedLink, { readonly from: StationName; readonly atMs: number }>();

  /** When each was last on the route of a payment that never came to the route's end. */
  readonly #silent = new Map<StationName, number>();

  constructor(options: PictureOptions) {
    this.#options = options;
  }

  /** The best route from here that avoids what just failed; where none does, the best one. */
  route(wish: {
    readonly to: StationName;
    readonly minimumSuite: Suite;
    readonly avoid: ReadonlySet<StationName>;
    readonly toPay?: boolean;
  }): FoundRoute {
    const { station, clock } = this.#options;
    const entries = this.#entries();
    const nowSeconds = BigInt(Math.floor(clock.nowMs() / 1000));
    const whole = { ...wish, from: station, nowSeconds };
    const avoidLinks = this.#failedNow();
    const silent = this.#silentNow();
    const avoid = new Set([...wish.avoid, ...silent]);
    if (silent.length > 0) {
      const round = findRoute(entries, { ...whole, avoid, avoidLinks });
      if (round.outcome === 'found') return round;
    }
    if (avoidLinks.size > 0) {
      const round = findRoute(entries, { ...whole, avoidLinks });
      if (round.outcome === 'found') return round;
    }
    return findRoute(entries, whole);
  }

  /** Nothing got from here to there over their link, whatever was announced of it. */
  linkFailed(from: StationName, to: StationName): void {
    if (this.#failed.size >= failedMost) this.#failed.clear();
    this.#failed.set(directedLink(from, to), { from, atMs: this.#options.clock.nowMs() });
  }

  /**
   * A payment that these stations had to pass on never came to its last one (failure 31): any of
   * them may have dropped it.
   */
  dropped(between: readonly StationName[]): void {
    if (this.#silent.size >= failedMost) this.#silent.clear();
    for (const station of between) this.#silent.set(station, this.#options.clock.nowMs());
  }

  /** A payment was delivered over them. */
  carried(between: readonly StationName[]): void {
    for (const station of between) this.#silent.delete(station);
  }

  #entries(): readonly StationEntry[] {
    const { station, directory, links } = this.#options;
    return directory.inForce.map((entry) =>
      entry.station === station ? withLinks(entry, announcedLinks(links)) : entry,
    );
  }

  #silentNow(): readonly StationName[] {
    const nowMs = this.#options.clock.nowMs();
    for (const [station, atMs] of this.#silent) {
      // Also where the clock was set back.
      if (Math.abs(nowMs - atMs) > silentMs) this.#silent.delete(station);
    }
    return [...this.#silent.keys()];
  }

  /** A station that has announced itself since then says how it is. */
  #failedNow(): ReadonlySet<DirectedLink> {
    const { directory, clock } = this.#options;
    for (const [link, { from, atMs }] of this.#failed) {
      const announcedMs = 1000 * Number(directory.entry(from)?.announcement.body.time ?? 0n);
      // Also where the clock was set back.
      const isOld = Math.abs(clock.nowMs() - atMs) > failedMs;
      if (announcedMs > atMs || isOld) this.#failed.delete(link);
    }
    return new Set(this.#failed.keys());
  }
}

function withLinks(
  entry: StationEntry,
  links: StationEntry['announcement']['body']['links'],
): StationEntry {
  const { announcement } = entry;
  return { ...entry, announcement: { ...announcement, body: { ...announcement.body, links } } };
}
