import type { PaymentRow } from '../store/store.ts';
import { nowSeconds, type TollContext } from './toll-context.ts';

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
