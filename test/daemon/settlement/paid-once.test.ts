/**
 * I5, I6, I7, I24, I42: whatever is lost, repeated, delayed or restarted, each line is paid at most
 * once, and in the end once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom, type Fate } from './settlement-room.ts';

const names = ['q1', 'q2', 'q3'] as const;
const routes = [
  ['q1', 'q2', 'q3'],
  ['q3', 'q2', 'q1'],
  ['q2', 'q1'],
  ['q1', 'q3'],
] as const;

const fate = fc.constantFrom<Fate>(
  'delivered',
  'delivered',
  'delivered',
  'question-lost',
  'answer-lost',
  'twice',
  'late',
);
const step = fc.oneof(
  fc.record({ does: fc.constant('pay' as const), route: fc.constantFrom(...routes) }),
  fc.record({ does: fc.constant('settle' as const), at: fc.constantFrom(...names) }),
  fc.record({ does: fc.constant('settle-together' as const) }),
  fc.record({ does: fc.constant('restart' as const), at: fc.constantFrom(...names) }),
  fc.record({ does: fc.constant('repeat' as const), from: fc.nat(50) }),
);

function nextOf(fates: Iterator<Fate>): Fate {
  const next = fates.next();
  return next.done === true ? 'delivered' : next.value;
}

async function redeemedWithin(room: SettlementRoom, delivered: bigint): Promise<void> {
  let redeemed = 0n;
  for (const { store } of room.toll.stations) {
    for (const { debit, amount } of await store.transfers(0n, 100_000)) {
      if (debit.startsWith('payable:')) redeemed += amount;
    }
  }
  expect(redeemed).toBeLessThanOrEqual(delivered);
}

async function everythingIsPaid(room: SettlementRoom): Promise<void> {
  for (const { name, store } of room.toll.stations) {
    for (const { payable, receivable } of await store.positions()) {
      expect({ name, payable, receivable }).toEqual({ name, payable: 0n, receivable: 0n });
    }
    const report = await room.toll.audit(name);
    expect(report.findings).toEqual([]);
    expect(report.trialBalance).toBe(0n);
  }
}

/** I7: both ends of a pair have the same windows, and over all stations the nets are nothing. */
async function netsCancel(room: SettlementRoom): Promise<void> {
  let net = 0n;
  for (const { name, store } of room.toll.stations) {
    for (const { kind, amount } of await store.transfers(0n, 100_000)) {
      if (kind === 'settlement-received') net += amount;
      if (kind === 'settlement-paid') net -= amount;
    }
    for (const peer of room.toll.stations) {
      for (const { sequence, ours, theirs } of await store.windows(peer.name, 0n, 1_000)) {
        expect(await peer.store.window(name, sequence)).toMatchObject({
          ours: theirs,
          theirs: ours,
        });
      }
    }
  }
  expect(net).toBe(0n);
}

describe('money between stations', () => {
  it('is paid once, however words are lost, repeated and delayed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 14 }),
        fc.infiniteStream(fate),
        async (steps, fates) => {
          const room = new SettlementRoom(await TollRoom.open([5n, 4n, 3n]));
          try {
            room.fate = () => nextOf(fates);
            let delivered = 0n;
            for (const one of steps) {
              if (one.does === 'pay') {
                const { quote } = await room.pay({ route: one.route });
                delivered += quote.bill.slice(1).reduce((sum, { fee }) => sum + fee, 0n);
              } else if (one.does === 'settle') await room.at(one.at).settle();
              else if (one.does === 'restart') await room.restart(one.at);
              else if (one.does === 'settle-together') {
                await Promise.all(names.map((name) => room.at(name).settle()));
              } else {
                const old = room.questions[one.from % Math.max(1, room.questions.length)];
                if (old !== undefined) await room.at(old.to).answer(old.bytes);
              }
              await redeemedWithin(room, delivered);
            }
            room.fate = () => 'delivered';
            // Twice each: what one side held back, the other may have to hear first.
            for (const name of [...names, ...names]) await room.at(name).settle();
            for (const { to, bytes } of [...room.questions]) await room.at(to).answer(bytes);
            await redeemedWithin(room, delivered);
            await everythingIsPaid(room);
            await netsCancel(room);
          } finally {
            await room.toll.close();
          }
        },
      ),
      { numRuns: 15 },
    );
  }, 120_000);
});
