import type { Entropy } from '../../applet-spec/primitives.ts';
import type { Call, FaultScript } from './fault.ts';
import { calls } from './fault.ts';
import { newKeyId } from './key-network.ts';
import type { KeyNetwork, KmePlan, NetworkKey } from './key-network.ts';
import { BadRequest, checkKeyIds, checkKeyRequest, parseMembers } from './key-request.ts';
import type { ExtensionRules, KeyLimits } from './key-request.ts';

export interface KmeOptions {
  readonly plan: KmePlan;
  readonly network: KeyNetwork;
  readonly faults: FaultScript;
  readonly limits: KeyLimits;
  readonly extensions: ExtensionRules;
  readonly entropy: Entropy;
}

export interface KmeRequest {
  /** From the client's certificate. */
  readonly caller: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly body: string;
}

export interface KmeAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

/** One key manager's answers: ETSI GS QKD 014 §5 without the transport. */
export class Kme {
  readonly #options: KmeOptions;
  #lastDrawn: readonly NetworkKey[] = [];

  constructor(options: KmeOptions) {
    this.#options = options;
  }

  /** The call that a request makes; undefined where there is no such call. */
  static callOf(target: string): Call | undefined {
    return parseTarget(target)?.call;
  }

  answer(request: KmeRequest): KmeAnswer {
    const target = parseTarget(request.target);
    if (target === undefined) return error(404, 'no such resource');
    const { call, sae, query } = target;
    if (!this.#options.plan.saes.includes(request.caller)) return unauthorized;
    const canned = this.#options.faults.strike('answer', this.#options.plan.id, call);
    if (canned !== undefined) {
      return { contentType: 'application/json', ...canned };
    }
    const methods = call === 'status' ? ['GET'] : ['GET', 'POST'];
    if (!methods.includes(request.method)) return error(405, 'method not allowed');
    try {
      const members =
        request.method === 'GET' ? queryMembers(call, query) : parseMembers(request.body);
      if (call === 'status') return this.#status(request.caller, sae);
      if (call === 'enc_keys') return this.#encKeys(request.caller, sae, members);
      return this.#decKeys(request.caller, sae, members);
    } catch (problem) {
      if (problem instanceof BadRequest) return error(400, problem.message);
      throw problem;
    }
  }

  #status(master: string, slave: string): KmeAnswer {
    const { network, plan, limits } = this.#options;
    const target = this.#kmeOfPeer(slave);
    const fibre = network.fibre(plan.id, target);
    const storedBits = network.storedBits(plan.id, target);
    return this.#ok('status', {
      source_KME_ID: plan.id,
      target_KME_ID: target,
      master_SAE_ID: master,
      slave_SAE_ID: slave,
      key_size: limits.keySizeBits,
      stored_key_count: Math.floor(storedBits / limits.keySizeBits),
      max_key_count: limits.maxKeyCount,
      max_key_per_request: limits.maxKeysPerRequest,
      max_key_size: limits.maxKeySizeBits,
      min_key_size: limits.minKeySizeBits,
      max_SAE_ID_count: limits.maxAdditionalSlaves,
      status_extension: {
        qber: Number(fibre.errorRate.toFixed(5)),
        secret_key_rate: Math.round(fibre.rateBitsPerSecond),
      },
    });
  }

  #encKeys(master: string, slave: string, members: Readonly<Record<string, unknown>>): KmeAnswer {
    const { network, faults, limits, extensions, plan } = this.#options;
    const request = checkKeyRequest(members, limits, extensions);
    const slaves = [...new Set([slave, ...request.additionalSlaves])];
    for (const one of slaves) this.#kmeOfPeer(one);
    if (faults.find('discards-unfetched', plan.id, 'enc_keys') !== undefined) {
      network.discardWaiting(master);
    }
    if (
      this.#lastDrawn.length > 0 &&
      faults.strike('repeated-keys', plan.id, 'enc_keys') !== undefined
    ) {
      for (const key of this.#lastDrawn) network.layOut(key, master, slaves);
      return this.#container('enc_keys', this.#lastDrawn);
    }
    const keys = network.draw(master, slaves, request.number, request.sizeBits);
    if (keys === undefined) return error(503, 'not enough keys are available');
    this.#lastDrawn = keys;
    return this.#container('enc_keys', keys);
  }

  #decKeys(caller: string, master: string, members: Readonly<Record<string, unknown>>): KmeAnswer {
    const { network, faults, limits, plan } = this.#options;
    const ids = checkKeyIds(members, limits);
    const stay = faults.find('keys-stay', plan.id, 'dec_keys') !== undefined;
    const isMiswritten = ids.some((id) => id !== this.#written('dec_keys', id));
    const keys = isMiswritten ? 'not-found' : network.fetch(plan.id, caller, master, ids, { stay });
    if (keys === 'not-found') return error(400, 'one or more keys specified are not found on KME');
    if (keys === 'not-named') return unauthorized;
    if (faults.strike('mismatched-key', plan.id, 'dec_keys') === undefined) {
      return this.#container('dec_keys', keys);
    }
    const other = keys.map(({ id, bits }) => ({ id, bits: bits.map((byte) => byte ^ 0x01) }));
    return this.#container('dec_keys', other);
  }

  #container(call: Call, keys: readonly NetworkKey[]): KmeAnswer {
    return this.#ok(call, {
      keys: this.#disfigure(call, keys).map(({ id, bits }) => ({
        key_ID: this.#written(call, id),
        key: Buffer.from(bits).toString('base64'),
      })),
    });
  }

  /** A key ID in the case that a fault demands. */
  #written(call: Call, id: string): string {
    const { faults, plan } = this.#options;
    const demanded = faults.find('ids-by-case', plan.id, call)?.letterCase;
    if (demanded === undefined) return id;
    return demanded === 'upper' ? id.toUpperCase() : id.toLowerCase();
  }

  /** What the faults make of the keys of an answer. */
  #disfigure(call: Call, keys: readonly NetworkKey[]): readonly NetworkKey[] {
    const { faults, plan, entropy } = this.#options;
    const extra = faults.strike('wrong-length', plan.id, call)?.extraBytes ?? 0;
    const sized = extra === 0 ? keys : keys.map((key) => resize(key, extra));
    const stranger = (): NetworkKey => ({
      id: newKeyId(entropy),
      bits: entropy.randomBytes(sized[0]?.bits.length ?? 32),
    });
    const struck = (
      kind: 'fewer-keys' | 'more-keys' | 'duplicate-keys' | 'foreign-keys',
    ): boolean => faults.strike(kind, plan.id, call) !== undefined;
    if (struck('fewer-keys')) return sized.slice(0, -1);
    if (struck('more-keys')) return [...sized, stranger()];
    if (struck('duplicate-keys')) return sized.map(() => sized[0] ?? stranger());
    if (struck('foreign-keys')) return sized.map(stranger);
    return sized;
  }

  #ok(call: Call, members: object): KmeAnswer {
    const replaced = this.#options.faults.strike('members', this.#options.plan.id, call)?.members;
    return json(200, { ...members, ...replaced });
  }

  #kmeOfPeer(sae: string): string {
    const { network, plan } = this.#options;
    const kme = network.kmeOf(sae);
    if (kme === undefined || kme === plan.id) {
      throw new BadRequest('no key is shared with the SAE specified');
    }
    return kme;
  }
}

function parseTarget(
  target: string,
): { readonly call: Call; readonly sae: string; readonly query: URLSearchParams } | undefined {
  if (!URL.canParse(target, 'https://kme')) return undefined;
  const { pathname, searchParams } = new URL(target, 'https://kme');
  const match = /^\/api\/v1\/keys\/([^/]+)\/([a-z_]+)$/.exec(pathname);
  const call = calls.find((name) => name === match?.[2]);
  if (match?.[1] === undefined || call === undefined) return undefined;
  try {
    return { call, sae: decodeURIComponent(match[1]), query: searchParams };
  } catch {
    return undefined;
  }
}

/** The GET forms: `number` and `size`, or exactly one `key_ID`. */
function queryMembers(call: Call, query: URLSearchParams): Readonly<Record<string, unknown>> {
  if (call === 'dec_keys') {
    return { key_IDs: query.getAll('key_ID').map((id) => ({ key_ID: id })) };
  }
  return { number: query.get('number'), size: query.get('size') };
}

function resize(key: NetworkKey, extraBytes: number): NetworkKey {
  const bits = new Uint8Array(Math.max(0, key.bits.length + extraBytes));
  bits.set(key.bits.subarray(0, bits.length));
  return { id: key.id, bits };
}

function json(status: number, content: object): KmeAnswer {
  return { status, body: JSON.stringify(content), contentType: 'application/json' };
}

function error(status: number, message: string): KmeAnswer {
  return json(status, { message });
}

/** ETSI GS QKD 014 gives 401 no body. */
const unauthorized: KmeAnswer = { status: 401, body: '', contentType: 'text/plain' };
