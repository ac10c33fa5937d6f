import { toHex } from '../../applet-spec/bytes.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { messageIn } from './etsi-014-refusal.ts';
import { readStatus } from './etsi-014-messages.ts';
import type { TransportAnswer } from './etsi-014-transport.ts';
import type { KeySourceStatus } from './key-source.ts';
import type { Finding, ProbeEnd, ProbeOptions } from './probe-check.ts';
import { QkdError } from './qkd-error.ts';

/** A key as it came, before anything was made of it. */
export interface RawKey {
  readonly key_ID: unknown;
  readonly key: unknown;
}

/** The device under probe: raw requests to either end, and what has been drawn from it so far. */
export class ProbeDevice {
  readonly peerSaeId: string;
  readonly hasSlave: boolean;
  readonly drawn: RawKey[] = [];
  statusAnswer: TransportAnswer = { status: 0, body: '' };
  readonly #master: ProbeEnd;
  readonly #slave: ProbeEnd;
  readonly #entropy: Entropy;
  #limits: KeySourceStatus | undefined;

  constructor(options: ProbeOptions) {
    this.#master = options.master;
    this.#slave = options.slave ?? options.master;
    this.hasSlave = options.slave !== undefined;
    this.peerSaeId = options.peerSaeId;
    this.#entropy = options.entropy;
  }

  get url(): string {
    return this.#master.transport.url;
  }

  get masterSaeId(): string {
    return this.#master.saeId;
  }

  /** The status limits, or defaults where the status could not be read. */
  get limits(): KeySourceStatus {
    this.#limits ??= readStatus('{}');
    return this.#limits;
  }

  /** @throws QkdError where no HTTP answer comes, or our certificate is refused. */
  async connect(): Promise<void> {
    const path = this.#path(this.peerSaeId, 'status');
    const call = { method: 'GET', path, consumes: false, bits: 0 } as const;
    this.statusAnswer = await this.#master.transport.send(call);
    if (this.statusAnswer.status === 401) {
      throw new QkdError('authentication', 'the key manager does not serve this SAE (401)');
    }
    if (this.hasSlave) {
      const slavePath = this.#path(this.masterSaeId, 'status');
      await this.#slave.transport.send({ ...call, path: slavePath });
    }
    try {
      this.#limits = readStatus(this.statusAnswer.body);
    } catch (error) {
      if (!(error instanceof QkdError)) throw error;
    }
  }

  /** Get key at the master's key manager; `content` undefined: the GET form with `query`. */
  async encKeys(
    content: object | string | undefined,
    query = '',
    slave = this.peerSaeId,
  ): Promise<TransportAnswer> {
    const path = this.#path(slave, 'enc_keys') + query;
    const answer = await this.#send(this.#master, path, content);
    if (answer.status === 200) this.drawn.push(...keysIn(answer));
    return answer;
  }

  /** Get key with key IDs at the slave's key manager. */
  decKeys(content: object | undefined, query = ''): Promise<TransportAnswer> {
    return this.#send(this.#slave, this.#path(this.masterSaeId, 'dec_keys') + query, content);
  }

  /** Get key with key IDs at the master's key manager, as if the peer were the master. */
  decKeysAtMaster(content: object, master = this.peerSaeId): Promise<TransportAnswer> {
    return this.#send(this.#master, this.#path(master, 'dec_keys'), content);
  }

  unknownKeyId(): string {
    const hex = toHex(this.#entropy.randomBytes(16));
    const version = `4${hex.slice(13, 16)}`;
    const variant = `8${hex.slice(17, 20)}`;
    return [hex.slice(0, 8), hex.slice(8, 12), version, variant, hex.slice(20)].join('-');
  }

  #send(
    end: ProbeEnd,
    path: string,
    content: object | string | undefined,
  ): Promise<TransportAnswer> {
    const call = { path, consumes: true, bits: 0 };
    if (content === undefined) return end.transport.send({ ...call, method: 'GET' });
    const body = typeof content === 'string' ? content : JSON.stringify(content);
    return end.transport.send({ ...call, method: 'POST', body });
  }

  #path(sae: string, call: string): string {
    return `/api/v1/keys/${encodeURIComponent(sae)}/${call}`;
  }
}

/** The keys of a container; none where it is no container. */
export function keysIn(answer: TransportAnswer): readonly RawKey[] {
  const list: unknown = membersOf(answer)?.['keys'];
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => ({
    key_ID: memberOf(entry, 'key_ID'),
    key: memberOf(entry, 'key'),
  }));
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The members of a JSON object; undefined where the body is none. */
export function membersOf({ body }: TransportAnswer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** The length of a base64 key in bits; undefined where it is no base64. */
export function sizeOf(key: unknown): number | undefined {
  if (
    typeof key !== 'string' ||
    !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={1,2})?$/.test(key)
  ) {
    return undefined;
  }
  return 8 * Math.floor((3 * key.replace(/=+$/, '').length) / 4);
}

/** That an answer is the 400 with one of the fixed messages. */
export function expectRefusal(answer: TransportAnswer, message?: string): Finding {
  if (answer.status !== 400) return { deviates: `answers ${said(answer)} instead of 400` };
  const found = membersOf(answer)?.['message'];
  if (typeof found !== 'string') return { deviates: 'answers 400 without a message member' };
  if (message === undefined || found === message) return undefined;
  return { deviates: `says "${messageIn(answer.body)}" instead of "${message}"` };
}

/** The status, and what an error says; never the body of a 200. */
export function said(answer: TransportAnswer): string {
  if (answer.status >= 200 && answer.status < 300) return String(answer.status);
  const message = messageIn(answer.body);
  return message === '' ? String(answer.status) : `${String(answer.status)} "${message}"`;
}
