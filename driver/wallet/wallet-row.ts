import type { SqlRow } from './wallet-file.ts';
import { WalletError } from './wallet-error.ts';

/** Typed reading of a row: a column of another kind means that the file is damaged. */
export function blobOf(row: SqlRow, column: string): Uint8Array {
  const value = row[column];
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw damaged(column);
}

export function optionalBlobOf(row: SqlRow, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : blobOf(row, column);
}

export function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw damaged(column);
}

export function optionalTextOf(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}

/** Decimal text, as amounts and cursors are stored. */
export function bigOf(row: SqlRow, column: string): bigint {
  const value = textOf(row, column);
  if (/^[0-9]+$/.test(value)) return BigInt(value);
  throw damaged(column);
}

export function numberOf(row: SqlRow, column: string): number {
  const value = row[column];
  if (typeof value === 'bigint') return Number(value);
  throw damaged(column);
}

/** One of a few words, as a check constraint of the schema allows. */
export function wordOf<const W extends string>(
  row: SqlRow,
  column: string,
  words: readonly W[],
): W {
  const value = textOf(row, column);
  const word = words.find((one) => one === value);
  if (word === undefined) throw damaged(column);
  return word;
}

/** Decodes what the wallet itself encoded; a failure means that the file is damaged. */
export function decodeStored<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new WalletError('wallet-damaged', `the wallet's ${what} does not read back`, error);
  }
}

function damaged(column: string): WalletError {
  return new WalletError('wallet-damaged', `the wallet's column ${column} is not as written`);
}
