import { VirtualClock } from '../../../emulator/virtual-clock.ts';

/**
 * A virtual clock that tells when somebody begins to wait, so that a test advances it neither early
 * nor late.
 */
export class ToldClock extends VirtualClock {
  readonly #awaited = new Map<number, () => void>();
  #next: () => void = () => undefined;

  /** Resolves when an alarm of exactly `ms` is set, from now on. */
  alarmOf(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited.set(ms, resolve);
    });
  }

  /** Resolves when a short alarm is set, as before a new attempt: below a second, from now on. */
  nextAlarm(): Promise<void> {
    return new Promise((resolve) => {
      this.#next = resolve;
    });
  }

  override after(ms: number, run: () => void): () => void {
    const cancel = super.after(ms, run);
    this.#awaited.get(ms)?.();
    this.#awaited.delete(ms);
    if (ms < 1_000) this.#next();
    return cancel;
  }
}
