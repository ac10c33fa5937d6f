import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { CommandName } from '../../applet-spec/commands.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { stationDatabase } from '../../daemon/station/station-store.ts';
import { rawDatabase, type RawDatabase } from '../raw-database.ts';
import { onRoad, type Road } from './road.ts';
import { pin, type RoadUser } from './road-user.ts';

const daySeconds = 86_400;
/** Coins outlive certificates here, which are good for 398 days. */
const longLived = { stations: 2, more: '[coins]\nvalid-days = 1000' } as const;

function certificateOf({ cardState }: RoadUser): Uint8Array {
  if (cardState.certificate === undefined) throw new Error('not enrolled');
  return cardState.certificate;
}

async function funded(road: Road): Promise<{ readonly quoteId: string }> {
  const { alice, bob } = road;
  await alice.station.topUp(alice.name, 1_000n);
  await alice.buy([road.price(), 2]);
  return alice.quote(bob.name);
}

async function awayUntilNearTheEnd(road: Road): Promise<string[]> {
  const { quoteId } = await funded(road);
  await road.alice.pay(quoteId);
  return awayForLong(road);
}

/** All go away, and it is 18 days before the certificates of all end. */
async function awayForLong(road: Road): Promise<string[]> {
  const { users, stations } = road;
  const old = users.map((user) => toHex(certificateOf(user)));
  for (const user of users) await user.leave();
  for (const station of stations) await station.stop();
  road.clock.moveOn(380 * daySeconds);
  for (const station of stations) await station.start();
  await road.ready();
  return old;
}

/** q1 starts again, and can certify nobody until what is returned is called. */
async function withoutCaFolder(road: Road): Promise<() => Promise<void>> {
  const { station } = road.alice;
  let before = '';
  station.configure((toml) => {
    before = toml;
    return toml.replace(/, folder = "[^"]*"/, '');
  });
  await station.start();
  await road.ready();
  return async () => {
    await station.stop();
    station.configure(() => before);
    await station.start();
    await road.ready();
  };
}

/** Card and station agree on a new certificate, which pays and receives with an old coin. */
async function expectRenewed(road: Road, old: readonly string[]): Promise<void> {
  const { alice, bob } = road;
  await bob.run('connect', {});
  const { certificate } = await alice.run('connect', {});
  expect(certificate?.daysLeft).toBeGreaterThan(390);
  for (const user of road.users) {
    const { notAfter } = parseCertificate(certificateOf(user));
    expect(old).not.toContain(toHex(certificateOf(user)));
    expect(notAfter).toBeGreaterThan(BigInt(Math.floor(road.clock.nowMs() / 1_000)));
    const card = await user.station.withStore((store) => store.cardOf(toUserName(user.name)));
    expect(card).toMatchObject({ state: 'enrolled' });
  }
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
}

it(
  'a certificate near its end is another one once its card is back at the desk',
  onRoad(longLived, async (road) => {
    const old = await awayUntilNearTheEnd(road);
    for (const user of road.users) await user.comeBack();
    await expectRenewed(road, old);
    const renewed = certificateOf(road.alice);
    await road.alice.leave();
    await road.alice.comeBack();
    await road.alice.run('connect', {});
    expect(certificateOf(road.alice)).toEqual(renewed);
  }),
);

it(
  'a payment cut off a year before is taken up before its certificate goes',
  onRoad(longLived, async (road) => {
    const { alice } = road;
    const { quoteId } = await funded(road);
    alice.card.afterNext('pay', () => alice.station.stop());
    await expect(alice.pay(quoteId)).rejects.toMatchObject({ outcome: 'unknown' });
    expect(alice.cardState.coins.map(({ state }) => state).sort()).toEqual(['signed', 'unspent']);
    const old = await awayForLong(road);
    for (const user of road.users) await user.comeBack();
    await expectRenewed(road, old);
    expect(alice.cardState.coins.map(({ state }) => state)).toEqual(['unspent']);
  }),
);

const steps: readonly CommandName[] = ['generateKeyPair', 'putCertificate', 'putKey'];
for (const command of steps) {
  it(
    `the same, and the station stops once the card has carried out ${command}`,
    onRoad(longLived, async (road) => {
      const { alice, bob } = road;
      const old = await awayUntilNearTheEnd(road);
      let stopped = false;
      alice.card.afterNext(command, async () => {
        await alice.station.stop();
        stopped = true;
      });
      await bob.comeBack();
      const back = alice.comeBack();
      await road.eventually('q1 has stopped', () => stopped);
      await alice.station.start();
      await back;
      await road.ready();
      await road.atDesk(alice);
      await expectRenewed(road, old);
    }),
  );
}

it(
  'another program holds the books while the card gets it: nothing is signed before the next',
  onRoad(longLived, async (road) => {
    const { alice, bob } = road;
    const old = await awayUntilNearTheEnd(road);
    let books: RawDatabase | undefined;
    alice.card.afterNext('putCertificate', () => {
      books = rawDatabase(stationDatabase(alice.station.config));
      books.exec('BEGIN IMMEDIATE');
      return Promise.resolve();
    });
    await bob.comeBack();
    const back = alice.comeBack();
    await road.eventually('the books were busy', () =>
      alice.station.log.complaints.some((line) => line.includes('SQLITE_BUSY')),
    );
    books?.close();
    await back;
    await road.atDesk(alice);
    await expectRenewed(road, old);
  }),
);

it(
  'a card that may have a certificate which the books do not name signs nothing before the next',
  onRoad(longLived, async (road) => {
    const { alice, bob } = road;
    const old = await awayUntilNearTheEnd(road);
    const tornAt = new Promise<void>((resolve) => {
      alice.card.afterNext('putCertificate', () => alice.station.stop().then(resolve));
    });
    await bob.comeBack();
    const back = alice.comeBack();
    await tornAt;
    const withIt = await withoutCaFolder(road);
    await road.eventually('q1 turns her away', () =>
      alice.station.log.complaints.some((line) => line.includes('no CA at hand')),
    );
    await expect(alice.share(bob.name)).rejects.toThrow();
    expect(alice.cardState.coins.map(({ state }) => state)).toEqual(['unspent']);
    await withIt();
    await back;
    await road.atDesk(alice);
    await expectRenewed(road, old);
  }),
);

it(
  'where the CA is not at hand its user is told, and pays on as long as it is good',
  onRoad(longLived, async (road) => {
    const { alice, bob } = road;
    const old = await awayUntilNearTheEnd(road);
    await alice.station.stop();
    await withoutCaFolder(road);
    await bob.comeBack();
    alice.startAgain();
    const told = alice.next('certificate-ends');
    await alice.run('connect', {}, { pin });
    expect((await told).certificate.daysLeft).toBe(17);
    expect(old).toContain(toHex(certificateOf(alice)));
    const complaints = alice.station.log.complaints.filter((line) => line.includes('no CA'));
    expect(complaints).toMatchObject([expect.stringContaining('"user":"alice@q1"')]);
    const { paymentId } = await alice.share(bob.name);
    await road.sharedCheck(paymentId);
  }),
);

it(
  'a payment that waits for its payee is delivered under the certificate that its quote named',
  onRoad(longLived, async (road) => {
    const { alice, bob } = road;
    await bob.station.topUp(bob.name, 1_000n);
    await bob.buy([road.price(), 2]);
    const [old] = await awayForLong(road);
    await alice.station.stop();
    const withIt = await withoutCaFolder(road);
    await bob.comeBack();
    await alice.comeBack();
    const { quoteId } = await bob.quote(alice.name);
    await alice.leave();
    await withIt();
    const { paymentId } = await bob.pay(quoteId, { waitMs: 0 });
    await road.payment('q1', paymentId, 'held');
    await alice.comeBack();
    await road.payment('q1', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
    expect(toHex(certificateOf(alice))).toBe(old);
    await alice.leave();
    await alice.comeBack();
    await alice.run('connect', {});
    expect(toHex(certificateOf(alice))).not.toBe(old);
  }),
);
