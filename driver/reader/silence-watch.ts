import type { Clock } from '../../applet-spec/clock.ts';

export interface SilenceBounds {
  /** The longest silence of a card at work. */
  readonly silenceMs: number;
  /** The longest time for one command, whatever signs of life the card gives. */
  readonly commandMs: number;
}

/**
 * Whether a card at work on one command is still alive. One alarm a command, however often the card
 * gives signs of life: every APDU pays for what is done here.
 */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #bounds: SilenceBounds;
  readonly #fallen: (ms: number) => void;
  #cancel: () => void = () => undefined;
  /** Of the command, and of the silence, up to when the alarm was set. */
  #spentMs = 0;
  #silentMs = 0;
  #aliveAtMs: number | undefined;

  /** `fallen` is called with the bound that was passed; the watch is over then. */
  constructor(clock: Clock, bounds: SilenceBounds, fallen: (ms: number) => void) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#fallen = fallen;
  }

  begin(): void {
    this.#spentMs = 0;
    this.#silentMs = 0;
    this.#aliveAtMs = undefined;
    this.#setAlarm();
  }

  /** A sign of life. */
  alive(): void {
    this.#aliveAtMs = this.#clock.nowMs();
  }

  end(): void {
    this.#cancel();
  }

  #setAlarm(): void {
    const { silenceMs, commandMs } = this.#bounds;
    const ms = Math.min(silenceMs - this.#silentMs, commandMs - this.#spentMs);
    this.#cancel = this.#clock.after(ms, () => {
      this.#wake(ms);
    });
  }

  /** Adds up what the alarms have waited: the time of day may have been set meanwhile. */
  #wake(waitedMs: number): void {
    const { silenceMs, commandMs } = this.#bounds;
    this.#spentMs += waitedMs;
    if (this.#aliveAtMs === undefined) this.#silentMs += waitedMs;
    else this.#silentMs = Math.min(Math.max(this.#clock.nowMs() - this.#aliveAtMs, 0), waitedMs);
    this.#aliveAtMs = undefined;
    if (this.#spentMs >= commandMs) this.#fallen(commandMs);
    else if (this.#silentMs >= silenceMs) this.#fallen(silenceMs);
    else this.#setAlarm();
  }
}
