import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../applet-spec/clock.ts';
import { Announcer } from '../../../daemon/network/announcer.ts';
import { announcementName, type Directory } from '../../../daemon/network/directory.ts';
import type { Trust } from '../../../daemon/network/trust.ts';
import { announcement, type Announcement } from '../../../daemon/wire/announcement.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';
import { keysInStock, MemoryNetworkStore, TellingLinks } from './neighbours.ts';
import {
  euro,
  keyNamed,
  network,
  NetworkRoom,
  primitives,
  type RoomStation,
} from './network-room.ts';

let room: NetworkRoom;
let trust: Trust;
let directory: Directory;
let links: TellingLinks;
let store: MemoryNetworkStore;
let announcer: Announcer;
let q1: RoomStation;
let q2: RoomStation;
let q3: RoomStation;
let refusals: string[];
let faults: unknown[];
/** What the station's folder has besides the certificates in use. */
let former: Uint8Array[];

beforeEach(async () => {
  room = await NetworkRoom.open();
  trust = await room.trust();
  directory = room.directory(trust);
  links = new TellingLinks();
  store = new MemoryNetworkStore();
  [q1, q2, q3] = [await room.station('q1'), await room.station('q2'), await room.station('q3')];
  links.set(q2.name);
  links.set(q3.name);
  refusals = [];
  faults = [];
  former = [];
  announcer = announcerOf(directory);
});

afterEach(async () => {
  await announcer.close();
  room.close();
});

function announcerOf(known: Directory, clock: Clock = room.clock): Announcer {
  const { coinCertificate, documentCertificate, documentKey, name: station } = q1;
  return new Announcer({
    station,
    network,
    currency: euro,
    fee: 70n,
    coinCertificate,
    documentCertificate,
    formerCertificates: () => former,
    ownCertificates: [coinCertificate, documentCertificate],
    documentKey,
    primitives,
    clock,
    links,
    store,
    directory: known,
    trust,
    onRefused: (peer, detail) => refusals.push(`${peer}: ${detail}`),
    onFault: (error) => faults.push(error),
  });
}

/** Time goes on, and what it sets off comes to rest. */
async function advance(ms: number): Promise<void> {
  room.clock.advance(ms);
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Announcements told to a neighbour since the last look. */
function announced(peer: RoomStation): Announcement[] {
  return links
    .take()
    .flatMap((told) =>
      told.peer === peer.name && told.message.kind === 'announcement'
        ? [told.message.content.announcement]
        : [],
    );
}

describe('a station announces itself', () => {
  it('at its start, to every neighbour, signed, and keeps what it said', async () => {
    links.set(q3.name, { state: 'waiting-for-keys', keys: keysInStock(7n), missingBits: 505n });
    await announcer.start();
    const [said, ...more] = announced(q2);
    if (said === undefined) throw new Error('nothing was announced');
    expect(more).toEqual([]);
    expect(announcement.verify(said, q1.documentKey)).toBe(true);
    expect(said.body).toMatchObject({ station: 'q1', network, fee: 70n, currency: 'EUR' });
    expect(said.body.links).toEqual([
      {
        suite: 'otp-secret',
        since: 0n,
        neighbour: 'q2',
        availableBits: 4_096n,
        state: 'up',
        missingBits: 0n,
      },
      {
        neighbour: 'q3',
        suite: 'otp-secret',
        availableBits: 7n,
        state: 'waiting-for-keys',
        since: 0n,
        missingBits: 505n,
      },
    ]);
    expect(await store.ownAnnouncement(announcementName(primitives, said))).toEqual(said.bytes);
    expect(directory.entry(q1.name)?.announcement.bytes).toEqual(said.bytes);
  });

  it('again every half minute, before the last one expires', async () => {
    await announcer.start();
    const [first] = announced(q2);
    await advance(29_999);
    expect(announced(q2)).toEqual([]);
    await advance(1);
    const [second] = announced(q2);
    expect(second?.body.sequence).toBe((first?.body.sequence ?? 0n) + 1n);
    expect(second?.body.time).toBeLessThan(first?.body.expiry ?? 0n);
  });

  it('with the certificates that are there besides, and keeps them', async () => {
    await announcer.start();
    expect(announced(q2)[0]?.body).not.toHaveProperty('formerCertificates');
    const { publicKey } = keyNamed('the next coin key');
    former = [await room.ca.issue({ role: 'station-coin', name: q1.name, publicKey })];
    await advance(30_000);
    expect(announced(q2)[0]?.body.formerCertificates).toEqual(former);
    const kept = (await store.stationCertificates()).map(({ certificate }) => certificate);
    expect(kept).toEqual([q1.coinCertificate, q1.documentCertificate, ...former]);
  });

  it('soon after a link came or went, and once for many changes', async () => {
    await announcer.start();
    links.take();
    for (let i = 0; i < 20; i++) announcer.linkDown();
    await advance(99);
    expect(announced(q2)).toEqual([]);
    await advance(1);
    expect(announced(q2)).toHaveLength(1);
    await advance(1_000);
    expect(announced(q2)).toEqual([]);
  });

  it('soon, also where the change came while it was announcing', async () => {
    await announcer.start();
    links.take();
    store.whileNumbering = () => {
      announcer.changed();
    };
    announcer.changed();
    await advance(100);
    expect(announced(q2)).toHaveLength(1);
    await advance(100);
    expect(announced(q2)).toHaveLength(1);
    await advance(30_000);
    expect(announced(q2)).toHaveLength(1);
  });

  it.each([
    ['had too few', { keys: keysInStock(511n) }],
    ['waited for keys', { state: 'waiting-for-keys' as const }],
  ])('within a second of having keys for a payment on a link that %s', async (_what, before) => {
    links.set(q3.name, before);
    await announcer.start();
    links.take();
    await advance(5_000);
    expect(announced(q2)).toEqual([]);
    links.set(q3.name, { keys: keysInStock(512n) });
    await advance(1_000);
    const [said, ...more] = announced(q2);
    expect(said?.body.links.map(({ availableBits }) => availableBits)).toEqual([4_096n, 512n]);
    expect(more).toEqual([]);
    await advance(29_999);
    expect(announced(q2)).toEqual([]);
    await advance(1);
    expect(announced(q2)).toHaveLength(1);
  });

  it('every half minute, also where a link has no keys and its clock was set back', async () => {
    const clock = new UnsteadyClock(room.clock);
    announcer = announcerOf(directory, clock);
    links.set(q3.name, { keys: keysInStock(0n) });
    await announcer.start();
    links.take();
    for (let second = 0; second < 60; second++) await advance(1_000);
    expect(announced(q2)).toHaveLength(2);
    clock.set(-3_600_000);
    for (let second = 0; second < 60; second++) await advance(1_000);
    expect(announced(q2).length).toBeGreaterThanOrEqual(2);
  });

  it('again after a fault of its store', async () => {
    await announcer.start();
    links.take();
    store.fault = new Error('disk full');
    await advance(30_000);
    expect(announced(q2)).toEqual([]);
    expect(faults).toEqual([new Error('disk full')]);
    await advance(30_000);
    expect(announced(q2)).toHaveLength(1);
  });

  it('as soon after its clock was set back by an hour, and again every half minute', async () => {
    const clock = new UnsteadyClock(room.clock);
    announcer = announcerOf(directory, clock);
    await announcer.start();
    links.take();
    clock.set(-3_600_000);
    announcer.linkDown();
    await advance(100);
    expect(announced(q2)).toHaveLength(1);
    await advance(30_000);
    expect(announced(q2)).toHaveLength(1);
    // Also by as little as a timer may be early.
    clock.set(-1);
    await advance(30_000);
    expect(announced(q2)).toHaveLength(1);
  });

  it('never after it was closed', async () => {
    await announcer.start();
    await announcer.close();
    links.take();
    announcer.changed();
    await advance(60_000);
    expect(links.take()).toEqual([]);
    expect(room.clock.pending).toBe(0);
  });
});

describe('a station passes on what is new to it', () => {
  it('announcements, to all but whom they came from, once', async () => {
    await announcer.start();
    links.take();
    const found = room.announce(q3, 9n, [{ to: q1.name }]);
    const message = { kind: 'announcement', content: { announcement: found } } as const;
    await announcer.told(q3.name, message);
    expect(links.take()).toEqual([{ peer: 'q2', message }]);
    await announcer.told(q2.name, message);
    expect(links.take()).toEqual([]);
    expect(store.others.get(q3.name)).toEqual(found.bytes);
  });

  it('of one station no more than ten a second and a few at once, and others as ever', async () => {
    await announcer.start();
    links.take();
    const tell = (station: RoomStation, fee: bigint) => {
      const content = { announcement: room.announce(station, fee, []) };
      return announcer.told(q2.name, { kind: 'announcement', content });
    };
    for (let fee = 1n; fee <= 500n; fee++) await tell(q3, fee);
    expect(announced(q3)).toHaveLength(64);
    const q4 = await room.station('q4');
    await tell(q4, 1n);
    expect(announced(q3).map(({ body }) => body.station)).toEqual(['q4']);
    expect(directory.entry(q3.name)?.announcement.body.fee).toBe(64n);
    await advance(1_000);
    for (let fee = 501n; fee <= 520n; fee++) await tell(q3, fee);
    expect(directory.entry(q3.name)?.announcement.body.fee).toBe(510n);
  });

  it('no bad ones, and says so to its operator', async () => {
    const forged = announcement.sign(room.announce(q3, 9n, []).body, q2.documentKey);
    await announcer.told(q2.name, { kind: 'announcement', content: { announcement: forged } });
    expect(links.take()).toEqual([]);
    expect(store.others.size).toBe(0);
    expect(refusals).toEqual(['q2: announcement of q3: signature does not verify']);
  });

  it('never takes another’s word for its own announcement', async () => {
    const stolen = room.announce(q1, 1n, [], { sequence: 1_000n });
    await announcer.told(q2.name, { kind: 'announcement', content: { announcement: stolen } });
    expect(directory.entry(q1.name)).toBeUndefined();
  });

  it('newer CRLs, and keeps them', async () => {
    const crl = await room.ca.publishCrl();
    await announcer.told(q2.name, { kind: 'crl', content: crl });
    expect(links.take()).toEqual([{ peer: 'q3', message: { kind: 'crl', content: crl } }]);
    expect(store.crlBytes).toEqual(crl);
    await announcer.told(q3.name, { kind: 'crl', content: crl });
    expect(links.take()).toEqual([]);
    expect(refusals).toEqual([]);
  });

  it('no CRL of another CA', async () => {
    const other = await NetworkRoom.open('another CA');
    await announcer.told(q2.name, { kind: 'crl', content: await other.ca.publishCrl() });
    other.close();
    expect(links.take()).toEqual([]);
    expect(store.crlBytes).toBeUndefined();
    expect(refusals).toHaveLength(1);
  });
});

describe('on a new link', () => {
  it('both tell what they know, and then what the other lacks', async () => {
    const [old, newer] = [room.announce(q3, 1n, []), room.announce(q3, 2n, [])];
    await announcer.told(q3.name, { kind: 'announcement', content: { announcement: newer } });
    const crl = await room.ca.publishCrl();
    await announcer.learnCrl(crl);
    links.take();
    announcer.linkUp(q2.name);
    const known = {
      crlNumber: trust.crl?.number ?? 0n,
      stations: [{ station: q3.name, sequence: newer.body.sequence }],
    };
    expect(links.take()).toEqual([{ peer: 'q2', message: { kind: 'known', content: known } }]);
    const lacking = {
      crlNumber: known.crlNumber - 1n,
      stations: [{ station: q3.name, sequence: old.body.sequence }],
    };
    await announcer.told(q2.name, { kind: 'known', content: lacking });
    expect(links.take()).toEqual([
      { peer: 'q2', message: { kind: 'crl', content: crl } },
      { peer: 'q2', message: { kind: 'announcement', content: { announcement: newer } } },
    ]);
    // Once: a few bytes would be answered with all that is known, again and again.
    await announcer.told(q2.name, { kind: 'known', content: lacking });
    expect(links.take()).toEqual([]);
    announcer.linkUp(q2.name);
    links.take();
    await announcer.told(q2.name, { kind: 'known', content: known });
    expect(links.take()).toEqual([]);
    announcer.linkUp(q2.name);
    links.take();
    await announcer.told(q2.name, { kind: 'known', content: lacking });
    expect(links.take()).toHaveLength(2);
  });
});

it('who has just come up does not tell its neighbour that their link is down', async () => {
  links.set(q2.name, { state: 'down' });
  await announcer.start();
  await advance(5_000);
  links.set(q2.name);
  const known = { crlNumber: trust.crl?.number ?? 0n, stations: [] };
  announcer.linkUp(q2.name);
  await Promise.all([announcer.told(q2.name, { kind: 'known', content: known }), advance(100)]);
  const states = announced(q2).map(({ body }) => body.links.map(({ state }) => state));
  expect(states.length).toBeGreaterThan(0);
  expect(new Set(states.flat())).toEqual(new Set(['up']));
});

describe('after a restart', () => {
  it('a station knows what it knew, before anybody told it again', async () => {
    const found = room.announce(q3, 9n, []);
    await announcer.told(q3.name, { kind: 'announcement', content: { announcement: found } });
    await announcer.learnCrl(await room.ca.publishCrl());
    await announcer.close();
    trust = await room.trust({ crl: 'none' });
    directory = room.directory(trust);
    announcer = announcerOf(directory);
    await announcer.start();
    expect(trust.crl).toBeDefined();
    expect(directory.entry(q3.name)?.announcement.body.fee).toBe(9n);
  });

  it('with an empty database it goes on at once behind years of what it said before', async () => {
    await announcer.start();
    links.take();
    const later = room.announce(q1, 7n, [], { sequence: 10_000_000n });
    const before = store.numbered;
    await announcer.told(q2.name, { kind: 'announcement', content: { announcement: later } });
    await advance(100);
    expect(announced(q3).map(({ body }) => body.sequence)).toEqual([10_000_001n]);
    expect(store.numbered - before).toBeLessThanOrEqual(2);
  });

  it('with an older database it goes on behind what it said of itself before', async () => {
    await announcer.start();
    links.take();
    const later = room.announce(q1, 7n, [], { sequence: 40n });
    const forged = { ...room.announce(q1, 7n, [], { sequence: 90n }), signature: later.signature };
    for (const announcement of [forged, later]) {
      await announcer.told(q2.name, { kind: 'announcement', content: { announcement } });
    }
    await advance(100);
    expect(announced(q3).map(({ body }) => body.sequence)).toEqual([41n]);
    expect(directory.entry(q1.name)?.announcement.body.fee).toBe(70n);
    // Bills that name its price then are still good, and no others.
    expect(await store.ownAnnouncement(announcementName(primitives, later))).toEqual(later.bytes);
    expect(await store.ownAnnouncement(announcementName(primitives, forged))).toBeUndefined();
  });
});
