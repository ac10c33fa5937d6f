import type { Clock } from '../../applet-spec/clock.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import type { KeyClaim, Reservoir, TakenBits } from '../qkd/reservoir.ts';
import { LinkError } from './link-error.ts';
import { linkTimes } from './link-limits.ts';

export interface ClaimContext {
  readonly reservoir: Pick<Reservoir, 'claimEach' | 'fetches' | 'answers' | 'giveUp'>;
  readonly clock: Clock;
  /** Fires when the connection is over. */
  readonly signal: AbortSignal;
  /** The device is away (with why), or is back. */
  readonly onWaiting: (why: string | undefined) => void;
}

/** Why keys that a peer named can never be had here. */
export type Unfetchable = 'used' | 'missing';

/** So often a device that says it is away gives others their keys before these are given up. */
const passedOverMost = 3;

/**
 * Claims the keys of several records at once, and waits while the device is away; what it never
 * gives is told apart by why: of each record, or of them all where nothing could be fetched. There
 * are devices that answer for a key which they lost as if they were away: that others get theirs
 * meanwhile tells, or after a while that they answer their status.
 * @throws LinkError `aborted`, and what the ledger throws.
 */
export async function claimPatiently(
  context: ClaimContext,
  records: readonly (readonly KeyClaim[])[],
): Promise<readonly (readonly TakenBits[] | Unfetchable)[] | Unfetchable> {
  const { reservoir, onWaiting } = context;
  let pauseMs: number = linkTimes.claimFirstPauseMs;
  let lostBefore = false;
  let passedOver = 0;
  let waitedMs = 0;
  for (;;) {
    const { fetches } = reservoir;
    const claimed = await claimOnce(context, records, lostBefore);
    const isOver = typeof claimed !== 'object' || !('waitFor' in claimed);
    if (isOver || passedOver >= passedOverMost) {
      if (pauseMs > linkTimes.claimFirstPauseMs) onWaiting(undefined);
      const result = isOver ? claimed : 'missing';
      // Of several each is claimed alone.
      if (result === 'missing' && records.length === 1) reservoir.giveUp(records.flat());
      return result;
    }
    lostBefore ||= claimed.isLost;
    onWaiting(claimed.waitFor);
    await pause(context, pauseMs);
    waitedMs += pauseMs;
    pauseMs = Math.min(2 * pauseMs, linkTimes.claimLongestPauseMs);
    const isDoubtful = waitedMs >= linkTimes.claimDoubtMs;
    if (isDoubtful && (await reservoir.answers())) passedOver = passedOverMost;
    else if (reservoir.fetches > fetches) passedOver++;
  }
}

/** The device is away, in these words; or its answer was lost. */
interface Away {
  readonly waitFor: string;
  readonly isLost: boolean;
}

async function claimOnce(
  { reservoir, signal }: ClaimContext,
  records: readonly (readonly KeyClaim[])[],
  lostBefore: boolean,
): Promise<readonly (readonly TakenBits[] | Unfetchable)[] | Unfetchable | Away> {
  try {
    const taken = await reservoir.claimEach(records, signal);
    return taken.map((one) => (one instanceof QkdError ? unfetchable(one) : one));
  } catch (error) {
    const verdict = verdictOf(error, lostBefore);
    if (verdict !== 'wait') return verdict;
    const isLost = error instanceof QkdError && error.code === 'outcome-unknown';
    return { waitFor: error instanceof Error ? error.message : 'the QKD device is away', isLost };
  }
}

function verdictOf(error: unknown, lostBefore: boolean): Unfetchable | 'wait' {
  if (!(error instanceof QkdError)) throw error;
  switch (error.code) {
    case 'already-used':
      return 'used';
    case 'not-found':
    case 'protocol':
    case 'refused':
      return 'missing';
    case 'outcome-unknown':
      // The answer was lost: another question finds the keys again, or burnt.
      return lostBefore ? 'missing' : 'wait';
    case 'unavailable':
    case 'exhausted':
    case 'authentication':
      return 'wait';
    case 'aborted':
      throw new LinkError('aborted', 'the connection ended while its keys were fetched', {
        cause: error,
      });
  }
}

/** One record's keys were fetched, and are refused. */
function unfetchable({ code }: QkdError): Unfetchable {
  return code === 'already-used' ? 'used' : 'missing';
}

function pause({ clock, signal }: ClaimContext, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(new LinkError('aborted', 'the connection ended while its keys were waited for'));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
