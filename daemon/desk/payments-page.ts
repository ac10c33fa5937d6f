/**
 * What a wallet that was away asks for: its payments that changed behind its cursor. Rebuilt books
 * number their changes anew, so a cursor names the generation of the log that it is of, and one of
 * another generation, or ahead of these books, leads to the start. Records that come again change
 * nothing in a wallet; one that never came would be missing for ever. Nothing waits for one that
 * the disk has damaged: it comes again, last of all, until it has been mended.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { DeskMessage, PaymentRecord } from '../../applet-spec/desk-messages.ts';
import type { UserName } from '../../applet-spec/names.ts';
import type { PaymentRow } from '../store/store.ts';
import type { DeskContext } from './desk-context.ts';
import { paymentRecord } from './payment-record.ts';

const recordsAPage = 16;
/** Of a cursor's 64, for the number of the change; the rest are the generation's. */
const changeBits = 40;
const generationBits = 64 - changeBits;

interface DamageLog {
  readonly log: Pick<DeskContext['log'], 'warn'>;
}

export async function paymentsPage(
  { store, standing, log }: Pick<DeskContext, 'store' | 'standing'> & DamageLog,
  user: UserName,
  { requestId, since }: { readonly requestId: bigint; readonly since: bigint },
): Promise<DeskMessage> {
  const generation = BigInt.asUintN(generationBits, standing.declared?.body.generation ?? 0n);
  const isOfThese = since >> BigInt(changeBits) === generation;
  const from = isOfThese ? BigInt.asUintN(changeBits, since) : 0n;
  const page = await store.paymentsOf(user, from, recordsAPage);
  const records: PaymentRecord[] = [];
  const damaged: Uint8Array[] = [];
  for (const row of page.rows) {
    const record = soundRecord(row, user, log);
    if (record === undefined) damaged.push(row.paymentId);
    else records.push(record);
  }
  if (damaged.length > 0) await tellAgain(store, damaged, user, log);
  // Damaged ones alone would come round for ever.
  const more = page.rows.length === recordsAPage && records.length > 0 ? 1 : 0;
  const next = (generation << BigInt(changeBits)) | page.next;
  return { kind: 'payments', content: { requestId, records, next, more } };
}

async function tellAgain(
  store: Pick<DeskContext['store'], 'tellAgain'>,
  damaged: readonly Uint8Array[],
  user: UserName,
  log: DamageLog['log'],
): Promise<void> {
  try {
    await store.tellAgain(damaged);
  } catch (error) {
    // The others are told all the same.
    log.warn({ user, err: error }, 'damaged payments may not be told once they are mended');
  }
}

function soundRecord(
  row: PaymentRow,
  user: UserName,
  log: DamageLog['log'],
): PaymentRecord | undefined {
  try {
    return paymentRecord(row);
  } catch (error) {
    const paymentId = toHex(row.paymentId);
    log.warn({ user, paymentId, err: error }, 'a payment cannot be told: its record is damaged');
    return undefined;
  }
}
