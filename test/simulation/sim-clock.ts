import { systemClock } from '../../emulator/clock.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';

/** What keeps a process busy without a timer: turns of the loop, files, the thread pool. */
const busy = /^(?:Immediate|FSReq|.*Request$)/;
/** A promise may hand on to another one, which asks for a turn only then. */
const quietTurns = 3;

/**
 * Virtual time for a whole network in one process: it moves on only when everything that the
 * present moment set off has come to rest, so that one seed gives one story.
 */
export class SimClock extends VirtualClock {
  /** As on a road; here time moves by itself. */
  moveOn(): void {}

  /** Runs everything that falls due in this time, one moment after the other. */
  async run(seconds: number): Promise<void> {
    const endMs = this.nowMs() + 1_000 * seconds;
    for (;;) {
      await atRest();
      const dueMs = this.nextDueMs;
      if (dueMs === undefined || dueMs > endMs) break;
      this.advance(dueMs - this.nowMs());
    }
    this.advance(endMs - this.nowMs());
    await atRest();
  }

  /** Time moves on until it has ended; rejects as it does. */
  async until<T>(what: Promise<T>): Promise<T> {
    const awaited = { ended: false };
    const end = (): void => {
      awaited.ended = true;
    };
    what.then(end, end);
    await atRest();
    while (!awaited.ended) {
      const dueMs = this.nextDueMs;
      // Without alarms only the machine itself can be at work, such as at loading a module.
      if (dueMs === undefined) await new Promise<void>((resolve) => systemClock.after(1, resolve));
      else this.advance(dueMs - this.nowMs());
      await atRest();
    }
    return what;
  }
}

async function atRest(): Promise<void> {
  for (let quiet = 0; quiet < quietTurns; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (process.getActiveResourcesInfo().some((one) => busy.test(one))) quiet = -1;
  }
}
