/** What the station gives a card and takes from it at enrolment, and at renewal. */
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { attestAnswer, attestation, cardKeyPolicy } from '../../applet-spec/attestation.ts';
import { concatBytes, equalBytes, fromHex } from '../../applet-spec/bytes.ts';
import { generatedKey, profile, type Profile } from '../../applet-spec/card-objects.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { headNow } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { keyCheckValue, openPutKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import {
  done,
  refuse,
  requireDataLength,
  requireParameters,
  requirePublicKey,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import { lifeCycleOf, ownership, type CardState, type StoredKeys } from './card-state.ts';
import { drawKey } from './key-draw.ts';

const handleBytes = 16;

/** SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 §2.1.1): one form, one prefix. */
const p256KeyInfo = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');

/** GENERATE KEY PAIR: the old key stays in force until the new one's certificate comes. */
export function generateKeyPair(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  requireDataLength(command, limits.nonceBytesLeast, limits.nonceBytesMost);
  if (lifeCycleOf(memory.state) === 'blank') return refuse('not-initialised');
  const { privateKey, signingKey } = drawKey(primitives, card.entropy);
  memory.commit({ pendingPrivateKey: privateKey });
  const possession = signingKey.sign(
    concatBytes(labels.possession, command.data, signingKey.publicKey),
  );
  return done(generatedKey.encode({ publicKey: signingKey.publicKey, possession }));
}

/**
 * ATTEST: the device key certifies the pending key pair where there is one, else the one in force.
 */
export function attest(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  requireDataLength(command, limits.nonceBytesLeast, limits.nonceBytesMost);
  const { device, serial, pendingPrivateKey, privateKey } = memory.state;
  if (device === undefined) return refuse('no-device-key');
  const attested = pendingPrivateKey ?? privateKey;
  if (attested === undefined) return refuse('not-found');
  const body = {
    ...headNow,
    serial,
    publicKey: primitives.signingKey(attested).publicKey,
    nonce: command.data,
    policy: cardKeyPolicy,
  };
  const signed = attestation.sign(body, primitives.signingKey(device.privateKey));
  return done(attestAnswer.encode({ deviceCertificate: device.certificate, attestation: signed }));
}

/**
 * PUT CERTIFICATE: for the pending key, which is in force from then on, or for the one in force.
 */
export function putCertificate(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  requireDataLength(command, 1, limits.certificateBytes);
  const { pendingPrivateKey, privateKey } = memory.state;
  if (pendingPrivateKey !== undefined && certifies(primitives, command.data, pendingPrivateKey)) {
    const { pendingPrivateKey: _inForce, ...others } = memory.state;
    const former = formerKeys(primitives, memory.state, command.data);
    memory.replace({
      ...others,
      ...former,
      privateKey: pendingPrivateKey,
      certificate: command.data,
    });
    return done();
  }
  if (privateKey !== undefined && certifies(primitives, command.data, privateKey)) {
    const former = formerKeys(primitives, memory.state, command.data);
    memory.commit({ ...former, certificate: command.data });
    return done();
  }
  return refuse('conflict');
}

/** With the one that goes: its owner's audits ask by which key an old signature was made. */
function formerKeys(
  primitives: Primitives,
  { formerKeys: before = [], certificate: old, privateKey }: CardState,
  next: Uint8Array,
): Pick<CardState, 'formerKeys'> {
  if (old === undefined || privateKey === undefined || equalBytes(old, next)) return {};
  const { publicKey } = primitives.signingKey(privateKey);
  const all = [...before, { certificate: primitives.sha256(old), publicKey }];
  return { formerKeys: all.slice(-limits.cardFormerKeys) };
}

/** PUT PROFILE. The limits and the station's key may change later; who and where may not. */
export function putProfile(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  const wanted = decodeElement(profile, command.data, 'profile');
  requirePublicKey(primitives, wanted.homeStationKey);
  if (lifeCycleOf(memory.state) === 'blank') return refuse('not-initialised');
  const present = ownership(memory.state)?.profile;
  if (present !== undefined && !sameOwner(present, wanted)) return refuse('conflict');
  memory.commit({ profile: wanted });
  return done();
}

/** PUT HANDLE: what the card is called from its next greeting on. */
export function putHandle(card: CardContext, command: CommandApdu): SecureAnswer {
  requireParameters(command, 0x00);
  requireDataLength(command, handleBytes);
  card.memory.commit({ handle: command.data });
  return done();
}

/** PUT KEY: from the next session on. The answer is the version and the four check values. */
export function putKey(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives, session } = card;
  const { origin } = session.secure;
  if (origin === undefined) throw statusWord('card-fault');
  if (command.p2 !== 0x81) throw statusWord('incorrect-parameters');
  const opened = openPutKey(primitives, origin.keys.dek, command);
  if (opened.kind === 'refused') {
    if (opened.reason === 'key-check-failed') return refuse('key-check-failed');
    throw statusWord('incorrect-data');
  }
  const { currentVersion, newVersion, keys } = opened;
  if (currentVersion !== origin.keys.version) throw statusWord('reference-data-not-found');
  const wanted = { ...keys, version: newVersion };
  const present = memory.state.keys;
  // The same again is the answer that got lost; the same version with other keys is a mistake.
  if (newVersion === present.version || newVersion === origin.keys.version) {
    if (!sameKeys(present, wanted)) return refuse('conflict');
  } else {
    memory.commit({ keys: wanted });
  }
  return done(concatBytes(Uint8Array.of(newVersion), ...checkValues(primitives, keys)));
}

/**
 * A card need not read X.509: the certificate must hold its key, in the one form that a key has.
 */
function certifies(primitives: Primitives, der: Uint8Array, privateKey: Uint8Array): boolean {
  const { publicKey } = primitives.signingKey(privateKey);
  const wanted = concatBytes(p256KeyInfo, publicKey);
  for (let start = 0; start + wanted.length <= der.length; start++) {
    if (equalBytes(der.subarray(start, start + wanted.length), wanted)) return true;
  }
  return false;
}

function sameOwner(a: Profile, b: Profile): boolean {
  return (
    a.user === b.user &&
    a.homeStation === b.homeStation &&
    a.network === b.network &&
    a.currency === b.currency
  );
}

function sameKeys(a: StoredKeys, b: StoredKeys): boolean {
  return (
    a.version === b.version &&
    equalBytes(a.enc, b.enc) &&
    equalBytes(a.mac, b.mac) &&
    equalBytes(a.dek, b.dek) &&
    equalBytes(a.hostLink, b.hostLink)
  );
}

function checkValues(primitives: Primitives, keys: CardKeys): readonly Uint8Array[] {
  return [keys.enc, keys.mac, keys.dek, keys.hostLink].map((key) => keyCheckValue(primitives, key));
}
