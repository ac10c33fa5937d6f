/**
 * The coin (S1): its public part is signed by the issuer; its secret is apart (design §4, §11.3).
 */
import { bytesToUint, concatBytes, uintToBytes } from './bytes.ts';
import { labels } from './labels.ts';
import {
  currency,
  hash,
  money,
  networkName,
  seconds,
  shortId,
  signedHead,
  stationName,
} from './names.ts';
import type { Primitives } from './primitives.ts';
import { signedKind, type Signed } from './signed-object.ts';
import { element, struct, type Static } from './tlv.ts';

const coinBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  coinId: element(0x83, shortId),
  issuer: element(0x84, stationName),
  value: element(0x85, money),
  currency: element(0x86, currency),
  commitment: element(0x87, hash),
  expiry: element(0x88, seconds),
});

export type CoinBody = Static<typeof coinBody>;
export type Coin = Signed<CoinBody>;

/** Signed with the issuer's coin key. */
export const coin = signedKind('coin', 0xe1, labels.coin, coinBody);

/** SHA-256(label ‖ coin ID ‖ coin secret): binds the secret without showing it. */
export function commitmentOf(
  primitives: Primitives,
  coinId: Uint8Array,
  coinSecret: Uint8Array,
): Uint8Array {
  return primitives.sha256(labels.commitment, coinId, coinSecret);
}

/** 48 bits of Unix milliseconds, then 80 random bits: IDs sort by the time of issue (design §9). */
export function makeCoinId(issuedMs: number, random: Uint8Array): Uint8Array {
  return concatBytes(uintToBytes(BigInt(issuedMs), 6), random.subarray(0, 10));
}

export function coinIssuedMs(coinId: Uint8Array): number {
  return Number(bytesToUint(coinId.subarray(0, 6)));
}

export function coinIssuedSeconds(coinId: Uint8Array): bigint {
  return bytesToUint(coinId.subarray(0, 6)) / 1_000n;
}
