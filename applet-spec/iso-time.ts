/** The last moment that ISO 8601 says with a year of four digits. */
const lastSecond = 253_402_300_799;

/**
 * Unix seconds as ISO 8601. What lies beyond is shown as the last moment: others sign what they
 * like.
 */
export function isoTime(seconds: bigint): string {
  return isoTimeOfMs(1_000 * Number(seconds));
}

/** Unix milliseconds, likewise. */
export function isoTimeOfMs(unixMs: number): string {
  return new Date(Math.min(unixMs, 1_000 * lastSecond)).toISOString();
}

/**
 * Unix seconds, rounded down, of a day or time in UTC such as `2026-07-01` or
 * `2026-07-01T12:00:00Z`; undefined where it is none. A day that its month has not is none, too:
 * `Date` takes the 30th of February for the 2nd of March.
 */
export function secondsOfIsoTime(text: string): bigint | undefined {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?:T[\d:.]+Z)?$/.exec(text) ?? [];
  const unixMs = day === undefined ? Number.NaN : Date.parse(text);
  if (Number.isNaN(unixMs) || isoTimeOfMs(unixMs).slice(0, 10) !== day) return undefined;
  return BigInt(Math.floor(unixMs / 1_000));
}
