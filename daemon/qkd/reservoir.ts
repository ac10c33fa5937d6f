import type { Clock } from '../../applet-spec/clock.ts';
import { concatBytes, wipe } from '../../applet-spec/bytes.ts';
import { ClaimShelf } from './claim-shelf.ts';
import { KeyAccount } from './key-account.ts';
import type { KeyBalance } from './key-account.ts';
import { DrawMode } from './draw-mode.ts';
import type { KeyLedger, KeyPurpose, KeyUse, KeyUseOutcome } from './key-ledger.ts';
import type { KeySource, QkdKey } from './key-source.ts';
import { countBits, KeyStock, StockReservation } from './key-stock.ts';
import { QkdError } from './qkd-error.ts';
import { Refill } from './refill.ts';
import { TakeQueue, type KeyRank, type Waiting } from './take-queue.ts';

/** Bits wanted for one purpose: a positive multiple of 8. */
export interface KeyWant {
  readonly purpose: KeyPurpose;
  readonly bits: number;
}

/** The receiving side of a want: the key IDs that the peer named for it, in order. */
export interface KeyClaim extends KeyWant {
  readonly keyIds: readonly string[];
}

/** Raw QKD bits, never derived: as many as were wanted, from the keys in the order of their IDs. */
export interface TakenBits {
  readonly purpose: KeyPurpose;
  readonly keyIds: readonly string[];
  readonly bits: Uint8Array;
}

/** Bits set apart in the stock for a payment that was admitted. */
export interface KeyReservation {
  /** What is left of it. */
  readonly bits: number;
  /** Gives the rest back to the stock; harmless when repeated. */
  release(): void;
}

/** A take has waited longer than the grace. */
export interface KeyStarvation {
  readonly sinceMs: number;
  readonly missingBits: number;
  /** Who lacks keys now. */
  readonly waiting: Waiting;
  /** Why the device gives no keys, where that is known. */
  readonly reason: string;
}

export interface TakeOptions {
  readonly signal?: AbortSignal;
  /** What it is for: the more urgent goes first. Default `word`. */
  readonly rank?: KeyRank;
  /**
   * From `reserve` of the same reservoir; their bits are used first, and the take does not queue
   * behind others. The first one holds afterwards what is left of all.
   */
  readonly reservations?: readonly KeyReservation[];
}

export interface ReservoirOptions {
  /** The neighbour's station name, as the ledger records it. */
  readonly peer: string;
  readonly source: KeySource;
  readonly ledger: KeyLedger;
  readonly clock: Clock;
  /** The most bits to hold ahead of need; default 65,536. 0: draw only on demand. */
  readonly capacityBits?: number;
  /**
   * So many of these payments leave for words and the link itself, where keys are drawn ahead at
   * all. Default 0.
   */
  readonly keptBits?: number;
  /** The preferred size of one key; devices with other limits get theirs. Default 256. */
  readonly keySizeBits?: number;
  /** How long a take may wait before that counts as starvation. Default 200. */
  readonly starvationGraceMs?: number;
  /** How often at most the device's status is read. Default 60,000. */
  readonly statusEveryMs?: number;
  /** Called when starvation begins, and with undefined when it ends. */
  readonly onStarvation?: (starvation: KeyStarvation | undefined) => void;
  /** Called with each failure of the device: for the log. */
  readonly onError?: (error: QkdError) => void;
}

/**
 * The stock of QKD keys shared with one peer: drawn ahead within a bound, handed out once, every
 * bit accounted for, and every use recorded durably before the caller sees a bit of it.
 */
export class Reservoir {
  readonly peer: string;
  readonly #options: ReservoirOptions;
  readonly #stock = new KeyStock();
  readonly #account = new KeyAccount();
  readonly #shelf: ClaimShelf;
  readonly #refill: Refill;
  readonly #queue: TakeQueue;
  #fetches = 0;
  readonly #mode: DrawMode;
  readonly #capacityBits: number;
  #closed = false;

  constructor(options: ReservoirOptions) {
    this.peer = options.peer;
    this.#options = options;
    this.#mode = new DrawMode(options.clock);
    this.#capacityBits = options.capacityBits ?? 65_536;
    this.#shelf = new ClaimShelf(options.source, this.#account);
    this.#refill = new Refill({
      source: options.source,
      clock: options.clock,
      keySizeBits: options.keySizeBits ?? 256,
      statusEveryMs: options.statusEveryMs ?? 60_000,
      missingBits: () => this.#missingBits(),
      onKeys: (keys) => {
        this.#stockUp(keys);
      },
      onError: (error) => {
        this.#account.receiveLost(error.lostBits);
        options.onError?.(error);
      },
    });
    this.#queue = new TakeQueue({
      stock: this.#stock,
      account: this.#account,
      clock: options.clock,
      graceMs: options.starvationGraceMs ?? 200,
      keyBits: () => this.#refill.sizeBits,
      keptBits: () => this.#keptBits,
      record: (uses) => this.#record(uses, 'send'),
      onRecorded: (outcomes) => {
        this.#refill.judge(outcomes.includes('recorded'));
      },
      wake: () => {
        this.#refill.wake();
      },
      onStarvation: () => options.onStarvation?.(this.starvation()),
    });
  }

  /** Begins to fill the stock; `take` works without it. */
  start(): void {
    this.#refill.wake();
  }

  balance(): KeyBalance {
    return this.#account.balance(this.#stock, this.#keptBits);
  }

  /** How many bits it holds ahead of need, as far as the device gives them; 0: none. */
  get aheadBits(): number {
    return this.#mode.isOnDemand ? 0 : this.#capacityBits;
  }

  /** The failure that keeps the device from giving keys now, or undefined. */
  deviceError(): QkdError | undefined {
    return this.#refill.error;
  }

  /** How many claims the device has given their keys: it is not away where they become more. */
  get fetches(): number {
    return this.#fetches;
  }

  /** Whether the device answers at all, now. */
  answers(): Promise<boolean> {
    return this.#refill.answers();
  }

  /** undefined unless a take has waited longer than the grace. */
  starvation(): KeyStarvation | undefined {
    const sinceMs = this.#queue.starvedSinceMs;
    if (sinceMs === undefined) return undefined;
    return {
      sinceMs,
      missingBits: Math.max(0, this.#queue.shortBits - this.#stock.availableBits),
      waiting: this.#queue.waiting,
      reason: this.#refill.error?.message ?? 'the device delivers keys more slowly than needed',
    };
  }

  /**
   * Sets apart the bits of these wants, at admission. Waits like `take`, in the same line.
   * @throws QkdError `aborted`.
   */
  async reserve(wants: readonly KeyWant[], signal?: AbortSignal): Promise<KeyReservation> {
    for (const want of wants) checkBits(want.bits);
    if (this.#closed) throw new QkdError('aborted', `the keys of ${this.peer} are closed`);
    return this.#queue.reserve(wants, signal);
  }

  /**
   * Takes fresh bits for sending: all wants in one batch and one call of the ledger, each want from
   * keys of its own. Waits, first come first served within its rank, until the device has delivered
   * enough. Keys whose ID the ledger already knows are lost and replaced.
   * @returns one entry for each want, in their order.
   * @throws QkdError `aborted` when the signal fires or the reservoir closes; what the ledger
   * throws.
   */
  async take(wants: readonly KeyWant[], options: TakeOptions = {}): Promise<readonly TakenBits[]> {
    for (const want of wants) checkBits(want.bits);
    if (this.#closed) throw new QkdError('aborted', `the keys of ${this.peer} are closed`);
    const reservation = joinReservations(options.reservations ?? []);
    const { rank = 'word', signal } = options;
    const keys = await this.#queue.take(wants, rank, reservation, signal);
    return wants.map((want, i) => joinKeys(want, keys[i] ?? []));
  }

  /**
   * Fetches the keys that the peer named and records their use for receiving. Keys fetched by a
   * claim that failed half-way are kept for its repetition; after a use is recorded, or refused,
   * they are gone.
   * @returns one entry for each claim, in their order.
   * @throws QkdError `not-found` or `already-used` (the peer must name fresh keys), `protocol`
   * where the keys do not fit the claim, or what the source throws.
   */
  async claim(claims: readonly KeyClaim[], signal?: AbortSignal): Promise<readonly TakenBits[]> {
    const [taken] = await this.claimEach([claims], signal);
    if (taken === undefined || taken instanceof QkdError) throw taken ?? new RangeError('no keys');
    return taken;
  }

  /**
   * The same for several records at once, whose claims are theirs alone: a key that was used
   * before, or does not fit, spoils its own record only. Every use is recorded in one call, and the
   * other keys of a refused record are gone for ever.
   * @returns for each record its bits, or the QkdError that refuses it: `already-used`, `protocol`.
   * @throws QkdError as `claim` does where the keys cannot be fetched: none is used then.
   */
  async claimEach(
    records: readonly (readonly KeyClaim[])[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly TakenBits[] | QkdError)[]> {
    const claims = records.flat();
    for (const claim of claims) checkBits(claim.bits);
    if (this.#closed) throw new QkdError('aborted', `the keys of ${this.peer} are closed`);
    const ids = claims.flatMap((claim) => claim.keyIds);
    const keys = await this.#shelf.collect(ids, signal);
    this.#fetches++;
    let lostBits = countBits(keys);
    try {
      const outcomes = await this.#record(
        claims.flatMap(({ keyIds, purpose }) => keyIds.map((keyId) => ({ keyId, purpose }))),
        'receive',
      );
      const left = keys.map((qkdKey, i) => ({ qkdKey, isFresh: outcomes[i] === 'recorded' }));
      return records.map((own) => {
        const parts = own.map((claim) => ({ claim, named: left.splice(0, claim.keyIds.length) }));
        const refusal = refusalOf(parts);
        if (refusal !== undefined) return refusal;
        const bits = countBits(parts.flatMap(({ named }) => named.map(({ qkdKey }) => qkdKey)));
        lostBits -= bits;
        this.#account.spend(bits);
        return parts.map(({ claim, named }) =>
          joinKeys(
            claim,
            named.map(({ qkdKey }) => qkdKey),
          ),
        );
      });
    } finally {
      this.#account.lose(lostBits);
    }
  }

  /** The peer is told that these cannot be had: it names others instead. */
  giveUp(claims: readonly KeyClaim[]): void {
    this.#shelf.giveUp(claims.flatMap(({ keyIds }) => keyIds));
  }

  /**
   * The peer could not fetch keys that we drew. Three times in a row mean a device that has dropped
   * what it drew: the stock is given up, and from then on keys are drawn only when they are needed.
   * Where it cannot fetch those either, its device has them later than ours, and they are drawn
   * ahead again.
   */
  reportMissed(): void {
    if (!this.#mode.missed()) return;
    if (this.#mode.isOnDemand) this.#account.loseStock(this.#stock.clear());
    this.#refill.wake();
  }

  /** The peer used keys that we drew; after a while of that they are drawn ahead again. */
  reportFetched(): void {
    if (this.#mode.fetched()) this.#refill.wake();
  }

  /** Fails the waiting takes, wipes the stock and closes the source. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.close(new QkdError('aborted', `the keys of ${this.peer} are closed`));
    await this.#refill.close();
    this.#account.loseStock(this.#stock.clear());
    this.#shelf.close();
    await this.#options.source.close();
  }

  /** A device that drops what it drew before can keep nothing. */
  get #keptBits(): number {
    return Math.min(this.#options.keptBits ?? 0, this.aheadBits);
  }

  #missingBits(): number {
    const needed = this.#queue.shortBits + this.#stock.reservedBits;
    return Math.max(this.aheadBits, needed) - this.#stock.bits;
  }

  #stockUp(keys: readonly QkdKey[]): void {
    this.#account.receive(countBits(keys));
    if (this.#closed) {
      for (const key of keys) wipe(key.bits);
      this.#account.loseStock(countBits(keys));
      return;
    }
    const uselessBits = this.#stock.add(keys);
    this.#account.loseStock(uselessBits);
    if (uselessBits >= countBits(keys)) this.#refill.judge(false);
    this.#queue.serve();
  }

  #record(
    uses: readonly Pick<KeyUse, 'keyId' | 'purpose'>[],
    direction: KeyUse['direction'],
  ): Promise<readonly KeyUseOutcome[]> {
    const { peer } = this;
    return this.#options.ledger.recordUse(
      uses.map(({ keyId, purpose }) => ({ keyId, peer, direction, purpose })),
    );
  }
}

function checkBits(bits: number): void {
  if (!Number.isSafeInteger(bits) || bits <= 0 || bits % 8 !== 0) {
    throw new RangeError(`${String(bits)} is no positive multiple of 8 bits`);
  }
}

function joinReservations(reservations: readonly KeyReservation[]): StockReservation | undefined {
  const [first, ...rest] = reservations.filter((one) => one instanceof StockReservation);
  for (const other of rest) first?.absorb(other);
  return first;
}

/** One claim with the keys that it named, and whether their use was recorded for it. */
interface ClaimedKeys {
  readonly claim: KeyClaim;
  readonly named: readonly { readonly qkdKey: QkdKey; readonly isFresh: boolean }[];
}

/** Why the keys of one record are not used; they are wiped then. */
function refusalOf(parts: readonly ClaimedKeys[]): QkdError | undefined {
  const all = parts.flatMap(({ named }) => named);
  const known = all.filter(({ isFresh }) => !isFresh).map(({ qkdKey }) => qkdKey.id);
  const refusal =
    known.length > 0
      ? new QkdError('already-used', 'key IDs were used before', { keyIds: known })
      : parts.map(misfitOf).find((one) => one !== undefined);
  if (refusal !== undefined) for (const { qkdKey } of all) wipe(qkdKey.bits);
  return refusal;
}

/** The named keys must suffice for the claim, and none of them be superfluous. */
function misfitOf({ claim, named }: ClaimedKeys): QkdError | undefined {
  const keys = named.map(({ qkdKey }) => qkdKey);
  const bits = countBits(keys);
  const withoutLast = countBits(keys.slice(0, -1));
  if (bits >= claim.bits && withoutLast < claim.bits) return undefined;
  return new QkdError(
    'protocol',
    `the peer named ${String(bits)} bits of key for ${String(claim.bits)}`,
    { keyIds: claim.keyIds },
  );
}

/** Joins the keys of one want, cuts to its length, and wipes the keys. */
function joinKeys(want: KeyWant, keys: readonly QkdKey[]): TakenBits {
  const joined = concatBytes(...keys.map((key) => key.bits));
  const bits = joined.slice(0, want.bits / 8);
  wipe(joined);
  for (const key of keys) wipe(key.bits);
  return { purpose: want.purpose, keyIds: keys.map((key) => key.id), bits };
}
