/** Which sequence numbers of one epoch have been seen: the highest, and the 64 that end with it. */
export interface ReplayWindow {
  /** -1n before the first. */
  readonly highest: bigint;
  /** Bit 0 is `highest`, bit n is `highest - n`. */
  readonly seen: bigint;
}

export const REPLAY_WINDOW_RECORDS = 64n;
const windowMask = (1n << REPLAY_WINDOW_RECORDS) - 1n;

export const emptyReplayWindow: ReplayWindow = { highest: -1n, seen: 0n };

/**
 * The window after `sequence`; undefined where it was seen, or is too old to tell (RFC 4303
 * §3.4.3).
 */
export function markSeen(window: ReplayWindow, sequence: bigint): ReplayWindow | undefined {
  const ahead = sequence - window.highest;
  if (ahead > 0n) {
    const kept = ahead >= REPLAY_WINDOW_RECORDS ? 0n : (window.seen << ahead) & windowMask;
    return { highest: sequence, seen: kept | 1n };
  }
  if (-ahead >= REPLAY_WINDOW_RECORDS) return undefined;
  const bit = 1n << -ahead;
  return (window.seen & bit) === 0n ? { ...window, seen: window.seen | bit } : undefined;
}
