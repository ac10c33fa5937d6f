/**
 * A page of payments that a neighbour shows, taken into books that had lost them. Each is checked
 * on its own; what holds is stored, what contradicts the books is kept as evidence, and taking a
 * page again changes nothing.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { receiptFault } from '../../applet-spec/payment-evidence.ts';
import { receipt as receiptKind, type Receipt } from '../../applet-spec/receipt.ts';
import { keepEvidence } from '../relay/kept-evidence.ts';
import { newPayment, type TollContext } from '../relay/toll-context.ts';
import type { ReceiptOutcome } from '../relay/verdicts.ts';
import type { RecoveryCounts, RestoredPayment } from '../store/recovery-store.ts';
import type { HeldRecord } from '../wire/wire-message.ts';
import { checkRecord, type RecordContext } from './record-check.ts';

export type TakingContext = RecordContext &
  Pick<TollContext, 'store' | 'clock' | 'positions' | 'log'> & {
    /** A receipt that a neighbour shows; this station's own counts too. */
    readonly takeReceipt: (receipt: Receipt, from: StationName) => Promise<ReceiptOutcome>;
    /** To a station that waits for a verdict given before its payment came. */
    readonly passBack: (previous: StationName, receipt: Receipt) => Promise<void>;
  };

export type TakenRecords =
  | { readonly outcome: 'taken'; readonly counts: RecoveryCounts; readonly trouble?: string }
  /** This station may yet announce itself, or has to be left out. */
  | { readonly outcome: 'later'; readonly station: StationName };

interface Sound {
  readonly paymentId: Uint8Array;
  readonly record: HeldRecord;
  readonly restoring: RestoredPayment;
}

type Tally = { -readonly [K in keyof RecoveryCounts]: RecoveryCounts[K] };

/** Of one page; `later` where nothing of it was taken. */
export async function takeRecords(
  context: TakingContext,
  peer: StationName,
  records: readonly HeldRecord[],
): Promise<TakenRecords> {
  const tally: Tally = { shown: 0, restored: 0, verdicts: 0, refused: 0, contradictions: 0 };
  tally.shown = records.length;
  let trouble: string | undefined;
  const ids = records.map(({ payment }) =>
    paymentIdOf(context.primitives, payment.transactionBytes),
  );
  const rows = await context.store.payments(ids);
  const sound: Sound[] = [];
  for (const [i, record] of records.entries()) {
    const paymentId = ids[i];
    if (paymentId === undefined || rows[i] !== undefined) continue;
    const check = checkRecord(context, peer, record);
    if (check.outcome === 'later') return check;
    if (check.outcome === 'good') {
      const restoring = restoringOf(context, record, paymentId, check);
      sound.push({ paymentId, record, restoring });
    } else {
      tally.refused++;
      trouble = check.why;
      context.log.notice('warn', paymentId, 'not restored', { peer, why: check.why });
    }
  }
  const known = new Set(await restore(context, peer, tally, sound));
  for (const [i, { receipt, payment }] of records.entries()) {
    const paymentId = ids[i];
    if (paymentId === undefined || receipt === undefined) continue;
    if (rows[i] === undefined && !known.has(paymentId)) continue;
    const why = receiptFault(context.primitives, { payment, paymentId }, receipt);
    const isKnown = rows[i]?.state === receipt.body.verdict;
    const outcome = why ?? (isKnown ? 'known' : await context.takeReceipt(receipt, peer));
    if (outcome === 'taken') tally.verdicts++;
    else if (outcome === 'contradiction') tally.contradictions++;
    else if (outcome !== 'known') {
      tally.refused++;
      trouble = why ?? outcome;
      context.log.notice('warn', paymentId, 'its verdict was not taken', { peer, why: trouble });
    }
  }
  return { outcome: 'taken', counts: tally, ...(trouble !== undefined && { trouble }) };
}

/** Which of them are in the books now. */
async function restore(
  context: TakingContext,
  peer: StationName,
  tally: Tally,
  sound: readonly Sound[],
): Promise<Uint8Array[]> {
  const outcomes = await context.store.restore(sound.map(({ restoring }) => restoring));
  const known: Uint8Array[] = [];
  for (const [i, { paymentId, record, restoring }] of sound.entries()) {
    const outcome = outcomes[i];
    switch (outcome?.outcome) {
      case 'restored':
        tally.restored++;
        known.push(paymentId);
        break;
      case 'exists':
        known.push(paymentId);
        break;
      case 'entombed':
        if (restoring.previous === undefined) break;
        await context.passBack(restoring.previous, receiptKind.decode(outcome.receipt));
        break;
      case 'coin-used':
      case 'coin-not-unspent': {
        tally.contradictions++;
        const against = outcome.outcome === 'coin-used' ? outcome.by : paymentId;
        context.log.notice('warn', paymentId, 'its coin was not unspent by these books', {
          peer,
          coin: outcome.outcome === 'coin-used' ? 'used for another payment' : outcome.state,
        });
        await keepEvidence(context, against, record);
        break;
      }
      case undefined:
        break;
    }
  }
  return known;
}

function restoringOf(
  context: TakingContext,
  { payment, admission }: HeldRecord,
  paymentId: Uint8Array,
  { role, place }: { readonly role: RestoredPayment['role']; readonly place: number },
): RestoredPayment {
  const { coin } = payment;
  const { expiry: expirySeconds, commitment } = coin.body;
  const { positionLimit: _whatever, ...made } = newPayment(
    context,
    role,
    { paymentId, payment, admission },
    place,
  );
  return {
    ...made,
    // As far as anybody knows: its issuer had it then, by a clock that may have been set back.
    storedMs: Number(later(admission.body.time, payment.quote.time)) * 1_000,
    nowMs: context.clock.nowMs(),
    ...(role === 'issuer' && {
      shown: { expirySeconds, commitment, coin: coinKind.encode(coin) },
    }),
  };
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
