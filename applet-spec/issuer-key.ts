import type { Certificate } from './certificate.ts';
import type { Primitives, VerifyingKey } from './primitives.ts';

const imported = new WeakMap<Primitives, WeakMap<Certificate, VerifyingKey>>();

/**
 * The key of an issuer's certificate. A root lives as long as its process and an import costs two
 * verifications, so it is made once. Throws RangeError for what is no point of P-256.
 */
export function issuerKey(primitives: Primitives, issuer: Certificate): VerifyingKey {
  let keys = imported.get(primitives);
  if (keys === undefined) imported.set(primitives, (keys = new WeakMap()));
  let key = keys.get(issuer);
  if (key === undefined) keys.set(issuer, (key = primitives.verifyingKey(issuer.publicKey)));
  return key;
}
