import { describe, expect, it } from 'vitest';
import { SimNetwork } from './sim-network.ts';
import { SimStory } from './sim-story.ts';
import { brokenInvariants, everyPayment } from './sim-verdict.ts';

const hourSeconds = 3_600;
/** After the last delivery deadline, and whatever is asked again after it. */
const calmSeconds = 600;
const mostMs = 300_000;
/** More of them: KEYTOLL_SEEDS=7,8,9 */
const seeds = (process.env['KEYTOLL_SEEDS'] ?? '1').split(',');

async function tell<T>(
  seed: string,
  seconds: number,
  look: (network: SimNetwork, story: SimStory) => Promise<T>,
): Promise<T> {
  const network = await SimNetwork.open(seed);
  try {
    const story = new SimStory(network, seed);
    await story.tell(seconds);
    await network.clock.run(calmSeconds);
    return await look(network, story);
  } finally {
    await network.close();
  }
}

describe('an hour of random fibre faults', () => {
  it.each(seeds)(
    'with seed %s: every payment ends in one of its two ways',
    async (seed) => {
      await tell(seed, hourSeconds, async (network, story) => {
        const payments = await everyPayment(network);
        const states = [...payments.values()].map((rows) => [...rows.values()][0]?.state);
        const told = { seed, mishaps: story.mishaps, attempts: story.attempts };
        expect(await brokenInvariants(network), JSON.stringify(told, undefined, 1)).toEqual([]);
        // Or the story tells nothing.
        expect(states.filter((state) => state === 'delivered').length).toBeGreaterThan(20);
        expect(story.attempts.filter(({ outcome }) => outcome !== 'paid').length).toBeGreaterThan(
          3,
        );
        expect(story.mishaps.length).toBeGreaterThan(20);
        expect(network.oneTimeKeys.used).toBeGreaterThan(20);
      });
    },
    mostMs,
  );

  it(
    'and one seed tells one story',
    async () => {
      const stories = [];
      for (let i = 0; i < 2; i++) {
        const look = async (network: SimNetwork, { startMs, mishaps, attempts }: SimStory) => {
          const payments = await everyPayment(network);
          const states = [...payments.values()].map((rows) =>
            [...rows].map(([station, { state, decidedMs = Number.NaN }]) =>
              [station, state, decidedMs - startMs].join(' '),
            ),
          );
          const told = attempts.map(({ paymentId, ...rest }) => ({
            ...rest,
            paid: paymentId !== undefined,
          }));
          return { mishaps, told, states };
        };
        stories.push(await tell('story', 250, look));
      }
      expect(stories[1]).toEqual(stories[0]);
    },
    mostMs,
  );
});
