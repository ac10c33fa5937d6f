/**
 * How often the same trouble is worth a line in the log: a neighbour, a user or a card that is
 * broken or means ill must not fill the operator's disk (failure I32).
 */
import type { Clock } from '../../applet-spec/clock.ts';

const minuteMs = 60_000;
/** Lines a minute about one event with one party. */
export const pacedLinesMost = 10;
/** Parties with minutes of their own, of one event; what comes beyond is counted together. */
export const pacedPartiesMost = 64;
/** Events are constants of this program; only their minutes are kept, and soon forgotten. */
const eventsMost = 256;

interface Minute {
  readonly startedMs: number;
  lines: number;
  leftOut: number;
  /** Says how many were left out, once. */
  tell: () => void;
  cancel: () => void;
}

export class LogPacer {
  readonly #clock: Clock;
  readonly #events = new Map<string, Map<string, Minute>>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `write` now, or not at all; then `leftOut` is called when the minute ends, with how many
   * lines were. `party` is undefined where many share one minute.
   */
  pace(
    event: string,
    party: string,
    write: () => void,
    leftOut: (lines: number, party: string | undefined) => void,
  ): void {
    const minutes = this.#minutes(event);
    const isKnown = minutes.has(party);
    if (!isKnown) this.#forgetEnded(minutes, pacedPartiesMost);
    const isShared = !isKnown && minutes.size >= pacedPartiesMost;
    const minute = this.#minute(minutes, isShared ? '' : party);
    if (minute.lines < pacedLinesMost || this.#closed) {
      minute.lines++;
      write();
      return;
    }
    if (minute.leftOut++ > 0) return;
    minute.tell = () => {
      minute.tell = () => undefined;
      minute.cancel();
      leftOut(minute.leftOut, isShared ? undefined : party);
    };
    const endsMs = minute.startedMs + minuteMs;
    minute.cancel = this.#clock.after(Math.max(0, endsMs - this.#clock.nowMs()), minute.tell);
  }

  /** Tells now what was left out; lines of the last moments are few, and all written. */
  close(): void {
    this.#closed = true;
    for (const minutes of this.#events.values()) {
      for (const minute of minutes.values()) minute.tell();
    }
    this.#events.clear();
  }

  #minutes(event: string): Map<string, Minute> {
    const known = this.#events.get(event);
    if (known !== undefined) return known;
    if (this.#events.size >= eventsMost) {
      for (const [name, minutes] of this.#events) {
        this.#forgetEnded(minutes, 0);
        if (minutes.size === 0) this.#events.delete(name);
      }
    }
    const minutes = new Map<string, Minute>();
    this.#events.set(event, minutes);
    return minutes;
  }

  #minute(minutes: Map<string, Minute>, party: string): Minute {
    const known = minutes.get(party);
    if (known !== undefined && !this.#isOver(known)) return known;
    known?.tell();
    const minute: Minute = {
      startedMs: this.#clock.nowMs(),
      lines: 0,
      leftOut: 0,
      tell: () => undefined,
      cancel: () => undefined,
    };
    minutes.set(party, minute);
    return minute;
  }

  #forgetEnded(minutes: Map<string, Minute>, most: number): void {
    if (minutes.size < most) return;
    for (const [party, minute] of minutes) {
      if (!this.#isOver(minute)) continue;
      minute.tell();
      minutes.delete(party);
    }
  }

  /** Also where the clock was set back. */
  #isOver({ startedMs }: Minute): boolean {
    return Math.abs(this.#clock.nowMs() - startedMs) >= minuteMs;
  }
}
