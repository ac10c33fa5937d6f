import type { Command } from 'commander';
import { counted } from '../../applet-spec/counted.ts';
import { limits } from '../../applet-spec/limits.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import type { ErrandProgress, ErrandResult } from '../agent/errands.ts';
import type { CommandSetting } from './command-setting.ts';
import type { Cli } from './program.ts';
import { UsageError } from './usage-error.ts';

export function addMoneyCommands(cli: Cli): void {
  const { program } = cli;
  const lines = 'COUNTxVALUE, the value in minor units: 20x30 is twenty coins of 30';
  program
    .command('connect')
    .description('connect to the station, check it, and catch up')
    .action((_options, command: Command) => cli.perform(command, connect));
  program
    .command('balance')
    .description('account and coins')
    .action((_options, command: Command) => cli.perform(command, balance));
  program
    .command('buy')
    .description('buy coins from the account')
    .argument('<lines...>', lines)
    .action((given: string[], _options, command: Command) =>
      cli.perform(command, (setting) => order(setting, 'buy', given)),
    );
  program
    .command('exchange')
    .description('exchange coins on the card for coins of these values')
    .argument('<lines...>', lines)
    .action((given: string[], _options, command: Command) =>
      cli.perform(command, (setting) => order(setting, 'exchange', given)),
    );
  program
    .command('refund')
    .description('give coins of these values back to the account')
    .argument('<lines...>', lines)
    .action((given: string[], _options, command: Command) =>
      cli.perform(command, (setting) => order(setting, 'refund', given)),
    );
}

const orderWords = { buy: 'Bought', exchange: 'Exchanged for', refund: 'Gave back' } as const;

async function order(
  setting: CommandSetting,
  kind: keyof typeof orderWords,
  given: readonly string[],
): Promise<undefined> {
  const lines = parseLines(given);
  const bar = setting.terminal.progressBar('coins');
  const onProgress = (progress: ErrandProgress): void => {
    bar.update(progress);
  };
  let result: ErrandResult<'buy'>;
  try {
    result = await setting.run(kind, { lines }, onProgress);
  } finally {
    bar.stop();
  }
  setting.print(result, () => {
    const value = formatMoney(result.value, result.currency);
    const account = formatMoney(result.balance, result.currency);
    const coins = counted(result.coins, 'coin');
    return `${orderWords[kind]} ${coins} worth ${value}; account ${account}.`;
  });
}

async function connect(setting: CommandSetting): Promise<undefined> {
  const result = await setting.run('connect', {});
  const { user, station, url, network } = result;
  const account = formatMoney(result.balance, result.currency);
  setting.print(result, () =>
    [
      `${user} is connected to ${station} at ${url}, network ${network}.`,
      ...result.checks.map((check) => `  ok  ${check}`),
      `Account ${account}, ${counted(result.coinsOnCard, 'coin')} on the card.`,
    ].join('\n'),
  );
}

async function balance(setting: CommandSetting): Promise<undefined> {
  const result = await setting.run('balance', {});
  const { currency, coinsCapacity, expired } = result;
  const value = formatMoney(result.coinsValue, currency);
  setting.print(result, () =>
    [
      `Account  ${formatMoney(result.account, currency)}`,
      `Coins    ${value} in ${counted(result.coins, 'coin')}, room for ${coinsCapacity}`,
      ...(expired.coins === 0
        ? []
        : [
            `Expired  ${formatMoney(expired.value, currency)} in ` +
              `${counted(expired.coins, 'coin')}: ` +
              'the station takes them off the card and pays their value back to the account',
          ]),
      ...result.denominations.map(
        ({ value, count }) => `  ${String(count).padStart(5)} of ${formatMoney(value, currency)}`,
      ),
    ].join('\n'),
  );
}

/** `20x30`: twenty coins of thirty minor units. */
function parseLines(
  given: readonly string[],
): { readonly value: string; readonly count: number }[] {
  const { orderLines, orderCoins } = limits;
  if (given.length > orderLines) {
    throw new UsageError(`an order has at most ${orderLines} lines such as 20x30`);
  }
  return given.map((text) => {
    const [, count, value] = /^([1-9][0-9]{0,8})x([1-9][0-9]{0,19})$/.exec(text) ?? [];
    if (count !== undefined && Number(count) > orderCoins) {
      throw new UsageError(`"${text}" is too much: an order is for at most ${orderCoins} coins`);
    }
    if (count !== undefined && value !== undefined) return { value, count: Number(count) };
    throw new UsageError(
      `"${text}" is no order line: expected COUNTxVALUE such as 20x30, the value in minor units`,
    );
  });
}
