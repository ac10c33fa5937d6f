import type { Clock } from '../../applet-spec/clock.ts';
import { wipe } from '../../applet-spec/bytes.ts';
import type { KeyAccount } from './key-account.ts';
import type { KeyPurpose, KeyUse, KeyUseOutcome } from './key-ledger.ts';
import type { QkdKey } from './key-source.ts';
import { bitsOf, countBits } from './key-stock.ts';
import type { KeyStock, StockReservation } from './key-stock.ts';
import { QkdError } from './qkd-error.ts';

export interface TakeQueueOptions {
  readonly stock: KeyStock;
  readonly account: KeyAccount;
  readonly clock: Clock;
  readonly graceMs: number;
  /** The size of the keys that the device gives. */
  readonly keyBits: () => number;
  /** So many bits payments leave for whatever goes before them. */
  readonly keptBits: () => number;
  readonly record: (
    uses: readonly Pick<KeyUse, 'keyId' | 'purpose'>[],
  ) => Promise<readonly KeyUseOutcome[]>;
  /** What the ledger said of the keys of some takes. */
  readonly onRecorded: (outcomes: readonly KeyUseOutcome[]) => void;
  /** Called when the stock was drawn upon, or lacks bits. */
  readonly wake: () => void;
  /** Called when starvation has begun or ended. */
  readonly onStarvation: () => void;
}

type Wants = readonly { readonly purpose: KeyPurpose; readonly bits: number }[];

/**
 * What keys are for, the most urgent first: without a link's own traffic key nothing is said over
 * it at all, and words about payments never wait behind new ones (I33).
 */
const ranks = ['link', 'word', 'payment'] as const;
export type KeyRank = (typeof ranks)[number];

/** How many of a rank wait for keys. */
export type Waiting = Readonly<Record<KeyRank, number>>;

interface Take {
  readonly wants: Wants;
  readonly rank: KeyRank;
  /** Its bits are to be set apart, and no key of them used yet. */
  readonly grant?: (reservation: StockReservation) => void;
  /** Keys recorded for this take already, by want. */
  readonly got: QkdKey[][];
  readonly reservation: StockReservation | undefined;
  /** Since when the stock does not suffice for it; undefined while it does or none has looked. */
  lacksSinceMs: number | undefined;
  readonly settle: (result: readonly QkdKey[][] | Error) => void;
  settled: boolean;
}

/** One key picked for one want of one take, before its use is recorded. */
interface PickedKey {
  readonly take: Take;
  readonly want: number;
  readonly purpose: KeyPurpose;
  readonly qkdKey: QkdKey;
}

/** Takes that one call of the ledger serves. */
const maxTakesAtOnce = 64;

/**
 * The takes that wait for keys, by rank and first come first served; one that has a reservation is
 * served as soon as its bits are there. Each key's use is recorded before the key is handed out.
 */
export class TakeQueue {
  readonly #options: TakeQueueOptions;
  #takes: Take[] = [];
  /** Those whose keys are out of the stock, and being recorded: they lack none. */
  #picked: ReadonlySet<Take> = new Set();
  #recording = false;
  #closedBy: Error | undefined;
  #cancelGrace: (() => void) | undefined;
  #starvedSinceMs: number | undefined;
  /** What would have to be in stock for the last one who starved and went away without keys. */
  #unmetBits = 0;

  constructor(options: TakeQueueOptions) {
    this.#options = options;
  }

  /** Since when the take lacks keys that starves now; undefined where none does. */
  get starvedSinceMs(): number | undefined {
    return this.#starvedSinceMs;
  }

  /**
   * Bits that the waiting takes need beyond their reservations, each want in whole keys of its own.
   */
  get demandBits(): number {
    return this.#takes.reduce((bits, take) => bits + this.#demandOf(take), 0);
  }

  /**
   * What has to be in stock beyond reservations until all are served, or the last one had been that
   * went away without: the device is to make that.
   */
  get shortBits(): number {
    const paying = this.#takes.some((take) => take.rank === 'payment' && this.#demandOf(take) > 0);
    const keptBits = paying ? this.#options.keptBits() : 0;
    return Math.max(this.demandBits + keptBits, this.#unmetBits);
  }

  get waiting(): Waiting {
    const count = { link: 0, word: 0, payment: 0 };
    for (const { rank, lacksSinceMs } of this.#takes) if (lacksSinceMs !== undefined) count[rank]++;
    return count;
  }

  take(
    wants: Wants,
    rank: KeyRank,
    reservation: StockReservation | undefined,
    signal: AbortSignal | undefined,
  ): Promise<readonly QkdKey[][]> {
    return this.#wait({ wants, rank, reservation }, signal);
  }

  /** Sets the bits of these wants apart, as soon as it is their turn and the stock holds them. */
  async reserve(wants: Wants, signal: AbortSignal | undefined): Promise<StockReservation> {
    const granted: StockReservation[] = [];
    const grant = (one: StockReservation): void => void granted.push(one);
    await this.#wait({ wants, rank: 'payment', reservation: undefined, grant }, signal);
    const [reservation] = granted;
    if (reservation === undefined) throw new RangeError('a reservation without bits');
    return reservation;
  }

  #wait(
    what: Pick<Take, 'wants' | 'rank' | 'reservation' | 'grant'>,
    signal: AbortSignal | undefined,
  ): Promise<readonly QkdKey[][]> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (this.#starvedSinceMs !== undefined) {
          const keptBits = take.rank === 'payment' ? this.#options.keptBits() : 0;
          this.#unmetBits = Math.max(this.#unmetBits, this.#demandOf(take) + keptBits);
        }
        this.#settle(take, new QkdError('aborted', 'the caller no longer waits for keys'));
        this.serve();
      };
      const take: Take = {
        ...what,
        got: what.wants.map(() => []),
        lacksSinceMs: undefined,
        settled: false,
        settle: (result) => {
          signal?.removeEventListener('abort', onAbort);
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
      };
      this.#enqueue(take);
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.serve();
    });
  }

  #enqueue(take: Take): void {
    const rank = ranks.indexOf(take.rank);
    const behind = this.#takes.findIndex((other) => ranks.indexOf(other.rank) > rank);
    this.#takes.splice(behind < 0 ? this.#takes.length : behind, 0, take);
  }

  /** Serves whom the stock suffices for; called whenever the stock or the queue has changed. */
  serve(): void {
    if (this.#recording || this.#closedBy !== undefined) return;
    const picked = this.#pick();
    if (picked.length > 0) {
      this.#recording = true;
      this.#picked = new Set(picked.map(({ take }) => take));
      void this.#handOut(picked).finally(() => {
        this.#recording = false;
        this.#picked = new Set();
        this.serve();
      });
    }
    this.#watchStarvation();
    this.#options.wake();
  }

  close(reason: Error): void {
    this.#closedBy = reason;
    for (const take of [...this.#takes]) this.#settle(take, reason);
    this.#watchStarvation();
  }

  #pick(): PickedKey[] {
    const { clock, stock } = this.#options;
    const picked: PickedKey[] = [];
    let blocked = false;
    let served = 0;
    for (const take of this.#takes) {
      if (served === maxTakesAtOnce) break;
      // In line behind one who lacks keys: nothing to count.
      if (blocked && take.reservation === undefined) {
        take.lacksSinceMs ??= clock.nowMs();
        continue;
      }
      const wanted = remainders(take);
      const cost = stock.costOf(wanted);
      const own = take.reservation?.bits ?? 0;
      const keptBits = take.rank === 'payment' ? this.#options.keptBits() : 0;
      const freeBits = Math.max(0, stock.availableBits - keptBits);
      if (cost > freeBits + own) {
        if (take.reservation === undefined) blocked = true;
        take.lacksSinceMs ??= clock.nowMs();
        continue;
      }
      served++;
      take.lacksSinceMs = undefined;
      if (take.grant !== undefined) {
        take.grant(stock.reserve(cost, () => this.serve()));
        this.#settle(take, []);
        continue;
      }
      take.reservation?.use(cost);
      for (const [want, bits] of wanted.entries()) {
        const purpose = take.wants[want]?.purpose;
        if (bits <= 0 || purpose === undefined) continue;
        for (const key of stock.remove(bits)) picked.push({ take, want, purpose, qkdKey: key });
      }
    }
    this.#options.account.hold(countBits(picked.map(({ qkdKey }) => qkdKey)));
    return picked;
  }

  async #handOut(picked: readonly PickedKey[]): Promise<void> {
    const { account } = this.#options;
    let outcomes: readonly KeyUseOutcome[];
    try {
      outcomes = await this.#options.record(
        picked.map(({ qkdKey, purpose }) => ({ keyId: qkdKey.id, purpose })),
      );
    } catch (error) {
      const failure = error instanceof Error ? error : new Error('the key ledger failed');
      for (const { take, qkdKey } of picked) {
        // Nobody can tell whether the use is on disk: the key is given up.
        this.#lose(qkdKey);
        this.#settle(take, failure);
      }
      return;
    }
    this.#options.onRecorded(outcomes);
    for (const [i, { take, want, qkdKey }] of picked.entries()) {
      if (outcomes[i] === 'recorded' && !take.settled) take.got[want]?.push(qkdKey);
      else this.#lose(qkdKey);
    }
    for (const take of new Set(picked.map((one) => one.take))) {
      if (take.settled || remainders(take).some((bits) => bits > 0)) continue;
      account.spend(countBits(take.got.flat()));
      this.#settle(take, take.got);
    }
  }

  #settle(take: Take, result: readonly QkdKey[][] | Error): void {
    if (take.settled) return;
    take.settled = true;
    this.#takes = this.#takes.filter((other) => other !== take);
    if (result instanceof Error) for (const key of take.got.flat()) this.#lose(key);
    take.settle(result);
  }

  #lose(key: QkdKey): void {
    this.#options.account.lose(bitsOf(key));
    wipe(key.bits);
  }

  #demandOf(take: Take): number {
    if (this.#picked.has(take)) return 0;
    const keyBits = this.#options.keyBits();
    const whole = remainders(take).map((want) => Math.ceil(want / keyBits) * keyBits);
    return Math.max(0, sum(whole) - (take.reservation?.bits ?? 0));
  }

  /**
   * A take that lacks keys for longer than the grace starves; it is told once, and once when it is
   * over. Whoever waits for the ledger only lacks none, and whoever goes away without keys does not
   * end it: only keys do.
   */
  #watchStarvation(): void {
    const { clock, graceMs } = this.#options;
    const sinceMs = this.#takes.find((take) => take.lacksSinceMs !== undefined)?.lacksSinceMs;
    // Where the clock was set back meanwhile, for longer than anybody can tell.
    const waitedMs = sinceMs === undefined ? 0 : Math.abs(clock.nowMs() - sinceMs);
    const waits = sinceMs !== undefined && waitedMs >= graceMs;
    if (this.#options.stock.availableBits >= this.#unmetBits) this.#unmetBits = 0;
    const starves = waits || this.#unmetBits > 0;
    if (sinceMs === undefined || waits) {
      this.#cancelGrace?.();
      this.#cancelGrace = undefined;
    } else {
      this.#cancelGrace ??= clock.after(graceMs - waitedMs, () => {
        this.#cancelGrace = undefined;
        // The stock may have grown since: whom it suffices for is seen after the recording.
        if (!this.#recording) this.#watchStarvation();
      });
    }
    if (starves === (this.#starvedSinceMs !== undefined)) return;
    this.#starvedSinceMs = starves ? (sinceMs ?? clock.nowMs()) : undefined;
    this.#options.onStarvation();
  }
}

/** The bits still lacking, want by want. */
function remainders(take: Take): number[] {
  return take.wants.map((want, i) => Math.max(0, want.bits - countBits(take.got[i] ?? [])));
}

function sum(bits: readonly number[]): number {
  return bits.reduce((total, one) => total + one, 0);
}
