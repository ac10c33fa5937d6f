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

it('has the issuer ask the last station once at a time, and others have their turn', async () => {
  const room = await TollRoom.open();
  const q1 = await TollStation.open(room, 'q1');
  const { q2 } = room.stations;
  const arriving = await room.arriving('q1');
  await q1.sells(arriving);
  await q1.pays(arriving);
  const { paymentId } = arriving;
  const about = { ...headNow, paymentId, station: q2.name, reason: 'no-keys' } as const;
  const asked = () => q1.said.filter(({ message }) => message.kind === 'question').length;
  const advised = async (from: number, to: number) => {
    for (let i = from; i <= to; i++) {
      const refusal = refusalKind.sign({ ...about, time: room.now + BigInt(i) }, q2.documentKey);
      void q1.hears(q2.name, { kind: 'refusal', content: { refusal } });
    }
    for (let i = 0; i < 200; i++) await new Promise(setImmediate);
  };
  await advised(1, 30);
  expect(asked()).toBe(1);
  // It was not answered: the next advice, and the clock, have it ask again.
  room.room.clock.advance(10_000);
  await advised(31, 40);
  expect(asked()).toBe(2);
  for (const ms of [10_000, 20_000]) {
    room.room.clock.advance(ms);
    await advised(1, 0);
  }
  expect(asked()).toBe(3);
  await q1.close();
  room.close();
});
