/**
 * What the 014 messages look like when they come in, checked; refusals carry their fixed messages.
 */

export interface KeyLimits {
  readonly keySizeBits: number;
  readonly minKeySizeBits: number;
  readonly maxKeySizeBits: number;
  readonly maxKeysPerRequest: number;
  readonly maxKeyCount: number;
  readonly maxAdditionalSlaves: number;
}

export interface ExtensionRules {
  /** Supported extensions, and of each the values that can be met. */
  readonly supported: Readonly<Record<string, readonly unknown[]>>;
  /** Refuse a request whose optional extensions were not all handled, instead of ignoring them. */
  readonly refuseUnhandledOptional: boolean;
}

export interface CheckedKeyRequest {
  readonly number: number;
  readonly sizeBits: number;
  readonly additionalSlaves: readonly string[];
}

/** A 400, with the message to send. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

type Members = Readonly<Record<string, unknown>>;

export function parseMembers(body: string): Members {
  if (body.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new BadRequest('the request is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest('the request is no JSON object');
  }
  return { ...value };
}

/** Key request, ETSI GS QKD 014 §6.2. @throws BadRequest */
export function checkKeyRequest(
  members: Members,
  limits: KeyLimits,
  rules: ExtensionRules,
): CheckedKeyRequest {
  const number = integer(members['number'], 'number') ?? 1;
  const sizeBits = integer(members['size'], 'size') ?? limits.keySizeBits;
  if (number < 1) throw new BadRequest('number shall be at least 1');
  if (number > limits.maxKeysPerRequest) {
    throw new BadRequest(`number shall be at most ${String(limits.maxKeysPerRequest)}`);
  }
  if (sizeBits % 8 !== 0) throw new BadRequest('size shall be a multiple of 8');
  if (sizeBits < limits.minKeySizeBits || sizeBits > limits.maxKeySizeBits) {
    const { minKeySizeBits, maxKeySizeBits } = limits;
    throw new BadRequest(
      `size shall be from ${String(minKeySizeBits)} to ${String(maxKeySizeBits)}`,
    );
  }
  const additionalSlaves = list(members['additional_slave_SAE_IDs'], 'additional_slave_SAE_IDs');
  if (additionalSlaves.length > limits.maxAdditionalSlaves) {
    throw new BadRequest(
      `additional_slave_SAE_IDs shall hold at most ${String(limits.maxAdditionalSlaves)} IDs`,
    );
  }
  checkExtensions(members, rules);
  return {
    number,
    sizeBits,
    additionalSlaves: additionalSlaves.map((id) => {
      if (typeof id !== 'string') throw new BadRequest('an SAE ID shall be a string');
      return id;
    }),
  };
}

/** Key IDs, ETSI GS QKD 014 §6.4. @throws BadRequest */
export function checkKeyIds(members: Members, limits: KeyLimits): readonly string[] {
  const ids = list(members['key_IDs'], 'key_IDs').map((entry) => {
    const id: unknown =
      typeof entry === 'object' && entry !== null ? Reflect.get(entry, 'key_ID') : undefined;
    if (typeof id !== 'string') throw new BadRequest('key_IDs shall hold objects with a key_ID');
    return id;
  });
  if (ids.length === 0) throw new BadRequest('key_IDs shall not be empty');
  if (ids.length > limits.maxKeysPerRequest) {
    throw new BadRequest(`key_IDs shall hold at most ${String(limits.maxKeysPerRequest)} key IDs`);
  }
  return ids;
}

function checkExtensions(members: Members, rules: ExtensionRules): void {
  const mandatory = extensions(members['extension_mandatory'], 'extension_mandatory');
  if (mandatory.some(([name]) => !isSupported(rules, name))) {
    throw new BadRequest('not all extension_mandatory parameters are supported');
  }
  if (mandatory.some(([name, value]) => !canMeet(rules, name, value))) {
    throw new BadRequest('not all extension_mandatory request options could be met');
  }
  const optional = extensions(members['extension_optional'], 'extension_optional');
  if (
    rules.refuseUnhandledOptional &&
    optional.some(([name, value]) => !canMeet(rules, name, value))
  ) {
    throw new BadRequest('not all extension_optional request options handled');
  }
}

function extensions(value: unknown, member: string): [string, unknown][] {
  return list(value, member).flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      throw new BadRequest(`${member} shall hold objects`);
    }
    return Object.entries(entry);
  });
}

function isSupported(rules: ExtensionRules, name: string): boolean {
  return Object.hasOwn(rules.supported, name);
}

function canMeet(rules: ExtensionRules, name: string, value: unknown): boolean {
  return isSupported(rules, name) && (rules.supported[name]?.includes(value) ?? false);
}

function integer(value: unknown, member: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw new BadRequest(`${member} shall be an integer`);
  }
  return number;
}

function list(value: unknown, member: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new BadRequest(`${member} shall be a list`);
  return value;
}
