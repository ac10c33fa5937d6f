import type { Clock } from '../../applet-spec/clock.ts';
import { systemClock } from '../../emulator/clock.ts';

interface Alarm {
  readonly dueMs: number;
  readonly run: () => void;
  cancel: () => void;
}

/**
 * The machine's time, which a scenario may move on: alarms that fall due by that run once each, in
 * the order of their times, as on a machine that wakes from sleep.
 */
export class RoadClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #aheadMs = 0;

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs;
  }

  after(ms: number, run: () => void): () => void {
    const alarm: Alarm = { dueMs: this.nowMs() + ms, run, cancel: () => undefined };
    this.#alarms.add(alarm);
    this.#set(alarm, ms);
    return () => {
      this.#alarms.delete(alarm);
      alarm.cancel();
    };
  }

  /** How many are set. */
  get alarms(): number {
    return this.#alarms.size;
  }

  moveOn(seconds: number): void {
    this.#aheadMs += seconds * 1_000;
    const nowMs = this.nowMs();
    const alarms = [...this.#alarms].sort((a, b) => a.dueMs - b.dueMs);
    for (const alarm of alarms) {
      alarm.cancel();
      this.#set(alarm, Math.max(0, alarm.dueMs - nowMs));
    }
  }

  #set(alarm: Alarm, ms: number): void {
    alarm.cancel = systemClock.after(ms, () => {
      this.#alarms.delete(alarm);
      alarm.run();
    });
  }
}
