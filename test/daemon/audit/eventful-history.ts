/**
 * A history in which everything happened once: what an audit must understand, and what can be
 * tampered with.
 */
import { headNow, toUserName } from '../../../applet-spec/names.ts';
import { refusal } from '../../../applet-spec/receipt.ts';
import { SettlementRoom } from '../settlement/settlement-room.ts';
import type { PaidPayment } from './toll-papers.ts';
import { alice, TollRoom } from './toll-room.ts';

export interface History {
  readonly room: TollRoom;
  readonly settled: PaidPayment;
  readonly settledToo: PaidPayment;
  readonly unsettled: PaidPayment;
  readonly undelivered: PaidPayment;
  readonly held: PaidPayment;
  readonly madeWhole: PaidPayment;
  readonly lateReceipt: PaidPayment;
  /** Back from q3 to q1, settled. */
  readonly returned: PaidPayment;
  readonly spare: Uint8Array;
}

export async function eventfulHistory(): Promise<History> {
  const room = await TollRoom.open([5n, 4n, 3n]);
  const settlement = new SettlementRoom(room);
  const settled = await settlement.pay();
  const settledToo = await settlement.pay();
  const returned = await settlement.pay({ route: ['q3', 'q2', 'q1'] });
  for (const name of ['q1', 'q3']) await settlement.at(name).settle();
  const unsettled = await settlement.pay();
  const undelivered = await settlement.pay({ until: 'undelivered' });
  const held = await settlement.pay({ until: 'held' });
  const madeWhole = await settlement.pay({ until: 'held' });
  const lateReceipt = await settlement.pay({ until: 'held' });
  const lateRefusal = await settlement.pay({ until: 'undelivered', unheardBy: ['q1'] });
  await refuse(room, await unsent(room));
  const spare = await retireSome(room);
  // No verdict has come in a day.
  room.clock.advance(86_401_000);
  for (const paid of [madeWhole, lateReceipt, lateRefusal]) await makeWhole(room, paid);
  for (const { name } of room.stations) await room.hear(room.station(name), lateReceipt);
  await room.hear(room.station('q1'), lateRefusal);
  await expireOne(room);
  await fillTile(room);
  return {
    room,
    settled,
    settledToo,
    unsettled,
    undelivered,
    held,
    madeWhole,
    lateReceipt,
    returned,
    spare,
  };
}

async function makeWhole(room: TollRoom, paid: PaidPayment): Promise<void> {
  const { store, mint } = room.station('q1');
  const { paymentId, coin } = paid;
  const replacement = mint.one(coin.body.value);
  await store.makeWhole([{ paymentId, replacement, nowMs: room.nowMs }]);
}

/** A coin given back, one exchanged for two, and two that stay: the ID of one. */
async function retireSome(room: TollRoom): Promise<Uint8Array> {
  const { store, mint } = room.station('q1');
  const coins = await room.buy(alice, [10n, 20n, 30n]);
  const [refunded, exchanged, kept] = coins;
  if (refunded === undefined || exchanged === undefined || kept === undefined) {
    throw new RangeError('three coins were bought');
  }
  const nowMs = room.nowMs;
  for (const [operation, coin, replacements] of [
    ['refund', refunded, []],
    ['exchange', exchanged, [mint.one(5n), mint.one(15n)]],
  ] as const) {
    const orderId = room.entropy.randomBytes(16);
    const coinIds = [coin.coinId];
    await store.retire({ orderId, user: alice, operation, coinIds, replacements, nowMs });
    await store.finishRetirement(orderId, nowMs);
  }
  await room.buy(alice, [7n]);
  return kept.coinId;
}

/** The last word of this history: a year later, one coin expires. */
async function expireOne(room: TollRoom): Promise<void> {
  const { store } = room.station('q1');
  const coins = await store.coinsOf(alice, ['reserved', 'unspent'], undefined, 100);
  const first = coins.reduce((a, b) => (a.expirySeconds <= b.expirySeconds ? a : b));
  await store.expireCoins(first.expirySeconds, 1);
}

/** So many top-ups at q2 that its log has a whole tile. */
async function fillTile(room: TollRoom): Promise<void> {
  const { store } = room.station('q2');
  const slips = Array.from({ length: 256 }, (_, i) => `tile slip ${i}`);
  const nowMs = room.nowMs;
  await Promise.all(slips.map((slip) => store.topUp(toUserName('alice@q2'), 1n, slip, nowMs)));
}

/** Signed by the card and never admitted. */
async function unsent(room: TollRoom): Promise<PaidPayment> {
  return room.pay({ until: 'signed' });
}

async function refuse(room: TollRoom, paid: PaidPayment): Promise<void> {
  const { name, store, mint, documentKey } = room.station('q1');
  const route = [room.station('q1'), room.station('q2'), room.station('q3')];
  const { admission: _none, ...payment } = room.newPayment(paid, route, 0);
  const body = { ...headNow, paymentId: paid.paymentId, station: name, time: room.nowSeconds };
  const signed = refusal.sign({ ...body, reason: 'quote-expired' }, documentKey);
  const replacement = mint.one(paid.coin.body.value);
  await store.refuse([{ payment, refusal: signed.bytes, replacement }]);
}
