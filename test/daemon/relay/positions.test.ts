/** I8: what a station on the way does once an issuer may owe it no more. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, bob, TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q2: TollStation;

/** One fee of 20, and not a second one. */
const position = 39n;
const wordTables = ['outbox', 'evidence', 'sqlite_sequence'];

beforeEach(async () => {
  room = await TollRoom.open();
  q2 = await TollStation.open(room, 'q2', { position });
});
afterEach(async () => {
  await q2.close();
  room.close();
});

/** Each with a coin of its own. */
async function next(): Promise<ArrivingPayment> {
  room.room.clock.advance(1_000);
  return room.arriving('q2');
}

describe('a station that its issuer may owe no more', () => {
  it('says so with a signed word, stores nothing else, and draws no more keys', async () => {
    expect(await q2.receives(await next())).toBe('carried');
    const before = q2.durable(wordTables);
    expect(await q2.receives(await next())).toBe('position-limit');
    expect(q2.complaints.at(-1)).toMatch(/not carried: .*position-limit/);
    const { keysDrawn } = q2;
    const refused = await next();
    expect(await q2.receives(refused)).toBe('position-limit');
    expect(q2.keysDrawn).toBe(keysDrawn);
    expect(q2.durable(wordTables)).toEqual(before);
    expect(await q2.store.payments([refused.paymentId])).toEqual([undefined]);
  });

  it('carries again as soon as it has heard that one was not delivered', async () => {
    const first = await next();
    await q2.receives(first);
    expect(await q2.receives(await next())).toBe('position-limit');
    const receipt = room.undelivered(first.paymentId);
    await q2.hears(room.stations.q3.name, { kind: 'receipt', content: { receipt } });
    expect(await q2.receives(await next())).toBe('carried');
  });

  it('says so to a question for an acceptance, and lets any other question pass', async () => {
    const { q1, q2: here, q3 } = room.stations;
    const route = [q1.name, here.name, q3.name];
    const content = { payer: alice, payee: bob, time: room.now, minimumSuite: 'aes' } as const;
    await room.announce('q2', 20n);
    const object = () => q2.toll.object({ kind: 'acceptance', content }, route);
    expect(await object()).toBeUndefined();
    await q2.receives(await next());
    expect(await object()).toEqual({
      kind: 'declined',
      content: {
        reason: 'position-limit',
        station: here.name,
        message: 'q2 carries nothing more for q1 until that has paid it.',
      },
    });
    const settlement = { kind: 'settlement', content: new Uint8Array(1) } as const;
    expect(await q2.toll.object(settlement, route)).toBeUndefined();
  });
});
