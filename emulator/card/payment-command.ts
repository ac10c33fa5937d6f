/**
 * PAY and what it needs: the host's AUTHORISE, and the finishing of what a power cut left unsigned.
 */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import { authorisation, payAnswer, type Profile } from '../../applet-spec/card-objects.ts';
import { commitmentOf } from '../../applet-spec/coin.ts';
import { payWithCertificate, type CardResult } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { headNow } from '../../applet-spec/names.ts';
import { paymentIdOf, transaction } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { billTotal, quote, type QuoteBody } from '../../applet-spec/quote.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import {
  answer,
  done,
  refuse,
  requireParameters,
  requirePublicKey,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import {
  ownership,
  type CardState,
  type Ownership,
  type StoredCoin,
  type StoredPeerKey,
} from './card-state.ts';
import { laterOf, pickCoin } from './coin-pool.ts';

const daySeconds = 86_400n;

/** AUTHORISE: the host's hand (design §6.2). A new one takes the place of the old one. */
export function authorise(card: CardContext, command: CommandApdu): ResponseApdu {
  requireParameters(command, 0x00);
  card.session.authorisation = decodeElement(authorisation, command.data, 'authorisation');
  return answer();
}

/** PAY: the station's hand. For a quote in the journal it answers what it answered before. */
export function pay(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives, session } = card;
  if ((command.p1 & ~payWithCertificate) !== 0 || command.p2 !== 0) {
    throw statusWord('incorrect-parameters');
  }
  const quoteBody = decodeElement(quote.body, command.data, 'quote');
  requirePublicKey(primitives, quoteBody.payeeStationKey);
  const owner = ownership(memory.state);
  if (owner === undefined) return refuse('not-enrolled');
  const digest = quote.digest(primitives, command.data);
  const before = paidFor(memory.state, digest);
  if (before !== undefined) return paid(before, owner, command.p1);
  const authorised = session.authorisation;
  if (authorised?.operation !== 'pay' || !equalBytes(authorised.digest, digest)) {
    return refuse('not-authorised');
  }
  session.authorisation = undefined;
  const refusal = whyNotPayable(memory.state, owner.profile, quoteBody);
  if (refusal !== undefined) return refuse(refusal);
  const value = billTotal(quoteBody.bill);
  const coin = pickCoin(card.entropy, memory.state.coins, value, quoteBody.expiry);
  if (coin === undefined) return refuse('no-matching-coin');
  mark(card, owner, quoteBody, digest, coin);
  finishPayments(card);
  const slot = paidFor(memory.state, digest);
  if (slot === undefined) throw statusWord('card-fault');
  return paid(slot, owner, command.p1);
}

/**
 * Signs what is marked and not signed yet: the second half of PAY, and of a PAY that lost its power
 * between its two writes. The mark holds the transaction, so it can only be this one.
 */
export function finishPayments(card: CardContext): void {
  const { memory, primitives } = card;
  const { privateKey, peerKeys } = memory.state;
  if (privateKey === undefined || peerKeys.every(({ unsigned }) => unsigned === undefined)) return;
  const key = primitives.signingKey(privateKey);
  memory.commit({
    peerKeys: peerKeys.map((slot) => {
      const { unsigned, ...others } = slot;
      if (unsigned === undefined) return slot;
      return { ...others, signature: key.sign(concatBytes(labels.transaction, unsigned)) };
    }),
  });
}

/** The first write: from here on the coin is this transaction's and no other's. */
function mark(
  { memory, primitives }: CardContext,
  owner: Ownership,
  quoteBody: QuoteBody,
  quoteDigest: Uint8Array,
  coin: StoredCoin,
): void {
  const { state } = memory;
  const last = quoteBody.bill.at(-1);
  if (last === undefined) throw statusWord('card-fault');
  const unsigned = transactionFor(primitives, owner, quoteDigest, coin);
  const slot: StoredPeerKey = {
    paymentId: paymentIdOf(primitives, unsigned),
    role: 'payer',
    state: 'provisional',
    peer: quoteBody.payee,
    coinId: coin.coinId,
    quoteDigest,
    sendEpoch: state.epochFloor ?? 0n,
    verdictStation: last.station,
    verdictKey: quoteBody.payeeStationKey,
    secret: coin.secret,
    unsigned,
  };
  const day = dayOf(state, quoteBody);
  memory.commit({
    coins: state.coins.map((held) => (held === coin ? { ...coin, state: 'signed' } : held)),
    peerKeys: [...state.peerKeys, slot],
    spentDay: day.day,
    spentOnDay: day.spent + coin.value,
    timeSeen: laterOf(state.timeSeen, quoteBody.time),
  });
}

function transactionFor(
  primitives: Primitives,
  owner: Ownership,
  quoteDigest: Uint8Array,
  coin: StoredCoin,
): Uint8Array {
  return transaction.encode({
    ...headNow,
    quoteDigest,
    coinId: coin.coinId,
    coinValue: coin.value,
    commitment: commitmentOf(primitives, coin.coinId, coin.secret),
    payerCertificate: primitives.sha256(owner.certificate),
  });
}

function whyNotPayable(
  state: CardState,
  { network, user, homeStation, currency, paymentLimit, dayLimit }: Profile,
  quoteBody: QuoteBody,
): CardResult | undefined {
  if (quoteBody.network !== network) return 'wrong-network';
  if (quoteBody.payer !== user) return 'wrong-payer';
  if (quoteBody.bill[0]?.station !== homeStation) return 'wrong-station';
  if (quoteBody.currency !== currency) return 'wrong-currency';
  const total = billTotal(quoteBody.bill);
  if (total > paymentLimit) return 'payment-limit-exceeded';
  if (dayOf(state, quoteBody).spent + total > dayLimit) return 'day-limit-exceeded';
  return state.peerKeys.length >= limits.cardPeerKeys ? 'peer-keys-full' : undefined;
}

/**
 * The day that a payment counts for, and what was paid on it before. Days only go forward: a quote
 * of an earlier day counts for the latest, so that no order of quotes gets round the limit.
 */
function dayOf(state: CardState, { time }: QuoteBody): { day: bigint; spent: bigint } {
  const day = time / daySeconds;
  return day > state.spentDay
    ? { day, spent: 0n }
    : { day: state.spentDay, spent: state.spentOnDay };
}

function paidFor(state: CardState, digest: Uint8Array): StoredPeerKey | undefined {
  return state.peerKeys.find(
    ({ quoteDigest }) => quoteDigest !== undefined && equalBytes(quoteDigest, digest),
  );
}

function paid(slot: StoredPeerKey, owner: Ownership, p1: number): SecureAnswer {
  if (slot.signature === undefined) throw statusWord('card-fault');
  return done(
    payAnswer.encode({
      coinId: slot.coinId,
      signature: slot.signature,
      ...(p1 === payWithCertificate && { certificate: owner.certificate }),
    }),
  );
}
