import type { Clock } from '../applet-spec/clock.ts';

/** The longest delay of a Node timer; anything longer would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. Its timers keep the process alive until they ran or were cancelled. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(ms, run) {
    const dueMs = Date.now() + ms;
    let timer: NodeJS.Timeout;
    const arm = (restMs: number): void => {
      timer =
        restMs <= longestTimerMs
          ? setTimeout(run, restMs)
          : setTimeout(() => {
              arm(dueMs - Date.now());
            }, longestTimerMs);
    };
    arm(ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
