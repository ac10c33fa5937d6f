import { join } from 'node:path';
import { expect, it } from 'vitest';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { auditWallet } from '../../driver/audit/wallet-audit.ts';
import { Wallet } from '../../driver/wallet/wallet.ts';
import { unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadUser } from './road-user.ts';

async function paid(road: Road): Promise<string> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
  return paymentId;
}

/** Links are up, and everybody is at the desk. */
async function backOn(road: Road): Promise<void> {
  await road.ready();
  for (const user of road.users) await road.atDesk(user);
}

function findingsOf(road: Road, user: RoadUser) {
  const wallet = Wallet.open(join(road.folder, user.name), primitives);
  try {
    return auditWallet(wallet, primitives).findings;
  } finally {
    wallet.close();
  }
}

const kinds = ['coin', 'document'] as const;
const everyKey = ['q1', 'q2', 'q3'].flatMap((name) => kinds.map((kind) => [kind, name] as const));

it.each(everyKey)('a new %s key of %s: payments go on, with old coins, too', (kind, name) =>
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const price = road.price();
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([price, 4]);
    await paid(road);
    road.clock.moveOn(61);
    await road.station(name).newKey(kind);
    await backOn(road);
    await paid(road);
    await alice.run('refund', { lines: [{ value: String(price), count: 1 }] });
    await alice.run('exchange', { lines: [{ value: String(price - 1n), count: 1 }] });
    await alice.buy([price, 1]);
    expect(await unspent(alice)).toEqual([1n, price - 1n, price]);
    await paid(road);
    const report = await road.last.running.settle();
    expect(report.peers).toMatchObject([{ peer: 'q1', claimed: { count: '3' }, refused: [] }]);
    for (const user of [alice, bob]) expect(findingsOf(road, user)).toEqual([]);
    expect(road.complaints()).toEqual([]);
  })(),
);

it(
  'others have heard of a new key before its first signature',
  onRoad({}, async (road) => {
    const q1 = road.station('q1');
    const { publicKey } = (await q1.placeKey('document')).keyFile.signingKey;
    road.clock.moveOn(30);
    await road.eventually('q3 has it', async () => {
      const known = await road.last.withStore((store) => store.stationCertificates());
      return known.some(({ certificate }) =>
        equalBytes(parseCertificate(certificate).publicKey, publicKey),
      );
    });
    const { expiries } = q1.running.status();
    expect(expiries[1]?.advice).toMatch(/^restart the station, which signs under .*document-2/);
    await q1.restart();
    await backOn(road);
    await road.alice.station.topUp(road.alice.name, 1_000n);
    await road.alice.buy([road.price(), 1]);
    await paid(road);
  }),
);

it(
  'certificates renewed for the same keys',
  onRoad({}, async (road) => {
    await road.alice.station.topUp(road.alice.name, 1_000n);
    await road.alice.buy([road.price(), 2]);
    await paid(road);
    for (const station of road.stations) {
      for (const kind of kinds) await station.renew(kind);
    }
    await backOn(road);
    await paid(road);
    expect(road.complaints()).toEqual([]);
  }),
);
