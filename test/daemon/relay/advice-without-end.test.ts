/** A station of the route that never stops to say, signed, why it does not carry a payment. */
import { expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import { refusal as refusalKind } from '../../../applet-spec/receipt.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

it('is passed on and kept a few times, and fills nobody’s disk', async () => {
  const room = await TollRoom.open();
  const q2 = await TollStation.open(room, 'q2');
  const { q1, q3 } = room.stations;
  const arriving = await room.arriving('q2');
  expect(await q2.receives(arriving)).toBe('carried');
  const { paymentId } = arriving;
  const about = { ...headNow, paymentId, station: q3.name, reason: 'no-keys' } as const;
  const heard = Array.from({ length: 50 }, (_, i) => {
    const refusal = refusalKind.sign({ ...about, time: room.now + BigInt(i) }, q3.documentKey);
    return q2.hears(q3.name, { kind: 'refusal', content: { refusal } });
  });
  await Promise.all(heard);
  expect(await q2.store.evidence(paymentId)).toHaveLength(8);
  expect(await q2.store.outbox(q1.name, 100)).toHaveLength(8);
  // There is room for what proves more, such as a second verdict.
  const receipt = room.undelivered(paymentId);
  await q2.store.putEvidence([{ paymentId, bytes: receipt.bytes }]);
  expect((await q2.store.evidence(paymentId)).at(-1)).toEqual(receipt.bytes);
  await q2.close();
  room.close();
});
