/**
 * The first messages of a link: TLV, and a 16-byte AES-CMAC behind it under a key that the
 * link-authentication key gives for this kind of message. Nothing here is secret, and no QKD key is
 * drawn or fetched for a message whose MAC does not verify (design §5).
 *
 *     D → L   hello       names, network, versions, suite, nonce of D
 *     L → D   answer      the same of L, one version       D knows L now, L does not know D yet
 *     D → L   diallerKey  IDs of D's traffic key           its MAC covers both nonces: L knows D
 *     L → D   listenerKey IDs of L's traffic key
 *     either  refusal     in the place of its next message
 *
 *     MAC = CMAC(KDF(authentication key, kind, direction), SHA-256 chain of all before ‖ message)
 */
import { concatBytes } from '../../applet-spec/bytes.ts';
import { deriveKey } from '../../applet-spec/kdf.ts';
import { networkName, stationName, suite } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  choice,
  element,
  octets,
  oneOfGrowing,
  optional,
  small,
  struct,
  text,
  type Static,
} from '../../applet-spec/tlv.ts';
import type { LinkDirection } from './frame-cipher.ts';
import { keyIds } from './key-ids.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';

/** Versions of the link that one end speaks, `least` to `most`. */
export interface LinkVersions {
  readonly least: number;
  readonly most: number;
}

/** This program's. Two ends take the highest that both speak (failure 48). */
export const linkVersions: LinkVersions = { least: 1, most: 1 };
export const linkNonceBytes = 32;
export const handshakeMacBytes = 16;

const greeting = {
  /**
   * First and wide: greetings have this form in every version, so that stations of two versions can
   * still tell each other. In a hello the highest that the dialler speaks, in an answer the one
   * that both speak from here on.
   */
  version: element(0x80, small(0xffff)),
  network: element(0x81, networkName),
  from: element(0x82, stationName),
  to: element(0x83, stationName),
  suite: element(0x84, suite),
  nonce: element(0x85, octets(linkNonceBytes)),
};

const hello = struct({
  ...greeting,
  /** The lowest that the dialler speaks, where that is another. */
  leastVersion: optional(element(0x86, small(0xffff))),
});
/** A hello, or an answer, which has one version. */
export type Greeting = Static<typeof hello>;

const trafficKeyIds = struct({ keyIds: element(0x80, keyIds(linkLimits.trafficKeyIds)) });

/** Why a peer makes no link now; each with its words in `detail`. */
const refusalCodes = {
  mismatch: 1,
  yielded: 2,
  'no-keys': 3,
  'key-not-usable': 4,
  'not-now': 5,
} as const;
export type RefusalWord = keyof typeof refusalCodes;

export const handshakeMessage = choice({
  hello: element(0x61, hello),
  answer: element(0x62, struct(greeting)),
  diallerKey: element(0x63, trafficKeyIds),
  listenerKey: element(0x64, trafficKeyIds),
  refusal: element(
    0x65,
    struct({ why: element(0x80, oneOfGrowing(refusalCodes)), detail: element(0x81, text(256)) }),
  ),
});
export type HandshakeMessage = Static<typeof handshakeMessage>;
export type HandshakeKind = HandshakeMessage['kind'];
export type Refusal = Extract<HandshakeMessage, { kind: 'refusal' }>['content'];

/** The highest version that both speak, or undefined. */
export function commonVersion(ours: LinkVersions, theirs: LinkVersions): number | undefined {
  const version = Math.min(ours.most, theirs.most);
  return version >= Math.max(ours.least, theirs.least) ? version : undefined;
}

export function versionsOf({ version, leastVersion = version }: Greeting): LinkVersions {
  return { least: leastVersion, most: version };
}

/** Message and MAC apart, unverified. Throws LinkError `handshake-malformed`. */
export function splitHandshake(bytes: Uint8Array): {
  readonly message: HandshakeMessage;
  readonly body: Uint8Array;
  readonly mac: Uint8Array;
} {
  if (bytes.length <= handshakeMacBytes || bytes.length > linkLimits.handshakeBytes) {
    throw new LinkError('handshake-malformed', `a first message of ${bytes.length} bytes`);
  }
  // Copies, and no Buffer, whose slices share memory.
  const body = Uint8Array.from(bytes.subarray(0, -handshakeMacBytes));
  try {
    const message = handshakeMessage.decode(body);
    return { message, body, mac: bytes.subarray(-handshakeMacBytes) };
  } catch (cause) {
    throw new LinkError('handshake-malformed', 'a first message that nobody writes', { cause });
  }
}

/** `chain` is the digest over everything said before. */
export function handshakeMac(
  primitives: Primitives,
  authenticationKey: Uint8Array,
  about: {
    readonly kind: HandshakeKind;
    readonly direction: LinkDirection;
    readonly chain: Uint8Array;
    readonly body: Uint8Array;
  },
): Uint8Array {
  const macKey = deriveKey(primitives, authenticationKey, {
    label: 'keytoll link 1',
    use: about.kind,
    direction: about.direction,
    context: new Uint8Array(0),
  });
  return primitives.aesCmac(macKey, concatBytes(about.chain, about.body));
}
