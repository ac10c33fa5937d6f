import { toHex } from '../../applet-spec/bytes.ts';

/** The card did something else than the specification says. */
export class NotConforming extends Error {
  override readonly name = 'NotConforming';
}

/** The case says nothing about this card. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

export function expectStatus(what: string, sw: number, ...wanted: readonly number[]): void {
  if (wanted.includes(sw)) return;
  const expected = wanted.map(digits).join(' or ');
  throw new NotConforming(`${what}: ${digits(sw)} where ${expected} is specified`);
}

export function expectWord(what: string, word: string, wanted: string): void {
  if (word !== wanted) throw new NotConforming(`${what}: ${word} where ${wanted} is specified`);
}

export function expectNumber(what: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw new NotConforming(`${what}: ${found} where ${wanted} is specified`);
}

export function expectBytes(what: string, found: Uint8Array, wanted: Uint8Array): void {
  if (toHex(found) === toHex(wanted)) return;
  throw new NotConforming(`${what}: ${toHex(found)} where ${toHex(wanted)} is specified`);
}

export function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new NotConforming(otherwise);
}

function digits(sw: number): string {
  return sw.toString(16).toUpperCase().padStart(4, '0');
}
