/**
 * The station audits itself (failure 42): what is stored is recomputed every day, whether or not
 * anybody asks, so that a record which rots is found while its neighbours and copies still have it.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { StationConfig } from './config.ts';
import { lastAuditOf, type LastAudit } from './last-audit.ts';
import type { Log } from './log.ts';

const hourMs = 3_600_000;
/** A start brings work enough. */
const afterStartMs = 600_000;
/** After an audit that failed. */
const againMs = hourMs;

/** Audits the station's store, notes and tells what came of it; rejects where that cannot be. */
export type RunAudit = (config: StationConfig, signal: AbortSignal) => Promise<LastAudit>;

export interface SelfAuditOptions {
  readonly config: StationConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly room: Pick<DiskRoom, 'refusal'>;
  readonly run: RunAudit;
}

export class SelfAudit {
  readonly #options: SelfAuditOptions;
  readonly #ending = new AbortController();
  #cancel: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(options: SelfAuditOptions) {
    this.#options = options;
  }

  start(): void {
    this.#in(Math.max(afterStartMs, this.#dueInMs()));
  }

  /** One that is under way is given up. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#cancel();
    await this.#working;
  }

  #in(ms: number): void {
    if (this.#ending.signal.aborted || this.#everyMs === 0) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#working = this.#once();
    });
  }

  async #once(): Promise<void> {
    // The operator may have audited meanwhile.
    const dueInMs = this.#dueInMs();
    if (dueInMs > 0) {
      this.#in(dueInMs);
      return;
    }
    const { config, log, room, run } = this.#options;
    try {
      if (room.refusal !== undefined) throw new Error('the disk is almost full');
      const audit = await run(config, this.#ending.signal);
      if (audit.findings === 0) log.info({ at: audit.at }, 'the station has audited itself');
      else log.warn({ ...audit }, `the audit has findings: ${auditCommand(config)} lists them`);
      this.#in(this.#everyMs);
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      log.warn({ err: error }, 'the station could not audit itself; it tries again in an hour');
      this.#in(againMs);
    }
  }

  #dueInMs(): number {
    const { config, clock } = this.#options;
    const last = lastAuditOf(config);
    if (last === undefined) return 0;
    // A clock that was set back does not put it off for longer than that.
    return Math.min(this.#everyMs, Date.parse(last.at) + this.#everyMs - clock.nowMs());
  }

  get #everyMs(): number {
    return this.#options.config.audit['every-hours'] * hourMs;
  }
}

export function auditCommand({ file }: StationConfig): string {
  return `keytolld audit --config ${file}`;
}
