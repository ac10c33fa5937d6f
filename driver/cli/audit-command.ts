import { InvalidArgumentError, Option, type Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { counted } from '../../applet-spec/counted.ts';
import { secondsOfIsoTime } from '../../applet-spec/iso-time.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { isStationName, isUserName } from '../../applet-spec/names.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { auditWallet, type WalletAuditReport } from '../audit/wallet-audit.ts';
import type { BillFilter, BillTally } from '../audit/wallet-bill.ts';
import { Wallet } from '../wallet/wallet.ts';
import type { CommandSetting } from './command-setting.ts';
import { exitCodes } from './exit-codes.ts';
import type { Cli } from './program.ts';
import { UsageError } from './usage-error.ts';

interface AuditOptions extends BillFilter {
  readonly card?: boolean;
  readonly csv?: boolean;
}

export function addAuditCommand(cli: Cli): void {
  cli.program
    .command('audit')
    .description('your own itemised bill, recomputed from the wallet alone (no station is asked)')
    .option('--card', 'let the card check the signatures that only it can tell: its own')
    .option('--peer <user>', 'itemise only payments with this user', userName)
    .option('--station <station>', 'itemise only payments over this station', stationName)
    .option('--relay <station>', 'itemise only payments that this station relayed', stationName)
    .option('--from <date>', 'itemise from this day or time on (ISO 8601, UTC)', startOf)
    .option('--to <date>', 'itemise up to the end of this day, or this time', endOf)
    .addOption(new Option('--csv', 'print every line of every bill as CSV (RFC 4180)'))
    .addHelpText('after', '\nAll is audited, whatever is itemised. Exit code 1 with findings.')
    .action((options: AuditOptions, command: Command) =>
      cli.perform(command, (setting) => audit(setting, options)),
    );
}

async function audit(setting: CommandSetting, options: AuditOptions): Promise<number> {
  const { card = false, csv = false, ...filter } = options;
  const { from, to } = filter;
  if (from !== undefined && to !== undefined && from > to) {
    throw new UsageError('--from is later than --to: there is nothing in between');
  }
  if (csv && setting.json) throw new UsageError('--csv and --json are two forms of one thing');
  const own = card ? (await setting.run('check-signatures', {})).checked : [];
  const ownSignatures = new Map(own.map(({ paymentId, own: holds }) => [paymentId, holds]));
  const wallet = Wallet.openToRead(setting.walletFolder);
  try {
    const report = auditWallet(wallet, noblePrimitives, { ownSignatures, filter });
    if (csv) {
      setting.terminal.print(billCsv(report).trimEnd());
      for (const line of findingLines(report)) setting.terminal.note(line);
    } else {
      setting.print(report, () => reportLines(report).join('\n'));
    }
    return report.findings.length === 0 ? exitCodes.done : exitCodes.fault;
  } finally {
    wallet.close();
  }
}

function reportLines(report: WalletAuditReport): string[] {
  const { user, currency, items, paid } = report;
  return [
    ...items.map(
      ({ time, paymentId, standing, role, peer, total, bill }) =>
        `${time}  ${paymentId.slice(0, 16)}  ${standing.padEnd(11)}  ` +
        `${role === 'payer' ? 'to' : 'from'} ${peer}  ${formatMoney(total, currency)}: ` +
        bill.map(({ station, fee }) => `${station} ${formatMoney(fee, currency)}`).join(', '),
    ),
    `${user} paid ${formatMoney(paid.amount, currency)} in ${counted(paid.payments, 'payment')}`,
    ...tallyLines('station', report.byStation, currency),
    ...tallyLines('peer', report.byPeer, currency),
    ...tallyLines('month', report.byPeriod, currency),
    ...coinLines(report),
    ...findingLines(report),
  ];
}

function coinLines({ coins, station, currency }: WalletAuditReport): string[] {
  if (coins.length === 0) return [];
  const value = coins.reduce((sum, coin) => sum + BigInt(coin.value), 0n);
  return [
    `on the card: ${counted(coins.length, 'coin')} of ${station}, ${formatMoney(value, currency)}`,
  ];
}

function findingLines({ findings, unchecked }: WalletAuditReport): string[] {
  const notChecked = Object.entries(unchecked).map(([what, count]) => `${count} × ${what}`);
  return [
    ...(notChecked.length === 0 ? [] : [`not checked: ${notChecked.join(', ')}`]),
    findings.length === 0 ? 'No findings.' : `${counted(findings.length, 'finding')}:`,
    ...findings.map(
      ({ code, detail, paymentId, party }) =>
        `  ${code}${paymentId === undefined ? '' : ` payment ${paymentId}`}: ${detail}` +
        (party === undefined ? '' : ` (${party})`),
    ),
  ];
}

function tallyLines(
  what: string,
  tallies: Readonly<Record<string, BillTally>>,
  currency: string,
): string[] {
  return Object.entries(tallies).map(
    ([name, { payments, amount }]) =>
      `  ${what} ${name}: ${formatMoney(amount, currency)} in ${counted(payments, 'payment')}`,
  );
}

/**
 * One row a line of a bill, amounts in minor units; `due` is the fee where this user paid and the
 * key was delivered, else 0.
 */
function billCsv({ user, currency, items }: WalletAuditReport): string {
  const head = [
    ...['user', 'payment', 'time', 'role', 'standing', 'peer', 'currency', 'total'],
    ...['line', 'station', 'fee', 'due'],
  ];
  const rows = items.flatMap(({ paymentId, time, role, standing, peer, total, bill }) =>
    bill.map(({ station, fee }, i) => [
      ...[user, paymentId, time, role, standing, peer, currency, total, i + 1, station, fee],
      role === 'payer' && standing === 'delivered' ? fee : '0',
    ]),
  );
  return stringify([head, ...rows], { record_delimiter: 'windows' });
}

function userName(text: string): string {
  if (isUserName(text)) return text;
  throw new InvalidArgumentError('expected a user name such as bob@q3');
}

function stationName(text: string): string {
  if (isStationName(text)) return text;
  throw new InvalidArgumentError('expected a station name such as q2');
}

function endOf(text: string): bigint {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  return startOf(text) + (isDay ? 86_399n : 0n);
}

function startOf(text: string): bigint {
  const seconds = secondsOfIsoTime(text);
  if (seconds !== undefined) return seconds;
  throw new InvalidArgumentError(
    'expected a day or time such as 2026-07-01 or 2026-07-01T12:00:00Z',
  );
}
