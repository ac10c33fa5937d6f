/** What a station does about payments whose deadlines passed while it was down. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import { receipt as receiptKind, type Receipt } from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { primitives } from '../network/network-room.ts';
import { alice, bob, TollRoom, type Place } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let station: TollStation;

beforeEach(async () => {
  room = await TollRoom.open();
});
afterEach(async () => {
  await station.close();
  room.close();
});

const dayMs = 86_400_000;

async function stopFor(ms: number): Promise<void> {
  const { place } = station;
  await station.close();
  room.room.clock.advance(ms);
  station = await TollStation.open(room, place);
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
}

async function stateOf({ paymentId }: ArrivingPayment): Promise<string | undefined> {
  return (await station.store.payments([paymentId]))[0]?.state;
}

function hears(from: Place, receipt: Receipt): Promise<void> {
  return station.hears(room.stations[from].name, { kind: 'receipt', content: { receipt } });
}

describe('a last station that was down past the delivery deadline', () => {
  it('offers no key any more, though the payee comes before the payment has ended', async () => {
    station = await TollStation.open(room, 'q3');
    const payment = await room.arriving('q3');
    await station.receives(payment);
    await stopFor(3_600_000);
    let offers = 0;
    station.payeesCard = () => {
      offers++;
      return { outcome: 'acknowledged', signature: new Uint8Array(64) };
    };
    await station.toll.start();
    station.toll.arrived(bob);
    room.room.clock.advance(10_000);
    await until(async () => (await stateOf(payment)) === 'undelivered');
    expect(offers).toBe(0);
  });
});

describe('an issuer that was down past the resolution deadline', () => {
  let payment: ArrivingPayment;

  beforeEach(async () => {
    station = await TollStation.open(room, 'q1');
    payment = await room.arriving('q1');
    await station.sells(payment);
    await station.pays(payment);
    await stopFor(3 * dayMs);
    await station.toll.start();
  });

  function delivered(): Receipt {
    const { name, documentKey } = room.stations.q3;
    const body = {
      ...headNow,
      paymentId: payment.paymentId,
      station: name,
      verdict: 'delivered',
      time: room.now,
      acknowledgement: new Uint8Array(64).fill(7),
    } as const;
    const [proof] = signBatch(primitives, [receiptKind.leaf(primitives, body)], documentKey);
    if (proof === undefined) throw new Error('a batch of one has one proof');
    return receiptKind.prove(body, proof);
  }

  async function coins() {
    const { coinId } = payment.payment.coin.body;
    const [coin] = await station.store.coins([coinId]);
    const [successor] = await station.store.replacements([coinId]);
    return { state: coin?.state, replaced: successor !== undefined };
  }

  function isAsking(): boolean {
    return station.said.some(({ message }) => message.kind === 'question');
  }

  it('takes a verdict that its neighbour kept, and gives no coin for a key that came', async () => {
    room.room.clock.advance(29_999);
    await hears('q2', delivered());
    room.room.clock.advance(dayMs);
    expect(await coins()).toEqual({ state: 'spent', replaced: false });
    expect(await stateOf(payment)).toBe('delivered');
    expect(isAsking()).toBe(false);
  });

  it('waits for its own link first, behind which the verdict may wait', async () => {
    station.cutOff.add(room.stations.q2.name);
    room.room.clock.advance(30_000);
    await turns();
    expect(await coins()).toEqual({ state: 'pending', replaced: false });
    station.cutOff.clear();
    await hears('q2', delivered());
    expect(await coins()).toEqual({ state: 'spent', replaced: false });
  });

  it('but not for ever', async () => {
    station.cutOff.add(room.stations.q2.name);
    room.room.clock.advance(30_000);
    await turns();
    room.room.clock.advance(3_600_000);
    await until(async () => (await coins()).replaced);
    expect(await coins()).toEqual({ state: 'burned', replaced: true });
  });

  it('asks the last station first, and gives a new coin where that says nothing', async () => {
    room.room.clock.advance(30_000);
    await until(isAsking);
    expect(await coins()).toEqual({ state: 'pending', replaced: false });
    room.room.clock.advance(10_000);
    await until(async () => (await coins()).replaced);
    expect(await coins()).toEqual({ state: 'burned', replaced: true });
    expect(station.complaints).toEqual(['no verdict: coin replaced']);
    expect(await station.store.outstanding(alice)).toEqual({ coins: 1, value: 123n });
  });
});
