import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import type { Directory } from '../../../daemon/network/directory.ts';
import type { Trust } from '../../../daemon/network/trust.ts';
import { formerCertificatesMost } from '../../../daemon/wire/announcement.ts';
import { announcement } from '../../../daemon/wire/announcement.ts';
import { keyNamed, NetworkRoom, type RoomStation } from './network-room.ts';

const day = 86_400n;
let room: NetworkRoom;
let trust: Trust;
let directory: Directory;
let before: RoomStation;
let after: RoomStation;
/** When the station changed its coin key; a year and more before now. */
let changed: bigint;

beforeEach(async () => {
  room = await NetworkRoom.open();
  before = await room.station('q1');
  const documentKey = keyNamed('the next document key');
  const coinKey = keyNamed('the next coin key');
  room.clock.advance(Number(390n * day) * 1_000);
  changed = room.nowSeconds;
  const name = before.name;
  after = {
    name,
    coinKey,
    documentKey,
    coinCertificate: await room.ca.issue({ role: 'station-coin', name, ...coinKey }),
    documentCertificate: await room.ca.issue({ role: 'station-document', name, ...documentKey }),
  };
  room.clock.advance(Number(100n * day) * 1_000);
  trust = await room.trust();
  directory = room.directory(trust);
});
afterEach(() => {
  room.close();
});

function announceAll(former: readonly Uint8Array[] | undefined): ReturnType<Directory['learn']> {
  const changes = former === undefined ? {} : { formerCertificates: former };
  return directory.learn(room.announce(after, 1n, [], changes));
}

function coinKeysAt(seconds: bigint): Uint8Array[] {
  return directory.keysAt(after.name, 'station-coin', seconds).map(({ publicKey }) => publicKey);
}

describe('what a station signed before it changed its keys', () => {
  it('verifies at a newcomer under keys of then whose certificates have ended', () => {
    const former = [before.coinCertificate, before.documentCertificate];
    const learnt = announceAll(former);
    expect(learnt).toMatchObject({ outcome: 'newer' });
    expect(learnt.outcome === 'newer' && learnt.certificates).toHaveLength(4);
    const [old, present] = [before.coinKey.publicKey, after.coinKey.publicKey];
    expect(coinKeysAt(changed - day)).toEqual([old]);
    expect(coinKeysAt(changed + day)).toEqual([present, old]);
    expect(coinKeysAt(room.nowSeconds)).toEqual([present]);
    expect(coinKeysAt(changed - 400n * day)).toEqual([]);
    const documents = directory.keysAt(after.name, 'station-document', changed - day);
    expect(documents.map(({ publicKey }) => publicKey)).toEqual([before.documentKey.publicKey]);
  });

  it('verifies where the certificate came earlier, or from the archive', () => {
    announceAll(undefined);
    expect(coinKeysAt(changed - day)).toEqual([]);
    expect(directory.recall([before.coinCertificate], after.name)).toHaveLength(1);
    expect(directory.recall([before.coinCertificate], after.name)).toHaveLength(0);
    expect(coinKeysAt(changed - day)).toEqual([before.coinKey.publicKey]);
  });

  it('counts no more once that certificate is revoked, and says so', async () => {
    announceAll([before.coinCertificate]);
    await room.ca.revoke(parseCertificate(before.coinCertificate).serialNumber);
    trust.learnCrl(await room.ca.freshCrl());
    expect(coinKeysAt(changed - day)).toEqual([]);
    expect(coinKeysAt(changed + day)).toEqual([after.coinKey.publicKey]);
    const isOld = (one: { readonly publicKey: Uint8Array }): boolean =>
      Buffer.compare(one.publicKey, before.coinKey.publicKey) === 0;
    expect(directory.isRevoked(after.name, 'station-coin', changed - day, isOld)).toBe(true);
    expect(directory.isRevoked(after.name, 'station-coin', changed - day, () => false)).toBe(false);
    // Long after its end it is on the list still: coins of then may come.
    room.clock.advance(Number(100n * day) * 1_000);
    trust.learnCrl(await room.ca.freshCrl());
    expect(coinKeysAt(changed - day)).toEqual([]);
  });

  it('fails closed without a fresh list', () => {
    announceAll([before.coinCertificate]);
    room.clock.advance(Number(3n * day) * 1_000);
    expect(coinKeysAt(changed - day)).toEqual([]);
  });
});

describe('an announcement with former certificates', () => {
  it('is refused with one of another station, of another role, or of no CA', async () => {
    const q2 = await room.station('q2');
    const user = await room.ca.issue({
      role: 'user',
      name: 'alice@q1',
      publicKey: keyNamed('alice').publicKey,
    });
    const foreign = await NetworkRoom.open('another CA');
    const theirs = await foreign.station('q1');
    foreign.close();
    for (const bad of [q2.coinCertificate, user, theirs.coinCertificate, new Uint8Array(9)]) {
      const learnt = announceAll([bad]);
      expect(learnt.outcome === 'refused' && learnt.detail).toMatch(/^former certificate: /);
    }
    expect(announceAll([before.coinCertificate])).toMatchObject({ outcome: 'newer' });
  });

  it('has room for so many of each role, and no more', () => {
    const most = Array<Uint8Array>(2 * formerCertificatesMost).fill(new Uint8Array(1_024));
    const found = room.announce(after, 1n, [], { formerCertificates: most });
    expect(announcement.decode(found.bytes).body.formerCertificates).toHaveLength(most.length);
    expect(() =>
      room.announce(after, 1n, [], { formerCertificates: [...most, new Uint8Array(9)] }),
    ).toThrow();
  });
});
