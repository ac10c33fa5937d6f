import { systemClock } from '../../emulator/clock.ts';

const lookEveryMs = 10;
const patienceMs = 15_000;

/** `undefined` and `false`: not yet. */
export type Sight<T> = T | undefined | false;

export interface Patience {
  /** Added to the error that ends the patience. */
  readonly explain?: () => string;
  readonly mostMs?: number;
}

/** Looks again until there is something to see. */
export async function eventually<T>(
  what: string,
  look: () => Sight<T> | Promise<Sight<T>>,
  { explain = () => '', mostMs = patienceMs }: Patience = {},
): Promise<T> {
  const untilMs = systemClock.nowMs() + mostMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (systemClock.nowMs() > untilMs)
      throw new Error(`it never came to be: ${what}\n${explain()}`);
    await new Promise<void>((resolve) => {
      systemClock.after(lookEveryMs, resolve);
    });
  }
}
