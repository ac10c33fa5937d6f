/**
 * Only the issuer's own word moves the last station to decide: stations between the two carry the
 * question, and each of them could gain from a payment's end (I26, I29).
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toStationName, type StationName } from '../../../applet-spec/names.ts';
import { receipt as receiptKind } from '../../../applet-spec/receipt.ts';
import type { InquiryBody } from '../../../daemon/wire/inquiry.ts';
import { question, type Answer, type Question } from '../../../daemon/wire/wire-message.ts';
import { primitives } from '../network/network-room.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { TollRoom, type Changes, type Place } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q3: TollStation;
let arriving: ArrivingPayment;

beforeEach(async () => {
  room = await TollRoom.open();
  // So long have its stations had their keys.
  room.room.clock.advance(3_600_000);
  q3 = await TollStation.open(room, 'q3');
  arriving = await room.arriving('q3');
});
afterEach(async () => {
  await q3.close();
  room.close();
});

const named = (place: Place): StationName => room.stations[place].name;

/** A question as `signer` would sign it; the issuer's own where nothing is changed. */
const asked = (changes: Partial<InquiryBody> = {}, signer: Place = 'q1', about = arriving) =>
  room.asked(about, changes, signer);

function ask(asking: Question): Promise<Answer | undefined> {
  const carried = question.decode(question.encode(asking));
  return q3.toll.answer(carried, [named('q1'), named('q2'), named('q3')]);
}

async function verdictOf(asking: Question): Promise<string | undefined> {
  const answer = await ask(asking);
  if (answer?.kind !== 'verdict') return undefined;
  const { receipt } = answer.content;
  expect(receiptKind.verify(primitives, receipt, room.stations.q3.documentKey)).toBe(true);
  const { verdict, reason } = receipt.body;
  return `${verdict}: ${reason ?? ''}`;
}

describe('the issuer', () => {
  it('that asks about a payment under way ends it, and hears the same again', async () => {
    expect(await q3.receives(arriving)).toBe('carried');
    expect(await verdictOf(asked())).toBe('undelivered: asked-by-issuer');
    expect((await q3.store.payments([arriving.paymentId]))[0]?.state).toBe('undelivered');
    const after = q3.durable();
    expect(await verdictOf(asked())).toBe('undelivered: asked-by-issuer');
    expect(q3.durable()).toEqual(after);
  });

  it('that asks about a payment which never came ends it, however late it comes', async () => {
    expect(await verdictOf(asked())).toBe('undelivered: asked-by-issuer');
    await q3.receives(arriving);
    expect(await q3.store.payments([arriving.paymentId])).toEqual([undefined]);
    expect(q3.said.map(({ peer, message }) => [peer, message.kind])).toEqual([['q2', 'receipt']]);
  });
});

/** Whose word it is not, and what it is not about. */
const strangers: readonly (readonly [who: string, asking: () => Promise<Question> | Question])[] = [
  ['a relay in the issuer’s name', () => asked({}, 'q2')],
  ['a relay in its own name', () => asked({ issuer: named('q2') }, 'q2')],
  [
    'a relay that made a coin of the same ID',
    async () => asked({ issuer: named('q2') }, 'q2', await renamed()),
  ],
  ['the issuer of another payment', async () => asked({}, 'q1', await another())],
  ['the issuer, in another network', () => asked({ network: 'elsewhere' })],
  ['the issuer, asking another station', () => asked({ lastStation: named('q2') })],
  ['whoever has a former key of the issuer’s', () => asked({ time: room.now - 61n })],
  ['a station that nobody knows', () => asked({ issuer: unknownStation() }, 'q2')],
];

/** The same transaction with a coin that q2 issued. */
async function renamed(): Promise<ArrivingPayment> {
  const { name: issuer, coinKey } = room.stations.q2;
  const changes: Changes = { coin: { issuer }, coinKey };
  const { payment } = await room.arriving('q3', changes);
  return { ...arriving, payment: { ...arriving.payment, coin: payment.coin } };
}

/** Another payment's content under this one's ID. */
async function another(): Promise<ArrivingPayment> {
  const { payment } = await room.arriving('q3', { quote: { quoteId: new Uint8Array(16).fill(9) } });
  return { ...arriving, payment };
}

function unknownStation(): StationName {
  return toStationName('q9');
}

describe.each(strangers)('%s', (_who, asking) => {
  it('is not answered, and ends no payment under way', async () => {
    await q3.receives(arriving);
    const before = q3.durable();
    expect(await ask(await asking())).toBeUndefined();
    expect(q3.durable()).toEqual(before);
  });

  it('is not answered, and buries none that is still to come', async () => {
    const before = q3.durable();
    expect(await ask(await asking())).toBeUndefined();
    expect(q3.durable()).toEqual(before);
    expect(await q3.receives(arriving)).toBe('carried');
  });
});
