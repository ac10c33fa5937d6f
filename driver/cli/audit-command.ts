import type { Command } from 'commander';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { auditWallet, type WalletAuditReport } from '../audit/wallet-audit.ts';
import type { BillTally } from '../audit/wallet-bill.ts';
import { Wallet } from '../wallet/wallet.ts';
import type { CommandSetting } from './command-setting.ts';
import { exitCodes } from './exit-codes.ts';
import { formatMoney } from './money.ts';
import type { Cli } from './program.ts';

export function addAuditCommand(cli: Cli): void {
  cli.program
    .command('audit')
    .description('your own itemised bill, recomputed from the wallet alone (no station is asked)')
    .addHelpText('after', '\nExit code 1 where something is wrong.')
    .action((_options, command: Command) => cli.perform(command, audit));
}

async function audit(setting: CommandSetting): Promise<number> {
  const wallet = Wallet.open(setting.walletFolder);
  try {
    const report = auditWallet(wallet, noblePrimitives);
    setting.print(report, () => reportLines(report).join('\n'));
    return report.findings.length === 0 ? exitCodes.done : exitCodes.fault;
  } finally {
    wallet.close();
  }
}

function reportLines(report: WalletAuditReport): string[] {
  const { user, currency, items, paid, findings, unchecked } = report;
  const notChecked = Object.entries(unchecked).map(([what, count]) => `${count} × ${what}`);
  return [
    ...items.map(
      ({ time, paymentId, standing, role, peer, total, bill }) =>
        `${time}  ${paymentId.slice(0, 16)}  ${standing.padEnd(11)}  ` +
        `${role === 'payer' ? 'to' : 'from'} ${peer}  ${formatMoney(total, currency)}: ` +
        bill.map(({ station, fee }) => `${station} ${formatMoney(fee, currency)}`).join(', '),
    ),
    `${user} paid ${formatMoney(paid.amount, currency)} in ${paid.payments} payments`,
    ...tallyLines('station', report.byStation, currency),
    ...tallyLines('peer', report.byPeer, currency),
    ...tallyLines('month', report.byPeriod, currency),
    ...(notChecked.length === 0 ? [] : [`not checkable here: ${notChecked.join(', ')}`]),
    findings.length === 0 ? 'No findings.' : `${findings.length} findings:`,
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
      `  ${what} ${name}: ${formatMoney(amount, currency)} in ${payments} payments`,
  );
}
