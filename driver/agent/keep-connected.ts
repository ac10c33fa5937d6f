import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { toErrandError, type ErrandError } from './errand-error.ts';

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/**
 * A card goes in and out, and a station that is set up is started many times; but connections that
 * go on ending as soon as they stand are as good as none.
 */
const briefMost = 20;

/** Of a `Host`. */
interface Connecting {
  readonly clock: Clock;
  readonly entropy: Entropy;
  desk(): Promise<{ readonly closed: Promise<unknown> }>;
}

export interface KeptConnection {
  /** No further attempts; a connection that stands stays. */
  stop(): void;
}

/**
 * Connects to the station, and again whenever the link or the card is gone: at growing intervals
 * with jitter, so that a station that comes back is not met by all its users at once. `onFailure`
 * hears of each attempt that failed.
 */
export function keepConnected(
  host: Connecting,
  onFailure: (error: ErrandError) => void = () => undefined,
): KeptConnection {
  let stopped = false;
  let failures = 0;
  let brief = 0;
  let cancel: () => void = () => undefined;

  const attempt = (): void => {
    if (stopped) return;
    host.desk().then(
      async ({ closed }) => {
        const sinceMs = host.clock.nowMs();
        await closed;
        const hasStood = host.clock.nowMs() - sinceMs >= longestDelayMs;
        brief = hasStood ? 0 : brief + 1;
        failures = Math.max(0, brief - briefMost);
        again();
      },
      (error: unknown) => {
        if (stopped) return;
        onFailure(toErrandError(error));
        failures += 1;
        again();
      },
    );
  };
  const again = (): void => {
    if (stopped) return;
    cancel = host.clock.after(delayMs(failures, host.entropy.randomBytes(1)[0] ?? 0), attempt);
  };
  attempt();
  return {
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}

/** Doubling up to the longest, of which a random half is taken away. */
function delayMs(failures: number, random: number): number {
  const whole = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 16));
  return Math.round(whole * (1 - random / 512));
}
