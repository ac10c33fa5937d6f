/**
 * Whether this station's log is still what neighbours cosigned. Where it is not, the database was
 * rolled back, or replaced by an older copy (failure 39): the books lack what was promised since,
 * and nothing more is promised on them.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { LogStore } from '../store/log-store.ts';
import type { WitnessStore } from '../store/witness-store.ts';
import { checkpoint as checkpointKind, type CheckpointBody } from '../wire/checkpoint.ts';

/** What a neighbour cosigned and this log does not hold. */
export interface RolledBack {
  readonly witness: StationName;
  /** Leaves of the log that was cosigned; of the log that is here. */
  readonly cosigned: bigint;
  readonly present: bigint;
}

export class LogStanding {
  readonly #station: StationName;
  readonly #store: Pick<LogStore, 'logSize' | 'logRoot'> & Pick<WitnessStore, 'cosigned'>;
  #rolledBack: RolledBack | undefined;

  constructor(
    station: StationName,
    store: Pick<LogStore, 'logSize' | 'logRoot'> & Pick<WitnessStore, 'cosigned'>,
  ) {
    this.#station = station;
    this.#store = store;
  }

  /** From what neighbours showed before the last stop. */
  async start(): Promise<void> {
    for (const { peer, checkpoint } of await this.#store.cosigned()) {
      await this.compare(peer, checkpointKind.decode(checkpoint).body);
    }
  }

  /** Whether the log begins with what this neighbour cosigned. */
  async compare(witness: StationName, { size, root }: CheckpointBody): Promise<boolean> {
    const present = await this.#store.logSize();
    const fits = size <= present && equalBytes(await this.#store.logRoot(size), root);
    if (!fits) this.#rolledBack ??= { witness, cosigned: size, present };
    return fits;
  }

  get rolledBack(): RolledBack | undefined {
    return this.#rolledBack;
  }

  /** Why nobody's payment is taken, in words for its payer; undefined where they are. */
  get refusal(): string | undefined {
    if (this.#rolledBack === undefined) return undefined;
    const { witness } = this.#rolledBack;
    return `${this.#station} has lost records that ${witness} witnessed, and takes no payments.`;
  }
}
