/**
 * Attestation: the card's device key, which its maker certified, certifies in its turn a key pair
 * that the card made, over the station's nonce. So a station knows that a user's private key is on
 * a card, and nowhere else. Prose: `attestation.md`.
 */
import { equalBytes, toHex } from './bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
  type CertificateRefused,
} from './certificate.ts';
import { CertificateError } from './certificate-error.ts';
import { labels } from './labels.ts';
import { limits } from './limits.ts';
import { certificate, publicKey, shortId, signedHead } from './names.ts';
import type { Primitives } from './primitives.ts';
import { signedKind, type Signed } from './signed-object.ts';
import { element, octets, small, struct, type Static } from './tlv.ts';

/** What a card promises of its key pair; one bit each. */
export const keyPolicyBits = {
  /** The card drew the private key itself. */
  'made-on-card': 0x01,
  /** Nothing reads the private key, and no copy of it exists. */
  'never-leaves': 0x02,
  /** It signs possessions, transactions and acknowledgements, and nothing that a caller chooses. */
  'named-objects-only': 0x04,
  /** It signs a transaction only for a quote that the host authorised after the PIN. */
  'pays-when-authorised': 0x08,
} as const;

/** A card of this specification keeps all of them. */
export const cardKeyPolicy = 0x0f;

const attestationBody = struct({
  ...signedHead,
  /** The card's serial number, as in its device certificate. */
  serial: element(0x82, shortId),
  publicKey: element(0x83, publicKey),
  nonce: element(0x84, octets(limits.nonceBytesLeast, limits.nonceBytesMost)),
  policy: element(0x85, small(cardKeyPolicy)),
});
export type AttestationBody = Static<typeof attestationBody>;
export type Attestation = Signed<AttestationBody>;

/** Signed by the card's device key. */
export const attestation = signedKind('attestation', 0xec, labels.attestation, attestationBody);

/** Answer of ATTEST. */
export const attestAnswer = element(
  0x78,
  struct({ deviceCertificate: element(0x80, certificate), attestation }),
);
export type AttestAnswer = Static<typeof attestAnswer>;

/** In the order in which they are looked for. */
export const attestationRefusals = [
  /** No root that the station trusts has signed the device certificate. */
  'unknown-maker',
  /** The device certificate is unreadable, of another role, or out of date. */
  'bad-device-certificate',
  /** It is a good attestation of another card. */
  'other-card',
  'bad-signature',
  /** An attestation that was made before: a replay. */
  'other-nonce',
  'other-key',
  /** The card does not promise all of `cardKeyPolicy`. */
  'weak-policy',
] as const;
export type AttestationRefusal = (typeof attestationRefusals)[number];

export interface AttestationQuestion {
  readonly answer: AttestAnswer;
  /** Roots of the makers that the station trusts. */
  readonly makers: readonly Certificate[];
  readonly nowSeconds: bigint;
  /** What the station knows: the card's serial number, its own nonce, and the key in question. */
  readonly serial: Uint8Array;
  readonly nonce: Uint8Array;
  readonly publicKey: Uint8Array;
}

export type AttestationVerdict =
  | { readonly ok: true; readonly maker: Certificate }
  | { readonly ok: false; readonly reason: AttestationRefusal; readonly detail: string };

/** All that a station asks of an attestation at enrolment. `detail` is for its operator. */
export function judgeAttestation(
  primitives: Primitives,
  question: AttestationQuestion,
): AttestationVerdict {
  const { answer, serial } = question;
  const device = readDevice(answer.deviceCertificate);
  if (typeof device === 'string') return refuse('bad-device-certificate', device);
  const maker = makerOf(primitives, device, question);
  if ('reason' in maker) return maker;
  const { body } = answer.attestation;
  if (device.name !== toHex(serial)) {
    return refuse('other-card', `the device certificate is of card ${device.name ?? 'unnamed'}`);
  }
  if (!equalBytes(body.serial, serial)) {
    return refuse('other-card', `the attestation is of card ${toHex(body.serial)}`);
  }
  const objection = objectionTo(primitives, device, question);
  return objection ?? { ok: true, maker };
}

function objectionTo(
  primitives: Primitives,
  device: Certificate,
  { answer, nonce, publicKey: wanted }: AttestationQuestion,
): Extract<AttestationVerdict, { ok: false }> | undefined {
  const { body } = answer.attestation;
  if (!signedBy(primitives, device, answer.attestation)) {
    return refuse('bad-signature', 'the signature is not the device key’s');
  }
  if (!equalBytes(body.nonce, nonce)) {
    return refuse('other-nonce', 'the attestation answers another nonce: it was made before');
  }
  if (!equalBytes(body.publicKey, wanted)) {
    return refuse('other-key', 'the attestation is of another key pair');
  }
  if (body.policy !== cardKeyPolicy) {
    const missing = Object.entries(keyPolicyBits)
      .filter(([, bit]) => (body.policy & bit) === 0)
      .map(([name]) => name);
    return refuse('weak-policy', `the card does not promise ${missing.join(', ')}`);
  }
  return undefined;
}

/** The certificate, or what is wrong with it. */
function readDevice(der: Uint8Array): Certificate | string {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof CertificateError) return error.message;
    throw error;
  }
}

/** A maker may have several roots of one name: any that signed the certificate will do. */
function makerOf(
  primitives: Primitives,
  device: Certificate,
  { makers, nowSeconds }: AttestationQuestion,
): Certificate | Extract<AttestationVerdict, { ok: false }> {
  let nearest: CertificateRefused | undefined;
  for (const root of makers) {
    const question = { certificate: device, root, nowSeconds, role: 'card-device' } as const;
    const refusal = issuanceRefusal(primitives, question);
    if (refusal === undefined) return root;
    if (refusal.reason !== 'foreign' && refusal.reason !== 'bad-signature') nearest = refusal;
  }
  if (nearest === undefined) {
    return refuse('unknown-maker', 'no maker that is trusted here has certified the card');
  }
  return refuse('bad-device-certificate', nearest.detail);
}

function signedBy(primitives: Primitives, device: Certificate, signed: Attestation): boolean {
  try {
    return attestation.verify(signed, primitives.verifyingKey(device.publicKey));
  } catch (error) {
    // A certificate may name a point that is not on the curve.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function refuse(
  reason: AttestationRefusal,
  detail: string,
): Extract<AttestationVerdict, { ok: false }> {
  return { ok: false, reason, detail };
}
