import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  headNow,
  suiteAtLeast,
  toCurrency,
  toStationName,
  type StationName,
  type Suite,
} from '../../../applet-spec/names.ts';
import type { StationEntry } from '../../../daemon/network/directory.ts';
import { findRoute, type RouteWish } from '../../../daemon/network/routes.ts';
import type { AnnouncementBody } from '../../../daemon/wire/announcement.ts';
import { keyNamed } from './network-room.ts';

const nowSeconds = 1_000n;
const aKey = keyNamed('any');

interface Hop {
  readonly to: number;
  readonly suite?: Suite;
  readonly bits?: bigint;
  readonly up?: boolean;
}

const nameOf = (number: number): StationName => toStationName(`q${number}`);

/** Stations 0, 1, 2 … with their fees and what each says of its links. */
function network(
  fees: readonly bigint[],
  links: readonly (readonly Hop[])[],
  changes: Readonly<Record<number, Partial<AnnouncementBody>>> = {},
): StationEntry[] {
  return fees.map((fee, number) => {
    const body: AnnouncementBody = {
      ...headNow,
      network: 'test',
      station: nameOf(number),
      sequence: 1n,
      time: nowSeconds,
      expiry: nowSeconds + 1n,
      currency: toCurrency('EUR'),
      fee,
      links: (links[number] ?? []).map(({ to, suite = 'otp-secret', bits = 100_000n, up }) => ({
        neighbour: nameOf(to),
        suite,
        availableBits: bits,
        state: up === false ? 'down' : 'up',
        since: nowSeconds,
        missingBits: 0n,
      })),
      coinCertificate: Uint8Array.of(1),
      documentCertificate: Uint8Array.of(1),
      ...changes[number],
    };
    const unsigned = new Uint8Array(0);
    return {
      station: nameOf(number),
      announcement: { body, bodyBytes: unsigned, signature: unsigned, bytes: unsigned },
      announcementName: new Uint8Array(16),
      coinKey: aKey,
      documentKey: aKey,
    };
  });
}

/** Links both ways between the stations of each pair. */
function pairs(count: number, ends: readonly (readonly [number, number])[]): Hop[][] {
  const links: Hop[][] = Array.from({ length: count }, () => []);
  for (const [one, other] of ends) {
    links[one]?.push({ to: other });
    links[other]?.push({ to: one });
  }
  return links;
}

function line(count: number): (readonly [number, number])[] {
  return Array.from({ length: count - 1 }, (_, i) => [i, i + 1] as const);
}

function wish(from: number, to: number, changes: Partial<RouteWish> = {}): RouteWish {
  return {
    from: nameOf(from),
    to: nameOf(to),
    minimumSuite: 'aes',
    avoid: new Set<StationName>(),
    nowSeconds,
    ...changes,
  };
}

/** The numbers of the stations on the route, or why there is none. */
function route(entries: readonly StationEntry[], wanted: RouteWish): string {
  const found = findRoute(entries, wanted);
  return found.outcome === 'none'
    ? found.why
    : found.route.stations.map(({ station }) => station).join(' ');
}

const diamond = pairs(4, [
  [0, 1],
  [1, 3],
  [0, 2],
  [2, 3],
]);

describe('a route', () => {
  it('is the cheapest, with every station’s fee in its total', () => {
    const entries = network([1n, 20n, 10n, 4n], diamond);
    const found = findRoute(entries, wish(0, 3));
    expect(found).toMatchObject({ outcome: 'found', route: { total: 15n } });
    expect(route(entries, wish(0, 3))).toBe('q0 q2 q3');
  });

  it('is the shorter of two that cost the same', () => {
    const detour = pairs(4, [[0, 3], ...line(4)]);
    expect(route(network([5n, 0n, 0n, 5n], detour), wish(0, 3))).toBe('q0 q3');
    expect(route(network([0n, 0n, 0n, 0n], detour), wish(0, 3))).toBe('q0 q3');
  });

  it('is the longer one where that is cheaper', () => {
    const detour = pairs(5, [...line(4), [0, 4], [4, 3]]);
    expect(route(network([0n, 1n, 1n, 0n, 3n], detour), wish(0, 3))).toBe('q0 q1 q2 q3');
  });

  it('for a key costs something, where there is a way that does: no coin is worth 0', () => {
    const triangle = pairs(3, [...line(3), [0, 2]]);
    const entries = network([0n, 4n, 0n], triangle);
    expect(route(entries, wish(0, 2))).toBe('q0 q2');
    expect(route(entries, wish(0, 2, { toPay: true }))).toBe('q0 q1 q2');
    const free = network([0n, 0n, 0n], triangle);
    expect(route(free, wish(0, 2, { toPay: true }))).toBe('q0 q2');
    const both = network([0n, 4n, 3n], triangle);
    expect(route(both, wish(0, 2, { toPay: true }))).toBe('q0 q2');
  });

  it('for a key is the cheapest that costs something, also behind stations that are free', () => {
    const ladder = pairs(6, [
      [0, 1],
      [1, 5],
      [0, 2],
      [2, 3],
      [3, 5],
      [2, 4],
      [4, 5],
    ]);
    const entries = network([0n, 0n, 0n, 9n, 2n, 0n], ladder);
    expect(route(entries, wish(0, 5))).toBe('q0 q1 q5');
    expect(route(entries, wish(0, 5, { toPay: true }))).toBe('q0 q2 q4 q5');
  });

  it('has the fuller stock, of two that are equal otherwise', () => {
    const links = [
      [
        { to: 1, bits: 900n },
        { to: 2, bits: 1_000n },
      ],
      [{ to: 0 }, { to: 3, bits: 5_000n }],
      [{ to: 0 }, { to: 3, bits: 901n }],
      [{ to: 1 }, { to: 2 }],
    ];
    expect(route(network([0n, 7n, 7n, 0n], links), wish(0, 3))).toBe('q0 q2 q3');
  });

  it('counts a link only where both ends announce it', () => {
    const oneSided = [[{ to: 1 }], [{ to: 2 }, { to: 0 }], []];
    expect(route(network([1n, 1n, 1n], oneSided), wish(0, 2))).toContain('no route');
    const missing = [[{ to: 1 }], [{ to: 2 }], [{ to: 1 }]];
    expect(route(network([1n, 1n, 1n], missing), wish(0, 2))).toContain('no route');
  });

  it('needs links that are up, at both ends', () => {
    const down = [[{ to: 1 }], [{ to: 0, up: false }]];
    expect(route(network([1n, 1n], down), wish(0, 1))).toContain('no route');
    const waiting = [[{ to: 1, up: false }], [{ to: 0 }]];
    expect(route(network([1n, 1n], waiting), wish(0, 1))).toContain('no route');
  });

  it('needs keys in stock in its own direction, where the suite draws any', () => {
    const empty = (suite: Suite, bits: bigint) =>
      network([1n, 1n], [[{ to: 1, suite, bits }], [{ to: 0, suite, bits: 0n }]]);
    expect(route(empty('otp-secret', 511n), wish(0, 1))).toContain('keys in stock');
    expect(route(empty('otp-secret', 512n), wish(0, 1))).toBe('q0 q1');
    expect(route(empty('aes', 0n), wish(0, 1))).toBe('q0 q1');
  });

  it('keeps to the minimum suite on every link', () => {
    const links = [
      [
        { to: 1, suite: 'aes' as const },
        { to: 2, suite: 'otp' as const },
      ],
      [
        { to: 0, suite: 'aes' as const },
        { to: 3, suite: 'otp' as const },
      ],
      [
        { to: 0, suite: 'otp' as const },
        { to: 3, suite: 'otp' as const },
      ],
      [
        { to: 1, suite: 'otp' as const },
        { to: 2, suite: 'otp' as const },
      ],
    ];
    const entries = network([0n, 1n, 9n, 0n], links);
    expect(route(entries, wish(0, 3))).toBe('q0 q1 q3');
    expect(route(entries, wish(0, 3, { minimumSuite: 'otp-secret' }))).toBe('q0 q2 q3');
  });

  it('leaves out what is to be avoided, but for its ends', () => {
    const entries = network([0n, 1n, 9n, 0n], diamond);
    const avoid = new Set([nameOf(0), nameOf(1), nameOf(3)]);
    expect(route(entries, wish(0, 3, { avoid }))).toBe('q0 q2 q3');
    avoid.add(nameOf(2));
    expect(route(entries, wish(0, 3, { avoid }))).toContain('avoiding q0, q1, q3, q2');
  });

  it('leads over no station whose announcement has expired, or has another currency', () => {
    const expired = { 1: { expiry: nowSeconds } };
    expect(route(network([0n, 1n, 9n, 0n], diamond, expired), wish(0, 3))).toBe('q0 q2 q3');
    const franc = { 1: { currency: toCurrency('CHF') } };
    expect(route(network([0n, 1n, 9n, 0n], diamond, franc), wish(0, 3))).toBe('q0 q2 q3');
  });

  it('has sixteen stations at most', () => {
    const fees = (count: number) => Array.from({ length: count }, () => 1n);
    const sixteen = network(fees(16), pairs(16, line(16)));
    expect(route(sixteen, wish(0, 15)).split(' ')).toHaveLength(16);
    const seventeen = network(fees(17), pairs(17, line(17)));
    expect(route(seventeen, wish(0, 16))).toContain('no route');
  });

  it('takes a dear short cut where the cheap way would be too long', () => {
    // 0 … 14 in a row for nothing; 14 to 17 behind it; 18 is a dear bridge from 0 to 14.
    const links = pairs(19, [...line(18), [0, 18], [18, 14]]);
    const fees = Array.from({ length: 19 }, (_, i) => (i === 18 ? 1_000n : 0n));
    expect(route(network(fees, links), wish(0, 17))).toBe('q0 q18 q14 q15 q16 q17');
    expect(route(network(fees, links), wish(0, 15)).split(' ')).toHaveLength(16);
  });

  it('says what is missing where there is none', () => {
    const entries = network([1n, 1n], [[], []]);
    expect(route(entries, wish(0, 0))).toContain('same station');
    expect(route(entries, wish(0, 7))).toContain('nothing is known of station q7');
    expect(route(entries, wish(7, 0))).toContain('q7 has not announced itself');
    expect(route(entries, wish(0, 1))).toContain('from q0 to q1');
  });
});

// The same question, answered by trying every way there is.

interface Way {
  readonly stations: readonly StationEntry[];
  readonly total: bigint;
  readonly leastBits: bigint;
}

const needed = { aes: 0n, 'otp-secret': 512n, otp: 16_384n };

function* everyWay(entries: readonly StationEntry[], wanted: RouteWish, way: Way): Generator<Way> {
  const here = way.stations.at(-1);
  if (here?.station === wanted.to) yield way;
  if (here === undefined || way.stations.length === 16) return;
  for (const there of entries) {
    if (way.stations.includes(there)) continue;
    const ends = [here.station, there.station];
    const [out, back] = [here, there].map(({ announcement }, i) =>
      announcement.body.links.find(({ neighbour }) => neighbour === ends[1 - i]),
    );
    const serves = (link: typeof out): boolean =>
      link?.state === 'up' && suiteAtLeast(link.suite, wanted.minimumSuite);
    if (out === undefined || !serves(out) || !serves(back)) continue;
    if (out.availableBits < needed[out.suite]) continue;
    if (wanted.avoid.has(there.station) && there.station !== wanted.to) continue;
    if (there.announcement.body.expiry <= wanted.nowSeconds) continue;
    yield* everyWay(entries, wanted, {
      stations: [...way.stations, there],
      total: way.total + there.announcement.body.fee,
      leastBits: out.availableBits < way.leastBits ? out.availableBits : way.leastBits,
    });
  }
}

/** The facts of the best way, by fee, then length, then stock. */
function bestOf(ways: readonly Way[]): string {
  const ranked = [...ways].sort(
    (one, other) =>
      Number(one.total - other.total) ||
      one.stations.length - other.stations.length ||
      Number(other.leastBits - one.leastBits),
  );
  const [best] = ranked;
  return best === undefined ? 'none' : factsOf(best);
}

function factsOf({ total, stations, leastBits }: Way): string {
  return `${total} over ${stations.length}, ${leastBits} bits`;
}

const suites = fc.constantFrom<Suite>('aes', 'otp-secret', 'otp');
const cases = fc.integer({ min: 2, max: 7 }).chain((count) =>
  fc.record({
    fees: fc.array(fc.bigInt(0n, 4n), { minLength: count, maxLength: count }),
    hops: fc.array(
      fc.record({
        from: fc.nat(count - 1),
        to: fc.nat(count - 1),
        suite: suites,
        bits: fc.constantFrom(0n, 511n, 512n, 600n, 700n, 9_000n),
        up: fc.boolean(),
        both: fc.constantFrom(true, true, true, true, true, false),
      }),
      { minLength: 4, maxLength: 30 },
    ),
    expired: fc.option(fc.nat(count - 1), { freq: 2 }),
    avoid: fc.array(fc.nat(count - 1), { maxLength: 2 }),
    minimumSuite: fc.constantFrom<Suite>('aes', 'aes', 'otp-secret'),
    to: fc.integer({ min: 1, max: count - 1 }),
  }),
);

describe('routes, against trying every way', () => {
  it('agree on random networks', () => {
    let found = 0;
    fc.assert(
      fc.property(cases, ({ fees, hops, expired, avoid, minimumSuite, to }) => {
        const links: Hop[][] = fees.map(() => []);
        const add = (from: number, hop: Hop): void => {
          const own = links[from];
          if (from !== hop.to && own?.every((other) => other.to !== hop.to)) own.push(hop);
        };
        for (const { from, to: end, both, up, suite, bits } of hops) {
          add(from, { to: end, suite, bits, up: up || both });
          if (both) add(end, { to: from, suite, bits });
        }
        const late = expired === null ? {} : { [expired]: { expiry: nowSeconds } };
        const entries = network(fees, links, late);
        const wanted = wish(0, to, { minimumSuite, avoid: new Set(avoid.map(nameOf)) });
        const [start] = entries;
        const dead = expired === 0 || start === undefined;
        const first = { total: fees[0] ?? 0n, leastBits: 1n << 64n };
        const ways = dead ? [] : [...everyWay(entries, wanted, { stations: [start], ...first })];
        const answer = findRoute(entries, wanted);
        if (answer.outcome === 'found') {
          found++;
          const mine = ways.find(
            ({ stations }) => namesOf(stations) === namesOf(answer.route.stations),
          );
          expect(mine?.total).toBe(answer.route.total);
          expect(mine && factsOf(mine)).toBe(bestOf(ways));
        } else {
          expect(bestOf(ways)).toBe('none');
        }
      }),
      { numRuns: 1_500 },
    );
    expect(found).toBeGreaterThan(200);
  });
});

function namesOf(stations: readonly StationEntry[]): string {
  return stations.map(({ station }) => station).join(' ');
}
