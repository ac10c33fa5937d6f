/** How people read a count: `1 payment`, `2 payments`; `one` is the word for one of them. */
export function counted(count: number | bigint | string, one: string): string {
  return `${count} ${String(count) === '1' ? one : `${one}s`}`;
}
