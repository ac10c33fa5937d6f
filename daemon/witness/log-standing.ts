/**
 * Whether this station's log is still what neighbours cosigned. Where it is not, the database was
 * rolled back, or replaced by an older copy (failure 39): the books lack what was promised since,
 * and nothing more is promised on them, until they are rebuilt and the loss is declared.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { QuoteBody } from '../../applet-spec/quote.ts';
import type { LogStore } from '../store/log-store.ts';
import type { RecoveryStore } from '../store/recovery-store.ts';
import type { WitnessStore } from '../store/witness-store.ts';
import {
  checkpoint as checkpointKind,
  comparePlaces,
  placeOf,
  type CheckpointBody,
} from '../wire/checkpoint.ts';
import { declaration as declarationKind, type Declaration } from '../wire/declaration.ts';

/** What a neighbour cosigned and this log does not hold. */
export interface RolledBack {
  /** This station itself where it has begun to rebuild its books, and nobody has spoken since. */
  readonly witness: StationName;
  /** Leaves of the log that was cosigned; of the log that is here. */
  readonly cosigned: bigint;
  readonly present: bigint;
}

/** Clocks of stations may differ by this much (design §7). */
const skewSeconds = 60n;

type StandingStore = Pick<LogStore, 'logSize' | 'logRoot'> &
  Pick<WitnessStore, 'cosigned'> &
  Pick<RecoveryStore, 'declarations' | 'recovery'>;

export class LogStanding {
  readonly #station: StationName;
  readonly #store: StandingStore;
  #rolledBack: RolledBack | undefined;
  #furthest: CheckpointBody | undefined;
  #declared: Declaration | undefined;
  /** When records had been lost, at the latest; Unix seconds. */
  #lostSeconds: bigint | undefined;
  #leftOut: ReadonlySet<StationName> = new Set();

  constructor(station: StationName, store: StandingStore) {
    this.#station = station;
    this.#store = store;
  }

  /** From what neighbours showed before the last stop. Also once a loss was declared. */
  async start(): Promise<void> {
    const own = (await this.#store.declarations()).filter(
      ({ station, accepted }) => station === this.#station && accepted,
    );
    const last = own.at(-1);
    this.#declared = last && declarationKind.decode(last.bytes);
    const recovery = await this.#store.recovery();
    this.#lostSeconds = recovery && BigInt(Math.floor(recovery.begunMs / 1_000));
    const leftOut = (recovery?.peers ?? []).filter(({ state }) => state === 'left-out');
    this.#leftOut = new Set(leftOut.map(({ peer }) => peer));
    this.#rolledBack = undefined;
    for (const { peer, checkpoint } of await this.#store.cosigned()) {
      await this.compare(peer, checkpointKind.decode(checkpoint).body);
    }
    // Who had told it so may have been no neighbour, whose word is not stored.
    if (recovery?.state !== 'rebuilding') return;
    const { size } = recovery.kept;
    const present = await this.#store.logSize();
    this.#rolledBack ??= { witness: this.#station, cosigned: size, present };
  }

  /** Whether the log begins with what this neighbour cosigned, or that was declared lost. */
  async compare(witness: StationName, body: CheckpointBody): Promise<boolean> {
    const before = this.#furthest;
    if (before === undefined || comparePlaces(placeOf(before), placeOf(body)) < 0) {
      this.#furthest = body;
    }
    const present = await this.#store.logSize();
    const fits = await this.#fits(body, present);
    const isToldBefore = (this.#rolledBack?.witness ?? this.#station) !== this.#station;
    if (!fits && !isToldBefore) this.#rolledBack = { witness, cosigned: body.size, present };
    return fits;
  }

  get rolledBack(): RolledBack | undefined {
    return this.#rolledBack;
  }

  /** The furthest that any neighbour has shown to have cosigned. */
  get furthest(): CheckpointBody | undefined {
    return this.#furthest;
  }

  /** This station's last declaration of lost leaves. */
  get declared(): Declaration | undefined {
    return this.#declared;
  }

  /** Of the log that is here. */
  get generation(): bigint {
    return this.#declared?.body.generation ?? 0n;
  }

  /**
   * Whether a payment of this quote may have been here before records were lost: it is not taken,
   * nor is it said that it never came, where its neighbour could not be asked.
   */
  isOfLostTime({ time }: Pick<QuoteBody, 'time'>): boolean {
    return this.#lostSeconds !== undefined && time <= this.#lostSeconds + skewSeconds;
  }

  mayHaveLost({ time, bill }: Pick<QuoteBody, 'time' | 'bill'>): boolean {
    if (!this.isOfLostTime({ time })) return false;
    const names = bill.map(({ station }) => station);
    const place = names.indexOf(this.#station);
    return [names[place - 1], names[place + 1]].some(
      (name) => name !== undefined && this.#leftOut.has(name),
    );
  }

  /** Why nobody's payment is taken, in words for its payer; undefined where they are. */
  get refusal(): string | undefined {
    if (this.#rolledBack === undefined) return undefined;
    const { witness } = this.#rolledBack;
    if (witness === this.#station) {
      return `${witness} rebuilds records that it has lost, and takes no payments.`;
    }
    return `${this.#station} has lost records that ${witness} witnessed, and takes no payments.`;
  }

  async #fits(body: CheckpointBody, present: bigint): Promise<boolean> {
    const place = placeOf(body);
    if (place.generation === this.generation) {
      return place.size <= present && equalBytes(await this.#store.logRoot(place.size), body.root);
    }
    const lost = this.#declared?.body.lost;
    if (place.generation > this.generation || lost === undefined) return false;
    const order = comparePlaces(place, lost);
    return order < 0 || (order === 0 && equalBytes(body.root, lost.root));
  }
}
