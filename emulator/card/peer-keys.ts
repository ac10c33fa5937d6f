/**
 * The keys shared with peers: their arrival, their verdict, and what applications derive from them.
 */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import {
  offer as offerObject,
  offerAnswer,
  peerKeyPage,
  trafficAnswer,
  trafficRequest,
  type PeerKeyEntry,
} from '../../applet-spec/card-objects.ts';
import { commitmentOf } from '../../applet-spec/coin.ts';
import { trafficDirections } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { headNow } from '../../applet-spec/names.ts';
import { paymentIdOf, transaction } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import {
  answer,
  done,
  refuse,
  requireDataLength,
  requireParameters,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import { ownership, type CardState, type Ownership, type StoredPeerKey } from './card-state.ts';
import { laterOf } from './coin-pool.ts';

const peerKeysPerPage = 16;
const paymentIdBytes = 32;
const epochsMost = 0xffff_ffffn;

/**
 * OFFER (S37): the key is stored, provisional, before it is acknowledged; once, however often it
 * comes.
 */
export function offer(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  const offered = decodeElement(offerObject, command.data, 'offer');
  const named = decodeElement(transaction, offered.transaction, 'transaction');
  const owner = ownership(memory.state);
  if (owner === undefined) return refuse('not-enrolled');
  const paymentId = paymentIdOf(primitives, offered.transaction);
  const before = peerKeyOf(memory.state, paymentId);
  if (before !== undefined) return offeredBefore(before);
  const commitment = commitmentOf(primitives, named.coinId, offered.coinSecret);
  if (!equalBytes(commitment, named.commitment)) return refuse('commitment-mismatch');
  if (memory.state.peerKeys.length >= limits.cardPeerKeys) return refuse('peer-keys-full');
  const signature = acknowledge(primitives, owner, paymentId);
  const slot: StoredPeerKey = {
    paymentId,
    role: 'payee',
    state: 'provisional',
    peer: offered.payer,
    coinId: named.coinId,
    sendEpoch: memory.state.epochFloor ?? 0n,
    verdictStation: owner.profile.homeStation,
    verdictKey: owner.profile.homeStationKey,
    secret: offered.coinSecret,
    signature,
  };
  memory.commit({ peerKeys: [...memory.state.peerKeys, slot] });
  return done(offerAnswer.encode({ signature }));
}

/** LIST PEER KEYS, from the index P1 on. */
export function listPeerKeys(card: CardContext, { p1, p2, data }: CommandApdu): ResponseApdu {
  if (p2 !== 0) throw statusWord('incorrect-parameters');
  if (data.length > 0) throw statusWord('wrong-length');
  const { peerKeys } = card.memory.state;
  const entries = peerKeys
    .slice(p1, p1 + peerKeysPerPage)
    .map((slot) => peerKeyEntryOf(card.primitives, slot));
  return answer(peerKeyPage.encode({ total: peerKeys.length, entries }));
}

/** ERASE PEER KEY: never one whose verdict is still to come. */
export function erasePeerKey(card: CardContext, command: CommandApdu): ResponseApdu {
  const { memory } = card;
  requireParameters(command, 0x00);
  requireDataLength(command, paymentIdBytes);
  const slot = requirePeerKey(memory.state, command.data);
  if (slot.state === 'provisional') throw statusWord('conditions-of-use-not-satisfied');
  const { peerKeys, epochFloor = 0n } = memory.state;
  memory.commit({
    peerKeys: peerKeys.filter((other) => other !== slot),
    epochFloor: laterOf(epochFloor, slot.sendEpoch),
  });
  return answer();
}

/** DERIVE TRAFFIC (S4): the epoch for sending is durable before its key is given out. */
export function deriveTraffic(card: CardContext, command: CommandApdu): ResponseApdu {
  const { memory, primitives } = card;
  const { p1, p2, data } = command;
  const sending = p1 === trafficDirections.send;
  if (p2 !== 0 || (!sending && p1 !== trafficDirections.receive)) {
    throw statusWord('incorrect-parameters');
  }
  const { paymentId, epoch: asked } = decodeElement(trafficRequest, data, 'traffic request');
  if (sending !== (asked === undefined) || asked === 0n) throw statusWord('incorrect-data');
  const slot = requirePeerKey(memory.state, paymentId);
  if (slot.state !== 'active' || slot.secret === undefined) {
    throw statusWord('conditions-of-use-not-satisfied');
  }
  const epoch = asked ?? slot.sendEpoch + 1n;
  if (epoch > epochsMost) throw statusWord('conditions-of-use-not-satisfied');
  if (sending) memory.commit(withPeerKey(memory.state, { ...slot, sendEpoch: epoch }));
  const direction = sending === (slot.role === 'payer') ? 'to-payee' : 'to-payer';
  const trafficKey = peerTrafficKey(primitives, slot.secret, direction, paymentId, epoch);
  return answer(trafficAnswer.encode({ epoch, trafficKey }));
}

export function peerKeyOf(state: CardState, paymentId: Uint8Array): StoredPeerKey | undefined {
  return state.peerKeys.find((slot) => equalBytes(slot.paymentId, paymentId));
}

/** The change by which a slot takes the place of the one with its payment ID. */
export function withPeerKey(state: CardState, slot: StoredPeerKey): Pick<CardState, 'peerKeys'> {
  return {
    peerKeys: state.peerKeys.map((other) =>
      equalBytes(other.paymentId, slot.paymentId) ? slot : other,
    ),
  };
}

function requirePeerKey(state: CardState, paymentId: Uint8Array): StoredPeerKey {
  const slot = peerKeyOf(state, paymentId);
  if (slot === undefined) throw statusWord('reference-data-not-found');
  return slot;
}

function offeredBefore({ role, state, signature }: StoredPeerKey): SecureAnswer {
  if (role !== 'payee') return refuse('conflict');
  if (state === 'burned') return refuse('already-concluded');
  if (signature === undefined) throw statusWord('card-fault');
  return done(offerAnswer.encode({ signature }));
}

function acknowledge(primitives: Primitives, owner: Ownership, paymentId: Uint8Array): Uint8Array {
  const body = acknowledgement.body.encode({
    ...headNow,
    paymentId,
    payeeCertificate: primitives.sha256(owner.certificate),
  });
  return primitives.signingKey(owner.privateKey).sign(concatBytes(labels.acknowledgement, body));
}

function peerKeyEntryOf(primitives: Primitives, slot: StoredPeerKey): PeerKeyEntry {
  const { paymentId, role, state, peer, coinId, sendEpoch, secret } = slot;
  return {
    paymentId,
    role,
    state,
    peer,
    coinId,
    sendEpoch,
    ...(secret !== undefined && { check: peerKeyCheck(primitives, secret, paymentId) }),
  };
}
