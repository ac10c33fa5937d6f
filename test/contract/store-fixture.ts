/** Coins, payments and decisions as a store sees them: of the right shape, signed by nobody. */
import { createHash } from 'node:crypto';
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { makeCoinId } from '../../applet-spec/coin.ts';
import { toCurrency, toStationName, toUserName } from '../../applet-spec/names.ts';
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { Decision, NewCoin, NewPayment, Store } from '../../daemon/store/store.ts';

export const q1 = toStationName('q1');
export const q2 = toStationName('q2');
export const q3 = toStationName('q3');
export const alice = toUserName('alice@q1');
export const carol = toUserName('carol@q1');
export const bob = toUserName('bob@q3');
export const euro = toCurrency('EUR');
export const startMs = Date.UTC(2026, 0, 1);
export const startSeconds = BigInt(startMs / 1_000);

/** 32 bytes that depend on the words alone. */
export function bytesFrom(...words: readonly (string | number)[]): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(words.join('/')).digest());
}

export function orderIdFrom(...words: readonly (string | number)[]): Uint8Array {
  return bytesFrom('order', ...words).slice(0, 16);
}

export function newCoin(
  name: string,
  value = 12n,
  expirySeconds = startSeconds + 864_000n,
): NewCoin {
  return {
    coinId: makeCoinId(startMs, bytesFrom('coin', name)),
    value,
    expirySeconds,
    commitment: bytesFrom('commitment', name),
    coin: toUtf8(`public part of ${name}`),
    secret: bytesFrom('secret', name),
  };
}

export interface PaymentWish {
  readonly payer?: UserName;
  readonly bill?: NewPayment['bill'];
  readonly deliveryDeadline?: bigint;
}

export const threeStations = [
  { station: q1, fee: 5n },
  { station: q2, fee: 4n },
  { station: q3, fee: 3n },
] as const;

function basePayment(name: string, coin: NewCoin, wish: PaymentWish) {
  const deliveryDeadline = wish.deliveryDeadline ?? startSeconds + 60n;
  return {
    paymentId: bytesFrom('payment', name),
    payment: toUtf8(`payment ${name}`),
    admission: toUtf8(`admission ${name}`),
    payer: wish.payer ?? alice,
    payee: bob,
    issuer: q1,
    coinId: coin.coinId,
    value: coin.value,
    quoteDigest: bytesFrom('quote', name),
    deliveryDeadline,
    resolutionDeadline: deliveryDeadline + 86_400n,
    storedMs: startMs,
    bill: wish.bill ?? threeStations,
    payerCertificate: bytesFrom('certificate', wish.payer ?? alice),
  };
}

/** As the issuer q1 admits it. */
export function issuerPayment(name: string, coin: NewCoin, wish: PaymentWish = {}): NewPayment {
  const base = basePayment(name, coin, wish);
  return {
    ...base,
    role: 'issuer',
    fee: base.bill[0]?.fee ?? 0n,
    next: q2,
    outbox: recordOf(name, coin),
  };
}

/** As q2 holds it. */
export function relayPayment(name: string, coin: NewCoin, wish: PaymentWish = {}): NewPayment {
  const base = basePayment(name, coin, wish);
  const fee = base.bill[1]?.fee ?? 0n;
  return { ...base, role: 'relay', fee, previous: q1, next: q3, outbox: recordOf(name, coin) };
}

/** As q3 holds it. */
export function lastPayment(name: string, coin: NewCoin, wish: PaymentWish = {}): NewPayment {
  const base = basePayment(name, coin, wish);
  return {
    ...base,
    role: 'last',
    fee: base.bill.at(-1)?.fee ?? 0n,
    previous: q2,
    secret: coin.secret,
  };
}

/** Under the suite `aes` an outbox record holds the secret as it is. */
function recordOf(name: string, { secret }: NewCoin): Uint8Array {
  return Uint8Array.from([...toUtf8(`record of ${name} `), ...secret]);
}

export function delivered(name: string): Decision {
  return {
    paymentId: bytesFrom('payment', name),
    verdict: 'delivered',
    receipt: toUtf8(`delivered ${name}`),
    nowMs: startMs + 1_000,
  };
}

export function undelivered(name: string, replacement?: NewCoin): Decision {
  return {
    paymentId: bytesFrom('payment', name),
    verdict: 'undelivered',
    reason: 'deadline-passed',
    receipt: toUtf8(`undelivered ${name}`),
    nowMs: startMs + 1_000,
    ...(replacement && { replacement }),
  };
}

export async function addUser(store: Store, user: UserName, balance: bigint): Promise<void> {
  await store.addUser(user, euro);
  if (balance > 0n) await store.topUp(user, balance, `first money of ${user}`, startMs);
}

/** Coins bought and on the card. */
export async function buyLoaded(
  store: Store,
  user: UserName,
  orderId: Uint8Array,
  coins: readonly NewCoin[],
): Promise<void> {
  const lines = coins.map(({ value }) => ({ value, count: 1 }));
  const outcome = await store.reserveCoins({ orderId, user, lines, coins, nowMs: startMs });
  if (outcome !== 'created') throw new Error(`order not created: ${outcome}`);
  const coinIds = coins.map(({ coinId }) => coinId);
  await store.markLoading(coinIds);
  await store.markLoaded(coinIds);
}

/** A payer with one loaded coin, 12 of value, named `coin`. */
export async function payerWithCoin(store: Store, name: string): Promise<NewCoin> {
  const coin = newCoin(name);
  await addUser(store, alice, 0n);
  await store.topUp(alice, coin.value, `money for ${name}`, startMs);
  await buyLoaded(store, alice, orderIdFrom(name), [coin]);
  return coin;
}

export function peerOf(station: StationName): StationName {
  return station === q1 ? q2 : q1;
}
