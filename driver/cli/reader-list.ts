import { systemClock } from '../clock.ts';
import { cardInserted } from '../reader/card-presence.ts';
import { PcscReader } from '../reader/pcsc-reader.ts';
import { ReaderError, type ReaderErrorCode } from '../reader/reader-error.ts';
import { VirtualReader } from '../reader/virtual-reader.ts';
import type { CommandSetting } from './command-setting.ts';

interface ListedReader {
  readonly name: string;
  readonly cardPresent: boolean;
}

/** A kind of reader that cannot be looked at here, and why. */
interface UnavailableKind {
  readonly reader: string;
  readonly code: ReaderErrorCode;
  readonly message: string;
}

/** More than an emulated card waits between two tries. */
const virtualCardMs = 2_500;

/** The kinds that a machine may have without being told. */
const ownKinds = ['pcsc', 'hid'];

/**
 * `card list`: the reader that --reader names, else every PC/SC reader and the USB cards; a kind
 * that is missing is told, and is an error only where there is no other.
 */
export async function listReaders(setting: CommandSetting): Promise<undefined> {
  const { givenReader } = setting;
  const readers: ListedReader[] = [];
  const unavailable: (UnavailableKind & { readonly cause: ReaderError })[] = [];
  const kinds = givenReader === undefined ? ownKinds : [givenReader];
  for (const reader of kinds) {
    try {
      readers.push(...(await readersOf(setting, reader)));
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error;
      unavailable.push({ reader, code: error.code, message: error.message, cause: error });
    }
  }
  const [first] = unavailable;
  if (first !== undefined && unavailable.length === kinds.length) throw first.cause;
  const told = unavailable.map(({ cause: _, ...kind }) => kind);
  setting.print({ readers, unavailable: told }, () => [...words(readers, told)].join('\n'));
}

async function readersOf(setting: CommandSetting, spec: string): Promise<readonly ListedReader[]> {
  const reader = await setting.openReader(spec);
  if (!(reader instanceof PcscReader)) {
    if (reader instanceof VirtualReader) await awaitCard(reader);
    return [{ name: reader.name, cardPresent: reader.cardPresent }];
  }
  if (reader.unavailable !== undefined) throw reader.unavailable;
  return reader.readers.map(({ name, cardPresent }) => ({ name, cardPresent }));
}

/** It comes by itself, as a program that tries again and again to connect. */
async function awaitCard(reader: VirtualReader): Promise<void> {
  const inserted = cardInserted(reader);
  await new Promise<void>((resolve) => {
    const forget = systemClock.after(virtualCardMs, resolve);
    void inserted.come.then(() => {
      forget();
      resolve();
    });
  });
  inserted.cancel();
}

function* words(
  readers: readonly ListedReader[],
  unavailable: readonly UnavailableKind[],
): Iterable<string> {
  if (readers.length === 0) yield 'No reader is plugged in.';
  for (const { name, cardPresent } of readers) yield `${cardPresent ? 'card ' : 'empty'}  ${name}`;
  for (const { reader, message } of unavailable) yield `none   ${reader}: ${message}`;
}
