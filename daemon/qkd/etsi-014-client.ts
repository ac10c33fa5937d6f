import type { Clock } from '../../applet-spec/clock.ts';
import {
  defaultLimits,
  KeyCountError,
  readDrawnKeys,
  readFetchedKeys,
  readStatus,
} from './etsi-014-messages.ts';
import type { Etsi014Extension, KeyRequest, LetterCase } from './etsi-014-messages.ts';
import { refusalOf } from './etsi-014-refusal.ts';
import type { Etsi014Call } from './etsi-014-refusal.ts';
import type { Etsi014Transport, TransportAnswer } from './etsi-014-transport.ts';
import type { KeySource, KeySourceStatus, QkdKey } from './key-source.ts';
import { KeysPerRequest } from './keys-per-request.ts';
import { isEmptyAnswer, QkdError } from './qkd-error.ts';

export interface Etsi014ClientOptions {
  readonly transport: Pick<Etsi014Transport, 'send' | 'reload' | 'close'>;
  readonly clock: Clock;
  /** The peer's SAE ID: the slave when we draw, the master when we fetch. */
  readonly peerSaeId: string;
  /**
   * How Get key and Get key with key IDs are asked where the standard allows both. Default `post`.
   */
  readonly form?: 'post' | 'get';
  /** Further slaves, who can fetch the same keys (multicast). */
  readonly additionalSlaveSaeIds?: readonly string[];
  readonly extensionMandatory?: readonly Etsi014Extension[];
  readonly extensionOptional?: readonly Etsi014Extension[];
  /** How often, and after what first pause (doubled each time), "not found" is asked again. */
  readonly notFoundRetries?: { readonly times: number; readonly firstPauseMs: number };
}

/**
 * ETSI GS QKD 014 V1.1.1 as a client: one key manager, one peer. A lost answer burns keys and is
 * never asked for again; only "not found", which burns nothing, is repeated, for the peer's key
 * manager may be ahead of ours.
 */
export class Etsi014Client implements KeySource {
  readonly #options: Etsi014ClientOptions;
  readonly #path: string;
  #limits: KeySourceStatus | undefined;
  readonly #keysPerRequest: KeysPerRequest;
  /** As the device wrote key IDs, and as it found them: there are devices that mind their case. */
  #written: LetterCase = 'lower';
  #foundAs: LetterCase | undefined;

  constructor(options: Etsi014ClientOptions) {
    this.#options = options;
    this.#keysPerRequest = new KeysPerRequest(options.clock);
    this.#path = `/api/v1/keys/${encodeURIComponent(options.peerSaeId)}`;
  }

  async status(signal?: AbortSignal): Promise<KeySourceStatus> {
    const call = {
      method: 'GET',
      path: `${this.#path}/status`,
      consumes: false,
      bits: 0,
      signal,
    } as const;
    let answer: TransportAnswer;
    try {
      answer = await this.#options.transport.send(call);
    } catch (error) {
      // A kept connection that the device closed in the same moment: status may be repeated.
      if (!(error instanceof QkdError) || error.code !== 'unavailable' || !wasReset(error))
        throw error;
      answer = await this.#options.transport.send(call);
    }
    this.#limits = readStatus(accepted('status', answer, 0));
    return this.#limits;
  }

  async draw(count: number, sizeBits: number, signal?: AbortSignal): Promise<readonly QkdKey[]> {
    const limits = await this.#knownLimits(signal);
    if (sizeBits < limits.minKeySizeBits || sizeBits > limits.maxKeySizeBits) {
      const { minKeySizeBits: min, maxKeySizeBits: max } = limits;
      throw new QkdError(
        'refused',
        `the key manager gives keys of ${min} to ${max} bits, not ${sizeBits}`,
      );
    }
    const number = Math.min(count, limits.maxKeysPerRequest, this.#keysPerRequest.most);
    const bits = number * sizeBits;
    const body = await this.#ask(
      'enc_keys',
      this.#keyRequest(number, sizeBits, limits),
      bits,
      signal,
    );
    try {
      const { keys, letterCase } = readDrawnKeys(body, number, sizeBits);
      this.#written = letterCase ?? this.#written;
      this.#keysPerRequest.learn(number, keys.length);
      return keys;
    } catch (error) {
      if (error instanceof KeyCountError) this.#keysPerRequest.learn(number, error.given);
      throw error;
    }
  }

  async fetch(ids: readonly string[], signal?: AbortSignal): Promise<readonly QkdKey[]> {
    const limits = await this.#knownLimits(signal);
    const some = ids.slice(0, limits.maxKeysPerRequest);
    const bits = some.length * limits.keySizeBits;
    const { times, firstPauseMs } = this.#options.notFoundRetries ?? { times: 5, firstPauseMs: 50 };
    for (let attempt = 0; ; attempt++) {
      const letterCase = this.#foundAs ?? this.#written;
      const found = await this.#find(some, letterCase, bits, signal);
      if (!(found instanceof QkdError)) return found;
      if (attempt < times) await this.#pause(firstPauseMs * 2 ** attempt, signal);
      else {
        // The device may not have written a key ID yet, or another has taken its place.
        const other = letterCase === 'lower' ? 'upper' : 'lower';
        const last = await this.#find(some, other, bits, signal);
        if (!(last instanceof QkdError)) return last;
        throw new QkdError('not-found', found.message, { cause: found, keyIds: some });
      }
    }
  }

  /** Asks once for the keys of `ids`, written in one case; the refusal where one is not found. */
  async #find(
    ids: readonly string[],
    letterCase: LetterCase,
    bits: number,
    signal?: AbortSignal,
  ): Promise<readonly QkdKey[] | QkdError> {
    const written = letterCase === 'upper' ? ids.map((id) => id.toUpperCase()) : ids;
    const request = { key_IDs: written.map((id) => ({ key_ID: id })) };
    try {
      const keys = readFetchedKeys(await this.#ask('dec_keys', request, bits, signal), ids, bits);
      this.#foundAs = letterCase;
      return keys;
    } catch (error) {
      if (error instanceof QkdError && error.code === 'not-found') return error;
      throw error;
    }
  }

  /** Reads the certificate files at once, without dropping what is under way. */
  reload(): void {
    this.#options.transport.reload();
  }

  close(): Promise<void> {
    this.#options.transport.close();
    return Promise.resolve();
  }

  async #knownLimits(signal?: AbortSignal): Promise<KeySourceStatus> {
    if (this.#limits !== undefined) return this.#limits;
    try {
      return await this.status(signal);
    } catch (error) {
      if (!(error instanceof QkdError) || !isEmptyAnswer(error)) throw error;
      this.#limits = defaultLimits;
      return defaultLimits;
    }
  }

  /** Members with their default value are left out: there are devices that stumble over them. */
  #keyRequest(number: number, size: number, limits: KeySourceStatus): KeyRequest {
    const {
      additionalSlaveSaeIds = [],
      extensionMandatory = [],
      extensionOptional = [],
    } = this.#options;
    if (additionalSlaveSaeIds.length > limits.maxAdditionalSlaves) {
      throw new QkdError(
        'refused',
        `the key manager takes ${String(limits.maxAdditionalSlaves)} additional slaves, ` +
          `not ${String(additionalSlaveSaeIds.length)}`,
      );
    }
    return {
      ...(number === 1 ? {} : { number }),
      ...(size === limits.keySizeBits ? {} : { size }),
      ...(additionalSlaveSaeIds.length === 0
        ? {}
        : { additional_slave_SAE_IDs: additionalSlaveSaeIds }),
      ...(extensionMandatory.length === 0 ? {} : { extension_mandatory: extensionMandatory }),
      ...(extensionOptional.length === 0 ? {} : { extension_optional: extensionOptional }),
    };
  }

  async #ask(
    name: Exclude<Etsi014Call, 'status'>,
    content: KeyRequest | KeyIdsRequest,
    bits: number,
    signal?: AbortSignal,
  ): Promise<string> {
    const query = this.#options.form === 'get' ? queryOf(content) : undefined;
    const path = `${this.#path}/${name}`;
    const call = { consumes: true, bits, signal };
    const answer = await this.#options.transport.send(
      query === undefined
        ? { ...call, method: 'POST', path, body: JSON.stringify(content) }
        : { ...call, method: 'GET', path: path + query },
    );
    return accepted(name, answer, bits);
  }

  #pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        cancel();
        reject(new QkdError('aborted', 'the request was given up'));
      };
      const cancel = this.#options.clock.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    });
  }
}

/** Key IDs, ETSI GS QKD 014 §6.4. */
interface KeyIdsRequest {
  readonly key_IDs: readonly { readonly key_ID: string }[];
}

/** The GET form, or undefined for what it cannot express. */
function queryOf(content: KeyRequest | KeyIdsRequest): string | undefined {
  const query = new URLSearchParams();
  if ('key_IDs' in content) {
    const [only, ...more] = content.key_IDs;
    if (only === undefined || more.length > 0) return undefined;
    query.set('key_ID', only.key_ID);
  } else {
    const { number, size, ...rest } = content;
    if (Object.keys(rest).length > 0) return undefined;
    if (number !== undefined) query.set('number', String(number));
    if (size !== undefined) query.set('size', String(size));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** The body of a success; any other answer is thrown as what it means. */
function accepted(name: Etsi014Call, answer: TransportAnswer, bits: number): string {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw refusalOf(name, answer.status, answer.body, bits);
}

function wasReset(error: QkdError): boolean {
  const code: unknown = error.cause instanceof Error ? Reflect.get(error.cause, 'code') : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE';
}
