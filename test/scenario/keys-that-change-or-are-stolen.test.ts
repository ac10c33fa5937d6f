import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { copyDatabase } from '../../daemon/store/connection.ts';
import { auditWallet } from '../../driver/audit/wallet-audit.ts';
import { unspent } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';
import { pin } from './road-user.ts';

async function coins(road: Road, count: number): Promise<void> {
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), count]);
}

async function paid(road: Road): Promise<void> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await delivered(road, paymentId);
}

async function delivered(road: Road, paymentId: string): Promise<void> {
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
}

/** Every station has the CA's newest list. */
async function revoked(road: Road, station: RoadStation, file: string): Promise<void> {
  const der = readFileSync(join(station.folder, 'certificates', file));
  const { serialNumber } = parseCertificate(new Uint8Array(der));
  expect(await road.ca.revoke(serialNumber)).toEqual({ outcome: 'revoked' });
  road.clock.moveOn(11);
  await road.eventually('all stations have the list', () =>
    road.stations.every((one) => one.running.status().crl?.number === '2'),
  );
}

it(
  'a payment under way is decided with the document key that its quote names',
  onRoad({}, async (road) => {
    const { alice, bob, last } = road;
    await coins(road, 2);
    const { quoteId } = await alice.quote(bob.name);
    await last.cutOff();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q2', paymentId, 'held');
    await last.newKey('document');
    await road.atDesk(bob);
    await last.joinAgain();
    await delivered(road, paymentId);
    await road.ready();
    await paid(road);
  }),
);

it(
  'a key that waits for its payee is offered under the document key that the quote names',
  onRoad({}, async (road) => {
    const { alice, bob, last } = road;
    await coins(road, 2);
    const { quoteId } = await alice.quote(bob.name);
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');
    await last.newKey('document');
    await road.station('q1').newKey('document');
    await bob.comeBack();
    await delivered(road, paymentId);
    await road.ready();
    await road.atDesk(alice);
    await paid(road);
  }),
);

it(
  'a refusal that the station does not know the card to have is told under the key of then',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    const q1 = road.station('q1');
    await coins(road, 2);
    const { quoteId } = await alice.quote(bob.name);
    // Signed, and not stored: the quote expires before the station is back.
    alice.card.afterNext('pay', () => q1.stop());
    await expect(alice.pay(quoteId)).rejects.toMatchObject({ outcome: 'unknown' });
    road.clock.moveOn(121);
    const told = new Promise<void>((resolve) => {
      alice.card.afterNext('conclude', async () => {
        await q1.stop();
        resolve();
      });
    });
    await q1.start();
    road.clock.moveOn(60);
    await told;
    await q1.placeKey('document');
    await q1.start();
    await road.ready();
    await road.atDesk(alice);
    await road.eventually('the coin is replaced', async () => (await unspent(alice)).length === 2);
    const user = toUserName(alice.name);
    expect(await q1.withStore((store) => store.unconcluded(user))).toEqual([]);
    await paid(road);
  }),
);

it(
  'a new wallet learns coins and payments that were signed with former keys',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    const q1 = road.station('q1');
    await coins(road, 3);
    await paid(road);
    for (const kind of ['coin', 'document'] as const) await q1.newKey(kind);
    await road.ready();
    await road.atDesk(alice);
    await alice.leave();
    rmSync(join(road.folder, alice.name), { recursive: true, force: true });
    alice.startAgain();
    await alice.enrol(road.ca.root, { pin });
    await road.atDesk(alice);
    expect((await alice.run('payments', {})).payments).toHaveLength(1);
    expect(alice.withWallet((wallet) => auditWallet(wallet, primitives)).findings).toEqual([]);
    await paid(road);
  }),
);

it(
  'a stop in the middle: the key without a certificate is not used, and its command goes on',
  onRoad({}, async (road) => {
    const q1 = road.station('q1');
    await coins(road, 2);
    const { coin } = q1.publicKeys;
    const made = await q1.makeKey('coin');
    await q1.restart();
    await road.ready();
    await road.atDesk(road.alice);
    await paid(road);
    const coinKeys = () => q1.withStore((store) => store.stationCertificates());
    expect((await coinKeys()).filter(({ station }) => station === 'q1')).toHaveLength(2);
    expect((await q1.makeKey('coin')).keyFile.file).toBe(made.keyFile.file);
    await q1.newKey('coin');
    await road.ready();
    await road.atDesk(road.alice);
    await paid(road);
    const told = (await coinKeys()).map(({ certificate }) => parseCertificate(certificate));
    expect(told.map(({ publicKey }) => publicKey)).toContainEqual(coin);
    expect(told.map(({ publicKey }) => publicKey)).toContainEqual(
      made.keyFile.signingKey.publicKey,
    );
  }),
);

it(
  'a stolen coin key: its coins are given back, exchanged, or refused and replaced',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const q1 = road.station('q1');
    await coins(road, 4);
    await paid(road);
    await revoked(road, q1, 'coin.der');
    // Nobody is sold what no station takes.
    const refusal = await refusalOf(alice.buy([1n, 1]));
    expect(refusal).toMatchObject({ code: 'certificate-not-valid', outcome: 'refused' });
    expect(refusal.words).toMatch(
      /coin certificate does not hold \(revoked\). Nothing was changed/,
    );
    await q1.newKey('coin');
    await road.ready();
    for (const user of road.users) await road.atDesk(user);
    await alice.run('refund', { lines: [{ value: String(road.price()), count: 1 }] });
    await alice.run('exchange', { lines: [{ value: String(road.price() - 1n), count: 1 }] });
    const { quoteId } = await alice.quote(bob.name);
    const { standing, reason, paymentId } = await alice.pay(quoteId);
    expect({ standing, reason }).toEqual({ standing: 'refused', reason: 'certificate-not-valid' });
    expect(await bob.keyCheck(paymentId)).toBeUndefined();
    const complaint = q1.log.complaints.find((line) => line.includes('refused before admission'));
    expect(complaint).toContain('q1 signed the coin under a certificate now revoked');
    await road.eventually('the coin is replaced', async () => {
      return String(await unspent(alice)) === `1,${road.price() - 1n},${road.price()}`;
    });
    await paid(road);
  }),
);

it(
  'a stolen document key: nothing is quoted until another is in use, and then all goes on',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const q3 = road.last;
    await coins(road, 2);
    await paid(road);
    await revoked(road, q3, 'document.der');
    const refusal = await refusalOf(alice.quote(bob.name));
    expect(refusal).toMatchObject({ code: 'no-route', outcome: 'refused' });
    await q3.newKey('document');
    await road.ready();
    await road.atDesk(bob);
    await paid(road);
  }),
);

it(
  'a checkpoint under a former document key still tells of a database that was rolled back',
  onRoad({}, async (road) => {
    const q1 = road.station('q1');
    const { config } = q1;
    const database = join(config.path(config.data), 'station.sqlite');
    const older = join(road.folder, 'older');
    await coins(road, 2);
    copyDatabase(database, older);
    await paid(road);
    road.clock.moveOn(60);
    const size = await q1.withStore((store) => store.logSize());
    await road.eventually('q2 has cosigned it', () =>
      q1.running.status().log.cosigned.some(({ leaves }) => leaves === String(size)),
    );
    const newest = join(road.folder, 'newest');
    copyDatabase(database, newest);
    await q1.newKey('document');
    await q1.stop();
    for (const part of ['-wal', '-shm']) rmSync(`${database}${part}`, { force: true });
    copyFileSync(older, database);
    await q1.start();
    await road.eventually('it has heard so', () => q1.running.status().log.rolledBack);
    expect(await q1.withStore((store) => store.user(toUserName(road.alice.name)))).toBeDefined();
    await q1.stop();
    copyFileSync(newest, database);
    await q1.start();
    await road.ready();
  }),
);
