import { concatBytes, fromHex, toHex } from '../../applet-spec/bytes.ts';
import { octets, type Value } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { LinkError } from './link-error.ts';

const idBytes = 16;

/** 1 to `most` IDs of QKD keys, in order: UUIDs in lower case here, 16 bytes each on the wire. */
export function keyIds(most: number): Value<readonly string[]> {
  const joined = octets(idBytes, idBytes * most);
  return {
    encode: (ids) => joined.encode(concatBytes(...ids.map(uuidBytes))),
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

function uuidBytes(id: string): Uint8Array {
  const bytes = fromHex(id.replaceAll('-', ''));
  if (bytes.length !== idBytes) throw new LinkError('too-long', 'a key ID that is no UUID');
  return bytes;
}

function uuidText(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
