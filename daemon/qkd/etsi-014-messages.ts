import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { KeySourceStatus, QkdKey } from './key-source.ts';
import { normalKeyId } from './key-source.ts';
import { QkdError } from './qkd-error.ts';

/** One extension parameter: an object with the extension's name as its member. */
export type Etsi014Extension = Readonly<Record<string, unknown>>;

/** Key request, ETSI GS QKD 014 §6.2. */
export interface KeyRequest {
  readonly number?: number;
  /** In bits. */
  readonly size?: number;
  readonly additional_slave_SAE_IDs?: readonly string[];
  readonly extension_mandatory?: readonly Etsi014Extension[];
  readonly extension_optional?: readonly Etsi014Extension[];
}

/** What a device is taken to do whose status says nothing (sensible) about it. */
export const defaultLimits: KeySourceStatus = {
  keySizeBits: 256,
  minKeySizeBits: 8,
  maxKeySizeBits: 256,
  maxKeysPerRequest: 1,
  storedKeys: undefined,
  maxStoredKeys: undefined,
  maxAdditionalSlaves: 0,
  sourceKmeId: undefined,
  targetKmeId: undefined,
  masterSaeId: undefined,
  slaveSaeId: undefined,
};

/** No device's claim makes us ask for more than this at once. */
const maxKeysPerRequest = 4_096;
const maxKeySizeBits = 1 << 20;

/**
 * Status, ETSI GS QKD 014 §6.1. Devices put numbers, constants and nothing where IDs and counts
 * belong; whatever makes no sense is replaced by a safe default.
 * @throws QkdError `protocol` where it is no JSON object.
 */
export function readStatus(body: string): KeySourceStatus {
  const status = readObject(body, 'status', 0);
  const keySizeBits = bounded(status['key_size'], maxKeySizeBits) ?? defaultLimits.keySizeBits;
  const maxSize = bounded(status['max_key_size'], maxKeySizeBits) ?? keySizeBits;
  const minSize = bounded(status['min_key_size'], maxKeySizeBits) ?? defaultLimits.minKeySizeBits;
  return {
    keySizeBits,
    minKeySizeBits: Math.min(minSize, maxSize),
    maxKeySizeBits: maxSize,
    maxKeysPerRequest: bounded(status['max_key_per_request'], maxKeysPerRequest) ?? 1,
    storedKeys: count(status['stored_key_count']),
    maxStoredKeys: count(status['max_key_count']),
    maxAdditionalSlaves: count(status['max_SAE_ID_count']) ?? 0,
    sourceKmeId: label(status['source_KME_ID']),
    targetKmeId: label(status['target_KME_ID']),
    masterSaeId: label(status['master_SAE_ID']),
    slaveSaeId: label(status['slave_SAE_ID']),
  };
}

/** The letters of a key ID as a device writes them: some find an ID in no other case. */
export type LetterCase = 'upper' | 'lower';

export interface KeyContainer {
  readonly keys: readonly QkdKey[];
  /** undefined where no ID has a letter, which one in a million lacks. */
  readonly letterCase: LetterCase | undefined;
}

/**
 * Key container, ETSI GS QKD 014 §6.3, in answer to Get key: exactly `number` keys of `sizeBits`,
 * all different.
 * @throws QkdError `protocol` with the bits that are lost by it; `exhausted` where it holds no key.
 */
export function readDrawnKeys(body: string, number: number, sizeBits: number): KeyContainer {
  const burntBits = number * sizeBits;
  const { keys, letterCase } = readContainer(body, burntBits);
  if (keys.length === 0) {
    throw new QkdError('exhausted', 'the key manager answered enc_keys without a key');
  }
  if (keys.length !== number) {
    throw new KeyCountError(number, keys.length, sizeBits);
  }
  const wrong = keys.find((key) => 8 * key.bits.length !== sizeBits);
  if (wrong !== undefined) {
    const bits = 8 * wrong.bits.length;
    throw broken(`gave a key of ${String(bits)} bits for ${String(sizeBits)}`, burntBits);
  }
  return { keys, letterCase };
}

/** Fewer or more keys than were asked for: all are given up, and the count is a lesson. */
export class KeyCountError extends QkdError {
  readonly given: number;

  constructor(asked: number, given: number, sizeBits: number) {
    super('protocol', `the key manager gave ${String(given)} keys for ${String(asked)}`, {
      lostBits: Math.max(asked, given) * sizeBits,
    });
    this.given = given;
  }
}

/**
 * Key container in answer to Get key with key IDs: the keys of exactly `ids`, brought into their
 * order.
 * @throws QkdError `protocol`, with the bits that are lost by it.
 */
export function readFetchedKeys(body: string, ids: readonly string[], burntBits: number): QkdKey[] {
  const { keys } = readContainer(body, burntBits);
  const byId = new Map(keys.map((key) => [key.id, key]));
  if (byId.size !== ids.length) {
    throw broken(`gave ${String(byId.size)} keys for ${String(ids.length)} key IDs`, burntBits);
  }
  return ids.map((id) => {
    const key = byId.get(id);
    if (key === undefined) throw broken('gave keys that were not asked for', burntBits);
    return key;
  });
}

function readContainer(body: string, burntBits: number): KeyContainer {
  const list = readObject(body, 'key container', burntBits)['keys'];
  if (list === undefined || list === null) return { keys: [], letterCase: undefined };
  if (!Array.isArray(list)) throw broken('gave a key container without a list of keys', burntBits);
  const ids = new Set<string>();
  const values = new Set<string>();
  let letterCase: LetterCase | undefined;
  const keys = list.map((entry: unknown) => {
    const { written, ...key } = readKey(entry, burntBits);
    letterCase ??= letterCaseOf(written);
    if (ids.has(key.id)) throw broken('gave a key ID twice in one answer', burntBits);
    const value = toLatin1(key.bits);
    if (values.has(value)) throw broken('gave one key under two key IDs', burntBits);
    ids.add(key.id);
    values.add(value);
    return key;
  });
  return { keys, letterCase };
}

function letterCaseOf(id: string): LetterCase | undefined {
  if (/[A-F]/.test(id)) return 'upper';
  return /[a-f]/.test(id) ? 'lower' : undefined;
}

function readKey(entry: unknown, burntBits: number): QkdKey & { readonly written: string } {
  if (!isObject(entry)) throw broken('gave a key that is no JSON object', burntBits);
  const { key_ID: keyId, key } = entry;
  const written = typeof keyId === 'string' ? keyId : '';
  const id = normalKeyId(written);
  if (id === undefined) throw broken('gave a key ID that is no UUID', burntBits);
  const bits = typeof key === 'string' ? fromBase64(key) : undefined;
  if (bits === undefined) throw broken('gave a key that is not base64', burntBits);
  return { id, written, bits };
}

function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const bare = text.replace(/=+$/, '');
  if (bare.length % 4 === 1) return undefined;
  const bytes = Buffer.from(bare, 'base64');
  // A pooled Buffer shares its memory with others: secrets get memory of their own, and it is
  // wiped.
  const own = new Uint8Array(bytes);
  bytes.fill(0);
  return own;
}

/** The parser's own error quotes the text, which may hold keys: it is dropped on purpose. */
function readObject(body: string, what: string, burntBits: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw broken(`answered with something other than JSON for a ${what}`, burntBits);
  }
  if (!isObject(value)) throw broken(`answered without a JSON object for a ${what}`, burntBits);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function broken(did: string, lostBits: number): QkdError {
  return new QkdError('protocol', `the key manager ${did}`, { lostBits });
}

function count(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0
    ? number
    : undefined;
}

/** A count of at least 1, cut to `most`. */
function bounded(value: unknown, most: number): number | undefined {
  const number = count(value);
  return number === undefined || number < 1 ? undefined : Math.min(number, most);
}

function label(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value.slice(0, 128) : undefined;
}
