/**
 * Enrolment asks the card to attest the key that it made, before the CA certifies it: a private key
 * that is on no card could pay with one coin twice.
 */
import {
  attestAnswer,
  judgeAttestation,
  type AttestAnswer,
} from '../../applet-spec/attestation.ts';
import type { Certificate } from '../../applet-spec/certificate.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import type { CardRecord } from '../store/store.ts';
import type { CardChannel } from './card-channel.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError } from './desk-error.ts';

const nonceBytes = 32;

/**
 * The root of the maker that vouches for the card, undefined where its key is taken on trust.
 *
 * Where makers are trusted: a false attestation is refused always, a missing one and one of another
 * maker where attestation is required. Throws DeskError `card-not-attested`, `outcome-unknown`.
 */
export async function checkAttestation(
  context: Pick<DeskContext, 'attestation' | 'primitives' | 'clock' | 'entropy' | 'log'>,
  channel: Pick<CardChannel, 'send'>,
  card: Pick<CardRecord, 'user' | 'serial'>,
  publicKey: Uint8Array,
): Promise<Certificate | undefined> {
  const { attestation: policy, primitives, clock, entropy, log } = context;
  const { makers, required } = policy;
  if (makers.length === 0) return undefined;
  const nonce = entropy.randomBytes(nonceBytes);
  const answer = await ask(channel, nonce);
  const nowSeconds = BigInt(Math.floor(clock.nowMs() / 1000));
  const known = { makers, nowSeconds, serial: card.serial, nonce, publicKey };
  const verdict =
    answer === undefined
      ? ({ ok: false, reason: 'missing', detail: 'the card has no device key' } as const)
      : judgeAttestation(primitives, { answer, ...known });
  const { user } = card;
  if (verdict.ok) {
    log.info({ user }, 'the card has attested its key');
    return verdict.maker;
  }
  const { reason, detail } = verdict;
  log.warn({ user, reason, detail, required }, 'the card has not attested its key');
  if (!required && (reason === 'missing' || reason === 'unknown-maker')) return undefined;
  throw new DeskError('card-not-attested', `${words[reason]} (${reason})`);
}

/** undefined where the card says that it cannot. */
async function ask(
  channel: Pick<CardChannel, 'send'>,
  nonce: Uint8Array,
): Promise<AttestAnswer | undefined> {
  const reply = await channel.send('attest', nonce);
  if (reply.outcome === 'unknown') {
    throw new DeskError('outcome-unknown', 'The card’s answer was not authentic; connect again.');
  }
  if (reply.result === 'no-device-key') return undefined;
  if (reply.result !== 'done') {
    throw new DeskError('card-fault', `The card answered ATTEST with ${reply.result}.`);
  }
  try {
    return decodeElement(attestAnswer, reply.payload, 'answer to ATTEST');
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw new DeskError('card-fault', 'The card’s attestation cannot be read.', { cause: error });
  }
}

const notGenuine = 'The card’s attestation is false. Do not use this card; tell your station.';
const words = {
  missing: 'This station enrols only cards that attest their key, and this one cannot.',
  'unknown-maker': 'This station does not trust the maker of this card; ask it for one of its own.',
  'bad-device-certificate': 'The card’s device certificate does not hold; ask its maker.',
  'other-card': notGenuine,
  'bad-signature': notGenuine,
  'other-nonce': notGenuine,
  'other-key': notGenuine,
  'weak-policy': 'The card does not protect its key as this station requires.',
} as const;
