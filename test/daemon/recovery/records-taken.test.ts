/** What neighbours show to books that have lost it: what holds is taken, and no lie gains. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow, type StationName } from '../../../applet-spec/names.ts';
import { receipt as receiptKind, type Receipt } from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import { takeRecords, type TakenRecords } from '../../../daemon/recovery/records-taken.ts';
import { RecordsShown } from '../../../daemon/recovery/records-shown.ts';
import type { Answer, HeldRecord } from '../../../daemon/wire/wire-message.ts';
import { keyNamed, primitives } from '../network/network-room.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { TollRoom, type Changes, type Place } from '../relay/toll-room.ts';
import { TollStation } from '../relay/toll-station.ts';
import { recoveryWith, shownBy, takingContextOf } from './recovery-room.ts';

let room: TollRoom;
let station: TollStation;
let complaints: string[];

beforeEach(async () => {
  room = await TollRoom.open();
  complaints = [];
});
afterEach(async () => {
  await station.close();
  room.close();
});

const shown = (changes: Changes = {}) => shownBy(room, changes);

function delivered(paymentId: Uint8Array, key = room.stations.q3.documentKey): Receipt {
  const body = {
    ...headNow,
    paymentId,
    station: room.stations.q3.name,
    verdict: 'delivered',
    time: room.now,
    acknowledgement: new Uint8Array(64).fill(5),
  } as const;
  const [proof] = signBatch(primitives, [receiptKind.leaf(primitives, body)], key);
  if (proof === undefined) throw new Error('a batch of one has one proof');
  return receiptKind.prove(body, proof);
}

const takingContext = () => takingContextOf(room, station, complaints);

function taken(peer: Place, ...records: readonly HeldRecord[]): Promise<TakenRecords> {
  return takeRecords(takingContext(), room.stations[peer].name, records);
}

const stateOf = async (paymentId: Uint8Array) =>
  (await station.store.payments([paymentId]))[0]?.state;

describe.each([
  ['q1', 'q2', 'relayed'],
  ['q2', 'q1', 'forwarded'],
  ['q2', 'q3', 'forwarded'],
  ['q3', 'q2', 'held'],
] as const)('%s, to which %s shows a payment,', (place, peer, state) => {
  beforeEach(async () => {
    station = await TollStation.open(room, place);
  });

  it('has it again, once, and its verdict', async () => {
    const record = await shown();
    const { paymentId } = record.arriving;
    const first = { shown: 1, restored: 1, verdicts: 0, refused: 0, contradictions: 0 };
    expect(await taken(peer, record)).toEqual({ outcome: 'taken', counts: first });
    expect(await stateOf(paymentId)).toBe(state);
    const receipt = delivered(paymentId);
    const second = { ...first, restored: 0, verdicts: 1 };
    expect(await taken(peer, { ...record, receipt })).toEqual({ outcome: 'taken', counts: second });
    expect(await stateOf(paymentId)).toBe('delivered');
    const books = station.durable();
    const third = { ...second, verdicts: 0 };
    expect(await taken(peer, { ...record, receipt })).toEqual({ outcome: 'taken', counts: third });
    expect(station.durable()).toEqual(books);
    expect(station.said).toEqual([]);
  });

  it.each([
    ['the payer did not sign', { payerKey: keyNamed('mallory') }, 'the payer’s signature'],
    ['with a false coin', { coinKey: keyNamed('mallory') }, 'the coin’s signature'],
    ['that was not admitted', { admissionKey: keyNamed('mallory') }, 'the admission'],
    ['without the certificate', { certificate: 'none' }, 'the payer’s certificate is missing'],
    ['of another network', { quote: { network: 'other' } }, 'a payment of network other'],
    ['whose coin had expired', { coin: { expiry: 1n } }, 'an expired coin'],
    [
      'that was admitted after its quote had expired',
      { quote: { expiry: 1n } },
      'after the quote had expired',
    ],
    [
      'that is to be delivered in years',
      { quote: { deliveryDeadline: 2n ** 63n, resolutionDeadline: 2n ** 63n } },
      'a deadline that nobody waits for',
    ],
    [
      'with a deadline beyond all numbers',
      { quote: { resolutionDeadline: 2n ** 64n - 1n } },
      'a deadline that nobody waits for',
    ],
    [
      'whose bill is not the coin’s value',
      { coin: { value: 5n }, transaction: { coinValue: 5n } },
      'the bill',
    ],
  ] satisfies readonly (readonly [string, Changes, string])[])(
    'takes none %s',
    async (_what, changes, why) => {
      const record = await shown(changes);
      const before = station.durable();
      const found = await taken(peer, record);
      expect(found).toMatchObject({ counts: { restored: 0, refused: 1 } });
      expect(found.outcome === 'taken' && found.trouble).toContain(why);
      expect(station.durable()).toEqual(before);
    },
  );

  it('dates it no earlier than its quote, whatever the issuer’s clock said then', async () => {
    const record = await shown({ admission: { time: room.now - 30n } });
    expect(await taken(peer, record)).toMatchObject({ counts: { restored: 1 } });
    const [row] = await station.store.payments([record.arriving.paymentId]);
    expect(row?.storedMs).toBe(1_000 * Number(record.payment.quote.time));
  });

  it('takes none admitted before its quote: former keys would admit for ever', async () => {
    room.room.clock.advance(3_600_000);
    const record = await shown({ admission: { time: room.now - 61n } });
    const found = await taken(peer, record);
    expect(found).toMatchObject({ counts: { restored: 0, refused: 1 } });
    expect(found.outcome === 'taken' && found.trouble).toContain('before the quote was made');
  });

  it('takes no verdict that the last station did not sign', async () => {
    const record = await shown();
    const { paymentId } = record.arriving;
    const receipt = delivered(paymentId, room.stations.q2.documentKey);
    const counts = { shown: 1, restored: 1, verdicts: 0, refused: 1, contradictions: 0 };
    expect(await taken(peer, { ...record, receipt })).toMatchObject({ counts });
    expect(await stateOf(paymentId)).toBe(state);
  });

  it('takes no verdict under a key that a forged quote names', async () => {
    const record = await shown();
    const { paymentId } = record.arriving;
    await taken(peer, record);
    const mallory = keyNamed('mallory');
    const quote = { ...record.payment.quote, payeeStationKey: mallory.publicKey };
    const payment = { ...record.payment, quote };
    const receipt = delivered(paymentId, mallory);
    expect(await taken(peer, { ...record, payment, receipt })).toMatchObject({
      counts: { verdicts: 0, refused: 1 },
    });
    expect(await stateOf(paymentId)).toBe(state);
  });

  it('keeps a second verdict as evidence, and the first one', async () => {
    const record = await shown();
    const { paymentId } = record.arriving;
    await taken(peer, { ...record, receipt: delivered(paymentId) });
    const receipt = room.undelivered(paymentId);
    expect(await taken(peer, { ...record, receipt })).toMatchObject({
      counts: { verdicts: 0, contradictions: 1 },
    });
    expect(await stateOf(paymentId)).toBe('delivered');
    expect(await station.store.evidence(paymentId)).toEqual([receipt.bytes]);
  });

  it('keeps a second payment with one coin as evidence', async () => {
    const first = await shown();
    const second = await shown({ quote: { quoteId: new Uint8Array(16).fill(8) } });
    await taken(peer, first);
    expect(await taken(peer, second)).toMatchObject({ counts: { restored: 0, contradictions: 1 } });
    expect(await stateOf(second.arriving.paymentId)).toBeUndefined();
    expect(await station.store.evidence(first.arriving.paymentId)).toHaveLength(1);
  });
});

describe('a neighbour', () => {
  it('shows only payments in whose bill it stands beside this station', async () => {
    station = await TollStation.open(room, 'q1');
    const record = await shown();
    const found = await taken('q3', record);
    expect(found).toMatchObject({
      counts: { refused: 1 },
      trouble: 'q3 is not beside this station in the bill',
    });
  });

  it('is shown its own payments whole, and none by books that are not', async () => {
    station = await TollStation.open(room, 'q2');
    const record = await shown();
    await taken('q1', record);
    const { store } = station;
    const { clock } = room.room;
    const asked = { since: 0n, after: 0n };
    const page = (peer: StationName, rolledBack?: never) =>
      new RecordsShown({ store, clock, standing: { rolledBack } }).page(peer, asked);
    const { payment, admission } = record;
    const told = await page(room.stations.q1.name);
    expect(told).toEqual({ records: [{ payment, admission }], next: 1n, more: 0 });
    expect(await page(room.stations.q3.name)).toEqual(told);
    expect(await page('q9' as StationName)).toMatchObject({ records: [], more: 0 });
    expect(await page(room.stations.q1.name, {} as never)).toBe('rolled-back');
  });

  it('is shown what is sound, where a payment is damaged here', async () => {
    station = await TollStation.open(room, 'q2');
    const record = await shown();
    await taken('q1', record);
    const { store } = station;
    const { rows } = await store.linkRecords(room.stations.q1.name, 0, 0n, 32);
    const damaged = rows.map(({ row }) => ({
      number: 2n,
      row: { ...row, payment: row.paymentId },
    }));
    const shows = new RecordsShown({
      store: {
        linkRecords: () => Promise.resolve({ rows: [...damaged, ...rows], next: undefined }),
        certificate: (hash) => store.certificate(hash),
      },
      ...{ clock: room.room.clock, standing: { rolledBack: undefined } },
    });
    const page = await shows.page(room.stations.q1.name, { since: 0n, after: 0n });
    const { payment, admission } = record;
    expect(page).toHaveProperty('records', [{ payment, admission }]);
  });

  it('that asks for what is behind all numbers is shown that there is nothing', async () => {
    station = await TollStation.open(room, 'q2');
    await taken('q1', await shown());
    const { store } = station;
    const { clock } = room.room;
    const shows = new RecordsShown({ store, clock, standing: { rolledBack: undefined } });
    for (const after of [1n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
      const asked = { since: 2n ** 64n - 1n, after };
      expect(await shows.page(room.stations.q1.name, asked)).toMatchObject({
        records: [],
        more: 0,
      });
    }
  });
});

describe('a payment that lost books may have decided', () => {
  let arriving: ArrivingPayment;

  async function held(): Promise<ArrivingPayment> {
    station = await TollStation.open(room, 'q3');
    const record = await shown();
    await taken('q2', record);
    arriving = record.arriving;
    return arriving;
  }

  /** As the issuer does. */
  function ask(): Promise<Answer | undefined> {
    const { q1, q2, q3 } = room.stations;
    return station.toll.answer(room.asked(arriving), [q1.name, q2.name, q3.name]);
  }

  async function doubtful(): Promise<ArrivingPayment> {
    await held();
    const { store } = station;
    const nowMs = room.room.clock.nowMs();
    const kept = { size: 0n, root: new Uint8Array(32) };
    await store.beginRecovery({ kept, sinceSeconds: 0n, peers: [], nowMs });
    const { name } = room.stations.q3;
    const declaration = { station: name, generation: 1n, bytes: new Uint8Array(1) };
    await store.finishRecovery({ declaration, nowMs });
    return arriving;
  }

  async function settled(paymentId: Uint8Array): Promise<string | undefined> {
    for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate);
    return stateOf(paymentId);
  }

  it('is ended neither by the clock nor for who asks, without the payee’s card', async () => {
    const { paymentId, payment } = await doubtful();
    await station.toll.start();
    room.room.clock.advance(1_000 * Number(payment.quote.deliveryDeadline - room.now) + 20_000);
    expect(await settled(paymentId)).toBe('held');
    expect(await ask()).toBeUndefined();
    expect(await settled(paymentId)).toBe('held');
  });

  it('is not ended for who asks in the moment in which the loss is declared', async () => {
    const { paymentId } = await held();
    let isWhole = false;
    const recovery = recoveryWith(room, station, {
      lossDeclared: async () => {
        expect(await ask()).toBeUndefined();
      },
      onWhole: () => {
        isWhole = true;
        return Promise.resolve();
      },
    });
    await recovery.begin({});
    await settled(paymentId);
    await recovery.close();
    expect(isWhole).toBe(true);
    expect(await stateOf(paymentId)).toBe('held');
  });

  it('ends undelivered once the payee’s card says that it never had the key', async () => {
    const { paymentId } = await doubtful();
    station.payeesCard = () => ({ outcome: 'absent' });
    station.payeesJournal = { outcome: 'has-not' };
    await station.toll.start();
    expect(await settled(paymentId)).toBe('undelivered');
    expect(await station.store.doubtful()).toEqual([]);
  });

  it('stays open while the card’s answer is not authentic', async () => {
    const { paymentId } = await doubtful();
    station.payeesCard = () => ({ outcome: 'absent' });
    await station.toll.start();
    expect(await settled(paymentId)).toBe('held');
  });
});
