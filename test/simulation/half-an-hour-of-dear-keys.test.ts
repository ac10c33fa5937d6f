/**
 * Links whose words need keys, too, over devices that give few: whenever they run dry, at one end
 * or both, every payment ends, nothing is sealed with a key twice, and every bit is accounted for.
 */
import { expect, it } from 'vitest';
import { dearths } from './sim-fibre.ts';
import { SimNetwork, type SimPlan } from './sim-network.ts';
import { SimStory } from './sim-story.ts';
import { brokenInvariants, everyPayment, leftOver } from './sim-verdict.ts';

const storySeconds = Number(process.env['KEYTOLL_STORY_SECONDS'] ?? 1_800);
/** After the last delivery deadline, and whatever is asked again after it. */
const calmSeconds = 600;
const mostMs = 600_000;
/** More of them: KEYTOLL_SEEDS=7,8,9 */
const seeds = (process.env['KEYTOLL_SEEDS'] ?? '1').split(',');

const dear: SimPlan = {
  cables: [
    ['q1', 'q2', 'otp'],
    ['q2', 'q3', 'otp'],
    ['q3', 'q4', 'otp-secret'],
    ['q4', 'q5', 'otp'],
    ['q1', 'q5', 'otp-secret'],
    ['q2', 'q5', 'otp'],
  ],
  // A payment, and what is kept for words.
  stockBits: 32_768,
};

it.each(seeds)(
  'with seed %s: every payment ends in one of its two ways',
  async (seed) => {
    const network = await SimNetwork.open(seed, dear);
    try {
      const story = new SimStory(network, seed, dearths);
      await story.tell(storySeconds);
      await network.clock.run(calmSeconds);
      const payments = await everyPayment(network);
      const states = [...payments.values()].map((rows) => [...rows.values()][0]?.state);
      const told = { seed, mishaps: story.mishaps, attempts: story.attempts };
      const left = await network.clock.until(leftOver(network));
      expect(
        [...(await brokenInvariants(network)), ...left],
        JSON.stringify(told, undefined, 1),
      ).toEqual([]);
      // Or the story tells nothing.
      expect(states.filter((state) => state === 'delivered').length).toBeGreaterThan(5);
      expect(story.attempts.filter(({ outcome }) => outcome !== 'paid').length).toBeGreaterThan(3);
      expect(network.oneTimeKeys.used).toBeGreaterThan(20);
    } finally {
      await network.close();
    }
  },
  mostMs,
);
