/** A row of the outbox whose seal does not open, on a disk that lost a bit. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import { headNow } from '../../../applet-spec/names.ts';
import { refusal as refusalKind } from '../../../applet-spec/receipt.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { rawDatabase } from '../../raw-database.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation, type Said } from './toll-station.ts';

let room: TollRoom;
let q2: TollStation;
beforeEach(async () => {
  room = await TollRoom.open();
  q2 = await TollStation.open(room, 'q2');
});
afterEach(async () => {
  await q2.close();
  room.close();
});

/** The disk turns bits in each row of the outbox that is about this payment. */
function damage({ paymentId }: ArrivingPayment): void {
  const disk = rawDatabase(join(room.room.folder, 'q2.sqlite'));
  const id = toHex(paymentId);
  disk.exec(`UPDATE outbox SET sealed = CAST(x'01' || substr(sealed, 3) || x'5a' AS BLOB)
    WHERE payment_id = x'${id}'`);
  disk.close();
}

async function another(number: number): Promise<ArrivingPayment> {
  const { coinSecret } = await room.arriving('q2');
  const coinId = makeCoinId(room.room.clock.nowMs(), new Uint8Array(10).fill(number));
  const commitment = commitmentOf(primitives, coinId, coinSecret);
  return room.arriving('q2', { coin: { coinId, commitment } });
}

/** What the neighbour is sent once the link to it is up again. */
async function sentAgain(peer: 'q1' | 'q3'): Promise<readonly Said['message'][]> {
  const { name } = room.stations[peer];
  const before = q2.said.length;
  q2.toll.linkUp(name);
  for (let i = 0; i < 200; i++) await new Promise(setImmediate);
  const kinds = new Set(['payment', 'receipt', 'refusal']);
  return q2.said
    .slice(before)
    .flatMap((said) => (said.peer === name && kinds.has(said.message.kind) ? [said.message] : []));
}

async function undelivered({ paymentId }: ArrivingPayment): Promise<void> {
  const receipt = room.undelivered(paymentId);
  await q2.hears(room.stations.q3.name, { kind: 'receipt', content: { receipt } });
}

it('is set aside, and the rows behind it go on', async () => {
  const [bad, good] = [await another(1), await another(2)];
  expect(await q2.receives(bad)).toBe('carried');
  expect(await q2.receives(good)).toBe('carried');
  damage(bad);
  expect(await sentAgain('q3')).toMatchObject([
    { kind: 'payment', content: { payment: { transactionBytes: good.payment.transactionBytes } } },
  ]);
  expect(q2.complaints).toEqual([
    'its record for the next station is damaged and cannot be sent: q3: 1',
  ]);
  expect(await q2.toll.damaged()).toEqual([{ peer: 'q3', payments: 1 }]);
  expect(await sentAgain('q3')).toHaveLength(1);
  expect(q2.complaints).toHaveLength(1);
});

it('of a payment is told of until the payment ends', async () => {
  const bad = await another(1);
  await q2.receives(bad);
  damage(bad);
  await sentAgain('q3');
  await undelivered(bad);
  expect(await q2.toll.damaged()).toEqual([]);
});

it('of a receipt is made anew from the receipt that is stored', async () => {
  const [bad, good] = [await another(1), await another(2)];
  for (const one of [bad, good]) {
    await q2.receives(one);
    await undelivered(one);
  }
  damage(bad);
  const receipts = await sentAgain('q1');
  expect(
    receipts.flatMap(({ kind, content }) =>
      kind === 'receipt' ? [toHex(content.receipt.body.paymentId)] : [],
    ),
  ).toEqual([toHex(good.paymentId), toHex(bad.paymentId)]);
  expect(q2.complaints).toEqual(['a damaged receipt is sent anew: q1: 2']);
  expect(await q2.toll.damaged()).toEqual([]);
  expect(await q2.store.outbox(room.stations.q1.name, 9)).toHaveLength(2);
});

it('of advice is dropped: the issuer asks by itself', async () => {
  const bad = await another(1);
  await q2.receives(bad);
  const { q1, q3 } = room.stations;
  const { paymentId } = bad;
  const body = { ...headNow, paymentId, station: q3.name, reason: 'no-keys', time: room.now };
  const refusal = refusalKind.sign({ ...body, reason: 'no-keys' }, q3.documentKey);
  await q2.hears(q3.name, { kind: 'refusal', content: { refusal } });
  damage(bad);
  expect(await sentAgain('q1')).toEqual([]);
  expect(q2.complaints).toEqual(['damaged advice is dropped: q1: 2']);
  expect(await q2.store.outbox(q1.name, 9)).toEqual([]);
});

it('does not hold up others, however many there are', async () => {
  const { name } = room.stations.q1;
  const record = new Uint8Array([1]);
  const words = Array.from({ length: 600 }, (_, i) => ({
    peer: name,
    paymentId: primitives.sha256(Uint8Array.of(i >> 8, i)),
    record,
  }));
  await q2.store.enqueue(words);
  const disk = rawDatabase(join(room.room.folder, 'q2.sqlite'));
  disk.exec("UPDATE outbox SET sealed = x'01'");
  disk.close();
  const good = await another(2);
  await q2.receives(good);
  await undelivered(good);
  expect(await sentAgain('q1')).toMatchObject([{ kind: 'receipt' }]);
});
