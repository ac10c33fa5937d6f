/**
 * What this station shows a neighbour that has lost its records: the payments that went over their
 * link, page by page, and nothing else. A station whose own books are not whole shows nothing.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import { admission as admissionKind, receipt as receiptKind } from '../../applet-spec/receipt.ts';
import { TokenBuckets } from '../token-buckets.ts';
import type { PaymentRow, Store } from '../store/store.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import { recordsMost, type Answer, type HeldRecord, type Question } from '../wire/wire-message.ts';

type Asked = Extract<Question, { kind: 'records' }>['content'];
type Shown = Extract<Answer, { kind: 'records' }>['content'];

/** An answer has room for so many bytes of records, whatever they are. */
const bytesMost = 48_000;
/** Of one neighbour: ten a second. */
const pagesPerHour = 36_000;
/** What a certificate adds to a stored payment, at most. */
const certificateBytes = 1_100;

export class RecordsShown {
  readonly #store: Pick<Store, 'linkRecords' | 'certificate'>;
  readonly #standing: Pick<LogStanding, 'rolledBack'>;
  readonly #asked: TokenBuckets;
  /** Neighbours whose page is being read. */
  readonly #reading = new Set<StationName>();

  constructor(options: {
    readonly store: Pick<Store, 'linkRecords' | 'certificate'>;
    readonly standing: Pick<LogStanding, 'rolledBack'>;
    readonly clock: Clock;
  }) {
    this.#store = options.store;
    this.#standing = options.standing;
    this.#asked = new TokenBuckets(pagesPerHour, options.clock);
  }

  /** Undefined leaves the neighbour without an answer: it asks again. */
  async page(peer: StationName, asked: Asked): Promise<Shown | 'rolled-back' | undefined> {
    if (this.#standing.rolledBack !== undefined) return 'rolled-back';
    if (this.#reading.has(peer) || this.#asked.emptyUntilMs(peer) !== undefined) return undefined;
    this.#asked.take(peer);
    this.#reading.add(peer);
    try {
      return await this.#read(peer, asked);
    } finally {
      this.#reading.delete(peer);
    }
  }

  async #read(peer: StationName, { since, after }: Asked): Promise<Shown> {
    const sinceMs = Number(since) * 1_000;
    const page = await this.#store.linkRecords(peer, sinceMs, after, recordsMost);
    const records: HeldRecord[] = [];
    let bytes = 0;
    let last = after;
    for (const { number, row } of page.rows) {
      bytes += sizeOf(row);
      if (bytes > bytesMost && records.length > 0) return { records, next: last, more: 1 };
      const record = await this.#record(row);
      if (record !== undefined) records.push(record);
      last = number;
    }
    const { next } = page;
    return { records, next: next ?? last, more: next === undefined ? 0 : 1 };
  }

  async #record(row: PaymentRow): Promise<HeldRecord | undefined> {
    const held = heldIn(row);
    if (held === undefined) return undefined;
    const { payment } = held;
    const payerCertificate = await this.#store.certificate(payment.transaction.payerCertificate);
    return { ...held, payment: { ...payment, ...(payerCertificate && { payerCertificate }) } };
  }
}

/** Undefined where the row was damaged: this station's audit tells, and the others are shown. */
function heldIn({ payment, admission, receipt }: PaymentRow): HeldRecord | undefined {
  if (admission === undefined) return undefined;
  try {
    return {
      payment: paymentCodec.decode(payment),
      admission: admissionKind.decode(admission),
      ...(receipt && { receipt: receiptKind.decode(receipt) }),
    };
  } catch {
    return undefined;
  }
}

function sizeOf({ payment, admission, receipt }: PaymentRow): number {
  return payment.length + (admission?.length ?? 0) + (receipt?.length ?? 0) + certificateBytes;
}
