/**
 * Every payment that a station on the way refuses, one test each: the issuer hears one signed
 * reason, the operator one line, and nothing else has changed. Nothing is stored but that word, no
 * QKD key is drawn, and the honest payment with the same coin goes through afterwards.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { toCurrency, toStationName } from '../../../applet-spec/names.ts';
import { quote as quoteKind, type BillLine, type QuoteBody } from '../../../applet-spec/quote.ts';
import type { Reason } from '../../../applet-spec/receipt.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { keyNamed, NetworkRoom } from '../network/network-room.ts';
import { alice, TollRoom, type Changes } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

type Way = 'q2' | 'q3';

let room: TollRoom;
let stations: Readonly<Record<Way, TollStation>>;

async function openRoad(): Promise<void> {
  room = await TollRoom.open();
  // A neighbour that is on no bill.
  for (const way of ['q2', 'q3']) room.link(way, away, 'otp-secret');
  stations = { q2: await TollStation.open(room, 'q2'), q3: await TollStation.open(room, 'q3') };
}
async function closeRoad(): Promise<void> {
  await stations.q2.close();
  await stations.q3.close();
  room.close();
}

/** A signed word to the issuer, in the outbox and kept as evidence: all that a refusal leaves. */
const wordTables = ['outbox', 'evidence', 'sqlite_sequence'];

async function expectRefused(
  at: Way,
  arriving: ArrivingPayment,
  reason: Reason,
  words: RegExp,
): Promise<void> {
  const station = stations[at];
  const before = station.durable(wordTables);
  const { keysDrawn } = station;
  const said = station.said.length;
  expect(await station.receives(arriving)).toBe(reason);
  expect(station.complaints.at(-1)).toMatch(words);
  expect(station.durable(wordTables)).toEqual(before);
  expect(station.keysDrawn).toBe(keysDrawn);
  expect(station.said.slice(said)).toHaveLength(1);
  expect(await station.store.payments([arriving.paymentId])).toEqual([undefined]);
}

/** The bill with one station's fee changed before everybody signed. */
function fee(of: string, change: bigint): NonNullable<Changes['bill']> {
  return (lines) =>
    lines.map((line) => (line.station === of ? { ...line, fee: line.fee + change } : line));
}

/** What a station does to a payment after the payer signed it. */
async function rewritten(
  at: Way,
  change: (terms: QuoteBody) => Partial<QuoteBody>,
): Promise<ArrivingPayment> {
  const arriving = await room.arriving(at);
  const terms = { ...arriving.payment.quote, ...change(arriving.payment.quote) };
  const payment = { ...arriving.payment, quote: terms, quoteBytes: quoteKind.body.encode(terms) };
  return { ...arriving, payment };
}

type Row = readonly [
  what: string,
  reason: Reason,
  words: RegExp,
  made: (at: Way) => Changes | Promise<ArrivingPayment>,
];

const mallory = keyNamed('mallory');
const away = toStationName('q9');
const yen = toCurrency('JPY');
const swapped = ([a, b, c]: readonly BillLine[]) => [a, c, b].flatMap((line) => line ?? []);
const doubled = ([a, b, c]: readonly BillLine[]) => [a, b, b, c].flatMap((line) => line ?? []);

const rows: readonly Row[] = [
  [
    'a coin of the wrong value',
    'verification-failed',
    /sum is 123, the coin's value 124/,
    () => ({ coin: { value: 124n } }),
  ],
  [
    'a coin of another issuer',
    'route-mismatch',
    /first station is not the issuer/,
    () => ({ coin: { issuer: room.stations.q2.name }, coinKey: room.stations.q2.coinKey }),
  ],
  [
    'an expired coin',
    'coin-not-unspent',
    /an expired coin/,
    () => ({ coin: { expiry: room.now } }),
  ],
  [
    'a bill whose sum differs',
    'verification-failed',
    /sum is 124, the coin's value 123/,
    () => ({ bill: fee('q1', 1n), coin: { value: 123n } }),
  ],
  [
    'a bill line changed on the way',
    'verification-failed',
    /names another quote/,
    (at) => rewritten(at, ({ bill }) => ({ bill: fee(at, 1n)(bill) })),
  ],
  [
    'fees moved between two lines on the way, the sum kept',
    'verification-failed',
    /names another quote/,
    (at) => rewritten(at, ({ bill }) => ({ bill: fee('q3', 1n)(fee('q2', -1n)(bill)) })),
  ],
  [
    'a station skipped: this one is not in the bill',
    'route-mismatch',
    /last station is not the home|not in the bill/,
    (at) => ({ bill: (lines) => lines.filter(({ station }) => station !== at) }),
  ],
  [
    'a station skipped: the one before this did not hand it over',
    'route-mismatch',
    /came from q9, the bill says q[12]/,
    () => ({ previous: away }),
  ],
  ['a station doubled', 'route-mismatch', /stands twice/, () => ({ bill: doubled })],
  ['two stations swapped', 'route-mismatch', /last station is not/, () => ({ bill: swapped })],
  [
    'a fee below the station’s announcement',
    'fee-below-announcement',
    /gives us (19|2) EUR, we announced (20|3)/,
    (at) => ({ bill: fee(at, -1n) }),
  ],
  [
    'a bill in another currency than this station charges in',
    'fee-below-announcement',
    /gives us (20|3) JPY, we announced (20|3) EUR/,
    () => ({ quote: { currency: yen }, coin: { currency: yen } }),
  ],
  [
    'a wrong signature of the payer',
    'verification-failed',
    /payer’s signature/,
    () => ({ payerKey: mallory }),
  ],
  [
    'a wrong signature of the coin',
    'verification-failed',
    /coin’s signature/,
    () => ({ coinKey: mallory }),
  ],
  [
    'a wrong signature of the admission',
    'verification-failed',
    /admission does not hold/,
    () => ({ admissionKey: mallory }),
  ],
  [
    'the admission of another payment',
    'verification-failed',
    /admission does not hold/,
    () => ({ admission: { paymentId: new Uint8Array(32) } }),
  ],
  [
    'a foreign certificate',
    'certificate-not-valid',
    /payer: foreign/,
    async (at) => room.arriving(at, { certificate: await foreignCertificate() }),
  ],
  [
    'a payment replayed to another network',
    'verification-failed',
    /a payment of network other/,
    () => ({ quote: { network: 'other' }, coin: { network: 'other' } }),
  ],
  [
    'a payment replayed to another route',
    'route-mismatch',
    /came from q9/,
    async (at) => ({ ...(await room.arriving(at)), previous: away }),
  ],
  [
    'a payment replayed to another payee',
    'verification-failed',
    /names another quote/,
    (at) => rewritten(at, () => ({ payee: alice })),
  ],
  [
    'a quote that names another key of the last station',
    'verification-failed',
    /another key for q3/,
    () => ({ quote: { payeeStationKey: mallory.publicKey } }),
  ],
  [
    'a coin secret changed on the way',
    'commitment-mismatch',
    /not the one the coin commits to/,
    () => ({ secret: new Uint8Array(32) }),
  ],
  [
    'a payment that comes after its delivery deadline',
    'deadline-passed',
    /deadline has passed/,
    () => ({ quote: { deliveryDeadline: room.now - 61n } }),
  ],
  [
    'a link weaker than the quote asks for',
    'suite-too-weak',
    /the link to q[12] runs otp-secret/,
    () => ({ quote: { minimumSuite: 'otp' } }),
  ],
];

async function foreignCertificate(): Promise<Uint8Array> {
  const other = await NetworkRoom.open('another CA');
  try {
    return await other.ca.issueUser(keyNamed(alice).publicKey, alice);
  } finally {
    other.close();
  }
}

describe.each(['q2', 'q3'] as const)('%s refuses', (at) => {
  beforeAll(openRoad);
  afterAll(closeRoad);

  it.each(rows)('%s (%s)', async (_what, reason, words, made) => {
    const given = await made(at);
    const arriving = 'paymentId' in given ? given : await room.arriving(at, given);
    await expectRefused(at, arriving, reason, words);
  });

  it('a payment that comes without its coin secret, and does not wait for it', async () => {
    const { payment, admission, previous, paymentId } = await room.arriving(at);
    if (admission === undefined || previous === undefined) throw new Error('none hands it over');
    await stations[at].hears(previous, { kind: 'payment', content: { payment, admission } });
    expect(stations[at].complaints.at(-1)).toBe(`came without its coin secret: ${previous}`);
    expect(await stations[at].store.payments([paymentId])).toEqual([undefined]);
  });

  it('and after all of that carries the honest payment with the same coin', async () => {
    const honest = await room.arriving(at);
    expect(await stations[at].receives(honest)).toBe('carried');
    expect(await stations[at].store.payments([honest.paymentId])).toMatchObject([
      { role: roleOf(at) },
    ]);
  });
});

function roleOf(at: Way): string {
  return at === 'q2' ? 'relay' : 'last';
}

describe.each(['q2', 'q3'] as const)('%s, once the world has changed, refuses', (at) => {
  beforeEach(openRoad);
  afterEach(closeRoad);

  it('a used coin, and keeps the second payment as evidence beside the first', async () => {
    const first = await room.arriving(at);
    expect(await stations[at].receives(first)).toBe('carried');
    const second = await room.arriving(at, { quote: { quoteId: new Uint8Array(16).fill(9) } });
    const station = stations[at];
    const before = station.durable(wordTables);
    expect(await station.receives(second)).toBe('coin-not-unspent');
    expect(station.complaints.at(-1)).toMatch(/its coin was carried for another payment/);
    expect(station.durable(wordTables)).toEqual(before);
    expect(await station.store.evidence(first.paymentId)).toHaveLength(1);
  });

  it('other content under the ID of a payment that it has, and keeps it as evidence', async () => {
    const station = stations[at];
    const first = await room.arriving(at);
    await station.receives(first);
    const before = station.durable(wordTables);
    await station.receives(first);
    const other = await room.arriving(at, { coin: { expiry: 9_999_999_999n } });
    const { coin } = other.payment;
    await station.receives({ ...first, payment: { ...first.payment, coin } });
    expect(station.durable(wordTables)).toEqual(before);
    expect(await station.store.evidence(first.paymentId)).toHaveLength(1);
  });

  it('other content that nobody signed, and keeps none of it, however much', async () => {
    const station = stations[at];
    const first = await room.arriving(at);
    await station.receives(first);
    for (let n = 1n; n <= 16n; n++) {
      const changes: Changes = { coin: { expiry: 9_999_999_999n + n }, coinKey: mallory };
      const { coin } = (await room.arriving(at, changes)).payment;
      await station.receives({ ...first, payment: { ...first.payment, coin } });
    }
    const quote = { ...first.payment.quote, bill: fee(at, 1n)(first.payment.quote.bill) };
    const quoteBytes = quoteKind.body.encode(quote);
    await station.receives({ ...first, payment: { ...first.payment, quote, quoteBytes } });
    expect(station.complaints.at(-1)).toMatch(/it came again with other content/);
    expect(await station.store.evidence(first.paymentId)).toEqual([]);
  });

  it('a revoked certificate', async () => {
    await room.room.ca.revoke(parseCertificate(room.certificate).serialNumber);
    room.trust.learnCrl(await room.room.ca.freshCrl());
    const arriving = await room.arriving(at);
    await expectRefused(at, arriving, 'certificate-not-valid', /payer: revoked/);
  });

  it('an expired certificate', async () => {
    const request = { role: 'user', name: alice, publicKey: keyNamed(alice).publicKey } as const;
    const certificate = await room.room.ca.issue({ ...request, days: 1 });
    room.room.clock.advance(86_401_000);
    room.trust.learnCrl(await room.room.ca.publishCrl());
    const arriving = await room.arriving(at, { certificate });
    await expectRefused(at, arriving, 'certificate-not-valid', /payer: expired/);
    expect(await stations[at].receives(await room.arriving(at))).toBe('carried');
  });

  it('every payment under a stale CRL, and carries the same one under a fresh one', async () => {
    // A day for the list and an hour of grace.
    room.room.clock.advance(1_000 * (86_400 + 3_540));
    const patient = await room.arriving(at);
    room.room.clock.advance(61_000);
    await expectRefused(at, patient, 'certificate-not-valid', /no valid certificate/);
    room.trust.learnCrl(await room.room.ca.publishCrl());
    expect(await stations[at].receives(patient)).toBe('carried');
  });
});
