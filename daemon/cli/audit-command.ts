/** `keytolld audit` (S6): offline, from this station's own store. Parsing and printing. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { counted } from '../../applet-spec/counted.ts';
import { isoTime, secondsOfIsoTime } from '../../applet-spec/iso-time.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { isStationName, isUserName } from '../../applet-spec/names.ts';
import type { AuditReport } from '../audit/audit.ts';
import { findingReport } from '../audit/finding.ts';
import type { Item, ItemFilter, TallyReport } from '../audit/itemised-bill.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { auditOwnStore, type AuditWish } from '../station/audit-part.ts';
import { readStationConfig, type StationConfig } from '../station/config.ts';
import { noteAudit } from '../station/last-audit.ts';
import { makeFolder } from '../station/made-folder.ts';
import { billPrinter } from './csv-report.ts';
import type { KeptList } from '../store/book-store.ts';
import { failUsage, print, reporting } from './report.ts';
import { exitOnStopSignal } from './stop-signals.ts';

interface AuditOptions {
  readonly config: string;
  readonly user?: string;
  readonly peer?: string;
  readonly station?: string;
  readonly relay?: string;
  readonly from?: bigint;
  readonly to?: bigint;
  readonly items?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly lists?: string;
}

/** Findings printed for a person; `--json` has all. */
const findingsShown = 100;

export function registerAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('recompute everything from stored payments: bills, books, settlement')
    .requiredOption('--config <file>', 'station.toml')
    .option('--user <user>', 'itemise only payments by or to this user', userName)
    .option('--peer <station>', 'itemise only payments settled with this station', stationName)
    .option('--station <station>', 'itemise only payments over this station', stationName)
    .option('--relay <station>', 'itemise only payments that this station relayed', stationName)
    .option('--from <date>', 'itemise from this day or time on (ISO 8601, UTC)', startOf)
    .option('--to <date>', 'itemise up to the end of this day, or this time', endOf)
    .option('--items', 'print every payment')
    .option('--lists <folder>', 'write the lists of revoked certificates that it judged by there')
    .option('--json', 'print JSON')
    .addOption(
      new Option('--csv', 'print every line of every bill as CSV (RFC 4180)').conflicts([
        'json',
        'items',
      ]),
    )
    .addHelpText('after', '\nAll is audited, whatever is itemised. Exit code 1 with findings.')
    .action((options: AuditOptions, command: Command) =>
      reporting(command, async () => {
        const { from, to } = options;
        if (from !== undefined && to !== undefined && from > to) {
          failUsage(command, '--from is later than --to: there is nothing in between');
        }
        const config = readStationConfig(options.config);
        const items: Item[] = [];
        const csv = options.csv === true && billPrinter(command, config.name, config.currency);
        const { lists } = options;
        if (lists !== undefined) makeFolder(lists);
        const report = await audited(config, {
          filter: filterOf(options),
          onItem: (item) => {
            if (options.items === true) items.push(item);
            if (csv !== false) csv.item(item);
          },
          ...(lists !== undefined && {
            onList: (list) => {
              writeList(lists, list);
            },
          }),
        });
        if (csv !== false) {
          csv.end();
          for (const line of findingLines(report))
            command.configureOutput().writeErr?.(`${line}\n`);
        } else {
          print(command, options, jsonOf(report, options, items), [
            ...items.map((item) => itemLine(item, report.currency)),
            ...reportLines(report),
          ]);
        }
        if (report.findings.length > 0) process.exitCode = 1;
      }),
    );
}

/** As the CA signed it, for whoever is shown the audit; the same again is no fault. */
function writeList(folder: string, { number, sinceMs, bytes }: KeptList): void {
  const since = new Date(sinceMs).toISOString().replace(/\.\d+/, '').replaceAll(':', '-');
  const file = join(folder, `revoked-${String(number).padStart(4, '0')}-since-${since}.crl`);
  try {
    writeFileSync(file, bytes, { flag: 'wx' });
  } catch (error) {
    const isSame = existsSync(file) && equalBytes(readFileSync(file), bytes);
    if (!isSame)
      throw new RangeError(`${file} cannot be written: ${String(error)}`, { cause: error });
  }
}

/** Audits, and notes what came of it for `keytolld status`. */
async function audited(config: StationConfig, wish: AuditWish): Promise<AuditReport> {
  const at = new Date(systemClock.nowMs()).toISOString();
  const goOn = exitOnStopSignal(process);
  try {
    const report = await auditOwnStore(config, { entropy: systemEntropy, ...wish });
    await noteAudit(config, { at, findings: report.findings.length });
    return report;
  } finally {
    goOn();
  }
}

function filterOf({ user, peer, station, relay, from, to }: AuditOptions): ItemFilter {
  return {
    ...(user !== undefined && { user }),
    ...(peer !== undefined && { peer }),
    ...(station !== undefined && { station }),
    ...(relay !== undefined && { relay }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

function jsonOf(report: AuditReport, options: AuditOptions, items: readonly Item[]): object {
  const { station, currency, findings, trialBalance, losses, lostRecords, ...rest } = report;
  return {
    station,
    currency,
    findings: findings.map(findingReport),
    trialBalance: `${trialBalance}`,
    losses: losses.map(({ station: of, generation, lost, kept, time }) => ({
      station: of,
      generation: `${generation}`,
      lost: `${lost}`,
      kept: `${kept}`,
      declared: isoTime(time),
    })),
    lostRecords: `${lostRecords}`,
    ...rest,
    ...(options.items === true && { items }),
  };
}

function reportLines(report: AuditReport): string[] {
  const { station, currency, payments, issued, relayed } = report;
  const coins = Object.entries(issued.coins).map(
    ([state, { count, value }]) => `${count} ${state} worth ${formatMoney(value, currency)}`,
  );
  const words = (tally: TallyReport): string => tallyWords(tally, currency);
  const lines = (what: string, tallies: Readonly<Record<string, TallyReport>>): string[] =>
    Object.entries(tallies).map(([name, tally]) => `  ${what} ${name}: ${words(tally)}`);
  return [
    `${station}: ${counted(payments, 'payment')}`,
    `  issued: ${words(issued)}; coins: ${coins.length === 0 ? 'none' : coins.join(', ')}`,
    `  relayed: ${words(relayed)}`,
    ...lines('peer', report.byPeer),
    ...Object.entries(report.byStation).map(
      ([name, { payments: on, delivered, fees }]) =>
        `  station ${name}: on ${counted(on, 'bill')}, ${delivered} delivered, ` +
        `charged ${formatMoney(fees, currency)}`,
    ),
    ...lines('user', report.byUser),
    ...lines('month', report.byPeriod),
    ...lossLines(report),
    ...revocationLines(report),
    ...findingLines(report),
  ];
}

/** What was declared lost, and what came back: no finding, and never left out. */
function lossLines({ losses, restoredPayments, lostRecords, currency }: AuditReport): string[] {
  return [
    ...losses.map(
      ({ station, lost, kept, time }) =>
        `  ${station} declared on ${isoTime(time)} that leaves of its log are lost: ` +
        `of ${lost} witnessed it goes on from ${kept}`,
    ),
    ...(restoredPayments === 0
      ? []
      : [
          `  ${counted(restoredPayments, 'payment')} restored from neighbours; coins that ` +
            `nobody is known to have bought paid ${formatMoney(lostRecords, currency)}`,
        ]),
  ];
}

/** Whom lists named that this station judged payments by. */
function revocationLines({ revocations }: AuditReport): string[] {
  const { lists, paymentsBefore, revoked } = revocations;
  const before = paymentsBefore === 0 ? '' : `; ${counted(paymentsBefore, 'payment')} before`;
  return [
    `  judged by ${counted(lists, 'list')} of revoked certificates${before}`,
    ...revoked.map(
      ({ who, serialNumber, list, since }) =>
        `  revoked: ${who}, certificate ${serialNumber}, by list ${list} in force since ${since}`,
    ),
  ];
}

function findingLines({ findings, trialBalance, currency }: AuditReport): string[] {
  return [
    `trial balance ${formatMoney(trialBalance, currency)}, ${findingWords(findings.length)}`,
    ...findings.slice(0, findingsShown).map((finding) => {
      const { code, detail, paymentId, party } = findingReport(finding);
      const subject = paymentId === undefined ? '' : ` payment ${paymentId}`;
      return `  ${code}${subject}: ${detail}${party === undefined ? '' : ` (${party})`}`;
    }),
    ...(findings.length > findingsShown ? ['  … and more; --json has all'] : []),
  ];
}

function findingWords(count: number): string {
  if (count === 0) return 'no findings';
  return `${counted(count, 'finding')}:`;
}

function tallyWords(tally: TallyReport, currency: string): string {
  const { payments, delivered } = tally;
  const earned = formatMoney(tally.earned, currency);
  const owed = formatMoney(tally.owed, currency);
  const words = `${counted(payments, 'payment')}, ${delivered} delivered`;
  return `${words}, earned ${earned}, owed to others ${owed}`;
}

function itemLine(item: Item, currency: string): string {
  const { time, paymentId, role, state, payer, payee, bill, value } = item;
  const lines = bill.map(({ station, fee }) => `${station} ${formatMoney(fee, currency)}`);
  return (
    `${time}  ${paymentId}  ${role.padEnd(6)}  ${state.padEnd(11)}  ` +
    `${payer} → ${payee}  ${formatMoney(value, currency)} = ${lines.join(', ')}`
  );
}

function userName(text: string): string {
  if (isUserName(text)) return text;
  throw new InvalidArgumentError('expected a user name such as alice@q1');
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
