/**
 * How far a station's log had grown, signed by it, and a neighbour's signed word that this begins
 * with all that it had seen of that log before (design §8, S6).
 */
import { labels } from '../../applet-spec/labels.ts';
import { hash, networkName, seconds, signedHead, stationName } from '../../applet-spec/names.ts';
import { signedKind, type Signed } from '../../applet-spec/signed-object.ts';
import {
  checked,
  element,
  listOf,
  optional,
  struct,
  uint,
  type Static,
} from '../../applet-spec/tlv.ts';
import { countsFault } from './counts.ts';

const checkpointFields = struct({
  ...signedHead,
  network: element(0x82, networkName),
  /** Whose log it is. */
  station: element(0x83, stationName),
  /** Leaves. */
  size: element(0x84, uint(8)),
  /** Over those (RFC 6962 §2.1). */
  root: element(0x85, hash),
  time: element(0x86, seconds),
  /** Absent in the first: how often the station has declared leaves lost (`declaration.ts`). */
  generation: optional(element(0x87, uint(8))),
});
export type CheckpointBody = Static<typeof checkpointFields>;
export type Checkpoint = Signed<CheckpointBody>;

const checkpointBody = checked(checkpointFields, ({ generation, size }) =>
  generation === 0n ? 'the first generation is not named' : countsFault([size, generation ?? 0n]),
);

/** A checkpoint's place among all of its station: later is greater. */
export interface LogPlace {
  readonly generation: bigint;
  readonly size: bigint;
}

export function placeOf({ generation, size }: CheckpointBody): LogPlace {
  return { generation: generation ?? 0n, size };
}

/** Below zero where `one` is before `other`. */
export function comparePlaces(one: LogPlace, other: LogPlace): number {
  const [a, b] =
    one.generation === other.generation
      ? [one.size, other.size]
      : [one.generation, other.generation];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Signed with the station's document key. */
export const checkpoint = signedKind('checkpoint', 0xed, labels.checkpoint, checkpointBody);

const cosignatureBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  /** Who signs. */
  witness: element(0x83, stationName),
  /** Whose checkpoint it is. */
  station: element(0x84, stationName),
  /** The checkpoint's digest. */
  checkpoint: element(0x85, hash),
  time: element(0x86, seconds),
});
export type CosignatureBody = Static<typeof cosignatureBody>;
export type Cosignature = Signed<CosignatureBody>;

/** Signed with the witness's document key. */
export const cosignature = signedKind('cosignature', 0xee, labels.cosignature, cosignatureBody);

/** A proof between any two sizes of 64 bits has no more hashes. */
const proofHashesMost = 128;

/** Asks a neighbour to cosign. */
export const shownCheckpoint = struct({
  checkpoint,
  /** The size from which the proof leads: what this neighbour cosigned last, or 0. */
  since: element(0x80, uint(8)),
  proof: element(0xa1, listOf(element(0x80, hash), 0, proofHashesMost)),
});
export type ShownCheckpoint = Static<typeof shownCheckpoint>;

/** The answer; and on a new link what the neighbour cosigned last. */
export const cosignedCheckpoint = struct({ checkpoint, cosignature });
export type CosignedCheckpoint = Static<typeof cosignedCheckpoint>;

/** Asks for a `ShownCheckpoint` of this checkpoint whose proof leads from that size. */
export const provenCheckpoint = struct({ checkpoint, since: element(0x80, uint(8)) });
export type ProvenCheckpoint = Static<typeof provenCheckpoint>;

/** Two of one station that do not go together: proof to anybody who has its certificates. */
export const twoLogs = struct({ checkpoints: element(0xa0, listOf(checkpoint, 2, 2)) });
export type TwoLogsProof = Static<typeof twoLogs>;
