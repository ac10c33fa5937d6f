/** A payment under way of which the disk has lost some bytes, at a station that starts. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import { rawDatabase } from '../../raw-database.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

it('keeps the last station neither from starting nor from ending the others', async () => {
  const room = await TollRoom.open();
  let q3 = await TollStation.open(room, 'q3');
  const { coinSecret } = await room.arriving('q3');
  const held = [];
  for (const number of [1, 2]) {
    const coinId = makeCoinId(room.room.clock.nowMs(), new Uint8Array(10).fill(number));
    const commitment = commitmentOf(primitives, coinId, coinSecret);
    const arriving = await room.arriving('q3', { coin: { coinId, commitment } });
    expect(await q3.receives(arriving)).toBe('carried');
    held.push(arriving.paymentId);
  }
  await q3.close();
  const disk = rawDatabase(join(room.room.folder, 'q3.sqlite'));
  disk.exec(`DROP TRIGGER payment_body_is_never_changed;
    UPDATE payment_body SET payment = x'00' WHERE number =
      (SELECT number FROM payment WHERE payment_id = x'${toHex(held[0] ?? new Uint8Array(0))}')`);
  disk.close();
  q3 = await TollStation.open(room, 'q3');
  await q3.toll.start();
  expect(q3.complaints).toEqual([expect.stringMatching(/its record is damaged/)]);
  room.room.clock.advance(300_000);
  for (let i = 0; i < 200; i++) await new Promise(setImmediate);
  const rows = await q3.store.payments(held);
  expect(rows.map((row) => row?.state)).toEqual(['held', 'undelivered']);
  await q3.close();
  room.close();
});
