import { toHex } from '../../applet-spec/bytes.ts';
import { octets, type Value } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { LinkError } from './link-error.ts';

const idBytes = 16;

/** 1 to `most` IDs of QKD keys, in order: UUIDs in lower case here, 16 bytes each on the wire. */
export function keyIds(most: number): Value<readonly string[]> {
  const joined = octets(idBytes, idBytes * most);
  return {
    encode: (ids) => joined.encode(join(ids)),
    decode(content) {
      const bytes = joined.decode(content);
      if (bytes.length % idBytes !== 0) {
        throw new TlvError('out-of-bounds', 'key IDs', `${bytes.length} bytes are no whole IDs`);
      }
      return Array.from({ length: bytes.length / idBytes }, (_, i) =>
        uuidText(bytes.subarray(idBytes * i, idBytes * (i + 1))),
      );
    },
  };
}

function join(ids: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(idBytes * ids.length);
  ids.forEach((id, i) => {
    putUuid(bytes, idBytes * i, id);
  });
  return bytes;
}

/** By character code; 16 for what is no hexadecimal digit. */
const nibbleOf = Uint8Array.from({ length: 128 }, (_, code) => {
  const nibble = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(nibble) ? 16 : nibble;
});

function putUuid(bytes: Uint8Array, at: number, id: string): void {
  let nibbles = 0;
  for (let i = 0; i < id.length; i++) {
    if (id[i] === '-') continue;
    const nibble = nibbleOf[id.charCodeAt(i)] ?? 16;
    if (nibble > 15 || nibbles === 2 * idBytes) throw noUuid();
    const byte = at + (nibbles++ >> 1);
    bytes[byte] = ((bytes[byte] ?? 0) << 4) | nibble;
  }
  if (nibbles !== 2 * idBytes) throw noUuid();
}

function noUuid(): LinkError {
  return new LinkError('too-long', 'a key ID that is no UUID');
}

function uuidText(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  const head = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}`;
  return `${head}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
