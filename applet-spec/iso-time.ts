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
