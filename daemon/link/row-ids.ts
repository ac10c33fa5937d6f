import { octetsInPlace, type Value } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';

/** A row ID takes 8 bytes; a frame has many. */
export const rowIdBytes = 8;
const one = octetsInPlace(rowIdBytes);

/** The ID of an outbox row. */
export const rowId: Value<bigint> = {
  encode: (id) => one.encode(join([id])),
  decode: (content) => readRowId(one.decode(content), 0),
};

/** 1 to `most` of them, one behind the other. */
export function rowIds(most: number): Value<readonly bigint[]> {
  const joined = octetsInPlace(rowIdBytes, rowIdBytes * most);
  return {
    encode: (ids) => joined.encode(join(ids)),
    decode(content) {
      if (content.length % rowIdBytes !== 0) {
        throw new TlvError('out-of-bounds', 'row IDs', `${content.length} bytes are no whole IDs`);
      }
      return split(joined.decode(content));
    },
  };
}

/** Writes an ID at `at` of `bytes`. */
export function putRowId(bytes: Uint8Array, at: number, id: bigint): void {
  let rest = Number(id >> 32n);
  for (let i = 3; i >= 0; i--, rest >>>= 8) bytes[at + i] = rest;
  rest = Number(id & 0xffff_ffffn);
  for (let i = 7; i >= 4; i--, rest >>>= 8) bytes[at + i] = rest;
}

function readRowId(bytes: Uint8Array, at: number): bigint {
  let high = 0;
  for (let i = at; i < at + 4; i++) high = high * 256 + (bytes[i] as number);
  let low = 0;
  for (let i = at + 4; i < at + 8; i++) low = low * 256 + (bytes[i] as number);
  // Below 2^53 a double is exact, and cheaper.
  return high < 0x20_0000 ? BigInt(high * 2 ** 32 + low) : (BigInt(high) << 32n) | BigInt(low);
}

function join(ids: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(rowIdBytes * ids.length);
  let at = 0;
  for (const id of ids) {
    putRowId(bytes, at, id);
    at += rowIdBytes;
  }
  return bytes;
}

function split(bytes: Uint8Array): bigint[] {
  const ids: bigint[] = [];
  for (let at = 0; at < bytes.length; at += rowIdBytes) ids.push(readRowId(bytes, at));
  return ids;
}
