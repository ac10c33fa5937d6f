/**
 * How far a station's log had grown, signed by it, and a neighbour's signed word that this begins
 * with all that it had seen of that log before (design §8, S6).
 */
import { labels } from '../../applet-spec/labels.ts';
import { hash, networkName, seconds, signedHead, stationName } from '../../applet-spec/names.ts';
import { signedKind, type Signed } from '../../applet-spec/signed-object.ts';
import { element, listOf, struct, uint, type Static } from '../../applet-spec/tlv.ts';

const checkpointBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  /** Whose log it is. */
  station: element(0x83, stationName),
  /** Leaves. */
  size: element(0x84, uint(8)),
  /** Over those (RFC 6962 §2.1). */
  root: element(0x85, hash),
  time: element(0x86, seconds),
});
export type CheckpointBody = Static<typeof checkpointBody>;
export type Checkpoint = Signed<CheckpointBody>;

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
