/** The card's coins: loaded and taken out by the station, listed to the host. */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { equalBytes, toHex, bytesToUint } from '../../applet-spec/bytes.ts';
import {
  coinErasure,
  coinLoad,
  coinPage,
  retirement,
  retirementDigest,
  type CoinEntry,
  type LoadedCoin,
  type Retirement,
} from '../../applet-spec/card-objects.ts';
import type { CardResult } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import {
  answer,
  done,
  refuse,
  requireParameters,
  statusWord,
  type CardContext,
  type SecureAnswer,
} from './card-context.ts';
import { ownership, type CardState, type StoredCoin } from './card-state.ts';

const coinsPerPage = 64;

/** LOAD COINS: all or none, and each once however often it comes. */
export function loadCoins(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory } = card;
  requireParameters(command, 0x00);
  const { coins: wanted } = decodeElement(coinLoad, command.data, 'coins');
  const { state } = memory;
  if (ownership(state) === undefined) return refuse('not-enrolled');
  const held = byId(state.coins);
  const gone = new Set([...state.goneCoinIds, ...paidCoinIds(state)].map(toHex));
  const added: StoredCoin[] = [];
  for (const coin of wanted) {
    const id = toHex(coin.coinId);
    const present = held.get(id);
    if (present !== undefined) {
      if (!sameCoin(present, coin)) return refuse('conflict');
      continue;
    }
    if (gone.has(id)) return refuse('not-unspent');
    const fresh: StoredCoin = { ...coin, state: 'unspent' };
    held.set(id, fresh);
    added.push(fresh);
  }
  if (state.coins.length + added.length > limits.cardCoins) return refuse('pool-full');
  if (added.length > 0) memory.commit({ coins: [...state.coins, ...added] });
  return done();
}

/** LIST COINS, from the index P1 P2 on. */
export function listCoins(card: CardContext, { p1, p2, data }: CommandApdu): ResponseApdu {
  if (data.length > 0) throw statusWord('wrong-length');
  const { coins } = card.memory.state;
  const first = (p1 << 8) | p2;
  const entries = coins.slice(first, first + coinsPerPage).map(coinEntryOf);
  return answer(coinPage.encode({ total: coins.length, entries }));
}

/**
 * RETIRE COINS: only what the host authorised, and for one order; again for the same order is the
 * same.
 */
export function retireCoins(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory, primitives, session } = card;
  requireParameters(command, 0x00);
  const wanted = decodeElement(retirement, command.data, 'retirement');
  const { state } = memory;
  if (ownership(state) === undefined) return refuse('not-enrolled');
  const ids = new Set(wanted.coinIds.map(toHex));
  if (ids.size !== wanted.coinIds.length) throw statusWord('incorrect-data');
  const chosen = state.coins.filter((coin) => ids.has(toHex(coin.coinId)));
  if (chosen.length === ids.size && chosen.every((coin) => isRetiringFor(coin, wanted))) {
    return done();
  }
  const { authorisation } = session;
  const digest = retirementDigest(primitives, command.data);
  if (authorisation?.operation !== wanted.operation || !equalBytes(authorisation.digest, digest)) {
    return refuse('not-authorised');
  }
  session.authorisation = undefined;
  const refusal = whyNotRetirable(chosen, ids.size);
  if (refusal !== undefined) return refuse(refusal);
  memory.commit({
    coins: state.coins.map((coin) =>
      ids.has(toHex(coin.coinId)) ? { ...coin, state: 'retiring', orderId: wanted.orderId } : coin,
    ),
  });
  return done();
}

/**
 * ERASE COINS: those that are retiring, and unspent ones that have expired. Absent ones are erased.
 */
export function eraseCoins(card: CardContext, command: CommandApdu): SecureAnswer {
  const { memory } = card;
  requireParameters(command, 0x00);
  const { coinIds, time } = decodeElement(coinErasure, command.data, 'erasure');
  const { state } = memory;
  if (ownership(state) === undefined) return refuse('not-enrolled');
  const ids = new Set(coinIds.map(toHex));
  const chosen = state.coins.filter((coin) => ids.has(toHex(coin.coinId)));
  const timeSeen = laterOf(state.timeSeen, time ?? 0n);
  for (const coin of chosen) {
    if (coin.state === 'signed') return refuse('not-unspent');
    if (coin.state === 'unspent' && coin.expiry > timeSeen) return refuse('conflict');
  }
  memory.commit({
    ...withoutCoins(
      state,
      chosen.map((coin) => coin.coinId),
    ),
    timeSeen,
  });
  return done();
}

/** S32: at random among the unspent coins of exactly this value that outlive `expiry`. */
export function pickCoin(
  entropy: Entropy,
  coins: readonly StoredCoin[],
  value: bigint,
  expiry: bigint,
): StoredCoin | undefined {
  const matching = coins.filter(
    (coin) => coin.state === 'unspent' && coin.value === value && coin.expiry > expiry,
  );
  return matching.length === 0 ? undefined : matching[randomBelow(entropy, matching.length)];
}

/** The changes by which coins leave the card for ever. */
export function withoutCoins(
  state: CardState,
  coinIds: readonly Uint8Array[],
): Pick<CardState, 'coins' | 'goneCoinIds'> {
  const leaving = new Set(coinIds.map(toHex));
  const held = state.coins.filter((coin) => leaving.has(toHex(coin.coinId)));
  return {
    coins: state.coins.filter((coin) => !leaving.has(toHex(coin.coinId))),
    goneCoinIds: [...state.goneCoinIds, ...held.map((coin) => coin.coinId)].slice(
      -limits.cardGoneCoins,
    ),
  };
}

export function coinEntryOf({ coinId, value, expiry, state }: StoredCoin): CoinEntry {
  return { coinId, value, expiry, state };
}

export function laterOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** A paid coin's slot remembers it for longer than the list of gone coins may. */
function paidCoinIds(state: CardState): readonly Uint8Array[] {
  return state.peerKeys.filter(({ role }) => role === 'payer').map(({ coinId }) => coinId);
}

function byId(coins: readonly StoredCoin[]): Map<string, StoredCoin> {
  return new Map(coins.map((coin) => [toHex(coin.coinId), coin]));
}

function sameCoin(a: StoredCoin, b: LoadedCoin): boolean {
  return equalBytes(a.secret, b.secret) && a.value === b.value && a.expiry === b.expiry;
}

function isRetiringFor(coin: StoredCoin, { orderId }: Retirement): boolean {
  return (
    coin.state === 'retiring' && coin.orderId !== undefined && equalBytes(coin.orderId, orderId)
  );
}

function whyNotRetirable(chosen: readonly StoredCoin[], wanted: number): CardResult | undefined {
  if (chosen.some((coin) => coin.state !== 'unspent')) return 'not-unspent';
  return chosen.length < wanted ? 'not-found' : undefined;
}

/** Without bias: draws again above the largest multiple of `bound`. */
function randomBelow(entropy: Entropy, bound: number): number {
  const most = Math.floor(2 ** 32 / bound) * bound;
  for (;;) {
    const drawn = Number(bytesToUint(entropy.randomBytes(4)));
    if (drawn < most) return drawn % bound;
  }
}
