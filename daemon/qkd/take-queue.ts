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
  readonly record: (
    uses: readonly Pick<KeyUse, 'keyId' | 'purpose'>[],
  ) => Promise<readonly KeyUseOutcome[]>;
  /** Called when the stock was drawn upon, or lacks bits. */
  readonly wake: () => void;
  /** Called when starvation has begun or ended. */
  readonly onStarvation: () => void;
}

interface Take {
  readonly wants: readonly { readonly purpose: KeyPurpose; readonly bits: number }[];
  /** Keys recorded for this take already, by want. */
  readonly got: QkdKey[][];
  readonly reservation: StockReservation | undefined;
  readonly sinceMs: number;
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
 * The takes that wait for keys, first come first served; one that has a reservation is served as
 * soon as its bits are there. Each key's use is recorded before the key is handed out.
 */
export class TakeQueue {
  readonly #options: TakeQueueOptions;
  #takes: Take[] = [];
  #recording = false;
  #closedBy: Error | undefined;
  #cancelGrace: (() => void) | undefined;
  #starvedSinceMs: number | undefined;

  constructor(options: TakeQueueOptions) {
    this.#options = options;
  }

  /** When the take began that starves now; undefined where none does. */
  get starvedSinceMs(): number | undefined {
    return this.#starvedSinceMs;
  }

  /**
   * Bits that the waiting takes need beyond their reservations, each want in whole keys of its own.
   */
  get demandBits(): number {
    const keyBits = this.#options.keyBits();
    let bits = 0;
    for (const take of this.#takes) {
      const whole = remainders(take).map((want) => Math.ceil(want / keyBits) * keyBits);
      bits += Math.max(0, sum(whole) - (take.reservation?.bits ?? 0));
    }
    return bits;
  }

  take(
    wants: Take['wants'],
    reservation: StockReservation | undefined,
    signal: AbortSignal | undefined,
  ): Promise<readonly QkdKey[][]> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#settle(take, new QkdError('aborted', 'the caller no longer waits for keys'));
        this.serve();
      };
      const take: Take = {
        wants,
        got: wants.map(() => []),
        reservation,
        sinceMs: this.#options.clock.nowMs(),
        settled: false,
        settle: (result) => {
          signal?.removeEventListener('abort', onAbort);
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
      };
      this.#takes.push(take);
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.serve();
    });
  }

  /** Serves whom the stock suffices for; called whenever the stock or the queue has changed. */
  serve(): void {
    if (this.#recording || this.#closedBy !== undefined) return;
    const picked = this.#pick();
    if (picked.length > 0) {
      this.#recording = true;
      void this.#handOut(picked).finally(() => {
        this.#recording = false;
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
    const { stock } = this.#options;
    const picked: PickedKey[] = [];
    let blocked = false;
    let served = 0;
    for (const take of this.#takes) {
      if (served === maxTakesAtOnce) break;
      if (blocked && take.reservation === undefined) continue;
      const wanted = remainders(take);
      const cost = stock.costOf(wanted);
      const own = take.reservation?.bits ?? 0;
      if (cost > stock.availableBits + own) {
        if (take.reservation === undefined) blocked = true;
        continue;
      }
      take.reservation?.use(cost);
      served++;
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

  /** A take that waits longer than the grace starves; it is told once, and once when it is over. */
  #watchStarvation(): void {
    const { clock, graceMs } = this.#options;
    const oldest = this.#takes[0];
    const waitedMs = oldest === undefined ? 0 : clock.nowMs() - oldest.sinceMs;
    const starves = oldest !== undefined && waitedMs >= graceMs;
    if (oldest === undefined || starves) {
      this.#cancelGrace?.();
      this.#cancelGrace = undefined;
    } else {
      this.#cancelGrace ??= clock.after(graceMs - waitedMs, () => {
        this.#cancelGrace = undefined;
        this.#watchStarvation();
      });
    }
    if (starves === (this.#starvedSinceMs !== undefined)) return;
    this.#starvedSinceMs = starves ? oldest.sinceMs : undefined;
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
