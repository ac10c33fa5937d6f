/** Failure 39: what a station does once a neighbour has shown that its books were rolled back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
} from '../../../daemon/wire/checkpoint.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { inquiry } from '../../../daemon/wire/inquiry.ts';
import { network, primitives } from '../network/network-room.ts';
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

async function acceptanceAsked() {
  const { q1, q2, q3 } = room.stations;
  const content = { payer: alice, payee: bob, time: room.now, minimumSuite: 'aes' } as const;
  const question = { kind: 'acceptance', content } as const;
  return station.place === 'q3'
    ? station.toll.answer(question, [q1.name, q2.name, q3.name])
    : station.toll.object(question, [q1.name, q2.name, q3.name]);
}

/** Its own signature on a longer log than it has, shown by a neighbour. */
async function rollBack(witness: Place): Promise<void> {
  const { place } = station;
  const { name, documentKey } = room.stations[place];
  const by = room.stations[witness];
  const about = { ...headNow, network, station: name, time: room.now };
  const root = new Uint8Array(32).fill(1);
  const checkpoint = checkpointKind.sign({ ...about, size: 9n, root }, documentKey);
  const digest = checkpointKind.digest(primitives, checkpoint.bodyBytes);
  const word = { ...about, witness: by.name, checkpoint: digest };
  const cosignature = cosignatureKind.sign(word, by.documentKey);
  station.toll.told(by.name, { kind: 'cosigned', content: { checkpoint, cosignature } });
  for (;;) {
    const answer = await acceptanceAsked();
    if (answer?.kind === 'declined' && answer.content.reason === 'rolled-back') return;
    await new Promise(setImmediate);
  }
}

/** A payment that waits for its payee. */
async function held(): Promise<ArrivingPayment> {
  const arriving = await room.arriving('q3');
  expect(await station.receives(arriving)).toBe('carried');
  return arriving;
}

async function stateOf(paymentId: Uint8Array): Promise<string | undefined> {
  const [row] = await station.store.payments([paymentId]);
  return row?.state;
}

/** As the issuer asks when no verdict comes. */
async function verdictAsked({ paymentId, payment }: ArrivingPayment) {
  const { q1, q2, q3 } = room.stations;
  const { payerCertificate: _apart, ...content } = payment;
  const about = { ...headNow, network, paymentId, issuer: q1.name, lastStation: q3.name };
  const signed = inquiry.sign({ ...about, time: room.now }, q1.documentKey);
  const question = { kind: 'verdict', content: { inquiry: signed, payment: content } } as const;
  return station.toll.answer(question, [q1.name, q2.name, q3.name]);
}

/** Words to others, and what the neighbour showed. */
const wordTables = ['outbox', 'evidence', 'sqlite_sequence', 'cosigned'];

describe('a station whose books were rolled back', () => {
  it.each([
    ['on the way', 'q2', 'q1'],
    ['at the end', 'q3', 'q2'],
  ] as const)(
    '%s carries nothing, with a signed word, and draws no key',
    async (_at, place, witness) => {
      station = await TollStation.open(room, place);
      await rollBack(witness);
      const before = station.durable(wordTables);
      const arriving = await room.arriving(station.place);
      expect(await station.receives(arriving)).toBe('rolled-back');
      expect(station.complaints.at(-1)).toMatch(/not carried: .*rolled-back/);
      expect(station.keysDrawn).toBe(0);
      expect(station.durable(wordTables)).toEqual(before);
      expect(await acceptanceAsked()).toMatchObject({
        kind: 'declined',
        content: {
          reason: 'rolled-back',
          message: `${place} has lost records that ${witness} witnessed, and takes no payments.`,
        },
      });
    },
  );

  it('quotes nothing, and lets no card pay for what it quoted before', async () => {
    station = await TollStation.open(room, 'q1');
    await rollBack('q2');
    const before = station.durable(wordTables);
    const wish = { payee: bob, minimumSuite: 'aes', avoid: [] } as const;
    const refusal = {
      outcome: 'refused',
      code: 'rolled-back',
      message: 'q1 has lost records that q2 witnessed, and takes no payments. No coin was used.',
    };
    expect(await station.toll.quote(alice, wish)).toEqual(refusal);
    expect(await station.toll.payable(alice, new Uint8Array(32))).toEqual(refusal);
    expect(station.durable(wordTables)).toEqual(before);
  });

  it('makes no payer whole: the lost records may hold the verdict', async () => {
    station = await TollStation.open(room, 'q1');
    const paid = await room.arriving('q1');
    await station.sells(paid);
    await station.pays(paid);
    await rollBack('q2');
    const { coinId } = paid.payment.coin.body;
    const before = station.durable(wordTables);
    room.room.clock.advance(86_401_000);
    const isAsking = () => station.said.some(({ message }) => message.kind === 'question');
    while (!isAsking()) await new Promise(setImmediate);
    room.room.clock.advance(10_000);
    // Far more turns than a coin would take to be made and stored.
    for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
    expect(await station.store.coins([coinId])).toMatchObject([{ state: 'pending' }]);
    expect(station.durable(wordTables)).toEqual(before);
  });

  it('admits nothing that a card had signed before', async () => {
    station = await TollStation.open(room, 'q1');
    const signed = await room.arriving('q1');
    await station.sells(signed);
    await rollBack('q2');
    const before = station.durable(wordTables);
    expect(await station.pays(signed)).toEqual({
      outcome: 'refused',
      code: 'rolled-back',
      message: 'q1 has lost records that q2 witnessed, and takes no payments. Ask again later.',
    });
    expect(station.durable(wordTables)).toEqual(before);
    expect(await station.store.payments([signed.paymentId])).toEqual([undefined]);
  });

  it('decides nothing anew: neither of what it holds nor of what it never saw', async () => {
    station = await TollStation.open(room, 'q3');
    const before = await held();
    await rollBack('q2');
    const durable = station.durable();
    expect(await verdictAsked(before)).toBeUndefined();
    const never = await room.arriving('q3', { quote: { quoteId: new Uint8Array(16).fill(9) } });
    expect(await verdictAsked(never)).toBeUndefined();
    expect(station.durable()).toEqual(durable);
    expect(await stateOf(before.paymentId)).toBe('held');
  });

  it.each([
    ['ends what has passed its deadline ten seconds after its start', 'no', 'undelivered'],
    ['never, where a neighbour has shown in these that its books were rolled back', 'q2', 'held'],
  ] as const)('%s', async (_what, witness, state) => {
    station = await TollStation.open(room, 'q3');
    const { paymentId, payment } = await held();
    await station.close();
    room.room.clock.advance(1_000 * Number(payment.quote.deliveryDeadline - room.now) + 1);
    station = await TollStation.open(room, 'q3');
    await station.toll.start();
    if (witness !== 'no') await rollBack(witness);
    room.room.clock.advance(9_999);
    expect(await stateOf(paymentId)).toBe('held');
    room.room.clock.advance(1);
    while ((await stateOf(paymentId)) === 'held' && station.complaints.length === 0) {
      await new Promise(setImmediate);
    }
    expect(await stateOf(paymentId)).toBe(state);
    const complaint = 'not decided: this station’s books were rolled back: bob@q3';
    expect(station.complaints).toEqual(witness === 'no' ? [] : [complaint]);
  });

  it('still hears how payments of before have ended', async () => {
    station = await TollStation.open(room, 'q2');
    const arriving = await room.arriving('q2');
    expect(await station.receives(arriving)).toBe('carried');
    await rollBack('q1');
    const receipt = room.undelivered(arriving.paymentId);
    await station.hears(room.stations.q3.name, { kind: 'receipt', content: { receipt } });
    const [row] = await station.store.payments([arriving.paymentId]);
    expect(row?.state).toBe('undelivered');
  });
});
