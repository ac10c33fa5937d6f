import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { payment as paymentCodec, withoutCertificate } from '../../../applet-spec/payment.ts';
import { OpenPayments, type OpenPayment } from '../../../daemon/relay/open-payments.ts';
import type { PaymentRow } from '../../../daemon/store/store.ts';
import { TollRoom } from './toll-room.ts';

let toll: TollRoom;
let held: OpenPayment;

beforeEach(async () => {
  toll = await TollRoom.open();
  const { paymentId, payment, admission } = await toll.arriving('q2');
  if (admission === undefined) throw new Error('a payment arrives with its admission');
  held = {
    paymentId,
    role: 'relay',
    state: 'held',
    payment: withoutCertificate(payment),
    admission,
    previous: toStationName('q1'),
    next: toStationName('q3'),
  };
});
afterEach(() => {
  toll.close();
});

/** A store that has this payment, as it was left; and how often it was asked. */
function storeWith(state: PaymentRow['state'] | undefined) {
  const { payment, admission, paymentId, role, previous, next } = held;
  const { quote, coin } = payment;
  const row = state && {
    paymentId,
    role,
    state,
    payment: paymentCodec.encode(payment),
    ...(admission && { admission: admission.bytes }),
    payer: quote.payer,
    payee: quote.payee,
    issuer: coin.body.issuer,
    coinId: coin.body.coinId,
    value: coin.body.value,
    fee: 20n,
    quoteDigest: payment.transaction.quoteDigest,
    ...(previous !== undefined && { previous }),
    ...(next !== undefined && { next }),
    deliveryDeadline: quote.deliveryDeadline,
    resolutionDeadline: quote.resolutionDeadline,
    storedMs: 0,
    cardConcluded: false,
  };
  const store = {
    asked: 0,
    payments(ids: readonly Uint8Array[]): Promise<readonly (PaymentRow | undefined)[]> {
      store.asked++;
      return Promise.resolve(ids.map(() => row));
    },
  };
  return store;
}

describe('a payment under way', () => {
  it('is known without asking the store', async () => {
    const store = storeWith(undefined);
    const open = new OpenPayments(store);
    open.add(held);
    expect(await open.find(held.paymentId.slice())).toBe(held);
    expect(store.asked).toBe(0);
  });

  it('that was stored before a restart is read, and says the same', async () => {
    const open = new OpenPayments(storeWith('held'));
    expect(await open.find(held.paymentId)).toEqual(held);
  });

  it('once decided is what the store says of it', async () => {
    const open = new OpenPayments(storeWith('delivered'));
    open.add(held);
    open.forget(held.paymentId);
    expect((await open.find(held.paymentId))?.state).toBe('delivered');
  });

  it('gives way to thousands of later ones, and is then read from the store', async () => {
    const store = storeWith('forwarded');
    const open = new OpenPayments(store);
    open.add(held);
    for (let i = 0; i < 8_192; i++) {
      const paymentId = held.paymentId.map((byte, place) => (place < 2 ? i >> (8 * place) : byte));
      open.add({ ...held, paymentId: Uint8Array.of(...paymentId.subarray(0, 31), 0x55) });
    }
    expect((await open.find(held.paymentId))?.state).toBe('forwarded');
    expect(store.asked).toBe(1);
  });

  it('that nobody knows is no payment', async () => {
    expect(await new OpenPayments(storeWith(undefined)).find(held.paymentId)).toBeUndefined();
  });
});
