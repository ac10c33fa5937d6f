/**
 * Specimens of the papers that a card is shown in its life: certificates, profiles, coins, quotes,
 * receipts. Their keys are known to everybody, so they are worth nothing anywhere.
 */
import { concatBytes, fromHex, uintToBytes } from '../../applet-spec/bytes.ts';
import { coinLoad, profile, type LoadedCoin } from '../../applet-spec/card-objects.ts';
import { toCurrency, toStationName, toUserName, headNow } from '../../applet-spec/names.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import type { SigningKey } from '../../applet-spec/primitives.ts';
import { quote, type QuoteBody } from '../../applet-spec/quote.ts';
import { receipt, refusal, type ReceiptBody, type RefusalBody } from '../../applet-spec/receipt.ts';
import { signBatch } from '../../applet-spec/signed-object.ts';
import type { Static } from '../../applet-spec/tlv.ts';
import { commitmentOf } from '../../applet-spec/coin.ts';
import { paymentIdOf, transaction } from '../../applet-spec/payment.ts';

export const q1 = toStationName('q1');
export const q2 = toStationName('q2');
export const alice = toUserName('alice@q1');
export const bob = toUserName('bob@q2');
export const network = 'test';
export const euro = toCurrency('EUR');
/** 2026-01-01, a Thursday, at noon. */
export const noon = 1_767_268_800n;

export const homeKey = keyFrom(0x11);
export const lastKey = keyFrom(0x22);
export const strangerKey = keyFrom(0x33);

function keyFrom(byte: number): SigningKey {
  return primitives.signingKey(new Uint8Array(32).fill(byte));
}

export type ProfileContent = Static<typeof profile>;

export function profileOf(changes: Partial<ProfileContent> = {}): ProfileContent {
  return {
    user: alice,
    homeStation: q1,
    network,
    currency: euro,
    homeStationKey: homeKey.publicKey,
    paymentLimit: 1_000n,
    dayLimit: 2_500n,
    ...changes,
  };
}

/** Marked, so that it is found wherever it leaks; as much of X.509 as a card reads. */
export function certificateFor(publicKey: Uint8Array): Uint8Array {
  const info = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');
  return concatBytes(fromHex('3082018c'), new Uint8Array(150).fill(0xce), info, publicKey);
}

/** The coin number `n`: its ID and secret follow from the number. */
export function coinOf(n: number, changes: Partial<LoadedCoin> = {}): LoadedCoin {
  const coinId = concatBytes(uintToBytes(0x019b_0000_0000n + BigInt(n), 6), new Uint8Array(10));
  coinId.set(uintToBytes(BigInt(n), 2), 6);
  const secret = primitives.sha256(uintToBytes(BigInt(n), 4));
  return { coinId, secret, value: 100n, expiry: noon + 1_000_000n, ...changes };
}

export function loadOf(...coins: readonly LoadedCoin[]): Uint8Array {
  return coinLoad.encode({ coins });
}

export function quoteOf(n: number, changes: Partial<QuoteBody> = {}): Uint8Array {
  return quote.body.encode({
    ...headNow,
    network,
    quoteId: uintToBytes(BigInt(n), 16),
    payer: alice,
    payee: bob,
    currency: euro,
    bill: [
      { station: q1, fee: 60n, announcement: new Uint8Array(16).fill(1) },
      { station: q2, fee: 40n, announcement: new Uint8Array(16).fill(2) },
    ],
    time: noon,
    expiry: noon + 300n,
    deliveryDeadline: noon + 600n,
    resolutionDeadline: noon + 86_400n,
    minimumSuite: 'otp-secret',
    acceptanceId: uintToBytes(BigInt(n), 16),
    payeeCertificate: new Uint8Array(32).fill(7),
    payeeStationKey: lastKey.publicKey,
    ...changes,
  });
}

export function quoteDigest(quoteBytes: Uint8Array): Uint8Array {
  return quote.digest(primitives, quoteBytes);
}

/** What a payer's card signs for a coin and a quote; the station rebuilds it so. */
export function transactionOf(
  quoteBytes: Uint8Array,
  coin: LoadedCoin,
  payerCertificate: Uint8Array,
): { readonly bytes: Uint8Array; readonly paymentId: Uint8Array } {
  const bytes = transaction.encode({
    ...headNow,
    quoteDigest: quoteDigest(quoteBytes),
    coinId: coin.coinId,
    coinValue: coin.value,
    commitment: commitmentOf(primitives, coin.coinId, coin.secret),
    payerCertificate: primitives.sha256(payerCertificate),
  });
  return { bytes, paymentId: paymentIdOf(primitives, bytes) };
}

/** A receipt in the middle of a batch of three, so that its path is walked. */
export function receiptOf(
  paymentId: Uint8Array,
  changes: Partial<ReceiptBody> = {},
  key: SigningKey = lastKey,
): Uint8Array {
  const { verdict = 'delivered' } = changes;
  const evidence =
    verdict === 'delivered'
      ? { acknowledgement: new Uint8Array(64).fill(0xac) }
      : ({ reason: 'payee-absent' } as const);
  const body: ReceiptBody = {
    ...headNow,
    paymentId,
    station: q2,
    verdict,
    time: noon + 10n,
    ...evidence,
    ...changes,
  };
  const others = [1, 2].map((n) =>
    receipt.leaf(primitives, { ...body, paymentId: new Uint8Array(32).fill(n) }),
  );
  const leaves = [others[0], receipt.leaf(primitives, body), others[1]];
  const proofs = signBatch(
    primitives,
    leaves.filter((leaf) => leaf !== undefined),
    key,
  );
  const [, proof] = proofs;
  if (proof === undefined) throw new Error('a batch without proofs');
  return receipt.prove(body, proof).bytes;
}

export function refusalOf(
  paymentId: Uint8Array,
  changes: Partial<RefusalBody> = {},
  key: SigningKey = homeKey,
): Uint8Array {
  const body: RefusalBody = {
    ...headNow,
    paymentId,
    station: q1,
    reason: 'overloaded',
    time: noon + 10n,
    ...changes,
  };
  return refusal.sign(body, key).bytes;
}
