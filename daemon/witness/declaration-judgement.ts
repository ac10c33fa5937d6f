/**
 * What a station's declaration of lost leaves is to its witness (I14, I34): it may give up what was
 * witnessed once, forward only, and before the eyes of whoever holds it. Pure; the signature has
 * been verified.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { comparePlaces, placeOf, type CheckpointBody } from '../wire/checkpoint.ts';
import type { DeclarationBody } from '../wire/declaration.ts';

export type DeclarationJudgement =
  | { readonly outcome: 'accept' }
  | { readonly outcome: 'known' }
  /** An earlier one again, or one that gives up less than was cosigned: it is told what was. */
  | { readonly outcome: 'show-last' }
  | { readonly outcome: 'contradiction'; readonly detail: string };

/** `last`: what was cosigned of this station; `known`: its declaration that counts. */
export function judgeDeclaration(
  last: CheckpointBody | undefined,
  known: DeclarationBody | undefined,
  shown: DeclarationBody,
): DeclarationJudgement {
  if (known !== undefined && shown.generation <= known.generation) {
    if (shown.generation < known.generation) return { outcome: 'show-last' };
    if (sameDeclaration(shown, known)) return { outcome: 'known' };
    const detail = `two declarations of generation ${shown.generation} of its log`;
    return { outcome: 'contradiction', detail };
  }
  if (last === undefined) return { outcome: 'accept' };
  const order = comparePlaces(placeOf(last), shown.lost);
  if (order > 0) return { outcome: 'show-last' };
  if (order < 0 || equalBytes(last.root, shown.lost.root)) return { outcome: 'accept' };
  const detail = `it gives up another log of ${last.size} leaves than the one cosigned`;
  return { outcome: 'contradiction', detail };
}

/** What the next checkpoint must begin with: what was cosigned, or what a declaration kept. */
export function baseOf(
  last: CheckpointBody | undefined,
  declared: DeclarationBody | undefined,
): CheckpointBody | undefined {
  if (last === undefined || declared === undefined) return last;
  const { generation, kept, network, station, version, algorithm, time } = declared;
  if (placeOf(last).generation >= generation) return last;
  return { version, algorithm, network, station, ...kept, time, generation };
}

function sameDeclaration(one: DeclarationBody, other: DeclarationBody): boolean {
  return (
    comparePlaces(one.lost, other.lost) === 0 &&
    equalBytes(one.lost.root, other.lost.root) &&
    one.kept.size === other.kept.size &&
    equalBytes(one.kept.root, other.kept.root)
  );
}
