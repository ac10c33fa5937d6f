import type { Clock } from '../applet-spec/clock.ts';

interface Alarm {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until it is told to go on: for tests and the simulation. */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  /** How many alarms are set and have neither run nor been cancelled. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** When the next alarm is due, in milliseconds since 1970; undefined where none is set. */
  get nextDueMs(): number | undefined {
    return this.#next()?.dueMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    // The machine's clock shows whole milliseconds, too: what books store are integers.
    const dueMs = this.#nowMs + Math.ceil(Math.max(0, ms));
    const alarm: Alarm = { dueMs, order: this.#order++, run };
    this.#alarms.add(alarm);
    return () => {
      this.#alarms.delete(alarm);
    };
  }

  /**
   * Moves time on by `ms` and runs, in order of their times, all alarms that fall due on the way.
   */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let alarm = this.#next(); alarm !== undefined && alarm.dueMs <= endMs;) {
      this.#alarms.delete(alarm);
      this.#nowMs = alarm.dueMs;
      alarm.run();
      alarm = this.#next();
    }
    this.#nowMs = endMs;
  }

  #next(): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (
        next === undefined ||
        alarm.dueMs < next.dueMs ||
        (alarm.dueMs === next.dueMs && alarm.order < next.order)
      ) {
        next = alarm;
      }
    }
    return next;
  }
}
