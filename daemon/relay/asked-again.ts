import type { PaymentRow } from '../store/store.ts';

/** After the delivery deadline the last station's word should be here within this time. */
export const overdueMs = 30_000;
/** A last station that stays silent is asked again at longer and longer intervals, up to this. */
const longestMs = 3_600_000;

/**
 * How long after a question without a verdict the next follows: an eighth of how late the verdict
 * is, and never beyond the resolution deadline, at which the payer is made whole (I26).
 */
export function askedAgainMs(
  {
    deliveryDeadline,
    resolutionDeadline,
  }: Pick<PaymentRow, 'deliveryDeadline' | 'resolutionDeadline'>,
  nowMs: number,
): number {
  const lateMs = nowMs - 1000 * Number(deliveryDeadline);
  const waitMs = Math.min(longestMs, Math.max(overdueMs, lateMs / 8));
  const resolutionMs = 1000 * (Number(resolutionDeadline) + 1) - nowMs;
  return resolutionMs > 0 ? Math.min(waitMs, resolutionMs) : waitMs;
}
