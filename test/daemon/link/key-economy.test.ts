/** What payments and their receipts cost in QKD bits on one hop, every traffic key counted. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import { LinkRoom, messageOf, pay, until, type LinkEnd } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const payments = 1_000;
const batch = 50;

/** Bits drawn by these ends; the other end of each key is where it was fetched. */
function drawnBits(...ends: readonly LinkEnd[]): number {
  const uses = ends.flatMap(({ ledger }) => [...ledger.used.values()]);
  return 256 * uses.filter(({ direction }) => direction === 'send').length;
}

function trafficBits(...ends: readonly LinkEnd[]): number {
  const uses = ends.flatMap(({ ledger }) => [...ledger.used.values()]);
  return (
    256 *
    uses.filter(({ direction, purpose }) => direction === 'send' && purpose === 'traffic').length
  );
}

/** q2 answers rows `from` to `to` with a receipt each. */
async function receipts(q2: LinkEnd, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const words = numbers.map((number) => ({ message: messageOf(number, 400) }));
  const records = await q2.links.protect(q2.peer, words);
  const rows = records.map((record, i) => ({ rowId: BigInt(from + i), record }));
  for (const { rowId, record } of rows) q2.outbox.set(rowId, record);
  expect(q2.links.send(q2.peer, rows)).toBe(true);
}

async function payAll(q1: LinkEnd, q2: LinkEnd): Promise<void> {
  for (let from = 1; from <= payments; from += batch) {
    await pay(q1, from, from + batch - 1, 1_200);
    await receipts(q2, from, from + batch - 1);
    await until(() => q1.outbox.size === 0 && q2.outbox.size === 0);
  }
  expect(q2.rows).toHaveLength(payments);
  expect(q1.rows).toHaveLength(payments);
}

describe('a thousand payments and their receipts cost, in bits a payment and hop,', () => {
  it('at most 1 under aes, with the rekeying that is configured by default', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes', rekeyRecords: 100_000 });
    await payAll(q1, q2);
    expect(drawnBits(q1, q2) / payments).toBeLessThanOrEqual(1);
    expect(drawnBits(q1, q2)).toBe(trafficBits(q1, q2));
  });

  it.each([100_000, 100])(
    '512 under otp-secret, and rekeying after %i records',
    async (records) => {
      const [q1, q2] = await room.linked({ rekeyRecords: records, stock: 5_000 });
      await payAll(q1, q2);
      expect(drawnBits(q1, q2)).toBe(512 * payments + trafficBits(q1, q2));
      // In each direction a fresh key at four fifths of the last one's life, and one held ready.
      const keys = Math.ceil(payments / (0.8 * records)) + 2;
      expect(trafficBits(q1, q2)).toBeLessThanOrEqual(2 * 256 * keys);
      expect(q1.reservoir.balance().lost + q2.reservoir.balance().lost).toBe(0n);
    },
  );
});

describe('a device that hands keys out again', () => {
  it('is found out before the link uses one twice, whenever it does so', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 4, maxLength: 12 }), async (again) => {
        const source = new ScriptedSource(1_000, room.handedOut);
        const [q1, q2] = await room.linked({}, { source });
        for (const [i, isAgain] of again.entries()) {
          if (isAgain) source.repeatLast();
          await pay(q1, i + 1, i + 1);
          await until(() => q1.outbox.size === 0);
        }
        // Every key once, for one purpose; what came again was thrown away, to the bit.
        expect(q2.rows).toHaveLength(again.length);
        expect(drawnBits(q1)).toBe(512 * again.length + trafficBits(q1));
        expect(q1.reservoir.balance().lost).toBe(256n * BigInt(again.filter(Boolean).length));
        await room.close();
        room = new LinkRoom();
      }),
      { numRuns: 30 },
    );
  });
});
