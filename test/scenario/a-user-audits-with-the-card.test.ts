import { join } from 'node:path';
import { expect, it } from 'vitest';
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
