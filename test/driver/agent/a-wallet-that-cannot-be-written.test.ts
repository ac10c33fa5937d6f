/**
 * The station has answered and the wallet cannot note it: a full disk, a file that another program
 * holds. What may have happened is never called failed, and is asked again under the same name.
 */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commands } from '../../../applet-spec/commands.ts';
import type { ErrandParams } from '../../../driver/agent/errands.ts';
import { withAdvice } from '../../../driver/cli/advice.ts';
import { rawDatabase } from '../../raw-database.ts';
import { HostBench, pin } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const quoteWish: ErrandParams<'quote'> = { payee: bob, minimumSuite: 'aes', avoid: [] };
const coinsOf = (value: number, count: number) => ({ lines: [{ value: String(value), count }] });

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(30, 2));
});
afterEach(async () => {
  await bench.close();
});

/** From another program: this change fails as it would on a full disk, until the file is mended. */
function breakWallet(event: string): { mend(): void } {
  const path = join(bench.folder, 'wallet.db');
  const change = (sql: string): void => {
    const file = rawDatabase(path);
    file.exec(sql);
    file.close();
  };
  change(`create trigger full before ${event} begin select raise(abort, 'disk full'); end`);
  return {
    mend: () => {
      change('drop trigger full');
    },
  };
}

async function reconnect(): Promise<void> {
  const desk = await bench.host.desk();
  desk.close();
  await desk.closed;
  await bench.runner.run('connect', {}, { pin });
}

describe('an order that was carried out, and cannot be noted', () => {
  it.each(['buy', 'exchange', 'refund'] as const)(
    '(%s) is unknown, and asked again under its own ID',
    async (kind) => {
      const wallet = breakWallet('update of state on orders');
      await expect(bench.runner.run(kind, coinsOf(30, 1))).rejects.toMatchObject({
        outcome: 'unknown',
        message: expect.stringMatching(/^the order was carried out, but .*disk full/) as string,
      });
      const [open, ...others] = bench.wallet.orders.pending();
      expect(others).toEqual([]);
      const coins = bench.desk.coins.size;
      wallet.mend();
      await reconnect();
      expect(bench.wallet.orders.pending()).toEqual([]);
      expect(bench.wallet.orders.find(open?.orderId ?? new Uint8Array())?.state).toBe('done');
      expect(bench.desk.coins.size).toBe(coins);
      expect(bench.wallet.coins.onCard()).toHaveLength(coins);
    },
  );
});

it('an order that was refused, and cannot be noted, is asked again', async () => {
  const message = 'The account holds EUR 0.10.';
  bench.desk.script.refuse.set('buy', { code: 'account-too-low', message });
  const wallet = breakWallet('update of state on orders');
  await expect(bench.runner.run('buy', coinsOf(30, 1))).rejects.toMatchObject({
    outcome: 'unknown',
    message: expect.stringMatching(/^The account holds EUR 0\.10, but .*disk full/) as string,
  });
  wallet.mend();
  await reconnect();
  expect(bench.wallet.orders.pending()).toEqual([]);
});

it('an order that cannot be noted before it leaves never leaves', async () => {
  const wallet = breakWallet('insert on orders');
  await expect(bench.runner.run('refund', coinsOf(30, 1))).rejects.toMatchObject({
    outcome: 'fault',
    code: 'wallet-unreachable',
  });
  wallet.mend();
  await reconnect();
  expect(bench.desk.asked).not.toContain('refund');
});

it('an order whose coins cannot be kept says why it is unknown', async () => {
  const wallet = breakWallet('insert on coins');
  await expect(bench.runner.run('buy', coinsOf(50, 1))).rejects.toMatchObject({
    outcome: 'unknown',
    message: expect.stringMatching(/disk full/) as string,
  });
  wallet.mend();
  await reconnect();
  expect(bench.wallet.orders.pending()).toEqual([]);
  expect(bench.wallet.coins.onCard()).toHaveLength(3);
});

describe('a payment', () => {
  const pay = async () => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    return { quoteId, paying: bench.runner.run('pay', { quoteId, exchange: false, waitMs: 0 }) };
  };

  it('that was made and cannot be kept is unknown, and named by its quote', async () => {
    const wallet = breakWallet('insert on payments');
    const { quoteId, paying } = await pay();
    await expect(paying).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringContaining(`(quote ${quoteId})`) as string,
    });
    wallet.mend();
    await reconnect();
    await expect(bench.runner.run('payments', {})).resolves.toMatchObject({
      payments: [{ standing: 'delivered' }],
    });
  });

  it('refused is unknown where the card can no longer say that it has not signed', async () => {
    const message = 'The station has no keys.';
    bench.desk.script.refuse.set('pay', { code: 'no-keys', message });
    const answerTruly = bench.card.process.bind(bench.card);
    const card = vi.spyOn(bench.card, 'process').mockImplementation((command) => {
      const isWithdrawal =
        command[1] === commands.authorise.ins && bench.desk.asked.includes('pay');
      return isWithdrawal ? Promise.resolve(Uint8Array.of(0x6f, 0x00)) : answerTruly(command);
    });
    const { paying } = await pay();
    await expect(paying).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringMatching(/^The station has no keys, but /) as string,
    });
    card.mockRestore();
    expect(bench.wallet.quotes.pending()).toHaveLength(1);
  });
});

it('whatever kept it from being known, nobody is told to try again', () => {
  const words = withAdvice('wallet-busy', 'the order was carried out, but …', 'unknown');
  expect(words).toMatch(/do not place it again/);
  expect(words).not.toMatch(/try again/);
});
