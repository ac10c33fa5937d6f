/**
 * PUT KEY (GlobalPlatform 2.3.1 §11.8, Amendment D §7.2) with all four card keys at once, under the
 * static DEK of the version in force; the command travels wrapped like any other.
 */
import type { CommandApdu } from './apdu.ts';
import { concatBytes, equalBytes } from './bytes.ts';
import type { Primitives } from './primitives.ts';
import type { CardKeys } from './scp03-keys.ts';

const keyBytes = 32;
const aesKeyType = 0x88;
const checkBytes = 3;
const blockBytes = 3 + keyBytes + 1 + checkBytes;
/** In the order of their key identifiers, 01 to 04. */
const keyNames = ['enc', 'mac', 'dek', 'hostLink'] as const satisfies readonly (keyof CardKeys)[];

/** `currentVersion` 0 adds keys where none are; P2 81 says several keys, the first of them 01. */
export function putKey(
  primitives: Primitives,
  dek: Uint8Array,
  currentVersion: number,
  newVersion: number,
  keys: CardKeys,
): CommandApdu {
  const blocks = keyNames.map((name) => {
    const encrypted = primitives.aesCbcEncrypt(dek, new Uint8Array(16), keys[name]);
    const check = keyCheckValue(primitives, keys[name]);
    const lengths = Uint8Array.of(aesKeyType, keyBytes + 1, keyBytes);
    return concatBytes(lengths, encrypted, Uint8Array.of(checkBytes), check);
  });
  const data = concatBytes(Uint8Array.of(newVersion), ...blocks);
  return { cla: 0x80, ins: 0xd8, p1: currentVersion, p2: 0x81, data, ne: 256 };
}

export type OpenedPutKey =
  | {
      readonly kind: 'keys';
      readonly currentVersion: number;
      readonly newVersion: number;
      readonly keys: CardKeys;
    }
  | { readonly kind: 'refused'; readonly reason: 'malformed' | 'key-check-failed' };

/** Card side, on the unwrapped command. */
export function openPutKey(
  primitives: Primitives,
  dek: Uint8Array,
  { p1, p2, data }: CommandApdu,
): OpenedPutKey {
  const newVersion = data[0];
  const malformed = { kind: 'refused', reason: 'malformed' } as const;
  if (p2 !== 0x81 || newVersion === undefined || newVersion < 1 || newVersion > 0x7f)
    return malformed;
  if (data.length !== 1 + keyNames.length * blockBytes) return malformed;
  const keys: Uint8Array[] = [];
  for (let start = 1; start < data.length; start += blockBytes) {
    const block = data.subarray(start, start + blockBytes);
    const lengths = Uint8Array.of(aesKeyType, keyBytes + 1, keyBytes);
    if (!equalBytes(block.subarray(0, 3), lengths) || block[3 + keyBytes] !== checkBytes) {
      return malformed;
    }
    const encrypted = block.subarray(3, 3 + keyBytes);
    const key = primitives.aesCbcDecrypt(dek, new Uint8Array(16), encrypted);
    if (!equalBytes(keyCheckValue(primitives, key), block.subarray(-checkBytes))) {
      return { kind: 'refused', reason: 'key-check-failed' };
    }
    keys.push(key);
  }
  const [enc, mac, dekNew, hostLink] = keys;
  if (!enc || !mac || !dekNew || !hostLink) return malformed;
  const opened = { enc, mac, dek: dekNew, hostLink };
  return { kind: 'keys', currentVersion: p1, newVersion, keys: opened };
}

/** Amendment D §7.2.2: the first three bytes of a block of 01 under the key. */
export function keyCheckValue(primitives: Primitives, key: Uint8Array): Uint8Array {
  return primitives.aesEcbEncryptBlock(key, new Uint8Array(16).fill(0x01)).slice(0, checkBytes);
}
