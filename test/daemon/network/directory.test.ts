import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { announcementName, type Directory } from '../../../daemon/network/directory.ts';
import type { Trust } from '../../../daemon/network/trust.ts';
import { announcement } from '../../../daemon/wire/announcement.ts';
import { NetworkRoom, primitives, type RoomStation } from './network-room.ts';

let room: NetworkRoom;
let trust: Trust;
let directory: Directory;
let q1: RoomStation;
let q2: RoomStation;

beforeEach(async () => {
  room = await NetworkRoom.open();
  trust = await room.trust();
  directory = room.directory(trust);
  q1 = await room.station('q1');
  q2 = await room.station('q2');
});
afterEach(() => {
  room.close();
});

describe('the directory', () => {
  it('takes a good announcement, with its keys and its name', () => {
    const found = room.announce(q1, 100n, [{ to: q2.name }]);
    const learnt = directory.learn(found);
    expect(learnt.outcome).toBe('newer');
    const entry = directory.entry(q1.name);
    expect(entry?.documentKey.publicKey).toEqual(q1.documentKey.publicKey);
    expect(entry?.coinKey.publicKey).toEqual(q1.coinKey.publicKey);
    const digest = announcement.digest(primitives, found.bodyBytes);
    expect(entry?.announcementName).toEqual(digest.subarray(0, 16));
    expect(announcementName(primitives, found)).toEqual(digest.subarray(0, 16));
  });

  it('takes a newer one in its place, and no older one', () => {
    const [first, second] = [room.announce(q1, 100n, []), room.announce(q1, 200n, [])];
    expect(directory.learn(second).outcome).toBe('newer');
    expect(directory.learn(first).outcome).toBe('known');
    expect(directory.learn(second).outcome).toBe('known');
    expect(directory.entry(q1.name)?.announcement.body.fee).toBe(200n);
  });

  it('is shown none that is numbered beyond what a store holds', () => {
    const last = room.announce(q1, 9n, [], { sequence: 2n ** 63n - 1n });
    expect(directory.learn(last).outcome).toBe('newer');
    expect(() => room.announce(q1, 9n, [], { sequence: 2n ** 63n })).toThrow('no store numbers');
    const beyond = toHex(last.bytes).replace('7fffffffffffffff', '8000000000000000');
    expect(() => announcement.decode(fromHex(beyond))).toThrow('no store numbers');
  });

  it('refuses another network’s', () => {
    const foreign = room.announce(q1, 1n, [], { network: 'other' });
    expect(directory.learn(foreign)).toMatchObject({ outcome: 'refused' });
  });

  it('refuses one of the future, by more than clocks may differ', () => {
    const soon = room.announce(q1, 1n, [], { time: room.nowSeconds + 60n });
    const later = room.announce(q2, 1n, [], { time: room.nowSeconds + 61n });
    expect(directory.learn(soon).outcome).toBe('newer');
    expect(directory.learn(later)).toMatchObject({
      outcome: 'refused',
      detail: 'announcement from the future',
    });
  });

  it('refuses one that another station signed, or in another’s name', () => {
    const good = room.announce(q1, 1n, []);
    const forged = announcement.sign(good.body, q2.documentKey);
    expect(directory.learn(forged)).toMatchObject({ detail: 'signature does not verify' });
    const { coinCertificate, documentCertificate } = q2;
    const posing = room.announce(q2, 1n, [], {
      station: q1.name,
      coinCertificate,
      documentCertificate,
    });
    expect(directory.learn(posing)).toMatchObject({ outcome: 'refused' });
    expect(directory.entries).toEqual([]);
  });

  it('refuses one certificate in the place of the other', () => {
    for (const mixed of [
      { documentCertificate: q1.coinCertificate },
      { coinCertificate: q1.documentCertificate },
    ]) {
      const learnt = directory.learn(room.announce(q1, 1n, [], mixed));
      expect(learnt).toMatchObject({ outcome: 'refused' });
    }
    expect(directory.entries).toEqual([]);
  });

  it('forgets a refused one: the good one of the same number is still taken', () => {
    const good = room.announce(q1, 1n, []);
    directory.learn(announcement.sign(good.body, q2.documentKey));
    expect(directory.learn(good).outcome).toBe('newer');
  });

  it('knows no station that never spoke', () => {
    expect(directory.entry(toStationName('q9'))).toBeUndefined();
  });

  it('gives no entry, and no route, for a station whose certificate was revoked', async () => {
    directory.learn(room.announce(q1, 1n, []));
    directory.learn(room.announce(q2, 1n, []));
    const { serialNumber } = parseCertificate(q2.documentCertificate);
    await room.ca.revoke(serialNumber);
    trust.learnCrl(await room.ca.freshCrl());
    expect(directory.entry(q2.name)).toBeUndefined();
    expect(directory.inForce.map(({ station }) => station)).toEqual(['q1']);
    expect(directory.entries.map(({ station }) => station)).toEqual(['q1', 'q2']);
  });
});
