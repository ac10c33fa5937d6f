import { Option, type Command } from 'commander';
import { formatMoney } from '../../applet-spec/money.ts';
import { isStationName, isUserName, suiteCodes, type Suite } from '../../applet-spec/names.ts';
import { isUnnamed } from '../../applet-spec/tlv.ts';
import { payOnAnyRoute, type PaidOnARoute, type RunErrand } from '../agent/any-route.ts';
import type { ErrandError } from '../agent/errand-error.ts';
import type { ErrandParams, ErrandResult } from '../agent/errands.ts';
import type { CommandSetting } from './command-setting.ts';
import { exitCodes } from './exit-codes.ts';
import type { Cli } from './program.ts';
import { UsageError } from './usage-error.ts';

interface QuoteOptions {
  readonly minimumSuite: Suite;
  readonly avoid: readonly string[];
}

interface PayOptions extends QuoteOptions {
  readonly quote?: string;
  readonly yes?: boolean;
  readonly exchange?: boolean;
  readonly wait: string;
  readonly atMost?: string;
}

const suites = Object.keys(suiteCodes);
const waitSecondsMost = 86_400;

export function addPaymentCommands(cli: Cli): void {
  const { program } = cli;
  withQuoteOptions(program.command('quote'))
    .description('ask what a key shared with somebody costs, station by station')
    .argument('<payee>', 'who shall share the key, such as bob@q3')
    .action((payee: string, options: QuoteOptions, command: Command) =>
      cli.perform(command, async (setting) => {
        const quote = await setting.run('quote', quoteParams(payee, options));
        setting.print(quote, () => quoteWords(quote));
        return undefined;
      }),
    );
  withQuoteOptions(program.command('pay'))
    .description('pay for a key shared with somebody, and wait for it')
    .argument('[payee]', 'who shall share the key, such as bob@q3')
    .option('--quote <id>', 'pay this quote; repeated, it is the same payment')
    .option('--yes', 'do not ask')
    .option('--exchange', 'where no coin fits, exchange coins for one that does')
    .option('--at-most <amount>', 'refuse a dearer quote, in minor units; no coin is used then')
    .option('--wait <seconds>', 'how long to wait for the verdict', '60')
    .action((payee: string | undefined, options: PayOptions, command: Command) =>
      cli.perform(command, (setting) => pay(setting, payee, options)),
    );
  program
    .command('payments')
    .description('all payments of this wallet')
    .action((_options, command: Command) => cli.perform(command, listPayments));
}

function withQuoteOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--minimum-suite <suite>', 'the weakest link protection allowed')
        .choices(suites)
        .default('aes'),
    )
    .option(
      '--avoid <station>',
      'leave this station out (may be repeated)',
      (station: string, before: readonly string[]) => [...before, station],
      [] as readonly string[],
    );
}

async function pay(
  setting: CommandSetting,
  payee: string | undefined,
  options: PayOptions,
): Promise<number> {
  const waitMs = waitMsOf(options.wait);
  const atMost = amountOf(options.atMost);
  if ((payee === undefined) === (options.quote === undefined)) {
    throw new UsageError('name either a payee or, with --quote, a quote');
  }
  if (options.yes !== true && !setting.terminal.interactive) {
    throw new UsageError('paying needs a yes and this is no terminal: use --yes');
  }
  const how = {
    exchange: options.exchange ?? false,
    waitMs,
    ...(atMost !== undefined && { atMost }),
  };
  const agrees = async (quote: ErrandResult<'quote'>): Promise<boolean> => {
    if (!setting.json) setting.terminal.note(quoteWords(quote));
    // It is refused as it stands: nobody is asked for a yes to it.
    const isTooDear = atMost !== undefined && BigInt(quote.total) > BigInt(atMost);
    return options.yes === true || isTooDear || setting.terminal.confirm('Pay?');
  };
  const run: RunErrand = (name, params) => setting.run(name, params);
  const refusals: { quoteId: string; code: string; message: string }[] = [];
  const hears = ({ quoteId }: ErrandResult<'quote'>, { code, message }: ErrandError): void => {
    refusals.push({ quoteId, code, message });
    if (!setting.json) setting.terminal.note(`${message} Asking for another route.`);
  };
  const paid =
    options.quote === undefined
      ? await payOnAnyRoute(run, quoteParams(payee ?? '', options), how, { agrees, hears })
      : await payQuote(run, quoteIdOf(options.quote), how, agrees);
  if (paid.outcome === 'declined') {
    setting.print({ quoteId: paid.quote.quoteId, paid: false }, () => 'Not paid.');
    return exitCodes.refused;
  }
  const { payment } = paid;
  const before = refusals.length === 0 ? {} : { refusedBefore: refusals };
  setting.print({ ...payment, ...before }, () => paymentWords(payment));
  return exitCodeOf(payment);
}

async function payQuote(
  run: RunErrand,
  quoteId: string,
  how: Omit<ErrandParams<'pay'>, 'quoteId'>,
  agrees: (quote: ErrandResult<'quote'>) => Promise<boolean>,
): Promise<PaidOnARoute> {
  const quote = await run('show-quote', { quoteId });
  if (!(await agrees(quote))) return { outcome: 'declined', quote };
  return { outcome: 'paid', payment: await run('pay', { ...how, quoteId }) };
}

async function listPayments(setting: CommandSetting): Promise<undefined> {
  const result = await setting.run('payments', {});
  setting.print(result, () =>
    result.payments.length === 0 ? 'No payments yet.' : result.payments.map(paymentLine).join('\n'),
  );
}

function quoteParams(payee: string, options: QuoteOptions): ErrandParams<'quote'> {
  if (!isUserName(payee)) {
    throw new UsageError(`"${payee}" is no user name: expected name@station, such as bob@q3`);
  }
  const stranger = options.avoid.find((station) => !isStationName(station));
  if (stranger !== undefined) throw new UsageError(`"${stranger}" is no station name`);
  const avoid = options.avoid.filter(isStationName);
  return { payee, minimumSuite: options.minimumSuite, avoid };
}

function quoteIdOf(text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  throw new UsageError(`"${text}" is no quote ID: expected 32 hexadecimal digits`);
}

function amountOf(text: string | undefined): string | undefined {
  if (text === undefined || /^(?:0|[1-9][0-9]{0,18})$/.test(text)) return text;
  throw new UsageError(`--at-most takes a whole number of minor units such as 30, not "${text}"`);
}

function waitMsOf(text: string): number {
  const seconds = Number(text);
  if (text !== '' && seconds >= 0 && seconds <= waitSecondsMost) return Math.round(seconds * 1_000);
  throw new UsageError(`--wait takes 0 to ${waitSecondsMost} seconds, not "${text}"`);
}

/** A payment without verdict goes on by itself; whoever asks again learns its end. */
function exitCodeOf({ standing }: ErrandResult<'pay'>): number {
  if (standing === 'delivered') return exitCodes.done;
  return standing === 'admitted' || standing === 'relayed' ? exitCodes.unknown : exitCodes.refused;
}

function quoteWords(quote: ErrandResult<'quote'>): string {
  const { currency, expires, minimumSuite, matchingCoins } = quote;
  const width = Math.max(5, ...quote.bill.map(({ station }) => station.length));
  const line = (name: string, amount: string): string =>
    `  ${name.padEnd(width)}  ${formatMoney(amount, currency)}`;
  return [
    `Quote ${quote.quoteId}: a key for ${quote.payer} and ${quote.payee}`,
    ...quote.bill.map(({ station, fee }) => line(station, fee)),
    line('total', quote.total),
    `Good until ${expires}; links at least ${minimumSuite}; coins of this value: ${matchingCoins}.`,
  ].join('\n');
}

function paymentWords(payment: ErrandResult<'pay'>): string {
  const { paymentId, payee, standing } = payment;
  const again = `\`keytoll pay ${payee}\` tries again, over another route where there is one.`;
  const total = formatMoney(payment.total, payment.currency);
  const reason = reasonWords(payment.reason);
  switch (standing) {
    case 'delivered':
      return `Delivered: you and ${payee} share the key of payment ${paymentId} (${total}).`;
    case 'undelivered':
      return `Not delivered (${reason}): the coin was replaced. Payment ${paymentId}. ${again}`;
    case 'refused':
      return `Refused (${reason}): the coin is replaced. Payment ${paymentId}. ${again}`;
    case 'admitted':
    case 'relayed':
      return `No verdict yet: payment ${paymentId} goes on; \`keytoll connect\` asks for its end.`;
  }
}

function reasonWords(reason = 'no reason given'): string {
  return isUnnamed(reason) ? `${reason}, a reason newer than this program` : reason;
}

function paymentLine(payment: ErrandResult<'pay'>): string {
  const other = payment.role === 'payer' ? `to ${payment.payee}` : `from ${payment.payer}`;
  const total = formatMoney(payment.total, payment.currency);
  const id = payment.paymentId.slice(0, 16);
  return `${payment.time}  ${id}  ${payment.standing.padEnd(11)}  ${total.padStart(12)}  ${other}`;
}
