/**
 * Failure 46: a record of a neighbour that cannot be handled comes again with every connection. It
 * is counted only then, so that what can be handled costs nothing; after a few connections it is
 * quarantined with its bytes, and its sender may forget it, so that it never holds up others.
 * Nobody's money hangs on it: what it says of a payment its issuer asks the last station itself.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { EntropyError } from '../entropy-error.ts';
import { LinkError } from '../link/link-error.ts';
import type { FailedRow } from '../link/links.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import { StoreError, type StoreErrorCode } from '../store/store-error.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import type { TollContext } from './toll-context.ts';

/** Connections over which a record may fail: what passes by itself has passed by then. */
const attemptsMost = 3;
/** Of one neighbour at once; the rest stays in its outbox until the next connection. */
const underWayMost = 64;

/** A step that a record asks for and that the books do not have; the rest is the store's own. */
const ofRecordCodes: ReadonlySet<StoreErrorCode> = new Set(['wrong-state', 'unknown', 'defect']);

/**
 * Whether a record itself is at fault, or a defect that it brings out: then it fails again. Disk,
 * devices, links and a station that stops are not, and whatever they held up is only late.
 */
export function isOfRecord(fault: unknown): boolean {
  if (fault instanceof StoreError) return ofRecordCodes.has(fault.code);
  if (fault instanceof LinkError) return fault.code === 'too-long';
  if (fault instanceof QkdError || fault instanceof EntropyError) return false;
  // Of the operating system: no memory, no room, no descriptors.
  return !(fault instanceof Error && 'syscall' in fault);
}

type Keeping = Pick<TollContext, 'store' | 'clock' | 'log' | 'room' | 'stopping'>;

/** What came of a record that the operator had tried again. */
export type RetryOutcome =
  /** And it is quarantined no more. */
  | { readonly outcome: 'handled' }
  | { readonly outcome: 'unknown' }
  /** It was refused when it was quarantined, and its coin secret is not kept. */
  | { readonly outcome: 'is-payment' }
  | { readonly outcome: 'failed-again'; readonly why: string };

export class Quarantine {
  readonly #context: Keeping;
  readonly #underWay = new Map<StationName, number>();

  constructor(context: Keeping) {
    this.#context = context;
  }

  /** True once the record is quarantined, and its sender may forget it. Rejects with StoreError. */
  failed(peer: StationName, row: FailedRow): Promise<boolean> {
    return this.#counted(peer, row, true);
  }

  /** The same of one that may come to fail: nothing is said of it until it is quarantined. */
  suspected(peer: StationName, row: FailedRow): Promise<boolean> {
    return this.#counted(peer, row, false);
  }

  async #counted(peer: StationName, row: FailedRow, isCertain: boolean): Promise<boolean> {
    const { stopping, room } = this.#context;
    const before = this.#underWay.get(peer) ?? 0;
    const isCounted = before < underWayMost && isOfRecord(row.cause);
    if (!isCounted || stopping.aborted || room.refusal !== undefined) return false;
    this.#underWay.set(peer, before + 1);
    try {
      return await this.#count(peer, row, isCertain);
    } finally {
      this.#underWay.set(peer, (this.#underWay.get(peer) ?? 1) - 1);
    }
  }

  /** At the operator's wish; `handle` does what is done with a message that has just come. */
  async retry(
    number: bigint,
    handle: (peer: StationName, message: WireMessage) => Promise<void>,
  ): Promise<RetryOutcome> {
    const { store } = this.#context;
    const [found] = await store.quarantined(number - 1n, 1);
    if (found?.number !== number) return { outcome: 'unknown' };
    const { peer, form, bytes } = found;
    if (bytes === undefined) return { outcome: 'failed-again', why: 'the disk has damaged it' };
    if (form === 'record') return { outcome: 'failed-again', why: 'its record does not open' };
    try {
      const message = wireMessage.decode(bytes);
      if (message.kind === 'payment') return { outcome: 'is-payment' };
      await handle(peer, message);
    } catch (error) {
      return { outcome: 'failed-again', why: wordsOf(error) };
    }
    await store.dropQuarantined(number);
    return { outcome: 'handled' };
  }

  async #count(
    peer: StationName,
    { rowId, form, bytes, cause }: FailedRow,
    isCertain: boolean,
  ): Promise<boolean> {
    const { store, clock, log } = this.#context;
    const why = wordsOf(cause);
    const attempt = { peer, rowId, form, bytes, why, nowMs: clock.nowMs() };
    const outcome = await store.countAttempt(attempt, attemptsMost);
    if (isCertain || outcome !== 'counted') {
      log.peer('warn', peer, words[outcome], { row: String(rowId), why });
    }
    return outcome === 'quarantined';
  }
}

function wordsOf(fault: unknown): string {
  return fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
}

const words = {
  counted: 'a record of a neighbour cannot be handled; it is tried again on the next connection',
  quarantined: 'a record of a neighbour is quarantined: see `keytolld quarantine list`',
  full: 'a record of a neighbour cannot be handled, and its quarantine is full',
} as const;
