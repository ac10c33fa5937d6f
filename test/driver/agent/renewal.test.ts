import { afterEach, beforeEach, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import type { Host, HostEvent } from '../../../driver/agent/host.ts';
import { buy as buyCoins } from '../../../driver/agent/order-errands.ts';
import { keepRenewing } from '../../../driver/agent/renewal.ts';
import { HostBench, pin } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const hourMs = 3_600_000;
/** The last quarter of it is near its end. */
const lifeSeconds = 20_000n;
const nearEndMs = 16_000_000;

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  bench.papers.coinLifeSeconds = lifeSeconds;
  await bench.enrol();
});
afterEach(async () => {
  await bench.close();
});

const buy = (value: number, count: number) =>
  bench.runner.run('buy', { lines: [{ value: String(value), count }] });

/** The coins that the wallet knows on the card: value and ID. */
function onCard(): { readonly value: bigint; readonly id: string }[] {
  return bench.wallet.coins.onCard().map(({ coin: { body } }) => ({
    value: body.value,
    id: toHex(body.coinId),
  }));
}

function values(): bigint[] {
  return onCard().map(({ value }) => value);
}

function told(): HostEvent[] {
  const events: HostEvent[] = [];
  bench.host.watch((event) => {
    if (event.kind === 'coins-renewed' || event.kind === 'renewal-failed') events.push(event);
  });
  return events;
}

it('coins in the last quarter of their life are exchanged when the balance is asked', async () => {
  await buy(30, 2);
  const old = onCard();
  await sleeps(nearEndMs - 2_000_000);
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({ coins: 2 });
  expect(onCard()).toEqual(old);
  await sleeps(2_000_000);
  const events = told();
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
    coins: 2,
    denominations: [{ value: '30', count: 2 }],
    ending: { coins: 0, value: '0' },
  });
  const ids = new Set(old.map(({ id }) => id));
  expect(onCard().some(({ id }) => ids.has(id))).toBe(false);
  expect(events).toEqual([{ kind: 'coins-renewed', coins: 2, value: 60n, currency: 'EUR' }]);
});

it('coins that live for years are near their end in the last 30 days', async () => {
  bench.papers.coinLifeSeconds = 31n * 86_400n * 5n;
  await buy(30, 1);
  const { ending } = await bench.runner.run('balance', {});
  expect(ending.coins).toBe(0);
  const within = async (withinDays: number) =>
    (await bench.runner.run('renew', { withinDays })).coins;
  expect(await within(154)).toBe(0);
  expect(await within(156)).toBe(1);
});

it.each([
  ['more coins', [[20, 40]]],
  ['more values', Array.from({ length: 18 }, (_, i): [number, number] => [i + 1, 1])],
] as [string, [number, number][]][])(
  '%s than one order takes become new ones in two',
  async (_what, lines) => {
    for (const [value, count] of lines) await buy(value, count);
    const orders = bench.desk.orders.size;
    const before = values().sort();
    await sleeps(nearEndMs);
    const coins = before.length;
    expect(await bench.runner.run('renew', {})).toMatchObject({ coins, left: 0 });
    expect(values().sort()).toEqual(before);
    expect(bench.desk.orders.size - orders).toBe(2);
  },
);

it('a payment comes first: its coin is used, and what is left is exchanged after it', async () => {
  await buy(30, 2);
  await sleeps(nearEndMs);
  const { quoteId } = await bench.runner.run('quote', {
    payee: bob,
    minimumSuite: 'aes',
    avoid: [],
  });
  const [first, second] = onCard().map(({ id }) => id);
  const params = { quoteId, exchange: false, waitMs: 10_000 };
  await expect(bench.runner.run('pay', params)).resolves.toMatchObject({ standing: 'delivered' });
  const [left, ...more] = onCard();
  expect(more).toEqual([]);
  expect([first, second]).not.toContain(left?.id);
});

it('an exchange that is cut off is asked again, and no second one is begun', async () => {
  await buy(30, 2);
  for (const moment of ['before', 'after'] as const) {
    await sleeps(nearEndMs);
    const old = onCard();
    const orders = bench.desk.orders.size;
    bench.desk.script.cut.set('exchange', moment);
    const events = told();
    bench.host.watch(({ kind }) => {
      if (kind === 'renewal-failed') bench.desk.script.cut.clear();
    });
    await expect(bench.runner.run('connect', {})).resolves.toMatchObject({ user: 'alice@q1' });
    expect(events).toMatchObject([
      { kind: 'renewal-failed', failure: { code: 'outcome-unknown' } },
    ]);
    expect(values()).toEqual([30n, 30n]);
    expect(onCard().filter(({ id }) => old.some((one) => one.id === id))).toEqual([]);
    expect(bench.desk.orders.size - orders).toBe(1);
    expect(bench.wallet.orders.pending()).toEqual([]);
  }
});

it('an exchange that the desk refuses fails nothing else, and the balance says so', async () => {
  await buy(30, 2);
  await sleeps(nearEndMs);
  const events = told();
  const message = 'The certificate of this station has expired. Nothing was changed.';
  bench.desk.script.refuse.set('exchange', { code: 'certificate-not-valid', message });
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
    coins: 2,
    ending: { coins: 2, value: '60' },
  });
  expect(events).toMatchObject([{ kind: 'renewal-failed', failure: { message } }]);
  await expect(bench.runner.run('renew', {})).rejects.toMatchObject({ outcome: 'refused' });
  bench.desk.script.refuse.clear();
  expect(await bench.runner.run('renew', {})).toMatchObject({ coins: 2, value: '60', left: 0 });
});

it('coins that may have ended by the clock of the station are left to become money', async () => {
  await buy(30, 1);
  await sleeps(Number(lifeSeconds) * 1_000 - 250_000);
  const old = onCard();
  const events = told();
  expect(await bench.runner.run('renew', {})).toMatchObject({ coins: 0, left: 1 });
  expect(events).toEqual([]);
  expect(onCard()).toEqual(old);
});

it('where nothing is to be exchanged unasked, the balance tells and `renew` does it', async () => {
  await buy(30, 2);
  await bench.restart(0);
  bench.clock.advance(nearEndMs);
  const old = onCard();
  const { ending } = await bench.runner.run('balance', {}, { pin });
  expect(ending).toMatchObject({ coins: 2, value: '60', first: expect.any(String) as string });
  expect(onCard()).toEqual(old);
  expect(await bench.runner.run('renew', {})).toMatchObject({ coins: 2 });
});

it('a wrong PIN costs one try, whatever is near its end', async () => {
  await buy(30, 1);
  await bench.restart();
  bench.clock.advance(nearEndMs);
  await expect(bench.runner.run('balance', {}, { pin: '0000' })).rejects.toMatchObject({
    code: 'pin-wrong',
    triesLeft: 2,
  });
});

it('an agent that stays connected looks once an hour, until it ends', async () => {
  bench.papers.coinLifeSeconds = 4_700n;
  await bench.restart();
  const renewing = keepRenewing(bench.host);
  await bench.runner.run('keys', {}, { pin });
  await bench.host.desk();
  await buyFor(bench.host, 30n);
  const [old] = onCard();
  await staysConnected(hourMs - 20_000);
  expect(onCard()).toEqual([old]);
  await staysConnected(20_000);
  const [fresh] = onCard();
  expect(fresh?.id).not.toBe(old?.id);
  renewing.stop();
  await staysConnected(hourMs);
  expect(onCard()).toEqual([fresh]);
});

/** An errand would look after coins itself. */
async function buyFor(host: Host, value: bigint): Promise<void> {
  await buyCoins(host, { lines: [{ value: value.toString(), count: 1 }] }, () => undefined);
}

/** A step at a time, with a word from the station in each, so that it is not taken for silent. */
async function staysConnected(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20_000) {
    bench.clock.advance(20_000);
    await (await bench.host.desk()).account();
    await bench.host.inTurn(() => Promise.resolve());
  }
}

/** At once, as a machine sleeps: the link is found dead, and the next errand makes one. */
async function sleeps(ms: number): Promise<void> {
  const { closed } = await bench.host.desk();
  bench.clock.advance(ms);
  await closed;
}
