/** QUERY JOURNAL: what the station asks after anything unknown, before it acts (design §5). */
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import {
  journalAnswer,
  journalQuery,
  type JournalAnswer,
  type JournalQuery,
} from '../../applet-spec/card-objects.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import {
  done,
  refuse,
  requireParameters,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import { ownership, type CardState, type StoredPeerKey } from './card-state.ts';
import { coinEntryOf } from './coin-pool.ts';

export function queryJournal(card: CardContext, command: CommandApdu): SecureAnswer {
  requireParameters(command, 0x00);
  const query = decodeElement(journalQuery, command.data, 'query');
  const asked = [query.paymentId, query.quoteDigest, query.coinId];
  if (asked.filter((by) => by !== undefined).length !== 1) throw statusWord('incorrect-data');
  const { state } = card.memory;
  if (ownership(state) === undefined) return refuse('not-enrolled');
  return done(journalAnswer.encode(answerFor(state, query)));
}

function answerFor(state: CardState, query: JournalQuery): JournalAnswer {
  const slot = state.peerKeys.find((candidate) => isAskedFor(candidate, query));
  const coinId = query.coinId ?? (slot?.role === 'payer' ? slot.coinId : undefined);
  const coin = coinId && state.coins.find((held) => equalBytes(held.coinId, coinId));
  return {
    ...(slot !== undefined && { payment: paymentEntryOf(slot) }),
    ...(coin !== undefined && { coin: coinEntryOf(coin) }),
  };
}

function isAskedFor(slot: StoredPeerKey, query: JournalQuery): boolean {
  const pairs = [
    [query.paymentId, slot.paymentId],
    [query.quoteDigest, slot.quoteDigest],
    // Coin IDs are their issuer's: only a payer's slot speaks of this card's coins.
    [query.coinId, slot.role === 'payer' ? slot.coinId : undefined],
  ];
  return pairs.some(
    ([asked, held]) => asked !== undefined && held !== undefined && equalBytes(asked, held),
  );
}

function paymentEntryOf(slot: StoredPeerKey): NonNullable<JournalAnswer['payment']> {
  const { paymentId, role, state, peer, coinId, quoteDigest, signature } = slot;
  return {
    paymentId,
    role,
    state,
    peer,
    coinId,
    ...(quoteDigest !== undefined && { quoteDigest }),
    ...(signature !== undefined && { signature }),
  };
}
