import { onTestFinished } from 'vitest';
import { Reservoir, type ReservoirOptions } from '../../../daemon/qkd/reservoir.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { MemoryLedger, type ScriptedSource } from './key-fixtures.ts';

export const pad = { purpose: 'pad', bits: 256 } as const;
export const mac = { purpose: 'mac', bits: 256 } as const;

/** A reservoir of a source, closed when the test is over. */
export function reservoirOf(
  source: ScriptedSource,
  options: Partial<ReservoirOptions> = {},
): { readonly reservoir: Reservoir; readonly ledger: MemoryLedger; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  const ledger = new MemoryLedger();
  const reservoir = new Reservoir({
    peer: 'q2',
    source,
    ledger,
    clock,
    capacityBits: 2_048,
    ...options,
  });
  onTestFinished(() => reservoir.close());
  return { reservoir, ledger, clock };
}
