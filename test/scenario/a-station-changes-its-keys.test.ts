import { join } from 'node:path';
import { expect, it } from 'vitest';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { ErrandError } from '../../driver/agent/errand-error.ts';
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

/** She pays Bob again and again, whatever stations are up to. */
class Payer {
  delivered = 0;
  readonly #road: Road;
  readonly #paying: Promise<void>;
  #hasEnded = false;

  constructor(road: Road) {
    this.#road = road;
    this.#paying = this.#payOn();
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#paying;
  }

  async #payOn(): Promise<void> {
    const { alice, bob } = this.#road;
    while (!this.#hasEnded) {
      try {
        const { standing } = await alice.share(bob.name);
        if (standing === 'delivered') this.delivered += 1;
      } catch (error) {
        if (!(error instanceof ErrandError)) throw error;
        await this.#road.atDesk(alice);
      }
    }
  }
}

it(
  'payments go on while every station changes every key: none is lost, and no coin',
  onRoad({}, async (road) => {
    const { alice } = road;
    const coins = 60;
    await alice.station.topUp(alice.name, 10_000n);
    await alice.buy([road.price(), coins]);
    const payer = new Payer(road);
    for (const [kind, name] of everyKey) {
      const station = road.station(name);
      await station.placeKey(kind);
      road.clock.moveOn(30);
      await station.restart();
      const before = payer.delivered;
      await road.eventually('payments go on', () => payer.delivered > before + 1);
    }
    await payer.end();
    await backOn(road);
    const ended = ['delivered', 'undelivered', 'refused'];
    const payments = await road.eventually('every payment has ended', async () => {
      const { payments: all } = await alice.run('payments', {});
      return all.every(({ standing }) => ended.includes(standing)) ? all : undefined;
    });
    const through = payments.filter(({ standing }) => standing === 'delivered');
    expect(through.length).toBeGreaterThanOrEqual(2 * everyKey.length);
    for (const { paymentId } of through) {
      for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
    }
    await road.eventually('all other coins are on the card', async () => {
      const left = await unspent(alice);
      return left.length === coins - through.length;
    });
    expect(findingsOf(road, alice)).toEqual([]);
  }),
  60_000,
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
