/** What a station says that is not so: nothing of it is believed, and nothing is lost by it. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import type { DeskMessage } from '../../../applet-spec/desk-messages.ts';
import type { ErrandParams } from '../../../driver/agent/errands.ts';
import { HostBench, pin } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const quoteWish: ErrandParams<'quote'> = { payee: bob, minimumSuite: 'aes', avoid: [] };
const coinsOf = (value: number, count: number) => ({ lines: [{ value: String(value), count }] });

const none = new Uint8Array(0);

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(30, 3));
});
afterEach(async () => {
  await bench.close();
});

async function pay(waitMs = 60_000) {
  const { quoteId } = await bench.runner.run('quote', quoteWish);
  return bench.runner.run('pay', { quoteId, exchange: false, waitMs });
}

it('a list of payments that goes back, other than at its beginning, ends the link', async () => {
  await pay();
  bench.desk.script.says = (message) => {
    if (message.kind !== 'payments') return message;
    const { requestId, records } = message.content;
    const next = records.length === 0 ? 1n : 2n;
    return { kind: 'payments', content: { requestId, records, next, more: 1 } };
  };
  bench.wallet.savePaymentsCursor(0n);
  await bench.restart();
  await expect(bench.runner.run('connect', {}, { pin })).rejects.toMatchObject({
    code: 'evidence-invalid',
    message: expect.stringMatching(/pages of payments that go back/) as string,
  });
});

it('another payment of hers in the place of the one asked for is not taken for it', async () => {
  const first = await pay();
  expect(first.standing).toBe('delivered');
  const [record] = bench.desk.records;
  if (record === undefined) throw new Error('nothing was paid');
  bench.desk.script.says = (message) =>
    message.kind === 'paid'
      ? { kind: 'paid', content: { requestId: message.content.requestId, record } }
      : message;
  await expect(pay()).rejects.toMatchObject({ outcome: 'unknown', code: 'evidence-invalid' });
});

it('a refusal after the card has signed is no refusal: the outcome is unknown', async () => {
  bench.desk.script.silent = true;
  bench.desk.script.says = (message): DeskMessage =>
    message.kind === 'paid'
      ? {
          kind: 'refused',
          content: {
            requestId: message.content.requestId,
            code: 'no-route',
            message: 'No coin was used.',
          },
        }
      : message;
  await expect(pay()).rejects.toMatchObject({ outcome: 'unknown' });
  expect(bench.wallet.quotes.pending()).toHaveLength(1);
});

it('a refusal before the card has signed is one', async () => {
  const message = 'The link is down. No coin was used.';
  bench.desk.script.refuse.set('pay', { code: 'no-route', message });
  await expect(pay()).rejects.toMatchObject({ outcome: 'refused', code: 'no-route', message });
  expect(bench.wallet.quotes.pending()).toEqual([]);
});

it('a refusal whose code is newer than this program is one, in the station’s words', async () => {
  const message = 'The moon is down. No coin was used.';
  bench.desk.script.refuse.set('pay', { code: 'code-200', message });
  await expect(pay()).rejects.toMatchObject({ outcome: 'refused', code: 'code-200', message });
  expect(bench.wallet.quotes.pending()).toEqual([]);
});

it('what a station has refused it cannot have paid later', async () => {
  const message = 'The link is down. No coin was used.';
  bench.desk.script.refuse.set('pay', { code: 'no-route', message });
  const { quoteId } = await bench.runner.run('quote', quoteWish);
  const how = { quoteId, exchange: false, waitMs: 0 };
  await expect(bench.runner.run('pay', how)).rejects.toMatchObject({ code: 'no-route' });
  bench.desk.script.refuse.clear();
  const refused = bench.wallet.quotes.find(fromHex(quoteId));
  const { link } = await bench.host.desk();
  await expect(link.pay(refused?.quoteDigest ?? none)).resolves.toMatchObject({
    outcome: 'refused',
    message: 'not-authorised',
  });
});

it('a quote that expired before it was paid cannot be paid later', async () => {
  bench.desk.script.cut.set('pay', 'before');
  await expect(pay(0)).rejects.toMatchObject({ outcome: 'unknown' });
  bench.desk.script.cut.clear();
  const [authorised] = bench.wallet.quotes.pending();
  bench.clock.advance(600_000);
  await bench.runner.run('connect', {});
  expect(bench.wallet.quotes.find(authorised?.quoteDigest ?? none)?.state).toBe('refused');
  const { link } = await bench.host.desk();
  await expect(link.pay(authorised?.quoteDigest ?? none)).resolves.toMatchObject({
    outcome: 'refused',
    message: 'not-authorised',
  });
});

it('a payment that never left cannot be made later, though its user heard of a fault', async () => {
  const { quoteId } = await bench.runner.run('quote', quoteWish);
  const desk = await bench.host.desk();
  const authorise = desk.card.authorise.bind(desk.card);
  vi.spyOn(desk.card, 'authorise').mockImplementationOnce(async (operation, digest) => {
    await authorise(operation, digest);
    desk.close();
  });
  const how = { quoteId, exchange: false, waitMs: 0 };
  await expect(bench.runner.run('pay', how)).rejects.toMatchObject({ outcome: 'fault' });
  const never = bench.wallet.quotes.find(fromHex(quoteId));
  expect(never).toMatchObject({ state: 'refused', detail: 'it was never sent' });
  const { link } = await bench.host.desk();
  await expect(link.pay(never?.quoteDigest ?? none)).resolves.toMatchObject({
    outcome: 'refused',
    message: 'not-authorised',
  });
  const again = bench.runner.run('pay', { ...how, waitMs: 60_000 });
  await expect(again).resolves.toMatchObject({ standing: 'delivered' });
});

it('a second quote under the ID of one that was shown before is not taken for it', async () => {
  const quoteId = new Uint8Array(16).fill(0x51);
  const { script } = bench.desk;
  script.quoteChanges = { quote: { quoteId } };
  script.fees = [400n, 100n];
  const dear = await bench.runner.run('quote', quoteWish);
  script.fees = [20n, 10n];
  await expect(bench.runner.run('quote', quoteWish)).rejects.toMatchObject({
    code: 'evidence-invalid',
    message: expect.stringMatching(/the ID of another quote/) as string,
  });
  await expect(bench.runner.run('show-quote', { quoteId: toHex(quoteId) })).resolves.toEqual(dear);
});

it('coins of other values than ordered are told', async () => {
  const issue = bench.papers.issueCoin.bind(bench.papers);
  bench.papers.issueCoin = (_value, key) => issue(1n, key);
  await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
    outcome: 'unknown',
    code: 'evidence-invalid',
  });
});

it('a replacement of less value than the burned coin ends the link', async () => {
  bench.desk.script.verdict = 'undelivered';
  const { coin } = bench.papers.issueCoin(29n);
  bench.desk.script.says = (message) =>
    message.kind === 'concluded'
      ? { kind: 'concluded', content: { ...message.content, replacement: coin } }
      : message;
  const desk = await bench.host.desk();
  const paying = pay(0);
  await expect(desk.closed).resolves.toMatchObject({ code: 'evidence-invalid' });
  await paying.catch(() => undefined);
  expect(bench.wallet.coins.find(coin.body.coinId)).toBeUndefined();
});

it('another payment in answer to a question for one is not taken', async () => {
  bench.desk.script.silent = true;
  await pay(0);
  await pay(0);
  const [record] = bench.desk.records;
  if (record === undefined) throw new Error('nothing was paid');
  bench.desk.script.says = (message) => {
    if (message.kind === 'payments') {
      const { requestId, next } = message.content;
      return { kind: 'payments', content: { requestId, records: [], next, more: 0 } };
    }
    if (message.kind !== 'payment') return message;
    return { kind: 'payment', content: { requestId: message.content.requestId, record } };
  };
  const { closed } = await bench.host.desk();
  bench.desk.drop();
  await closed;
  await expect(bench.host.desk()).rejects.toMatchObject({ code: 'evidence-invalid' });
});

it('what was carried out and cannot be told is unknown, never a fault', async () => {
  const message = 'Too many requests at once.';
  bench.desk.script.refuse.set('account', { code: 'overloaded', message });
  await expect(bench.runner.run('buy', coinsOf(40, 1))).rejects.toMatchObject({
    outcome: 'unknown',
  });
  expect(bench.wallet.coins.onCard().map(({ coin }) => toHex(coin.body.coinId))).toHaveLength(4);
});
