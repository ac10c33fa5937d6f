/** Why a station begins no payment and sells no coin for a while. */
import type { DiskRoom } from '../store/disk-room.ts';
import type { LogStanding } from '../witness/log-standing.ts';

export interface NothingNew {
  readonly code: 'rolled-back' | 'overloaded';
  /** For the user: one sentence. */
  readonly why: string;
}

/** Books that lack records (failure 39), or a disk with no room for more (failure 40). */
export function nothingNew({
  standing,
  room,
}: {
  readonly standing: Pick<LogStanding, 'refusal'>;
  readonly room: Pick<DiskRoom, 'refusal'>;
}): NothingNew | undefined {
  if (standing.refusal !== undefined) return { code: 'rolled-back', why: standing.refusal };
  if (room.refusal !== undefined) return { code: 'overloaded', why: room.refusal };
  return undefined;
}
