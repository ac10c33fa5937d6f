import { InvalidArgumentError, type Command } from 'commander';
import { counted } from '../../applet-spec/counted.ts';
import { limits } from '../../applet-spec/limits.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { renewDaysMost, type ErrandProgress, type ErrandResult } from '../agent/errands.ts';
import { certificateWords } from './certificate-words.ts';
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
  program
    .command('renew')
    .description('exchange coins near their end for new ones of the same values, as an agent does')
    .option('--within <days>', 'those that end within so many days', parseDays)
    .action((options: { readonly within?: number }, command: Command) =>
      cli.perform(command, (setting) => renew(setting, options.within)),
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

async function renew(setting: CommandSetting, within?: number): Promise<undefined> {
  const result = await setting.run('renew', within === undefined ? {} : { withinDays: within });
  setting.print(result, () => {
    const { coins, value, currency, left } = result;
    const done = coins === 0 ? 'No coin was exchanged' : `New: ${moneyIn(value, currency, coins)}`;
    const still = left === 0 ? '' : `; near their end still: ${counted(left, 'coin')}`;
    return `${done}${still}.`;
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
      ...certificateLines(result),
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
      `Coins    ${value} in ${counted(result.coins, 'coin')}; up to ${coinsCapacity} fit`,
      ...(expired.coins === 0
        ? []
        : [
            `Expired  ${formatMoney(expired.value, currency)} in ` +
              `${counted(expired.coins, 'coin')}: ` +
              'the station takes them off the card and pays their value back to the account',
          ]),
      ...differenceLines(result),
      ...endingLines(result),
      ...certificateLines(result),
      ...result.denominations.map(
        ({ value, count }) => `  ${String(count).padStart(5)} of ${formatMoney(value, currency)}`,
      ),
    ].join('\n'),
  );
}

/** Also of what could not be exchanged unasked: which command does it, or says why it cannot. */
function certificateLines({ certificate }: Pick<ErrandResult<'connect'>, 'certificate'>): string[] {
  const words = certificateWords(certificate);
  return words === undefined ? [] : [words];
}

/** Coins of which card and station do not tell the same. */
function differenceLines({ unknown, missing, user, currency }: ErrandResult<'balance'>): string[] {
  const station = user.slice(user.indexOf('@') + 1);
  const worth = ({ coins, value }: typeof unknown): string => moneyIn(value, currency, coins);
  return [
    ...(unknown.coins === 0
      ? []
      : [
          `Unknown  ${worth(unknown)} on the card that ${station} does not count: they pay ` +
            'nothing; where `keytoll connect` changes nothing, tell its operator',
        ]),
    ...(missing.coins === 0
      ? []
      : [
          `Missing  ${worth(missing)} that ${station} counts and that are not on the card: they ` +
            'become money on the account at their end; tell its operator',
        ]),
  ];
}

function endingLines({ ending, currency }: ErrandResult<'balance'>): string[] {
  if (ending.first === undefined) return [];
  const day = ending.first.slice(0, 10);
  const worth = moneyIn(ending.value, currency, ending.coins);
  return [`Ending   ${worth}, from ${day} on: \`keytoll renew\` exchanges them for new ones`];
}

function moneyIn(value: string, currency: string, coins: number): string {
  return `${formatMoney(value, currency)} in ${counted(coins, 'coin')}`;
}

/** Commander's parser of a number of days. */
export function parseDays(text: string): number {
  const days = /^(?:0|[1-9][0-9]{0,3})$/.test(text) ? Number(text) : Number.NaN;
  if (days <= renewDaysMost) return days;
  throw new InvalidArgumentError(`expected a number of days, 0 to ${renewDaysMost}`);
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
