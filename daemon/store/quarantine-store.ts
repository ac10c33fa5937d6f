/** Records of neighbours that could not be handled (failure 46); part of `Store`. */
import type { StationName } from '../../applet-spec/names.ts';

/**
 * A `message` as its link opened it, without the coin secret that may have come beside it; or a
 * link's `record`, where that could not be opened.
 */
export type QuarantineForm = 'message' | 'record';

export interface FailedAttempt {
  readonly peer: StationName;
  /** Of the neighbour's outbox. */
  readonly rowId: bigint;
  readonly form: QuarantineForm;
  readonly bytes: Uint8Array;
  /** What went wrong, for the operator. */
  readonly why: string;
  readonly nowMs: number;
}

export interface Quarantined extends Omit<FailedAttempt, 'nowMs' | 'bytes'> {
  /** None where the disk has damaged them. */
  readonly bytes?: Uint8Array;
  readonly number: bigint;
  readonly attempts: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** How many of a neighbour's records are counted, and how many quarantined. */
export interface QuarantineCount {
  readonly peer: StationName;
  readonly counted: number;
  readonly quarantined: number;
}

export interface QuarantineStore {
  /**
   * One more attempt that failed. With the `most`-th of its row the bytes are kept, sealed, and the
   * row is quarantined; it stays so, however often it comes again. `full` where as many of this
   * neighbour's are, or are counted, as may be: nothing is kept of it then.
   */
  countAttempt(attempt: FailedAttempt, most: number): Promise<'counted' | 'quarantined' | 'full'>;
  /** It was handled after all. What is quarantined stays so. */
  forgetAttempts(peer: StationName, rowId: bigint): Promise<void>;
  /** One more start of the station; how many there were since they were last forgotten. */
  countStart(): Promise<number>;
  forgetStarts(): Promise<void>;
  quarantineCounts(): Promise<readonly QuarantineCount[]>;
  /** Those behind `after`, by number. */
  quarantined(after: bigint, limit: number): Promise<readonly Quarantined[]>;
  /** False where there is none of this number. Its bytes are gone from then on. */
  dropQuarantined(number: bigint): Promise<boolean>;
}
