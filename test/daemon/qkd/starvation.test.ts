/** Who waits for keys, and who is told so: with no keys for anybody, routes avoid the link. */
import { expect, it } from 'vitest';
import type { KeyLedger } from '../../../daemon/qkd/key-ledger.ts';
import type { KeyStarvation } from '../../../daemon/qkd/reservoir.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';
import { MemoryLedger, ScriptedSource, settled } from './key-fixtures.ts';
import { mac, pad, reservoirOf } from './test-reservoir.ts';

it('waits for keys, first come first served, and tells since when', async () => {
  const told: (KeyStarvation | undefined)[] = [];
  const source = new ScriptedSource(0);
  const { reservoir, clock } = reservoirOf(source, { onStarvation: (one) => told.push(one) });
  const startMs = clock.nowMs();
  const order: string[] = [];
  const long = reservoir.take([{ purpose: 'pad', bits: 512 }]).then(() => order.push('long'));
  const short = reservoir.take([mac]).then(() => order.push('short'));
  await settled();
  expect(reservoir.starvation()).toBeUndefined();
  clock.advance(200);
  await settled();
  expect(reservoir.starvation()).toMatchObject({ sinceMs: startMs, missingBits: 768 });
  expect(reservoir.deviceError()).toMatchObject({ code: 'exhausted' });
  source.refill(1);
  clock.advance(2_000);
  await settled();
  expect(order).toEqual([]);
  expect(reservoir.starvation()).toMatchObject({ missingBits: 512 });
  source.refill(10);
  clock.advance(2_000);
  await Promise.all([long, short]);
  expect(order).toEqual(['long', 'short']);
  expect(reservoir.starvation()).toBeUndefined();
  expect(told).toEqual([expect.objectContaining({ sinceMs: startMs }), undefined]);
});

it('tells that there are no keys, also where the clock is set back meanwhile', async () => {
  const steady = new VirtualClock();
  const clock = new UnsteadyClock(steady);
  const { reservoir } = reservoirOf(new ScriptedSource(0), { clock });
  const taken = reservoir.take([pad]);
  await settled();
  expect(reservoir.starvation()).toBeUndefined();
  clock.set(-3_600_000);
  steady.advance(200);
  expect(reservoir.starvation()).toMatchObject({ missingBits: 256 });
  await reservoir.close();
  await expect(taken).rejects.toMatchObject({ code: 'aborted' });
});

it('lacks no keys where those in stock wait for a slow disk', async () => {
  const told: (KeyStarvation | undefined)[] = [];
  const disk = new MemoryLedger();
  const written: (() => void)[] = [];
  const slow: KeyLedger = {
    recordUse: async (uses) => {
      await new Promise<void>((resolve) => written.push(resolve));
      return disk.recordUse(uses);
    },
  };
  const { reservoir, clock } = reservoirOf(new ScriptedSource(100), {
    ledger: slow,
    onStarvation: (one) => told.push(one),
  });
  reservoir.start();
  await settled();
  const takes = [reservoir.take([pad]), reservoir.take([mac])];
  while (written.length > 0) {
    clock.advance(300);
    await settled();
    expect(reservoir.starvation()).toBeUndefined();
    written.shift()?.();
    await settled();
  }
  await Promise.all(takes);
  expect(told).toEqual([]);
});

it('waits in line to set bits apart, and says so until there are keys', async () => {
  const starvations: (KeyStarvation | undefined)[] = [];
  const source = new ScriptedSource(0);
  const { reservoir, clock } = reservoirOf(source, {
    capacityBits: 0,
    onStarvation: (one) => starvations.push(one),
  });
  const patience = new AbortController();
  const waits = reservoir.reserve([pad, mac], patience.signal);
  await settled();
  clock.advance(1_000);
  patience.abort();
  await expect(waits).rejects.toMatchObject({ code: 'aborted' });
  // Nobody waits any more, and still the device is to make what was asked for.
  expect(reservoir.starvation()).toMatchObject({ missingBits: 512 });
  source.refill(2);
  clock.advance(1_000);
  await settled();
  expect(reservoir.starvation()).toBeUndefined();
  expect(starvations.map((one) => one !== undefined)).toEqual([true, false]);
  expect((await reservoir.reserve([pad, mac])).bits).toBe(512);
});
