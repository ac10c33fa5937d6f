/**
 * What a neighbour's checkpoint is to the witness that cosigned an earlier one (I34). Pure; the
 * signature has been verified.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { placeOf, type CheckpointBody, type ShownCheckpoint } from '../wire/checkpoint.ts';
import { isConsistent } from './log-tree.ts';

export type Judgement =
  | { readonly outcome: 'cosign' }
  /** Seen before, or a proof that leads from elsewhere: the neighbour is told where we stand. */
  | { readonly outcome: 'show-last' }
  /** The log is not the one that was cosigned. */
  | { readonly outcome: 'two-logs'; readonly detail: string };

/**
 * `last`: what was cosigned of this station before, or what its declaration leaves of it.
 * `generation`: the last that it declared.
 */
export function judgeCheckpoint(
  primitives: Primitives,
  last: CheckpointBody | undefined,
  { checkpoint: { body }, since, proof }: ShownCheckpoint,
  generation = 0n,
): Judgement {
  // Of a generation that was given up, or whose declaration has not come.
  if (placeOf(body).generation !== generation) return { outcome: 'show-last' };
  // The first that is seen begins with nothing known, whatever its station believes of us.
  if (last === undefined) return { outcome: 'cosign' };
  const contradiction = contradictionOf(last, body);
  if (contradiction !== undefined) return { outcome: 'two-logs', detail: contradiction };
  if (body.size <= last.size || since !== last.size) return { outcome: 'show-last' };
  if (isConsistent(primitives, last, body, proof)) return { outcome: 'cosign' };
  const detail = `its ${body.size} leaves were not shown to begin with the ${last.size} cosigned`;
  return { outcome: 'two-logs', detail };
}

/** Why no log that only grows can have had both checkpoints: proof against whoever signed them. */
export function contradictionOf(one: CheckpointBody, other: CheckpointBody): string | undefined {
  // Of two generations the declaration between them tells.
  if (placeOf(one).generation !== placeOf(other).generation) return undefined;
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
