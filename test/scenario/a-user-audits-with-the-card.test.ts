import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { auditWallet } from '../../driver/audit/wallet-audit.ts';
import { Wallet } from '../../driver/wallet/wallet.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadUser } from './road-user.ts';

/** The audit of a user's wallet, with what the card says of its own signatures. */
async function auditOf(road: Road, user: RoadUser) {
  const { checked } = await user.run('check-signatures', {});
  const ownSignatures = new Map(checked.map(({ paymentId, own }) => [paymentId, own]));
  const wallet = Wallet.open(join(road.folder, user.name), primitives);
  try {
    return auditWallet(wallet, primitives, { ownSignatures });
  } finally {
    wallet.close();
  }
}

it(
  'S6 payer and payee recompute their payments, and their cards know their own signatures',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 2]);
    const { paymentId } = await alice.share(bob.name);
    await road.sharedCheck(paymentId);
    expect(await auditOf(road, alice)).toMatchObject({
      findings: [],
      unchecked: {},
      paid: { payments: 1, amount: road.price().toString() },
    });
    const payee = await auditOf(road, bob);
    expect(payee.findings).toEqual([]);
    expect(payee.unchecked).not.toHaveProperty('own acknowledgement');
    expect(payee.unchecked).toMatchObject({ 'payer signature': 1 });
    // Another card of hers, with the same certificate: it never signed that.
    const honest = alice.cardState;
    const { privateKey } = bob.cardState;
    if (privateKey === undefined) throw new Error('bob has no key');
    await alice.forge({ ...honest, privateKey });
    const forged = await auditOf(road, alice);
    expect(forged.findings).toMatchObject([{ code: 'own-signature', paymentId }]);
  }),
);

it(
  'S6 their cards know what they signed before their certificates were renewed',
  onRoad({ stations: 2, more: '[coins]\nvalid-days = 1000' }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 2]);
    const { paymentId } = await alice.share(bob.name);
    await road.sharedCheck(paymentId);
    const before = road.users.map(certificateOf);
    for (const user of road.users) await user.leave();
    for (const station of road.stations) await station.stop();
    road.clock.moveOn(380 * 86_400);
    for (const station of road.stations) await station.start();
    await road.ready();
    for (const user of road.users) {
      await user.comeBack();
      await user.run('connect', {});
      expect(before).not.toContain(certificateOf(user));
      // The journal's entry goes with it.
      await user.run('erase-key', { paymentId });
    }
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
    const payer = await auditOf(road, alice);
    expect(payer).toMatchObject({ findings: [], unchecked: {}, paid: { payments: 2 } });
    expect(payer.unchecked).not.toHaveProperty('payer signature');
    const payee = await auditOf(road, bob);
    expect(payee.findings).toEqual([]);
    expect(payee.unchecked).not.toHaveProperty('own acknowledgement');
  }),
);

function certificateOf({ cardState }: RoadUser): string {
  return toHex(cardState.certificate ?? new Uint8Array());
}
