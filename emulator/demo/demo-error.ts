/** Where the demo went wrong, in words for a person. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
  readonly code = 'demo-failed';
  readonly retryable = true;
}

/** All, or the first failure once every one has ended: nothing goes on behind it. */
export async function allOf<const T extends readonly unknown[]>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

/** A member of a program's JSON. Throws DemoError where it is not what the demo needs. */
export function textOf(json: Readonly<Record<string, unknown>>, name: string): string {
  const value = json[name];
  if (typeof value === 'string') return value;
  throw new DemoError(`a program’s answer has no text "${name}"`);
}

export function numberOf(json: Readonly<Record<string, unknown>>, name: string): number {
  const value = json[name];
  if (typeof value === 'number') return value;
  throw new DemoError(`a program’s answer has no number "${name}"`);
}

export function listOf(
  json: Readonly<Record<string, unknown>>,
  name: string,
): readonly Readonly<Record<string, unknown>>[] {
  const value = json[name];
  if (!Array.isArray(value)) throw new DemoError(`a program’s answer has no list "${name}"`);
  return value.map((item: unknown) => {
    if (typeof item !== 'object' || item === null) {
      throw new DemoError(`a program’s answer has something else in "${name}"`);
    }
    return Object.fromEntries(Object.entries(item));
  });
}
