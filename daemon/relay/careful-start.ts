/**
 * Failure 46, the loop: a record whose handling ends the process comes again as soon as that runs.
 * Nobody is left to count it, so after a few starts of which none lasted, records are handled one
 * at a time, each counted before it is begun. A station that lasts pays nothing for this.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { FailedRow } from '../link/links.ts';
import type { Quarantine } from './quarantine.ts';
import type { TollContext } from './toll-context.ts';

/** What ends a process sooner than this after its start is likely to do so again. */
const lastsMs = 60_000;
/** As many that did not last, and the next start is careful. */
const shortStartsMost = 2;
/**
 * It stays so for so many times as long at most: on a busy road something is always under way. What
 * it has not come to by then it meets sooner after the next starts that do not last.
 */
const looksMost = 10;

type Watched = Pick<TollContext, 'store' | 'clock' | 'log' | 'station'>;

export class CarefulStart {
  readonly #context: Watched;
  readonly #quarantine: Quarantine;
  #isCareful = false;
  #begun = false;
  #underWay = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #cancel: () => void = () => undefined;

  constructor(context: Watched, quarantine: Quarantine) {
    this.#context = context;
    this.#quarantine = quarantine;
  }

  /** Whether `take` has to be asked. */
  get isCareful(): boolean {
    return this.#isCareful;
  }

  /** Counts this start until it has lasted or ends well. */
  async begin(): Promise<void> {
    const { store, log, station } = this.#context;
    this.#begun = true;
    const starts = await store.countStart();
    this.#isCareful = starts > shortStartsMost;
    if (this.#isCareful) {
      const words =
        'this station ended soon after its last starts: it handles one record at a time';
      log.peer('warn', station, words, { starts: String(starts - 1) });
    }
    this.#look();
  }

  /** Ends well: the next start is like any other. */
  async close(): Promise<void> {
    this.#cancel();
    await this.#turn;
    const { store, log } = this.#context;
    if (this.#begun) await store.forgetStarts().catch(log.fault);
  }

  /** `handle` in its turn; false where the record is quarantined instead. */
  take(
    peer: StationName,
    row: FailedRow,
    handle: () => Promise<boolean>,
  ): Promise<boolean | 'quarantined'> {
    const { store } = this.#context;
    this.#underWay++;
    const taken = this.#turn.then(async () => {
      try {
        if (await this.#quarantine.suspected(peer, row)) return 'quarantined';
        const isHandled = await handle();
        if (isHandled) await store.forgetAttempts(peer, row.rowId);
        return isHandled;
      } finally {
        this.#underWay--;
      }
    });
    this.#turn = taken.catch(() => undefined);
    return taken;
  }

  /** Until it has lasted, and nothing is left of what the neighbours had kept. */
  #look(looks = 1): void {
    const { clock, store, log } = this.#context;
    this.#cancel = clock.after(lastsMs, () => {
      if (this.#underWay > 0 && looks < looksMost) {
        this.#look(looks + 1);
        return;
      }
      this.#isCareful = false;
      store.forgetStarts().catch(log.fault);
    });
  }
}

/** Whose handling nobody came back from. */
export class UnfinishedError extends Error {
  override readonly name = 'UnfinishedError';
}
