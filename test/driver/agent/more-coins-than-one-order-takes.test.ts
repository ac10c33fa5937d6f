/** An order takes back 32 coins at most; whoever has hundreds of small ones need not know that. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HostBench } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const coinsOf = (value: number, count: number) => ({ lines: [{ value: String(value), count }] });

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(1, 100));
  bench.desk.asked.length = 0;
});
afterEach(async () => {
  await bench.close();
});

function ordersOf(kind: 'exchange' | 'refund'): number {
  return bench.desk.asked.filter((asked) => asked === kind).length;
}

it('they are given back in as many orders as it takes', async () => {
  await expect(bench.runner.run('refund', coinsOf(1, 70))).resolves.toMatchObject({
    coins: 70,
    value: '70',
  });
  expect(ordersOf('refund')).toBe(3);
  expect(bench.wallet.coins.onCard()).toHaveLength(30);
});

const message = 'The disk is full. Nothing was changed.';

/** The first is carried out; what is asked then is refused, or the link ends before its answer. */
function failsAfterTheFirst(kind: 'exchange' | 'refund', how: 'refused' | 'cut'): void {
  const { script } = bench.desk;
  script.says = (said) => {
    if (said.kind !== 'exchanged' && said.kind !== 'refunded') return said;
    if (how === 'cut') script.cut.set(kind, 'before');
    else script.refuse.set(kind, { code: 'overloaded', message });
    return said;
  };
}

it('that fails half-way says what was given back, and is not taken for nothing', async () => {
  failsAfterTheFirst('refund', 'refused');
  await expect(bench.runner.run('refund', coinsOf(1, 70))).rejects.toMatchObject({
    outcome: 'unknown',
    code: 'partly-done',
    message: `32 of 70 coins were given back; the other 38 were not: ${message}`,
  });
  expect(bench.wallet.coins.onCard()).toHaveLength(68);
});

it('an exchange that fails between its orders says what it has done and what not', async () => {
  failsAfterTheFirst('exchange', 'refused');
  await expect(bench.runner.run('exchange', coinsOf(95, 1))).rejects.toMatchObject({
    outcome: 'unknown',
    code: 'partly-done',
    message:
      '32 coins became 1 larger coin of the same sum; the coins asked for were not made: ' +
      message,
  });
  bench.desk.script.refuse.clear();
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
    coinsValue: '100',
    denominations: [
      { value: '1', count: 68 },
      { value: '32', count: 1 },
    ],
  });
});

it.each(['exchange', 'refund'] as const)(
  'of one %s that is cut off between says what is not known',
  async (kind) => {
    failsAfterTheFirst(kind, 'cut');
    const wanted = kind === 'refund' ? coinsOf(1, 70) : coinsOf(95, 1);
    const asked = bench.runner.run(kind, wanted);
    const outcome = { outcome: 'unknown', code: 'outcome-unknown' };
    await expect(asked).rejects.toMatchObject(outcome);
    await expect(asked).rejects.toThrow(/^32 .*; the .* were not( made)?, as far as is known: /);
  },
);

it('the first of several that is cut off is not taken for the whole', async () => {
  bench.desk.script.cut.set('exchange', 'after');
  const asked = bench.runner.run('exchange', coinsOf(95, 1));
  await expect(asked).rejects.toMatchObject({ outcome: 'unknown' });
  await expect(asked).rejects.toThrow('the coins asked for were not made, as far as is known');
});

it('coins that are renewed half-way are counted, and so are the others', async () => {
  failsAfterTheFirst('exchange', 'refused');
  await expect(bench.runner.run('renew', { withinDays: 3_650 })).rejects.toMatchObject({
    outcome: 'unknown',
    code: 'partly-done',
    message: `32 of 100 coins were exchanged for new ones; the other 68 were not: ${message}`,
  });
});

it('a payment that fails on the way to its coin says that it was not made', async () => {
  bench.desk.script.fees = [30n, 20n];
  const { quoteId } = await bench.runner.run('quote', {
    payee: bob,
    minimumSuite: 'aes',
    avoid: [],
  });
  failsAfterTheFirst('exchange', 'refused');
  const how = { quoteId, exchange: true, waitMs: 60_000 };
  await expect(bench.runner.run('pay', how)).rejects.toMatchObject({
    outcome: 'refused',
    code: 'overloaded',
    message: `32 coins became 1 larger coin of the same sum, and nothing was paid: ${message}`,
  });
  expect(bench.desk.asked).not.toContain('pay');
});

it('they are exchanged for one large coin, over some that are between', async () => {
  await expect(bench.runner.run('exchange', coinsOf(95, 1))).resolves.toMatchObject({
    coins: 1,
    value: '95',
  });
  expect(ordersOf('exchange')).toBe(4);
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
    coinsValue: '100',
    denominations: [
      { value: '1', count: 5 },
      { value: '95', count: 1 },
    ],
  });
});

it('more lines than an order has are refused before any coin is exchanged', async () => {
  const lines = Array.from({ length: 16 }, (_, i) => ({ value: String(i + 1), count: 1 }));
  await bench.runner.run('refund', coinsOf(1, 100));
  await bench.runner.run('buy', coinsOf(3, 60));
  // 46 of them are worth 2 more than the 136: a seventeenth line.
  await expect(bench.runner.run('exchange', { lines })).rejects.toMatchObject({
    code: 'bad-params',
  });
  expect(ordersOf('exchange')).toBe(0);
});

it('they pay for a key that is dearer than 32 of them', async () => {
  bench.desk.script.fees = [30n, 20n];
  const { quoteId } = await bench.runner.run('quote', {
    payee: bob,
    minimumSuite: 'aes',
    avoid: [],
  });
  const how = { quoteId, exchange: true, waitMs: 60_000 };
  await expect(bench.runner.run('pay', how)).resolves.toMatchObject({ standing: 'delivered' });
  expect(bench.wallet.coins.onCard()).toHaveLength(50);
});

it('more than there are is still refused before anything is done', async () => {
  for (const kind of ['exchange', 'refund'] as const) {
    const wanted = kind === 'refund' ? coinsOf(1, 101) : coinsOf(101, 1);
    await expect(bench.runner.run(kind, wanted)).rejects.toMatchObject({ code: 'coins-too-few' });
    expect(ordersOf(kind)).toBe(0);
  }
});
