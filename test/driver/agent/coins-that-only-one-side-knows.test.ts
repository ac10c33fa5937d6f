/** Card, station and wallet each know of the coins on the card; where they differ, it is told. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runKeytoll } from '../../../driver/cli/program.ts';
import { AgentServer } from '../../../driver/agent/agent-server.ts';
import { TestTerminal } from '../cli/test-terminal.ts';
import { HostBench, pin } from '../desk/host-bench.ts';

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.runner.run('buy', { lines: [{ value: '30', count: 3 }] });
});
afterEach(async () => {
  await bench.close();
});

const none = { coins: 0, value: '0' };
const balance = () => bench.runner.run('balance', {}, { pin });

/** As after books were rebuilt without the sale, or where a card was put back to an old state. */
function stationForgetsOne(): void {
  const [one = ''] = bench.desk.coins.keys();
  bench.desk.coins.delete(one);
}

/** As where a card lost what it was given. */
function stationCountsOneMore(): void {
  const issued = bench.desk.papers.issueCoin(5n);
  bench.desk.coins.set('of no card', issued);
}

it('where all agree, nothing is said', async () => {
  await expect(balance()).resolves.toMatchObject({ coins: 3, unknown: none, missing: none });
  expect(bench.desk.asked).not.toContain('coins');
});

it.each(['still has', 'has lost'])(
  'coins on the card that the station does not count are told, if the wallet %s them',
  async (how) => {
    stationForgetsOne();
    if (how === 'has lost') {
      await bench.loseWallet();
      await bench.enrol();
    }
    await expect(balance()).resolves.toMatchObject({
      coins: 2,
      coinsValue: '60',
      unknown: { coins: 1, value: '30' },
      missing: none,
    });
  },
);

it('coins that the station counts and that are not on the card are told', async () => {
  stationCountsOneMore();
  await expect(balance()).resolves.toMatchObject({
    coins: 3,
    unknown: none,
    missing: { coins: 1, value: '5' },
  });
});

it('both at once are told apart, in words and with what to do', async () => {
  stationForgetsOne();
  stationCountsOneMore();
  await bench.loseWallet();
  await bench.enrol();
  const server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
  const terminal = new TestTerminal();
  expect(await runKeytoll(['--wallet', bench.folder, 'balance'], terminal, {})).toBe(0);
  await server.close();
  const lines = terminal.out.join('\n');
  expect(lines).toMatch(/^Coins {4}EUR 0\.60 in 2 coins; up to \d+ fit$/m);
  expect(lines).toMatch(/^Unknown {2}EUR 0\.30 in 1 coin on the card that q1 does not count: .*/m);
  expect(lines).toMatch(
    /^Missing {2}EUR 0\.05 in 1 coin that q1 counts and .* tell its operator$/m,
  );
});

it('of coins that have ended nothing is said: they become money', async () => {
  bench.papers.coinLifeSeconds = 1_000n;
  await bench.runner.run('buy', { lines: [{ value: '7', count: 1 }] });
  const last = [...bench.desk.coins.keys()].at(-1) ?? '';
  bench.desk.coins.delete(last);
  bench.clock.advance(1_001_000);
  await expect(balance()).resolves.toMatchObject({ coins: 3, unknown: none });
});
