/**
 * The desk of a card maker: a root of its own, and a certified device key for each card. The
 * certificates are written here and now, with a signature that the same seed makes again.
 */
import { concatBytes, equalBytes, fromHex, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { parseCertificate, subjectPublicKeyInfo } from '../../applet-spec/certificate.ts';
import { derTags } from '../../applet-spec/der.ts';
import { hardwareModuleNames } from '../../applet-spec/hardware-module-name.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import type { Entropy, SigningKey } from '../../applet-spec/primitives.ts';
import { encodeTlv } from '../../applet-spec/tlv.ts';
import type { DeviceIdentity } from './card-state.ts';
import { drawKey } from './key-draw.ts';

/** From any time on and for ever: a device's certificate lives as long as the device (802.1AR). */
const validity = sequence(
  encodeTlv(derTags.utcTime, toUtf8('200101000000Z')),
  encodeTlv(derTags.generalizedTime, toUtf8('99991231235959Z')),
);
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
/** basicConstraints: a CA of end entities only; keyUsage: keyCertSign and cRLSign. */
const rootExtensions = [
  extension('551d13', fromHex('30060101ff020100'), true),
  extension('551d0f', fromHex('03020106'), true),
];
/** No CA; digitalSignature; the extended key usage of `card-device`. */
const deviceExtensions = [
  extension('551d13', fromHex('3000'), true),
  extension('551d0f', fromHex('03020780'), true),
  extension('551d25', sequence(oid('69838febf8e581afcab8d797f9a0eddbf4a0c45305')), true),
];

export class DeviceMaker {
  /** DER of the self-signed root: what a station trusts. */
  readonly root: Uint8Array;
  readonly #name: Uint8Array;
  readonly #key: SigningKey;
  readonly #entropy: Entropy;

  private constructor(root: Uint8Array, name: Uint8Array, key: SigningKey, entropy: Entropy) {
    this.root = root;
    this.#name = name;
    this.#key = key;
    this.#entropy = entropy;
  }

  /** A new maker; `privateKey` is its scalar, 32 bytes, `name` the root's common name. */
  static found(privateKey: Uint8Array, name: string, entropy: Entropy): DeviceMaker {
    const subject = commonName(name);
    const key = primitives.signingKey(privateKey);
    const content = { issuer: subject, subject, publicKey: key.publicKey };
    const root = certify(key, entropy, { ...content, extensions: rootExtensions });
    return new DeviceMaker(root, subject, key, entropy);
  }

  /** A maker that has a root. Throws CertificateError; RangeError where it is another key's. */
  static open(privateKey: Uint8Array, root: Uint8Array, entropy: Entropy): DeviceMaker {
    const { subject, publicKey } = parseCertificate(root);
    const key = primitives.signingKey(privateKey);
    if (!equalBytes(key.publicKey, publicKey)) throw new RangeError('the root of another key');
    return new DeviceMaker(root, subject, key, entropy);
  }

  /** A key and its certificate for the card of this serial number, 16 bytes. */
  equip(serial: Uint8Array): DeviceIdentity {
    const { privateKey, signingKey } = drawKey(primitives, this.#entropy);
    const certificate = certify(this.#key, this.#entropy, {
      issuer: this.#name,
      subject: commonName(toHex(serial)),
      publicKey: signingKey.publicKey,
      extensions: [...deviceExtensions, extension('551d11', hardwareModuleNames(serial), false)],
    });
    return { privateKey, certificate };
  }
}

interface Content {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

/** Certificate of RFC 5280 §4.1, version 3. */
function certify(key: SigningKey, entropy: Entropy, content: Content): Uint8Array {
  const serialNumber = entropy.randomBytes(16);
  // Positive and without a leading zero (RFC 5280 §4.1.2.2).
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x3f) | 0x40;
  const tbs = sequence(
    encodeTlv(0xa0, encodeTlv(derTags.integer, Uint8Array.of(2))),
    encodeTlv(derTags.integer, serialNumber),
    ecdsaWithSha256,
    content.issuer,
    validity,
    content.subject,
    subjectPublicKeyInfo(content.publicKey),
    encodeTlv(0xa3, sequence(...content.extensions)),
  );
  const signature = key.sign(tbs);
  const value = sequence(integer(signature.subarray(0, 32)), integer(signature.subarray(32)));
  const bits = encodeTlv(derTags.bitString, concatBytes(Uint8Array.of(0), value));
  return sequence(tbs, ecdsaWithSha256, bits);
}

/** Name of one common name, UTF8String. */
function commonName(text: string): Uint8Array {
  const attribute = sequence(oid('550403'), encodeTlv(0x0c, toUtf8(text)));
  return sequence(encodeTlv(0x31, attribute));
}

function extension(id: string, value: Uint8Array, critical: boolean): Uint8Array {
  const flag = critical ? encodeTlv(derTags.boolean, Uint8Array.of(0xff)) : new Uint8Array(0);
  return sequence(oid(id), flag, encodeTlv(derTags.octetString, value));
}

/** Of a big-endian magnitude: shortest, and never taken for a negative one (X.690 §8.3). */
function integer(magnitude: Uint8Array): Uint8Array {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const digits = magnitude.subarray(first);
  const sign = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return encodeTlv(derTags.integer, concatBytes(sign, digits));
}

function oid(content: string): Uint8Array {
  return encodeTlv(derTags.objectIdentifier, fromHex(content));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encodeTlv(derTags.sequence, concatBytes(...parts));
}
