import { ApduError } from './apdu-error.ts';
import { concatBytes } from './bytes.ts';

/** A command APDU, ISO/IEC 7816-4 §5.1: all four cases in one shape. */
export interface CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** Nc bytes; empty in cases 1 and 2. */
  readonly data: Uint8Array;
  /** Ne, the most bytes the answer may have: 1 to 65,536; absent in cases 1 and 3. */
  readonly ne?: number;
}

export interface ResponseApdu {
  readonly data: Uint8Array;
  /** SW1 SW2 as one number, e.g. 0x9000. */
  readonly sw: number;
}

export type LengthForm = 'short' | 'extended';

export const SHORT_DATA_MOST = 255;
export const SHORT_NE_MOST = 256;
export const EXTENDED_DATA_MOST = 65_535;
export const EXTENDED_NE_MOST = 65_536;

/**
 * Case 1 is four bytes in both forms. Throws ApduError `apdu-too-long` where the form cannot hold
 * it.
 */
export function encodeCommand(command: CommandApdu, form: LengthForm): Uint8Array {
  const { data, ne } = command;
  const header = commandHeader(command);
  if (ne !== undefined && (!Number.isInteger(ne) || ne < 1)) throw new RangeError(`Ne ${ne}`);
  const dataMost = form === 'short' ? SHORT_DATA_MOST : EXTENDED_DATA_MOST;
  if (data.length > dataMost) {
    throw new ApduError('apdu-too-long', data.length, `no ${form} Lc holds the data field`);
  }
  if (ne !== undefined && ne > (form === 'short' ? SHORT_NE_MOST : EXTENDED_NE_MOST)) {
    throw new ApduError('apdu-too-long', ne, `no ${form} Le holds Ne`);
  }
  if (data.length === 0 && ne === undefined) return header;
  if (form === 'short') {
    const lc = data.length === 0 ? [] : [data.length];
    const le = ne === undefined ? [] : [ne & 0xff];
    return concatBytes(header, Uint8Array.from(lc), data, Uint8Array.from(le));
  }
  const lc = data.length === 0 ? [] : [data.length >> 8, data.length & 0xff];
  const le = ne === undefined ? [] : [(ne >> 8) & 0xff, ne & 0xff];
  return concatBytes(header, Uint8Array.of(0, ...lc), data, Uint8Array.from(le));
}

/** CLA INS P1 P2. Throws RangeError for what is no byte. */
export function commandHeader({ cla, ins, p1, p2 }: CommandApdu): Uint8Array {
  for (const byte of [cla, ins, p1, p2]) {
    if (!Number.isInteger(byte) || byte < 0 || byte > 0xff) throw new RangeError('bad header byte');
  }
  return Uint8Array.of(cla, ins, p1, p2);
}

/** Either form. Throws ApduError `apdu-malformed`. The data field is a copy. */
export function decodeCommand(bytes: Uint8Array): CommandApdu {
  const [cla, ins, p1, p2, b5, b6, b7] = bytes;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) {
    throw new ApduError('apdu-malformed', bytes.length, 'a command has four header bytes');
  }
  const header = { cla, ins, p1, p2 };
  const none = new Uint8Array(0);
  if (b5 === undefined) return { ...header, data: none };
  if (bytes.length === 5) return { ...header, data: none, ne: b5 === 0 ? SHORT_NE_MOST : b5 };
  if (b5 !== 0) return { ...header, ...dataAndNe(bytes, 5, b5, 1) };
  if (b6 === undefined || b7 === undefined) {
    throw new ApduError('apdu-malformed', bytes.length, 'a truncated extended length');
  }
  const length = (b6 << 8) | b7;
  if (bytes.length === 7)
    return { ...header, data: none, ne: length === 0 ? EXTENDED_NE_MOST : length };
  if (length === 0) throw new ApduError('apdu-malformed', bytes.length, 'Lc 000000 before data');
  return { ...header, ...dataAndNe(bytes, 7, length, 2) };
}

function dataAndNe(
  bytes: Uint8Array,
  offset: number,
  lc: number,
  leBytes: 1 | 2,
): Pick<CommandApdu, 'data' | 'ne'> {
  const end = offset + lc;
  const data = bytes.slice(offset, end);
  if (bytes.length === end) return { data };
  if (bytes.length !== end + leBytes) {
    throw new ApduError('apdu-malformed', bytes.length, `Lc ${lc} disagrees with the length`);
  }
  let le = 0;
  for (const byte of bytes.subarray(end)) le = (le << 8) | byte;
  return { data, ne: le === 0 ? 1 << (8 * leBytes) : le };
}

/** Data, then SW1 SW2. Throws ApduError `apdu-too-long` above 65,536 data bytes. */
export function encodeResponse({ data, sw }: ResponseApdu): Uint8Array {
  if (!Number.isInteger(sw) || sw < 0 || sw > 0xffff) throw new RangeError('bad status word');
  if (data.length > EXTENDED_NE_MOST) {
    throw new ApduError('apdu-too-long', data.length, 'a response beyond any Ne');
  }
  return concatBytes(data, Uint8Array.of(sw >> 8, sw & 0xff));
}

/** Throws ApduError `apdu-malformed` without a status word. The data field is a copy. */
export function decodeResponse(bytes: Uint8Array): ResponseApdu {
  const sw1 = bytes[bytes.length - 2];
  const sw2 = bytes[bytes.length - 1];
  if (sw1 === undefined || sw2 === undefined || bytes.length > EXTENDED_NE_MOST + 2) {
    throw new ApduError('apdu-malformed', bytes.length, 'a response is data and two status bytes');
  }
  return { data: bytes.slice(0, -2), sw: (sw1 << 8) | sw2 };
}
