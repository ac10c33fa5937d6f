/** Counts that a store cannot hold, which has signed 64-bit integers; in words for a codec. */
export function countsFault(counts: readonly bigint[]): string | undefined {
  return counts.some((count) => count >= 2n ** 63n) ? 'a count that no store numbers' : undefined;
}
