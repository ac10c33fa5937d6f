/**
 * CONCLUDE (S38, S39): the card believes the last station's receipt, or its own station's refusal.
 */
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { PeerKeyState } from '../../applet-spec/card-objects.ts';
import type { CardResult } from '../../applet-spec/commands.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { receipt, refusal, type Receipt, type Refusal } from '../../applet-spec/receipt.ts';
import {
  done,
  refuse,
  requireParameters,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import { ownership, type CardState, type Ownership, type StoredPeerKey } from './card-state.ts';
import { laterOf, withoutCoins } from './coin-pool.ts';
import { peerKeyOf, withPeerKey } from './peer-keys.ts';

type Word =
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  | { readonly kind: 'refusal'; readonly refusal: Refusal };

export function conclude(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  const word = decodeWord(command.data);
  const owner = ownership(memory.state);
  if (owner === undefined) return refuse('not-enrolled');
  const { body } = word.kind === 'receipt' ? word.receipt : word.refusal;
  const slot = peerKeyOf(memory.state, body.paymentId);
  if (slot === undefined) return refuse('not-found');
  const doubt =
    word.kind === 'receipt'
      ? whyNotReceipt(primitives, slot, word.receipt)
      : whyNotRefusal(primitives, owner, slot, word.refusal);
  if (doubt !== undefined) return refuse(doubt);
  const delivered = word.kind === 'receipt' && word.receipt.body.verdict === 'delivered';
  const verdict = delivered ? 'active' : 'burned';
  if (slot.state === verdict) return done();
  if (slot.state !== 'provisional') return refuse('already-concluded');
  memory.commit({
    ...concluded(memory.state, slot, verdict),
    timeSeen: laterOf(memory.state.timeSeen, body.time),
  });
  return done();
}

/**
 * The payer's coin leaves the pool either way: spent, or burned because relays may have seen it.
 */
function concluded(
  state: CardState,
  slot: StoredPeerKey,
  verdict: Exclude<PeerKeyState, 'provisional'>,
): Partial<CardState> {
  const { secret: _erased, ...others } = slot;
  const after = verdict === 'active' ? slot : others;
  return {
    ...withPeerKey(state, { ...after, state: verdict }),
    ...(slot.role === 'payer' && withoutCoins(state, [slot.coinId])),
  };
}

function decodeWord(data: Uint8Array): Word {
  switch (data[0]) {
    case receipt.tag:
      return { kind: 'receipt', receipt: receipt.decode(data) };
    case refusal.tag:
      return { kind: 'refusal', refusal: refusal.decode(data) };
    default:
      throw statusWord('incorrect-data');
  }
}

function whyNotReceipt(
  primitives: Primitives,
  slot: StoredPeerKey,
  shown: Receipt,
): CardResult | undefined {
  if (shown.body.station !== slot.verdictStation) return 'wrong-station';
  const key = primitives.verifyingKey(slot.verdictKey);
  if (!receipt.verify(primitives, shown, key)) return 'signature-invalid';
  if (shown.body.verdict !== 'delivered' || slot.role !== 'payee') return undefined;
  // Delivered to this card: then the acknowledgement is the one that this card gave.
  const { acknowledgement } = shown.body;
  const own =
    acknowledgement !== undefined &&
    slot.signature !== undefined &&
    equalBytes(acknowledgement, slot.signature);
  return own ? undefined : 'signature-invalid';
}

/** Before admission the payer's own station may say that nothing was sent; nobody else may. */
function whyNotRefusal(
  primitives: Primitives,
  { profile }: Ownership,
  slot: StoredPeerKey,
  shown: Refusal,
): CardResult | undefined {
  if (slot.role !== 'payer' || shown.body.station !== profile.homeStation) return 'wrong-station';
  const key = primitives.verifyingKey(profile.homeStationKey);
  return refusal.verify(shown, key) ? undefined : 'signature-invalid';
}
