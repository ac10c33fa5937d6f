import { octets, type Value } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';

const idBytes = 8;
const one = octets(idBytes);

/** The ID of an outbox row: 8 bytes, of which a frame has many. */
export const rowId: Value<bigint> = {
  encode: (id) => one.encode(join([id])),
  decode: (content) => split(one.decode(content))[0] ?? 0n,
};

/** 1 to `most` of them, one behind the other. */
export function rowIds(most: number): Value<readonly bigint[]> {
  const joined = octets(idBytes, idBytes * most);
  return {
    encode: (ids) => joined.encode(join(ids)),
    decode(content) {
      if (content.length % idBytes !== 0) {
        throw new TlvError('out-of-bounds', 'row IDs', `${content.length} bytes are no whole IDs`);
      }
      return split(joined.decode(content));
    },
  };
}

function join(ids: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(idBytes * ids.length);
  const view = new DataView(bytes.buffer);
  ids.forEach((id, i) => {
    view.setBigUint64(idBytes * i, id);
  });
  return bytes;
}

function split(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / idBytes }, (_, i) => view.getBigUint64(idBytes * i));
}
