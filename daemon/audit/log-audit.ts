/**
 * The log, made again from what is stored (I34, I35): each leaf from the transfers and the payment
 * that it names, each tile from the leaves; and that nothing is stored which no leaf names.
 */
import { equalBytes, fromLatin1, toHex, toLatin1 } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { LogStore, StoredLeaf, StoredTile } from '../store/log-store.ts';
import type { PaymentRow } from '../store/store.ts';
import { logLeafHash, paymentEnd, type LogLeaf } from '../witness/log-leaf.ts';
import { LogPeaks } from '../witness/log-tree.ts';
import type { CheckpointAudit } from './checkpoint-audit.ts';
import type { Finding } from './finding.ts';

const pageRows = 500;

export interface LogAuditOptions {
  readonly station: StationName;
  readonly primitives: Primitives;
  readonly store: Pick<LogStore, 'logLeaves' | 'logTiles'>;
  readonly checkpoints: CheckpointAudit;
}

export class LogAudit {
  readonly #options: LogAuditOptions;
  readonly #findings: Finding[] = [];
  readonly #peaks: LogPeaks;
  readonly #stored = new Map<number, TileStream>();
  /** Tiles that were completed and not yet compared. */
  #tiles: StoredTile[] = [];
  /** Ends of payments, by ID, less the leaves that name them. */
  readonly #ends = new Map<string, number>();
  #lastLeaf = 0n;
  #lastTransfer = 0n;

  constructor(options: LogAuditOptions) {
    this.#options = options;
    this.#peaks = new LogPeaks(options.primitives, (level, index, hash) => {
      this.#tiles.push({ level, number: index + 1n, hash });
    });
  }

  /** Each stored payment, before the log is read. */
  payment({ paymentId, decidedMs }: PaymentRow): void {
    if (decidedMs !== undefined) this.#countEnd(paymentId, 1);
  }

  /** `lastTransfer`: the highest number among the transfers. */
  async run(lastTransfer: bigint): Promise<readonly Finding[]> {
    const { store, checkpoints } = this.#options;
    await checkpoints.start();
    for (let after = 0n; ;) {
      const page = await store.logLeaves(after, pageRows);
      const upTo = this.#peaks.size + BigInt(page.length);
      await checkpoints.expect(this.#peaks.size, upTo);
      for (const leaf of page) this.#leaf(leaf);
      await this.#compareTiles();
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) break;
      after = last.number;
    }
    if (this.#lastTransfer < lastTransfer) {
      this.#transfersWithoutLeaf(this.#lastTransfer + 1n, lastTransfer);
    }
    for (const [memory, count] of this.#ends) {
      const paymentId = fromLatin1(memory);
      if (count > 0)
        this.#find('leaf-missing', 'it ended, and no leaf of the log says so', paymentId);
      if (count < 0) this.#find('leaf-twice', `its end is in ${1 - count} leaves`, paymentId);
    }
    await this.#surplusTiles();
    await checkpoints.finish(this.#peaks.size);
    return [...this.#findings, ...checkpoints.findings];
  }

  #leaf(leaf: StoredLeaf): void {
    const { number, hash, firstTransfer, lastTransfer, payment } = leaf;
    if (number !== this.#lastLeaf + 1n) {
      const detail = `leaves ${this.#lastLeaf + 1n} to ${number - 1n} of the log are not there`;
      this.#find('leaf-missing', detail);
    }
    this.#lastLeaf = number;
    if (firstTransfer !== undefined && lastTransfer !== undefined) {
      this.#inOrder(number, firstTransfer, lastTransfer);
    } else if (firstTransfer !== lastTransfer) {
      const detail = `leaf ${number} of the log names transfers without beginning or end`;
      this.#find('leaf-differs', detail, payment?.paymentId);
    }
    if (payment !== undefined) this.#countEnd(payment.paymentId, -1);
    const recomputed = this.#recomputed(leaf);
    const differs = typeof recomputed === 'string' || !equalBytes(recomputed, hash);
    if (differs) {
      const why = typeof recomputed === 'string' ? recomputed : 'what it stands for was changed';
      this.#find('leaf-differs', `leaf ${number} of the log: ${why}`, payment?.paymentId);
    }
    this.#peaks.add(typeof recomputed === 'string' ? hash : recomputed);
    this.#options.checkpoints.at(this.#peaks.size, () => this.#peaks.root());
  }

  /** Steps are logged as they are booked: each transfer is in one leaf, in the order of both. */
  #inOrder(leaf: bigint, first: bigint, last: bigint): void {
    const next = this.#lastTransfer + 1n;
    if (first > next) this.#transfersWithoutLeaf(next, first - 1n);
    if (first < next) {
      this.#find('leaf-twice', `transfer ${first} is in leaf ${leaf} and in one before it`);
    }
    if (last > this.#lastTransfer) this.#lastTransfer = last;
  }

  /** The hash, or in words why there is none. */
  #recomputed(leaf: StoredLeaf): Uint8Array | string {
    const { primitives, station } = this.#options;
    const content = leafContent(primitives, station, leaf);
    if (typeof content === 'string') return content;
    try {
      return logLeafHash(primitives, content);
    } catch (error) {
      return error instanceof Error ? error.message : 'its content is out of bounds';
    }
  }

  async #compareTiles(): Promise<void> {
    for (const { level, number, hash } of this.#tiles) {
      const stored = await this.#streamOf(level).next();
      if (stored?.number === number && equalBytes(stored.hash, hash)) continue;
      this.#find('tile-differs', `tile ${number} of level ${level} is not that of its leaves`);
    }
    this.#tiles = [];
  }

  async #surplusTiles(): Promise<void> {
    const above = Math.max(0, ...this.#stored.keys()) + 1;
    for (let level = 1; level <= above; level++) {
      const stored = await this.#streamOf(level).next();
      if (stored === undefined) continue;
      const detail = `tile ${stored.number} of level ${level} is over leaves that are not there`;
      this.#find('tile-differs', detail);
    }
  }

  #streamOf(level: number): TileStream {
    const known = this.#stored.get(level);
    if (known !== undefined) return known;
    const stream = new TileStream(this.#options.store, level);
    this.#stored.set(level, stream);
    return stream;
  }

  #countEnd(paymentId: Uint8Array, by: 1 | -1): void {
    const memory = toLatin1(paymentId);
    const count = (this.#ends.get(memory) ?? 0) + by;
    if (count === 0) this.#ends.delete(memory);
    else this.#ends.set(memory, count);
  }

  #transfersWithoutLeaf(first: bigint, last: bigint): void {
    this.#find('leaf-missing', `transfers ${first} to ${last} are in no leaf of the log`);
  }

  #find(code: Finding['code'], detail: string, paymentId?: Uint8Array): void {
    const party = this.#options.station;
    this.#findings.push({ code, detail, party, ...(paymentId !== undefined && { paymentId }) });
  }
}

/** Stored tiles of one level, one after the other. */
class TileStream {
  readonly #store: Pick<LogStore, 'logTiles'>;
  readonly #level: number;
  #waiting: readonly StoredTile[] = [];
  #next = 0;
  #after = 0n;

  constructor(store: Pick<LogStore, 'logTiles'>, level: number) {
    this.#store = store;
    this.#level = level;
  }

  async next(): Promise<StoredTile | undefined> {
    if (this.#next >= this.#waiting.length) {
      this.#waiting = await this.#store.logTiles(this.#level, this.#after, pageRows);
      this.#next = 0;
      this.#after = this.#waiting.at(-1)?.number ?? this.#after;
    }
    return this.#waiting[this.#next++];
  }
}

/** What the leaf must have said, or in words why that cannot be told. */
function leafContent(
  primitives: Primitives,
  station: StationName,
  leaf: StoredLeaf,
): LogLeaf | string {
  const { transfers, payment, endsPayment, firstTransfer, lastTransfer } = leaf;
  const named =
    firstTransfer === undefined || lastTransfer === undefined
      ? 0n
      : lastTransfer - firstTransfer + 1n;
  if (BigInt(transfers.length) !== named) return 'transfers that it names are not there';
  if (endsPayment && payment === undefined) return 'the payment that it names is not there';
  const [first] = transfers;
  const reference = payment?.paymentId ?? first?.reference;
  const timeMs = payment === undefined ? first?.timeMs : payment.decidedMs;
  if (reference === undefined || timeMs === undefined) return 'what it names has not ended';
  const apart = transfers.find(
    (one) => one.timeMs !== timeMs || !equalBytes(one.reference, reference),
  );
  if (apart !== undefined)
    return `transfer ${apart.number} is of another step, ${toHex(apart.reference)}`;
  if (payment === undefined) return { station, reference, timeMs: BigInt(timeMs), transfers };
  const { state } = payment;
  const word = payment.receipt ?? payment.refusal;
  const ended = state === 'delivered' || state === 'undelivered' || state === 'refused';
  if (!ended || word === undefined) return 'the payment that it names has not ended';
  const end = paymentEnd(primitives, state, primitives.sha256(payment.payment), word);
  return { station, reference, timeMs: BigInt(timeMs), transfers, end };
}
