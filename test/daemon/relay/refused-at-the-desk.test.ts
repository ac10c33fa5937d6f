/**
 * Every payment that its issuer refuses before admission (S34), one test each: the payer hears one
 * signed reason, nothing is sent, no QKD key is drawn, no money moves, and the coin that the card
 * has signed away is replaced by one of the same value. A coin that was used, given back or has
 * expired is replaced by none: its value went before.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { toUserName } from '../../../applet-spec/names.ts';
import { refusal as refusalKind, type Reason } from '../../../applet-spec/receipt.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { keyNamed, NetworkRoom } from '../network/network-room.ts';
import { alice, TollRoom, type Changes } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q1: TollStation;

beforeEach(async () => {
  room = await TollRoom.open();
  q1 = await TollStation.open(room, 'q1');
});
afterEach(async () => {
  await q1.close();
  room.close();
});

/** Where coins, money and what is under way to others are; a refused payment is kept apart. */
const refusalTables = [
  ...['coin', 'payment', 'payment_body', 'payment_verdict', 'payment_bucket', 'certificate'],
  ...['counter', 'sqlite_sequence', 'log_leaf'],
];

async function expectRefused(
  payment: ArrivingPayment,
  reason: Reason,
  words: RegExp | undefined,
  options: { readonly replaced: boolean },
): Promise<void> {
  const worth = await q1.store.outstanding(alice);
  const before = q1.durable(refusalTables);
  const logged = await q1.store.logSize();
  const spoken = { said: q1.said.length, keysDrawn: q1.keysDrawn };
  const paid = await q1.pays(payment);
  if (paid.outcome !== 'paid') throw new Error(paid.outcome);
  const { refusal, standing } = paid.record;
  expect({ standing, reason: refusal?.body.reason }).toEqual({ standing: 'refused', reason });
  if (refusal === undefined) throw new Error('no signed word');
  expect(refusalKind.verify(refusal, room.stations.q1.documentKey)).toBe(true);
  if (words !== undefined) expect(q1.complaints.at(-1)).toMatch(words);
  expect(q1.durable(refusalTables)).toEqual(before);
  expect(await q1.store.logSize()).toBe(logged + 1n);
  expect(await q1.store.outstanding(alice)).toEqual(worth);
  expect({ said: q1.said.length, keysDrawn: q1.keysDrawn }).toEqual(spoken);
  const [coin] = await q1.store.coins([payment.payment.coin.body.coinId]);
  const [successor] = await q1.store.replacements([payment.payment.coin.body.coinId]);
  if (options.replaced) {
    expect(coin?.state).toBe('burned');
    expect(successor).toMatchObject({ state: 'reserved', value: coin?.value, owner: alice });
  } else {
    expect(successor).toBeUndefined();
  }
  // The word sticks: the same payment is never admitted later.
  expect(await q1.pays(payment)).toMatchObject({
    outcome: 'paid-before',
    row: { state: 'refused' },
  });
}

const rows: readonly (readonly [
  what: string,
  reason: Reason,
  words: RegExp,
  changes: () => Changes | Promise<Changes>,
])[] = [
  [
    'a coin of the wrong value',
    'verification-failed',
    /sum is 123, the coin's value 124/,
    () => ({ coin: { value: 124n } }),
  ],
  [
    'a bill whose sum differs',
    'verification-failed',
    /sum is 124, the coin's value 123/,
    () => ({
      bill: (lines) => lines.map((line, i) => (i === 1 ? { ...line, fee: 21n } : line)),
      coin: { value: 123n },
    }),
  ],
  [
    'a fee below the station’s announcement',
    'fee-below-announcement',
    /gives us 99 EUR, we announced 100/,
    () => ({ bill: (lines) => lines.map((line, i) => (i === 0 ? { ...line, fee: 99n } : line)) }),
  ],
  [
    'a station doubled',
    'route-mismatch',
    /stands twice/,
    () => ({ bill: (lines) => [...lines.slice(0, 2), ...lines.slice(1)] }),
  ],
  [
    'a wrong signature of the payer',
    'verification-failed',
    /payer’s signature/,
    () => ({ payerKey: keyNamed('mallory') }),
  ],
  [
    'a revoked certificate',
    'certificate-not-valid',
    /payer: revoked/,
    async () => {
      await room.room.ca.revoke(parseCertificate(room.certificate).serialNumber);
      room.trust.learnCrl(await room.room.ca.freshCrl());
      return {};
    },
  ],
  [
    'an expired certificate',
    'certificate-not-valid',
    /payer: expired/,
    async () => {
      const { publicKey } = keyNamed(alice);
      const brief = { role: 'user', name: alice, publicKey, days: 1 } as const;
      const certificate = await room.room.ca.issue(brief);
      room.room.clock.advance(86_401_000);
      room.trust.learnCrl(await room.room.ca.publishCrl());
      return { certificate };
    },
  ],
  [
    'a foreign certificate',
    'certificate-not-valid',
    /payer: foreign/,
    async () => {
      const other = await NetworkRoom.open('another CA');
      const certificate = await other.ca.issueUser(keyNamed(alice).publicKey, alice);
      other.close();
      return { certificate };
    },
  ],
  [
    'an expired coin that nobody has swept up yet',
    'coin-not-unspent',
    /an expired coin/,
    () => ({ coin: { expiry: room.now } }),
  ],
];

it.each(rows)('the issuer refuses %s (%s)', async (_what, reason, words, changes) => {
  const payment = await room.arriving('q1', await changes());
  await q1.sells(payment);
  await expectRefused(payment, reason, words, { replaced: true });
});

it('the issuer refuses every payment under a stale CRL (certificate-not-valid)', async () => {
  // A day for the list and an hour of grace.
  room.room.clock.advance(1_000 * (86_400 + 3_540));
  const payment = await room.arriving('q1');
  await q1.sells(payment);
  room.room.clock.advance(61_000);
  await expectRefused(payment, 'certificate-not-valid', /no valid certificate/, { replaced: true });
});

it('the issuer refuses a used coin, and the first payment stands (coin-not-unspent)', async () => {
  const first = await room.arriving('q1');
  await q1.sells(first);
  expect(await q1.pays(first)).toMatchObject({ outcome: 'paid', record: { standing: 'admitted' } });
  const second = await room.arriving('q1', { quote: { quoteId: new Uint8Array(16).fill(9) } });
  await expectRefused(second, 'coin-not-unspent', /its card had paid with this coin before/, {
    replaced: false,
  });
  expect(await q1.store.payments([first.paymentId])).toMatchObject([{ state: 'admitted' }]);
  const { coinId } = first.payment.coin.body;
  expect(await q1.store.coins([coinId])).toMatchObject([
    { state: 'pending', paymentId: first.paymentId },
  ]);
  const pair = { paymentId: second.paymentId, first: first.paymentId };
  expect(await q1.store.spentAgain(alice, 9)).toEqual([pair]);
});

it('the issuer refuses a refunded coin, whose value is in the account', async () => {
  const payment = await room.arriving('q1');
  await q1.sells(payment);
  const { coinId, value } = payment.payment.coin.body;
  const orderId = new Uint8Array(16).fill(5);
  const nowMs = room.room.clock.nowMs();
  const order = { orderId, user: alice, operation: 'refund', coinIds: [coinId] } as const;
  await q1.store.retire({ ...order, replacements: [], nowMs });
  await q1.store.finishRetirement(orderId, nowMs);
  await expectRefused(payment, 'coin-not-unspent', undefined, { replaced: false });
  expect((await q1.store.user(alice))?.balance).toBe(value);
});

it('the issuer refuses an expired coin, whose value is in the account', async () => {
  const payment = await room.arriving('q1');
  await q1.sells(payment);
  const { expiry, value } = payment.payment.coin.body;
  expect(await q1.store.expireCoins(expiry, 10)).toBe(1);
  await expectRefused(payment, 'coin-not-unspent', undefined, { replaced: false });
  expect((await q1.store.user(alice))?.balance).toBe(value);
});

it('the issuer refuses a coin of another issuer, and nothing changes', async () => {
  const { name: issuer, coinKey } = room.stations.q2;
  const payment = await room.arriving('q1', { coin: { issuer }, coinKey });
  const before = q1.durable();
  expect(await q1.pays(payment)).toMatchObject({
    outcome: 'refused',
    code: 'coin-not-unspent',
    message: 'This station did not issue that coin to you.',
  });
  expect(q1.durable()).toEqual(before);
});

it('the issuer refuses a coin of another user, and nothing changes', async () => {
  const payment = await room.arriving('q1');
  await q1.sells(payment);
  const before = q1.durable();
  expect(await q1.pays(payment, toUserName('eve@q1'))).toMatchObject({
    outcome: 'refused',
    message: 'This station did not issue that coin to you.',
  });
  expect(q1.durable()).toEqual(before);
});
