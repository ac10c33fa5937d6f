import type { StationName } from '../../applet-spec/names.ts';
import type { Asked } from '../network/questions.ts';
import type { PaymentRow } from '../store/store.ts';
import { nowSeconds, type TollContext } from './toll-context.ts';

/** After a start a station's own links, and the devices behind them, may need so long to be up. */
const linksUpMs = 600_000;

/**
 * Nobody could be asked, as the link to the next station is not up yet after a start: the verdict
 * may wait behind it, where that station has kept it.
 */
export function isTooEarly(
  asked: Asked | undefined,
  [, next]: readonly StationName[],
  sinceStartMs: number,
): boolean {
  const isOwnLink = asked?.kind === 'unreachable' && asked.content.station === next;
  // Also where the clock was set back.
  return isOwnLink && Math.abs(sinceStartMs) < linksUpMs;
}

/**
 * No verdict by the resolution deadline, and none to be had now: the payer gets a new coin at the
 * station's own risk (I26). To be called once the last station was asked: a station that was down
 * for that day would otherwise pay for all that came to its end meanwhile. Books that were rolled
 * back may lack the very verdict (failure 39); they give nothing.
 */
export async function makeWhole(context: TollContext, row: PaymentRow): Promise<void> {
  const { store, mint, clock, counter, standing, stopping, log } = context;
  if (nowSeconds(context) <= row.resolutionDeadline) return;
  if (stopping.aborted || standing.refusal !== undefined) return;
  const [coin] = await store.coins([row.coinId]);
  if (coin?.state !== 'pending') return;
  const [replacement] = await mint.mint([row.value]);
  if (replacement === undefined) return;
  const item = { paymentId: row.paymentId, replacement, nowMs: clock.nowMs() };
  const [outcome] = await store.makeWhole([item]);
  if (outcome !== 'created') return;
  log.payment('warn', row.paymentId, 'no verdict: coin replaced');
  counter().coinsWait(row.payer);
}
