import { concatBytes, uintToBytes } from './bytes.ts';
import { counterModeKdf, deriveKey } from './kdf.ts';
import type { Primitives } from './primitives.ts';

/** The static keys of one SCP03 key version; all three of 16, 24 or 32 bytes. */
export interface Scp03Keys {
  readonly enc: Uint8Array;
  readonly mac: Uint8Array;
  readonly dek: Uint8Array;
}

/** What a card shares with its home station (design §4): 32 bytes each. */
export interface CardKeys extends Scp03Keys {
  readonly hostLink: Uint8Array;
}

export interface SessionKeys {
  readonly sEnc: Uint8Array;
  readonly sMac: Uint8Array;
  readonly sRmac: Uint8Array;
}

/** S8 or S16: the bytes of challenges, cryptograms and MACs (Amendment D §5.1). */
export type MacBytes = 8 | 16;

/** Derivation constants, Amendment D §4.1.5 table 4-1. */
export const derivationConstants = {
  cardCryptogram: 0x00,
  hostCryptogram: 0x01,
  cardChallenge: 0x02,
  sEnc: 0x04,
  sMac: 0x06,
  sRmac: 0x07,
} as const;
export type DerivationConstant = (typeof derivationConstants)[keyof typeof derivationConstants];

/**
 * A card's keys from the station's 32-byte master key. The key version makes rotation's keys other
 * ones (context: key version, one byte, then the serial number).
 */
export function diversify(
  primitives: Primitives,
  masterKey: Uint8Array,
  cardSerial: Uint8Array,
  keyVersion = 1,
): CardKeys {
  const context = concatBytes(Uint8Array.of(keyVersion), cardSerial);
  const keyFor = (use: string): Uint8Array =>
    deriveKey(primitives, masterKey, { label: 'keytoll card keys 1', use, context });
  return {
    enc: keyFor('enc'),
    mac: keyFor('mac'),
    dek: keyFor('dek'),
    hostLink: keyFor('host-link'),
  };
}

/** Amendment D §6.2.1; the session keys are as long as the static ones. */
export function deriveSessionKeys(
  primitives: Primitives,
  keys: Scp03Keys,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): SessionKeys {
  const context = concatBytes(hostChallenge, cardChallenge);
  const { sEnc, sMac, sRmac } = derivationConstants;
  return {
    sEnc: deriveScp03(primitives, keys.enc, sEnc, context, keys.enc.length),
    sMac: deriveScp03(primitives, keys.mac, sMac, context, keys.mac.length),
    sRmac: deriveScp03(primitives, keys.mac, sRmac, context, keys.mac.length),
  };
}

/** Amendment D §6.2.2.2 and §6.2.2.3: the cryptograms of both sides, under S-MAC. */
export function deriveCryptograms(
  primitives: Primitives,
  sMac: Uint8Array,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
  macBytes: MacBytes,
): { readonly card: Uint8Array; readonly host: Uint8Array } {
  const context = concatBytes(hostChallenge, cardChallenge);
  const { cardCryptogram, hostCryptogram } = derivationConstants;
  return {
    card: deriveScp03(primitives, sMac, cardCryptogram, context, macBytes),
    host: deriveScp03(primitives, sMac, hostCryptogram, context, macBytes),
  };
}

/**
 * Amendment D §6.2.2.1: reproducible from the 3-byte sequence counter and the invoking applet's
 * AID.
 */
export function pseudoRandomCardChallenge(
  primitives: Primitives,
  enc: Uint8Array,
  sequence: number,
  aid: Uint8Array,
  macBytes: MacBytes,
): Uint8Array {
  const context = concatBytes(uintToBytes(BigInt(sequence), 3), aid);
  return deriveScp03(primitives, enc, derivationConstants.cardChallenge, context, macBytes);
}

/**
 * Amendment D §4.1.5: SP 800-108 counter mode over
 * `11 × 00 ‖ constant ‖ 00 ‖ [L] (2 bytes, bits) ‖ [i] ‖ context`, an order of its own.
 */
function deriveScp03(
  primitives: Primitives,
  key: Uint8Array,
  constant: DerivationConstant,
  context: Uint8Array,
  lengthBytes: number,
): Uint8Array {
  const length = uintToBytes(BigInt(8 * lengthBytes), 2);
  const before = concatBytes(new Uint8Array(11), Uint8Array.of(constant, 0), length);
  return counterModeKdf(primitives, key, before, context, lengthBytes);
}
