/** Checkpoints of this station's log and of its neighbours'; part of `Store`. */
import type { StationName } from '../../applet-spec/names.ts';

/** Signed objects, as they were made or received. */
export interface StoredCosigned {
  /** At home the witness, at the witness the station whose checkpoint it is. */
  readonly peer: StationName;
  readonly size: bigint;
  readonly checkpoint: Uint8Array;
  readonly cosignature: Uint8Array;
  /** Of the log; absent in the first. */
  readonly generation?: bigint;
}

export interface StoredCheckpoint {
  readonly size: bigint;
  readonly bytes: Uint8Array;
}

/** Two checkpoints of one station that do not go together, or were not shown to. */
export interface TwoLogs {
  readonly station: StationName;
  /** What was cosigned here or elsewhere, and what was shown then. */
  readonly cosigned: Uint8Array;
  readonly shown: Uint8Array;
}

export interface WitnessStore {
  /** A checkpoint of this station's own; of a larger size than any before. */
  putCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  lastCheckpoint(): Promise<StoredCheckpoint | undefined>;
  /** Of our own, those over more than `after` leaves and at most `upTo`, by size. */
  checkpoints(after: bigint, upTo: bigint): Promise<readonly StoredCheckpoint[]>;
  /** Replaces what this neighbour showed before. */
  putCosigned(cosigned: StoredCosigned): Promise<void>;
  /** Our checkpoints, by the neighbour that cosigned them. */
  cosigned(): Promise<readonly StoredCosigned[]>;
  /**
   * Rejects with StoreError `wrong-state` where a later one of this station was cosigned, or where
   * its generation was not declared.
   */
  putWitnessed(witnessed: StoredCosigned): Promise<void>;
  /** Neighbours' checkpoints that this station cosigned, the last of each. */
  witnessed(): Promise<readonly StoredCosigned[]>;
  /** Kept once, and of one station a few: they prove as much as many. */
  putTwoLogs(evidence: TwoLogs): Promise<void>;
  twoLogs(): Promise<readonly TwoLogs[]>;
}
