/**
 * Covering outbox records with QKD bits, and taking the cover off (design §5). Pads and one-time
 * MAC keys are raw QKD bits, each key for one record alone; the tag is
 *
 *     otp-secret   Poly1305(mac key, secret (32) ‖ SHA-256(message))
 *     otp          Poly1305(mac key, plain record)
 *
 * over the plaintext, so that a pad which differs at the two ends is found out at this hop and not
 * only a changed ciphertext. The tag tells nothing of the plaintext: half the MAC key is added to
 * it as a pad of its own. What is under a pad cannot be forged, whatever the adversary can compute;
 * the message of `otp-secret`, which AES keeps anyhow, is bound to its secret by its digest.
 */
import { concatBytes, equalBytes, wipe } from '../../applet-spec/bytes.ts';
import type { Suite } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { KeyClaim, KeyWant, Reservoir, TakenBits } from '../qkd/reservoir.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';
import {
  linkRecord,
  makeRecords,
  plainRecord,
  type Cover,
  type LinkRecord,
  type MadeRecord,
  type PlainRecord,
  type RecordDraft,
  type StoredRecord,
} from './link-record.ts';
import type { Unprotected } from './links.ts';

const macBits = 256;
const secretBits = 256;
const nothing = new Uint8Array(0);

/**
 * Makes one outbox record of each item; nothing of it is shared with the item but the message.
 * Draws all keys in one take, recorded before they are used.
 * @throws LinkError `too-long`; QkdError as `Reservoir.take` does.
 */
export async function protectRecords(
  by: {
    readonly primitives: Primitives;
    readonly suite: Suite;
    readonly reservoir: Pick<Reservoir, 'take'>;
  },
  items: readonly Unprotected[],
  signal: AbortSignal,
): Promise<MadeRecord[]> {
  for (const { message } of items) checkLength(message);
  const { suite } = by;
  if (suite === 'aes') return makeRecords(items.map(draftOfAes));
  const wants = items.map((item) => wantsOf(suite, item));
  const total = wants.flat();
  const reservations = items.flatMap(({ keys }) => keys ?? []);
  const rank = items.every(({ secret }) => secret !== undefined) ? 'payment' : 'word';
  const options = { signal, rank, reservations } as const;
  const taken = total.length === 0 ? [] : await by.reservoir.take(total, options);
  let next = 0;
  const drafts = items.map((item, i) => {
    const first = next;
    next += wants[i]?.length ?? 0;
    const bits = next === first ? undefined : ([taken[first], taken[first + 1]] as const);
    return protectOne(by.primitives, suite, item, bits);
  });
  return makeRecords(drafts);
}

/** Of a word that nothing covers yet: as under `aes`, which no link of another suite sends. */
export function keptRecord(message: Uint8Array): Uint8Array {
  checkLength(message);
  const [made] = makeRecords([draftOfAes({ message })]);
  if (made === undefined) throw new RangeError('a word without its record');
  return made.stored;
}

function checkLength({ length }: Uint8Array): void {
  if (length > linkLimits.messageBytes) {
    throw new LinkError('too-long', `a message of ${length} bytes`);
  }
}

function draftOfAes(item: Unprotected): RecordDraft {
  const { message, secret } = item;
  const clear = secret === undefined ? { message } : { message, secret };
  return { suite: 'aes', carries: carriedBy(item), ...clear };
}

function carriedBy({ secret }: Unprotected): 'word' | 'payment' {
  return secret === undefined ? 'word' : 'payment';
}

function wantsOf(suite: Exclude<Suite, 'aes'>, item: Unprotected): readonly KeyWant[] {
  const mac = { purpose: 'mac', bits: macBits } as const;
  if (suite === 'otp') {
    return [{ purpose: 'pad', bits: 8 * plainRecord.encode(plainOf(item)).length }, mac];
  }
  if (item.secret === undefined) return [];
  return [{ purpose: 'pad', bits: secretBits }, mac];
}

/** What a payment with a message of so many bytes draws on a link. */
export function paymentWants(suite: Suite, messageBytes: number): readonly KeyWant[] {
  if (suite === 'aes') return [];
  const secret = new Uint8Array(secretBits / 8);
  return wantsOf(suite, { message: new Uint8Array(messageBytes), secret });
}

function protectOne(
  primitives: Primitives,
  suite: Exclude<Suite, 'aes'>,
  item: Unprotected,
  bits: CoverBits | undefined,
): RecordDraft {
  const { message, secret } = item;
  const head = { suite, carries: carriedBy(item) };
  if (suite === 'otp') {
    const kept = plainOf(item);
    return { ...head, cover: coverWith(primitives, plainRecord.encode(kept), nothing, bits), kept };
  }
  if (secret === undefined) return { ...head, message };
  const digest = primitives.sha256(message);
  const cover = coverWith(primitives, new Uint8Array(secret), digest, bits);
  return { ...head, message, cover, kept: { secret: new Uint8Array(secret) } };
}

/** For one record: pad and MAC key. */
type CoverBits = readonly [TakenBits | undefined, TakenBits | undefined];

/** Turns `plaintext`, which is ours alone, into the ciphertext in its place. */
function coverWith(
  primitives: Primitives,
  plaintext: Uint8Array,
  alsoAuthenticated: Uint8Array,
  [pad, mac]: CoverBits = [undefined, undefined],
): Cover {
  if (pad === undefined || mac === undefined) throw new RangeError('a record without its keys');
  const tag = tagOf(primitives, mac, plaintext, alsoAuthenticated);
  const ciphertext = applyPad(plaintext, pad.bits);
  return { padIds: pad.keyIds, macIds: mac.keyIds, ciphertext, tag };
}

/** The MAC key is used up. */
function tagOf(
  primitives: Primitives,
  mac: TakenBits,
  plaintext: Uint8Array,
  alsoAuthenticated: Uint8Array,
): Uint8Array {
  const authenticated = concatBytes(plaintext, alsoAuthenticated);
  const tag = primitives.poly1305(mac.bits, authenticated);
  wipe(authenticated);
  wipe(mac.bits);
  return tag;
}

/** What a stored record says in plain: to cover it anew. */
export function plainOfStored({ wire, kept = {} }: StoredRecord): Unprotected {
  const record = linkRecord.decode(wire);
  if (record.kind === 'aes') return record.content;
  const message = record.kind === 'otp' ? kept.message : record.content.message;
  if (message === undefined) throw new RangeError('an otp record without what it covers');
  return { message, ...(kept.secret !== undefined && { secret: kept.secret }) };
}

/** The keys that open a record: pad first. undefined where it has no cover. */
export function claimsOf(record: LinkRecord): readonly [KeyClaim, KeyClaim] | undefined {
  const { cover } = record.kind === 'aes' ? { cover: undefined } : record.content;
  if (cover === undefined) return undefined;
  const { padIds, macIds, ciphertext } = cover;
  return [
    { purpose: 'pad', bits: 8 * ciphertext.length, keyIds: padIds },
    { purpose: 'mac', bits: macBits, keyIds: macIds },
  ];
}

/** Tells covers apart: no two records ever share a MAC key. */
export function coverName(record: LinkRecord): string | undefined {
  return claimsOf(record)?.[1].keyIds[0];
}

/**
 * What a record says. `bits` are what `claimsOf` asked for; they are used up.
 * @throws LinkError `record-forged` where the tag does not verify, `record-malformed`.
 */
export function openRecord(
  primitives: Primitives,
  record: LinkRecord,
  bits: readonly TakenBits[],
): PlainRecord {
  if (record.kind === 'aes') return record.content;
  const { cover } = record.content;
  const [pad, mac] = bits;
  if (cover === undefined || pad === undefined || mac === undefined) {
    if (record.kind === 'otp-secret' && cover === undefined) return record.content;
    throw new RangeError('a record without its keys');
  }
  if (record.kind === 'otp-secret' && cover.ciphertext.length !== secretBits / 8) {
    throw new LinkError('record-malformed', 'a cover that is over no coin secret');
  }
  const plaintext = applyPad(cover.ciphertext, pad.bits);
  const alsoAuthenticated =
    record.kind === 'otp' ? nothing : primitives.sha256(record.content.message);
  if (!equalBytes(tagOf(primitives, mac, plaintext, alsoAuthenticated), cover.tag)) {
    wipe(plaintext);
    throw new LinkError('record-forged', 'a one-time MAC does not verify; its pad is retired');
  }
  if (record.kind === 'otp-secret') return { message: record.content.message, secret: plaintext };
  const plain = plainRecord.decode(plaintext);
  wipe(plaintext);
  return plain;
}

/** In place, and the pad is gone. */
function applyPad(bytes: Uint8Array, pad: Uint8Array): Uint8Array {
  if (pad.length !== bytes.length) throw new RangeError('a pad of another length');
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (pad[i] as number);
  wipe(pad);
  return bytes;
}

function plainOf({ message, secret }: Unprotected): PlainRecord {
  return secret === undefined ? { message } : { message, secret: new Uint8Array(secret) };
}
