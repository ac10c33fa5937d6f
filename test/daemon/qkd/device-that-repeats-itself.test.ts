import { expect, it } from 'vitest';
import type { QkdKey } from '../../../daemon/qkd/key-source.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { balanced, MemoryLedger, ScriptedSource, settled } from './key-fixtures.ts';

/** A device that hands out one and the same key until it is sound. */
class RepeatingSource extends ScriptedSource {
  draws = 0;
  isSound = false;

  override async draw(count: number, sizeBits: number): Promise<readonly QkdKey[]> {
    if (this.isSound) return super.draw(count, sizeBits);
    this.draws++;
    await new Promise((resolve) => setImmediate(resolve));
    return [{ id: '00000000-0000-4000-8000-000000000001', bits: new Uint8Array(32).fill(7) }];
  }
}

it.each([
  ['fill its stock', 2_048],
  ['serve who waits', 0],
])('is asked at growing intervals to %s, and the operator is told', async (_, capacityBits) => {
  const clock = new VirtualClock();
  const source = new RepeatingSource(100);
  const errors: string[] = [];
  const reservoir = new Reservoir({
    ...{ peer: 'q2', source, ledger: new MemoryLedger(), clock, capacityBits },
    onError: (error) => errors.push(error.message),
  });
  reservoir.start();
  const pad = { purpose: 'pad', bits: 256 } as const;
  expect(await reservoir.take([pad])).toHaveLength(1);
  const patience = new AbortController();
  const never = reservoir.take([pad], { signal: patience.signal });
  for (let i = 0; i < 30; i++) await settled();
  expect(source.draws).toBeLessThan(10);
  expect(errors).toContain('the key manager gives keys that it gave before');
  expect(reservoir.deviceError()).toMatchObject({ code: 'protocol' });
  for (let second = 0; second < 60; second++) {
    clock.advance(1_000);
    await settled();
  }
  expect(source.draws).toBeLessThan(40);
  // It comes to its senses.
  source.isSound = true;
  clock.advance(15_000);
  await settled();
  patience.abort();
  await expect(Promise.all([never, reservoir.take([pad])])).resolves.toHaveLength(2);
  expect(reservoir.deviceError()).toBeUndefined();
  expect(balanced(reservoir.balance())).toBe(true);
  await reservoir.close();
});
