/**
 * What a neighbour's checkpoint is to the witness that cosigned an earlier one (I34). Pure; the
 * signature has been verified.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { CheckpointBody, ShownCheckpoint } from '../wire/checkpoint.ts';
import { isConsistent } from './log-tree.ts';

export type Judgement =
  | { readonly outcome: 'cosign' }
  /** Seen before, or a proof that leads from elsewhere: the neighbour is told where we stand. */
  | { readonly outcome: 'show-last' }
  /** The log is not the one that was cosigned. */
  | { readonly outcome: 'two-logs'; readonly detail: string };

/** `last`: what was cosigned of this station before. */
export function judgeCheckpoint(
  primitives: Primitives,
  last: CheckpointBody | undefined,
  { checkpoint: { body }, since, proof }: ShownCheckpoint,
): Judgement {
  if (last === undefined) {
    return since === 0n && proof.length === 0 ? { outcome: 'cosign' } : { outcome: 'show-last' };
  }
  const contradiction = contradictionOf(last, body);
  if (contradiction !== undefined) return { outcome: 'two-logs', detail: contradiction };
  if (body.size <= last.size || since !== last.size) return { outcome: 'show-last' };
  if (isConsistent(primitives, last, body, proof)) return { outcome: 'cosign' };
  const detail = `its ${body.size} leaves were not shown to begin with the ${last.size} cosigned`;
  return { outcome: 'two-logs', detail };
}

/** Why no log that only grows can have had both checkpoints: proof against whoever signed them. */
export function contradictionOf(one: CheckpointBody, other: CheckpointBody): string | undefined {
  if (one.size === other.size) {
    return equalBytes(one.root, other.root)
      ? undefined
      : `two different logs of ${one.size} leaves`;
  }
  const [shorter, longer] = one.size < other.size ? [one, other] : [other, one];
  return shorter.time > longer.time
    ? `a log of ${longer.size} leaves that had ${shorter.size} later`
    : undefined;
}
