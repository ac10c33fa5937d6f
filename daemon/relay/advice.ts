/**
 * A signed reason why a station does not carry a payment (failure 16): advice, which goes back
 * towards the issuer. That alone acts on it, and only what the last station says is a verdict.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { refusal as refusalKind, type Reason, type Refusal } from '../../applet-spec/receipt.ts';
import type { PaymentRow } from '../store/store.ts';
import { wireMessage } from '../wire/wire-message.ts';
import type { Issuer } from './issuer.ts';
import { wordRecords } from './protect-in-time.ts';
import { signRefusal, storedPayment, type TollContext } from './toll-context.ts';

export async function advise(
  context: TollContext,
  previous: StationName,
  paymentId: Uint8Array,
  why: Reason,
): Promise<void> {
  await passBack(context, previous, signRefusal(context, paymentId, why));
}

/** Of a station further on. */
export async function takeAdvice(
  context: TollContext,
  issuer: Pick<Issuer, 'pursue'>,
  peer: StationName,
  advice: Refusal,
): Promise<void> {
  const { store, directory, log } = context;
  const { paymentId, station, reason, time } = advice.body;
  const [row] = await store.payments([paymentId]);
  if (row === undefined) return;
  const onRoute = storedPayment(row).quote.bill.some((line) => line.station === station);
  const keys = directory.keysAt(station, 'station-document', time);
  if (!onRoute || !keys.some((one) => refusalKind.verify(advice, one))) {
    log.notice('warn', paymentId, 'advice that does not hold', { peer, inNameOf: station });
    return;
  }
  log.notice('info', paymentId, 'advice', { peer, station, reason });
  if (reason === 'no-keys') noteStarved(context, row, station);
  if (row.previous === undefined) {
    await store.putAdvice([{ paymentId, refusal: advice.bytes }]);
    await issuer.pursue(paymentId, 'advice', reason);
  } else {
    await passBack(context, row.previous, advice);
  }
}

async function passBack(
  context: TollContext,
  previous: StationName,
  advice: Refusal,
): Promise<void> {
  const { store, outbox } = context;
  const message = wireMessage.encode({ kind: 'refusal', content: { refusal: advice } });
  const [word] = await wordRecords(context, previous, [message]);
  // It is only advice: the issuer asks by itself when no verdict comes.
  if (word === undefined) return;
  const { record } = word;
  const [rowId] = await store.putAdvice([
    {
      paymentId: advice.body.paymentId,
      refusal: advice.bytes,
      outbox: { peer: previous, record },
    },
  ]);
  if (rowId !== undefined) outbox.push(previous, 'word', [{ rowId, record }]);
}

/** Payments go round a link that had no keys, until its station announces itself again. */
function noteStarved({ picture }: TollContext, row: PaymentRow, station: StationName): void {
  const names = storedPayment(row).quote.bill.map((line) => line.station);
  const next = names[names.indexOf(station) + 1];
  if (next !== undefined) picture.linkFailed(station, next);
}
