/** The case that `applet-spec/conformance.md` shows in bytes is the one that is tried. */
import { expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { CardOnBench } from '../../../driver/conformance/card-on-bench.ts';
import { sessionChecks } from '../../../driver/conformance/session-checks.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { readPage } from '../../applet-spec/specification-tables.ts';
import { defectiveCard } from './defective-card.ts';

it('a replay, as the page shows it', async () => {
  const entropy = seededEntropy('example');
  const { image, delivery } = makeCard(entropy, 't1-short');
  const wire: string[] = [];
  const recorded = defectiveCard(image, 't1-short', entropy, {
    wire: (sound) => async (apdu) => {
      const answer = await sound(apdu);
      wire.push(`${toHex(apdu)}=${toHex(answer)}`);
      return answer;
    },
  });
  const reader = new InProcessReader();
  reader.insert(recorded);
  const clock = new VirtualClock();
  const card = new CardOnBench({ reader, clock, entropy, primitives, delivery });
  card.keys = delivery.keys;
  await card.powerCycle();
  await card.select();
  await sessionChecks['SESSION-9'](card);
  await card.close();
  const block = /```\n(00 a4.*?)```/s.exec(readPage('conformance.md').text)?.[1] ?? '';
  const shown = block
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/ {2,}\D*$/, ''));
  expect(shown).toHaveLength(wire.length);
  for (const [i, line] of shown.entries()) {
    const pattern = line.replaceAll(' ', '').replaceAll('…', '([0-9a-f]{2})+');
    expect(wire[i]).toMatch(new RegExp(`^${pattern}$`));
  }
  expect(wire[4]?.split('=')[0]).toBe(wire[3]?.split('=')[0]);
});
