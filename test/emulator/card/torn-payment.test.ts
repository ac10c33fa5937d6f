/**
 * Guarantees 1 and 3 of the card (design §6): one signature per coin, and torn power is harmless.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex } from '../../../applet-spec/bytes.ts';
import type { PayAnswer } from '../../../applet-spec/card-objects.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { PowerLostError } from '../../../emulator/card/card-error.ts';
import type { PowerCut } from '../../../emulator/card/power-cut.ts';
import { coinOf, quoteDigest, quoteOf, transactionOf } from '../../contract/applet-papers.ts';
import { journal, load, paid } from '../../contract/applet-subject.ts';
import { cuttableCard, type CuttableCard } from './card-bench.ts';

const coins = [1, 2, 3].map((n) => coinOf(n));
/** PAY marks, then stores the signature. */
const payWrites = 2;
const cuts: readonly PowerCut[] = Array.from({ length: payWrites }, (_, i) => i + 1).flatMap(
  (write) => [
    { write, moment: 'before' as const },
    { write, moment: 'after' as const },
  ],
);

async function richCard(seed: string): Promise<CuttableCard> {
  const card = cuttableCard(seed);
  await load(await card.subject.enrol({ dayLimit: 1_000_000n }), ...coins);
  return card;
}

/** undefined where the power went before the answer. */
async function payTorn(
  { subject, storage }: CuttableCard,
  quoteBytes: Uint8Array,
  cut: PowerCut | undefined,
): Promise<PayAnswer | undefined> {
  const station = await subject.connect();
  storage.cutAt(cut);
  try {
    return await paid(station, quoteBytes);
  } catch (error) {
    if (!(error instanceof PowerLostError)) throw error;
    return undefined;
  } finally {
    storage.cutAt(undefined);
    await subject.card.powerCycle();
  }
}

describe('a PAY torn at a write', () => {
  it('has as many writes as this test cuts', async () => {
    const card = await richCard('writes');
    const station = await card.subject.connect();
    const before = card.storage.writes;
    await paid(station, quoteOf(1));
    expect(card.storage.writes - before).toBe(payWrites);
  });

  it.each(cuts)('$moment write $write: the repeat pays, once', async (cut) => {
    const card = await richCard('torn');
    expect(await payTorn(card, quoteOf(1), cut)).toBeUndefined();
    const first = await payTorn(card, quoteOf(1), undefined);
    expect(await payTorn(card, quoteOf(1), undefined)).toEqual(first);
    await card.subject.host.select();
    expect(await card.subject.info()).toMatchObject({ coins: 3, peerKeys: 1 });
  });

  it.each(cuts)('$moment write $write: the journal says what became of it', async (cut) => {
    const card = await richCard('journal');
    await payTorn(card, quoteOf(1), cut);
    const station = await card.subject.connect();
    const { payment } = await journal(station, { quoteDigest: quoteDigest(quoteOf(1)) });
    if (cut.write === 1 && cut.moment === 'before') {
      expect(payment).toBeUndefined();
    } else {
      // Marked is as good as signed: the card finishes it before it answers anything.
      const answer = await paid(station, quoteOf(1));
      expect(payment?.signature).toEqual(answer.signature);
      expect(payment?.coinId).toEqual(answer.coinId);
    }
  });

  it('a coin that was marked for one quote pays no other', async () => {
    const card = cuttableCard('one coin');
    await load(await card.subject.enrol(), coinOf(1));
    await payTorn(card, quoteOf(1), { write: 1, moment: 'after' });
    await expect(payTorn(card, quoteOf(2), undefined)).rejects.toThrow('no-matching-coin');
  });
});

describe('any series of torn and repeated payments', () => {
  const step = fc.record({
    quote: fc.integer({ min: 1, max: 4 }),
    cut: fc.option(fc.constantFrom(...cuts), { nil: undefined }),
  });

  it('signs at most one digest for each coin, and the same for each quote', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const card = await richCard('property');
        const byQuote = new Map<number, PayAnswer>();
        const byCoin = new Map<string, number>();
        for (const { quote, cut } of steps) {
          const spent = byCoin.size === coins.length && !byQuote.has(quote);
          const answer = await payTorn(card, quoteOf(quote), cut).catch((error: unknown) => {
            // Coins may be marked for quotes whose answers were torn and never asked for again.
            expect(String(error)).toContain('no-matching-coin');
            return undefined;
          });
          if (spent) expect(answer).toBeUndefined();
          if (answer === undefined) continue;
          expect(answer).toEqual(byQuote.get(quote) ?? answer);
          byQuote.set(quote, answer);
          const coinId = toHex(answer.coinId);
          expect(byCoin.get(coinId) ?? quote).toBe(quote);
          byCoin.set(coinId, quote);
          expectSignature(card, quote, answer);
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

function expectSignature({ subject }: CuttableCard, quote: number, answer: PayAnswer): void {
  const coin = coins.find(({ coinId }) => toHex(coinId) === toHex(answer.coinId));
  if (coin === undefined) throw new Error('a coin that was never loaded');
  const { bytes } = transactionOf(quoteOf(quote), coin, subject.certificate);
  const key = primitives.verifyingKey(subject.publicKey);
  expect(key.verify(concatBytes(labels.transaction, bytes), answer.signature)).toBe(true);
}
