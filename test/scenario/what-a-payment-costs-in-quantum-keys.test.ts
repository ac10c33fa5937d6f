/**
 * The key economy of each hop of a road, as its stations have recorded it durably: real payments
 * from card to card, every QKD key that went into them, their receipts and the links' own keys.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Suite } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import { admission as admissionKind, receipt as receiptKind } from '../../applet-spec/receipt.ts';
import { plainRecord } from '../../daemon/link/link-record.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { wireMessage } from '../../daemon/wire/wire-message.ts';
import { rawDatabase } from '../raw-database.ts';
import { onRoad, type Road } from './road.ts';

const payments = 30;
/** What devices make keys of, and so what a pad is rounded up to. */
const keyBits = 256;
/** A link's own keys, drawn as it came up, last for more payments than these. */
const amortisedOver = 1_000;

type Purpose = 'traffic' | 'pad' | 'mac';

/** Bits that both ends of a hop drew; each is used at its other end, too. */
function drawnBits(road: Road, a: string, b: string): Readonly<Record<Purpose, number>> {
  const drawn = { traffic: 0, pad: 0, mac: 0 };
  for (const [station, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    const file = join(road.station(station).folder, 'data', 'station.sqlite');
    const database = rawDatabase(file, { readonly: true });
    const rows = database
      .prepare<[string], { purpose: Purpose; keys: number }>(
        `SELECT purpose, count(*) AS keys FROM key_use
         WHERE direction = 'send' AND peer = ? GROUP BY purpose`,
      )
      .all(peer);
    database.close();
    for (const { purpose, keys } of rows) drawn[purpose] += keyBits * keys;
  }
  return drawn;
}

/** What the operators of both ends read: each key is spent at one and at the other. */
function spentBits(road: Road, a: string, b: string): number {
  const spentAt = (station: string, peer: string): number => {
    const links = road.station(station).running.status().links;
    const link = links.find((one) => one.peer === peer);
    expect(link).toMatchObject({ lostBits: '0', reservedBits: '0' });
    return Number(link?.spentBits);
  };
  return (spentAt(a, b) + spentAt(b, a)) / 2;
}

/** Lengths in bytes of what a hop carried: each payment with its certificate, and its receipt. */
async function carriedBytes(road: Road): Promise<readonly number[]> {
  const rows = await road.station('q1').withStore(async (store) => {
    const all = await store.eachPayment(undefined, 1_000);
    return Promise.all(
      all.map(async (row) => {
        const payment = paymentCodec.decode(row.payment);
        const payerCertificate = await store.certificate(payment.transaction.payerCertificate);
        if (payerCertificate === undefined || row.admission === undefined || !row.receipt) {
          throw new Error('a payment that is not delivered');
        }
        const admission = admissionKind.decode(row.admission);
        const content = { payment: { ...payment, payerCertificate }, admission };
        const receipt = receiptKind.decode(row.receipt);
        return [
          { message: wireMessage.encode({ kind: 'payment', content }), secret: new Uint8Array(32) },
          { message: wireMessage.encode({ kind: 'receipt', content: { receipt } }) },
        ];
      }),
    );
  });
  return rows.flat().map((plain) => plainRecord.encode(plain).length);
}

async function payMany(road: Road): Promise<void> {
  const { alice, bob } = road;
  await alice.station.topUp(alice.name, 10_000n);
  await alice.buy([road.price(), payments]);
  for (let i = 0; i < payments; i++) {
    expect((await alice.share(bob.name)).standing).toBe('delivered');
  }
}

/** Three stations; `check` is told of each hop what was drawn for it, since it came up. */
function onEveryHop(
  suite: Suite,
  check: (drawn: Readonly<Record<Purpose, number>>, road: Road) => Promise<void> | void,
): () => Promise<void> {
  return onRoad({ suite: () => suite, primitives: () => opensslPrimitives }, async (road) => {
    await payMany(road);
    for (const { from, to } of road.edges) {
      const drawn = drawnBits(road, from, to);
      expect(drawn.traffic / amortisedOver).toBeLessThanOrEqual(1);
      await check(drawn, road);
      // To the bit what the operator is told.
      expect(spentBits(road, from, to)).toBe(drawn.traffic + drawn.pad + drawn.mac);
    }
  });
}

it(
  'under aes at most 1 bit a payment over 1,000 payments: none but the link’s own keys',
  onEveryHop('aes', (drawn) => {
    expect(drawn).toMatchObject({ pad: 0, mac: 0 });
  }),
);

it(
  'under otp-secret 512 bits a payment, and the link’s own keys; receipts cost nothing',
  onEveryHop('otp-secret', (drawn) => {
    expect(drawn.pad + drawn.mac).toBe(512 * payments);
  }),
);

it(
  'under otp 8 bits a byte and 256, of each payment and of its receipt',
  onEveryHop('otp', async (drawn, road) => {
    const carried = await carriedBytes(road);
    expect(carried).toHaveLength(2 * payments);
    const pads = carried.map((bytes) => keyBits * Math.ceil((8 * bytes) / keyBits));
    expect(drawn.pad).toBe(pads.reduce((sum, bits) => sum + bits, 0));
    expect(drawn.mac).toBe(256 * carried.length);
  }),
);
