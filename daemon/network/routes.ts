/**
 * S23: the key route. Least total fee among routes of usable links, fewer stations when equal, then
 * the fuller key stock. A search by number of hops (Bellman–Ford) keeps the bound of 16 stations
 * exact and the sums in whole minor units, which a general shortest-path library does not.
 */
import { limits } from '../../applet-spec/limits.ts';
import { suiteAtLeast, type StationName, type Suite } from '../../applet-spec/names.ts';
import { carriesPayments } from './announced-links.ts';
import type { StationEntry } from './directory.ts';

export interface RouteWish {
  readonly from: StationName;
  readonly to: StationName;
  readonly minimumSuite: Suite;
  readonly avoid: ReadonlySet<StationName>;
  readonly avoidLinks?: ReadonlySet<DirectedLink>;
  readonly nowSeconds: bigint;
  /** For a key: no coin is worth 0, so a route that costs nothing counts where no other is. */
  readonly toPay?: boolean;
}

/** A link in one direction: what its first station draws keys of. */
export type DirectedLink = `${StationName}>${StationName}`;

export function directedLink(from: StationName, to: StationName): DirectedLink {
  return `${from}>${to}`;
}

export interface Route {
  readonly stations: readonly StationEntry[];
  readonly total: bigint;
}

export type FoundRoute =
  | { readonly outcome: 'found'; readonly route: Route }
  | { readonly outcome: 'none'; readonly why: string };

interface Path {
  readonly last: StationEntry;
  readonly before: Path | undefined;
  readonly total: bigint;
  readonly leastBits: bigint;
}

/** The best route, or why there is none: a sentence that names what is missing. */
export function findRoute(entries: readonly StationEntry[], wish: RouteWish): FoundRoute {
  const stations = new Map(
    entries.filter((entry) => usable(entry, wish)).map((entry) => [entry.station, entry]),
  );
  const start = stations.get(wish.from);
  if (start === undefined) return none(`${wish.from} has not announced itself`);
  if (wish.from === wish.to) return none('payer and payee are at the same station');
  if (!stations.has(wish.to)) {
    return none(`nothing is known of station ${wish.to}; it may be down or not linked`);
  }
  const { fee } = start.announcement.body;
  const first = { last: start, before: undefined, total: fee, leastBits: 1n << 64n };
  let reached = new Map<Place, Path>([[placeOf(first, wish), first]]);
  const best = new Map(reached);
  for (let hops = 1; hops < limits.routeStationsMost && reached.size > 0; hops++) {
    const next = new Map<Place, Path>();
    for (const path of reached.values()) {
      for (const step of stepsFrom(path, stations, wish)) {
        const place = placeOf(step, wish);
        const rival = next.get(place) ?? best.get(place);
        if (rival === undefined || better(step, rival)) next.set(place, step);
      }
    }
    for (const [place, path] of next) best.set(place, path);
    reached = next;
  }
  const found = best.get(wish.to) ?? best.get(`${wish.to} free`);
  if (found === undefined) return none(whyNot(wish));
  return { outcome: 'found', route: { stations: unwind(found), total: found.total } };
}

/** A path that has cost nothing yet is no rival of one that has, where something has to be paid. */
type Place = StationName | `${StationName} free`;

function placeOf({ last: { station }, total }: Path, wish: RouteWish): Place {
  return wish.toPay === true && total === 0n ? `${station} free` : station;
}

function stepsFrom(
  path: Path,
  stations: ReadonlyMap<StationName, StationEntry>,
  wish: RouteWish,
): Path[] {
  const here = path.last.station;
  return path.last.announcement.body.links.flatMap((link) => {
    const there = stations.get(link.neighbour);
    const back = there?.announcement.body.links.find((other) => other.neighbour === here);
    if (there === undefined || back === undefined) return [];
    if (wish.avoidLinks?.has(directedLink(here, link.neighbour)) === true) return [];
    if (!carriesPayments(link) || back.state !== 'up' || contains(path, link.neighbour)) return [];
    if (![link, back].every(({ suite }) => suiteAtLeast(suite, wish.minimumSuite))) return [];
    const { fee, currency } = there.announcement.body;
    if (currency !== path.last.announcement.body.currency) return [];
    const leastBits = link.availableBits < path.leastBits ? link.availableBits : path.leastBits;
    return [{ last: there, before: path, total: path.total + fee, leastBits }];
  });
}

function usable(entry: StationEntry, wish: RouteWish): boolean {
  return (
    entry.announcement.body.expiry > wish.nowSeconds &&
    (!wish.avoid.has(entry.station) || entry.station === wish.from || entry.station === wish.to)
  );
}

function better(path: Path, rival: Path): boolean {
  if (path.total !== rival.total) return path.total < rival.total;
  const hops = unwind(path).length - unwind(rival).length;
  return hops !== 0 ? hops < 0 : path.leastBits > rival.leastBits;
}

function contains(path: Path | undefined, station: StationName): boolean {
  for (let at = path; at !== undefined; at = at.before)
    if (at.last.station === station) return true;
  return false;
}

function unwind(path: Path): StationEntry[] {
  const stations: StationEntry[] = [];
  for (let at: Path | undefined = path; at !== undefined; at = at.before) stations.unshift(at.last);
  return stations;
}

function whyNot(wish: RouteWish): string {
  const avoided = wish.avoid.size > 0 ? `, avoiding ${[...wish.avoid].join(', ')}` : '';
  return (
    `no route of links in service with keys in stock and suite ${wish.minimumSuite} or better ` +
    `leads from ${wish.from} to ${wish.to}${avoided}`
  );
}

function none(why: string): FoundRoute {
  return { outcome: 'none', why };
}
