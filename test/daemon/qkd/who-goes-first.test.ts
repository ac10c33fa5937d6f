/** I33: payments take no key that the link itself, or a word about other payments, waits for. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyReservation } from '../../../daemon/qkd/reservoir.ts';
import { balanced, ScriptedSource, settled } from './key-fixtures.ts';
import { mac, pad, reservoirOf } from './test-reservoir.ts';

const traffic = { purpose: 'traffic', bits: 256 } as const;
const long = { purpose: 'pad', bits: 1_024 } as const;

it('the link’s own key goes first, then words, then payments that have waited longer', async () => {
  const source = new ScriptedSource(0);
  const { reservoir, clock } = reservoirOf(source, { capacityBits: 0 });
  const order: string[] = [];
  const note = (who: string) => () => void order.push(who);
  const waits = [
    reservoir.reserve([long]).then(note('payment')),
    reservoir.take([pad, mac]).then(note('word')),
    reservoir.take([pad, mac]).then(note('word behind it')),
    reservoir.take([traffic], { rank: 'link' }).then(note('link')),
  ];
  await settled();
  clock.advance(200);
  await settled();
  expect(reservoir.starvation()).toMatchObject({
    missingBits: 256 + 2 * 512 + 1_024,
    waiting: { link: 1, word: 2, payment: 1 },
  });
  for (let i = 0; i < 9; i++) {
    source.refill(1);
    clock.advance(2_000);
    await settled();
  }
  await Promise.all(waits);
  expect(order).toEqual(['link', 'word', 'word behind it', 'payment']);
  expect(reservoir.starvation()).toBeUndefined();
});

it('payments leave so many bits as are kept for others, and say that they lack them', async () => {
  const source = new ScriptedSource(8);
  const { reservoir, clock } = reservoirOf(source, { keptBits: 1_024 });
  reservoir.start();
  await settled();
  expect(reservoir.balance()).toMatchObject({ available: 2_048n, kept: 1_024n });
  const first = await reservoir.reserve([long]);
  const patience = new AbortController();
  const second = reservoir.reserve([pad], patience.signal);
  clock.advance(1_000);
  await settled();
  expect(reservoir.starvation()).toMatchObject({
    missingBits: 256,
    waiting: { link: 0, word: 0, payment: 1 },
  });
  // What is set apart for a payment is its own, and words have the rest to the last key.
  expect(await reservoir.take([pad, mac])).toHaveLength(2);
  expect(await reservoir.take([pad, mac])).toHaveLength(2);
  expect(reservoir.balance()).toMatchObject({ available: 0n, kept: 0n, reserved: 1_024n });
  const own = { rank: 'payment', reservations: [first] } as const;
  expect(await reservoir.take([long], own)).toHaveLength(1);
  patience.abort();
  await expect(second).rejects.toMatchObject({ code: 'aborted' });
  expect(reservoir.starvation()).toMatchObject({ waiting: { link: 0, word: 0, payment: 0 } });
  source.refill(5);
  clock.advance(2_000);
  await settled();
  expect(reservoir.starvation()).toBeUndefined();
  expect((await reservoir.reserve([pad])).bits).toBe(256);
});

it('a device that drops what it drew before keeps nothing, and payments take all', async () => {
  const source = new ScriptedSource(100);
  const { reservoir } = reservoirOf(source, { keptBits: 1_024 });
  for (let i = 0; i < 3; i++) reservoir.reportMissed();
  const before = source.drawn.length;
  expect((await reservoir.reserve([pad, mac])).bits).toBe(512);
  expect(source.drawn.length - before).toBe(2);
});

it('whatever comes, no payment takes kept bits, and words have them', async () => {
  const steps = fc.array(fc.constantFrom('pay', 'say', 'use', 'release', 'refill'), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const keptBits = 512;
      const source = new ScriptedSource(4);
      const { reservoir, clock } = reservoirOf(source, { capacityBits: 1_024, keptBits });
      const held: KeyReservation[] = [];
      let payments = 0;
      let words = 0;
      for (const step of story) {
        const one = step === 'use' || step === 'release' ? held.shift() : undefined;
        if (step === 'pay') {
          const leaves = (): void => {
            expect(reservoir.balance().available).toBeGreaterThanOrEqual(BigInt(keptBits));
          };
          payments++;
          const paying = reservoir.reserve([pad, mac]).then((bits) => {
            leaves();
            payments--;
            held.push(bits);
          });
          paying.catch(() => undefined);
        } else if (step === 'say') {
          words++;
          reservoir.take([pad, mac]).then(
            () => words--,
            () => undefined,
          );
        } else if (step === 'use' && one !== undefined) {
          await reservoir.take([pad, mac], { rank: 'payment', reservations: [one] });
        } else if (step === 'release') one?.release();
        else if (step === 'refill') source.refill(2);
        clock.advance(2_000);
        await settled();
        const balance = reservoir.balance();
        const { made, used, released } = balance.reservations;
        expect(made).toBe(used + released + balance.reserved);
        expect(balanced(balance)).toBe(true);
        // As long as payments wait, words alone can have run the stock down.
        if (words > 0) expect(balance.available).toBeLessThan(512n);
      }
      for (const one of held) one.release();
      source.refill(200);
      for (let i = 0; i < 20; i++) {
        clock.advance(2_000);
        await settled();
      }
      expect({ payments, words }).toEqual({ payments: 0, words: 0 });
      await reservoir.close();
    }),
    { numRuns: 60 },
  );
});
