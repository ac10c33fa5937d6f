import type { PaymentRow } from '../store/store.ts';
import { paymentOfRow, type OpenPayment } from './open-payments.ts';
import { undecided, type TollContext } from './toll-context.ts';

/**
 * What the last station has not decided. One whose record the disk has damaged is told of and left
 * out, and keeps the station from nothing else: its issuer makes the payer whole in time.
 */
export async function* heldPayments({
  store,
  log,
}: Pick<TollContext, 'store' | 'log'>): AsyncGenerator<OpenPayment, void> {
  for await (const row of undecided(store, 'last')) {
    const payment = soundPayment(row);
    if (payment === undefined) {
      log.payment('warn', row.paymentId, 'it cannot be decided: its record is damaged');
    } else yield payment;
  }
}

function soundPayment(row: PaymentRow): OpenPayment | undefined {
  try {
    return paymentOfRow(row);
  } catch {
    return undefined;
  }
}
