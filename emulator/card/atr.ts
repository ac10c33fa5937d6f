/**
 * The three ways in which a card may speak (APDU profiles), and how its answer to reset says so.
 */
import { concatBytes, fromHex, toUtf8 } from '../../applet-spec/bytes.ts';

export const apduProfiles = { 't1-extended': 1, 't1-short': 2, t0: 3 } as const;
export type ApduProfile = keyof typeof apduProfiles;

export function isApduProfile(name: string): name is ApduProfile {
  return Object.hasOwn(apduProfiles, name);
}

/**
 * Third software function table (ISO/IEC 7816-4 §8.1.1.2.7): chaining 80, extended Lc and Le 40.
 */
const lengthCapabilities = { 't1-extended': 0xc0, 't1-short': 0x80, t0: 0x80 } as const;

/** Answer to reset (ISO/IEC 7816-3 §8.2), 15 to 20 bytes. */
export function atrOf(profile: ApduProfile): Uint8Array {
  const historical = historicalBytes(profile);
  const t0 = historical.length;
  if (profile === 't0') return concatBytes(Uint8Array.of(0x3b, t0), historical);
  // TD1 = 81: T=1, TD2 follows; TD2 = 31: T=1 with TA3 (IFSC 254) and TB3 (CWI 5, BWI 4).
  const interfaceBytes = fromHex('8131fe45');
  const checked = concatBytes(Uint8Array.of(0x80 | t0), interfaceBytes, historical);
  const check = checked.reduce((sum, byte) => sum ^ byte, 0);
  return concatBytes(Uint8Array.of(0x3b), checked, Uint8Array.of(check));
}

/**
 * Category 80, COMPACT-TLV: card capabilities (selection by full and partial DF name; data coding
 * byte of one-byte quantities; lengths), then the issuer's data `KEYTOLL`.
 */
function historicalBytes(profile: ApduProfile): Uint8Array {
  const capabilities = Uint8Array.of(0x73, 0x80, 0x01, lengthCapabilities[profile]);
  const issuer = concatBytes(Uint8Array.of(0x57), toUtf8('KEYTOLL'));
  return concatBytes(Uint8Array.of(0x80), capabilities, issuer);
}
