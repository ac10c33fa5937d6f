/** The last station's clock rules the deadline, also where its alarm has not rung yet. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { concatBytes } from '../../../applet-spec/bytes.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { headNow } from '../../../applet-spec/names.ts';
import { acknowledgement } from '../../../applet-spec/receipt.ts';
import { keyNamed, primitives } from '../network/network-room.ts';
import { bob, TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q3: TollStation;
beforeEach(async () => {
  room = await TollRoom.open();
  q3 = await TollStation.open(room, 'q3');
});
afterEach(async () => {
  await q3.close();
  room.close();
});

/** What comes of a payment whose payee's card answers after so long by the clock. */
async function answeredAfter(ms: number) {
  const certificate = await room.room.ca.issueUser(keyNamed(bob).publicKey, bob);
  await q3.store.putCertificates([certificate]);
  const payeeCertificate = primitives.sha256(certificate);
  const arriving = await room.arriving('q3', { quote: { payeeCertificate } });
  const { paymentId } = arriving;
  const body = acknowledgement.body.encode({ ...headNow, paymentId, payeeCertificate });
  const signature = keyNamed(bob).sign(concatBytes(labels.acknowledgement, body));
  const { clock } = room.room;
  const asked = clock.nowMs();
  q3.payeesCard = () => {
    // It is set meanwhile, or the machine slept: no alarm counts that.
    clock.nowMs = () => asked + ms;
    return { outcome: 'acknowledged', signature };
  };
  expect(await q3.receives(arriving)).toBe('carried');
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  return q3.said.flatMap(({ message }) => {
    if (message.kind !== 'receipt') return [];
    const { verdict, reason } = message.content.receipt.body;
    return [{ verdict, reason }];
  });
}

it('an acknowledgement in time delivers', async () => {
  expect(await answeredAfter(300_000)).toEqual([{ verdict: 'delivered', reason: undefined }]);
});

it('one that comes after the deadline by the clock does not, whatever the alarm says', async () => {
  expect(await answeredAfter(301_000)).toEqual([
    { verdict: 'undelivered', reason: 'deadline-passed' },
  ]);
});
