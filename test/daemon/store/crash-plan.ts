import fc from 'fast-check';
import type { KeyUse } from '../../../daemon/qkd/key-ledger.ts';
import type { Operation } from './money-model.ts';
import { opening, operation } from './money-workload.ts';

/** The same for parent and child. */
export function crashOperations(seed: number): readonly Operation[] {
  const chosen = fc.sample(operation, { seed, numRuns: 400 });
  return [...opening, ...chosen.filter((step) => step.do !== 'expire')];
}

export function keyUse(n: number): KeyUse {
  const keyId = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return { keyId, peer: 'q2', direction: 'send', purpose: 'pad' };
}
