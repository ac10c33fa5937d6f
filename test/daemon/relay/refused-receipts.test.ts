/**
 * Every receipt that a station refuses, one test each: whatever comes, from wherever, the payment
 * stays as it is until the last station's own word is there, and then that word stands.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import {
  receipt as receiptKind,
  type Receipt,
  type ReceiptBody,
} from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { keyNamed, primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let station: TollStation;
let payment: ArrivingPayment;

afterEach(async () => {
  await station.close();
  room.close();
});

function receipt(changes: Partial<ReceiptBody> = {}, signer?: SigningKey): Receipt {
  const { name, documentKey } = room.stations.q3;
  const acknowledgement = new Uint8Array(64).fill(7);
  const ending =
    changes.verdict === 'undelivered' ? ({ reason: 'payee-absent' } as const) : { acknowledgement };
  const body: ReceiptBody = {
    ...headNow,
    paymentId: payment.paymentId,
    station: name,
    verdict: 'delivered',
    time: room.now,
    ...ending,
    ...changes,
  };
  const leaf = receiptKind.leaf(primitives, body);
  const [proof] = signBatch(primitives, [leaf], signer ?? documentKey);
  if (proof === undefined) throw new Error('a batch of one has one proof');
  return receiptKind.prove(body, proof);
}

function hears(word: Receipt): Promise<void> {
  const from = station.place === 'q1' ? 'q2' : 'q3';
  const message = { kind: 'receipt', content: { receipt: word } } as const;
  return station.hears(room.stations[from].name, message);
}

async function state(): Promise<string | undefined> {
  return (await station.store.payments([payment.paymentId]))[0]?.state;
}

/** A receipt that only changes one byte of the path or signature. */
function flipped(word: Receipt): Receipt {
  const bytes = word.bytes.slice();
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  return receiptKind.decode(bytes);
}

const rows: readonly (readonly [what: string, word: () => Receipt])[] = [
  ['with a wrong signature', () => flipped(receipt())],
  [
    'that a relay signed in the last station’s name',
    () => receipt({}, room.stations.q2.documentKey),
  ],
  ['that the issuer signed in its name', () => receipt({}, room.stations.q1.documentKey)],
  ['that nobody known signed', () => receipt({}, keyNamed('mallory'))],
  [
    'that a relay signed as itself',
    () => receipt({ station: room.stations.q2.name }, room.stations.q2.documentKey),
  ],
  ['signed with the last station’s coin key', () => receipt({}, room.stations.q3.coinKey)],
  ['of another payment', () => receipt({ paymentId: new Uint8Array(32).fill(9) })],
  [
    'undelivered, with a wrong signature',
    () => receipt({ verdict: 'undelivered' }, keyNamed('mallory')),
  ],
];

describe.each(['q1', 'q2'] as const)('%s refuses a receipt', (at) => {
  beforeEach(async () => {
    room = await TollRoom.open();
    station = await TollStation.open(room, at);
    payment = await room.arriving(at);
    if (at === 'q1') {
      await station.sells(payment);
      await station.pays(payment);
    } else {
      await station.receives(payment);
    }
  });

  it.each(rows)('%s, and takes the right one', async (_what, word) => {
    const before = station.durable();
    const { length } = station.said;
    await hears(word());
    expect(station.durable()).toEqual(before);
    expect(station.said).toHaveLength(length);
    expect(station.complaints.at(-1)).toMatch(/did not sign|a receipt for no payment of ours/);
    await hears(receipt());
    expect(await state()).toBe('delivered');
  });

  it('that contradicts the first one: a verdict sticks, and the second is evidence', async () => {
    await hears(receipt());
    const before = station.durable(['evidence']);
    const second = receipt({ verdict: 'undelivered' });
    await hears(second);
    expect(station.durable(['evidence'])).toEqual(before);
    expect(station.complaints.at(-1)).toMatch(/says undelivered, the first one said delivered/);
    expect(await station.store.evidence(payment.paymentId)).toEqual([second.bytes]);
  });

  it('that comes in the same moment as another verdict, and keeps it as evidence', async () => {
    const second = receipt({ verdict: 'undelivered' });
    await Promise.all([hears(receipt()), hears(second)]);
    expect(await state()).toBe('delivered');
    expect(await station.store.evidence(payment.paymentId)).toEqual([second.bytes]);
  });
});

describe('q3, which alone decides, refuses', () => {
  beforeEach(async () => {
    room = await TollRoom.open();
    station = await TollStation.open(room, 'q3');
    payment = await room.arriving('q3');
    await station.receives(payment);
  });

  it('any receipt that somebody brings it', async () => {
    const before = station.durable();
    await station.hears(room.stations.q2.name, {
      kind: 'receipt',
      content: { receipt: receipt({ verdict: 'undelivered' }) },
    });
    expect(station.durable()).toEqual(before);
    expect(station.complaints.at(-1)).toMatch(/only this station decides/);
  });
});
