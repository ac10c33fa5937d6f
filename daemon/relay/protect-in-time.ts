import { LinkError } from '../link/link-error.ts';
import type { Unprotected } from '../link/links.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { TollContext } from './toll-context.ts';

/** How long anything waits for the QKD keys of one link. */
const keysTimeoutMs = 10_000;

/**
 * As `Links.protect`, but undefined where the link had no keys for as long as that: whatever waits
 * behind goes on without (I41). Rejects where the station stops meanwhile, so that a link without
 * keys never keeps it from stopping.
 */
export async function protectInTime(
  { links, clock, stopping }: Pick<TollContext, 'links' | 'clock' | 'stopping'>,
  peer: StationName,
  items: readonly Unprotected[],
): Promise<readonly Uint8Array[] | undefined> {
  const patience = new AbortController();
  const giveUp = (): void => {
    patience.abort();
  };
  const cancel = clock.after(keysTimeoutMs, giveUp);
  stopping.addEventListener('abort', giveUp, { once: true });
  if (stopping.aborted) giveUp();
  try {
    return await links.protect(peer, items, patience.signal);
  } catch (error) {
    const outOfTime = patience.signal.aborted && !stopping.aborted;
    if (outOfTime && error instanceof LinkError && error.code === 'aborted') return undefined;
    throw error;
  } finally {
    cancel();
    stopping.removeEventListener('abort', giveUp);
  }
}
