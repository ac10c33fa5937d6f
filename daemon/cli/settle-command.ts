/**
 * `keytolld settle` and `keytolld positions`: money between stations (S5). Parsing and printing.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { counted } from '../../applet-spec/counted.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { isStationName, type StationName } from '../../applet-spec/names.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { Positions } from '../relay/positions.ts';
import {
  positionReport,
  windowReport,
  type PeerReport,
  type PositionReport,
  type WindowReport,
} from '../settlement/settlement-report.ts';
import { allWindows } from '../settlement/window-books.ts';
import { askSettle } from '../station/admin-socket.ts';
import { positionLimits, readStationConfig, type StationConfig } from '../station/config.ts';
import { adminSocketOf } from '../station/station.ts';
import { openStationStore } from '../station/station-store.ts';
import type { Store } from '../store/store.ts';
import { printCsv, windowCsv } from './csv-report.ts';
import { reference } from './reference.ts';
import { failUsage, print, reporting } from './report.ts';

interface SettleOptions {
  readonly config: string;
  readonly peer?: StationName;
  readonly paid?: StationName;
  readonly window?: bigint;
  readonly reference?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

export function registerSettleCommands(program: Command): void {
  program
    .command('settle')
    .description('claim, close, compare and pay with every station that owes or is owed')
    .requiredOption('--config <file>', 'station.toml')
    .option('--peer <station>', 'only with this one', stationName)
    .addOption(
      new Option('--paid <station>', 'book an agreed window whose money has moved')
        .argParser(stationName)
        .conflicts('peer'),
    )
    .option('--window <number>', 'with --paid: which window', windowNumber)
    .option('--reference <text>', 'with --paid: the bank’s, or your own', reference)
    .option('--json', 'print JSON')
    .action((options: SettleOptions, command: Command) =>
      reporting(command, () => {
        const { paid, window } = options;
        if (paid !== undefined) return bookPaid(paid, options, command);
        if ((window ?? options.reference) === undefined) return settle(options, command);
        return failUsage(command, '--window and --reference go with --paid');
      }),
    );
  program
    .command('positions')
    .description('what this station owes each other station, and is owed')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .addOption(new Option('--csv', 'print every window as CSV (RFC 4180)').conflicts('json'))
    .action((options: SettleOptions, command: Command) =>
      reporting(command, () => positions(options, command)),
    );
}

async function settle(options: SettleOptions, command: Command): Promise<void> {
  const config = readStationConfig(options.config);
  const report = await askSettle(adminSocketOf(config), options.peer);
  const lines = report.peers.flatMap((peer) => peerLines(peer, report.currency));
  print(command, options, report, lines.length === 0 ? ['Nothing is to be settled.'] : lines);
  if (report.peers.some(({ problem }) => problem !== undefined)) process.exitCode = 1;
}

async function bookPaid(
  peer: StationName,
  options: SettleOptions,
  command: Command,
): Promise<void> {
  const { window: sequence, reference: paidBy } = options;
  if (sequence === undefined || paidBy === undefined) {
    failUsage(command, '--paid needs --window and --reference');
  }
  await withStore(options, async (store, { currency }) => {
    const outcome = await store.payWindow(peer, sequence, paidBy, systemClock.nowMs());
    const window = await store.window(peer, sequence);
    if (outcome === 'unknown-window' || window === undefined) {
      throw new RangeError(`there is no window ${sequence} with ${peer}`);
    }
    if (outcome === 'not-agreed') {
      throw new RangeError(
        `window ${sequence} with ${peer} is ${window.state}, not agreed; nothing was booked`,
      );
    }
    const report = windowReport(window);
    print(command, options, { peer, outcome, ...report }, [
      outcome === 'exists'
        ? `Window ${sequence} with ${peer} was booked before, as "${window.paidBy ?? ''}".`
        : `Window ${sequence} with ${peer} is paid: net ${formatMoney(report.net, currency)}, ` +
          `"${paidBy}".`,
    ]);
  });
}

async function positions(options: SettleOptions, command: Command): Promise<void> {
  await withStore(options, async (store, config) => {
    const { name, currency } = config;
    const trusts = new Positions(store, positionLimits(config));
    const reports: PositionReport[] = [];
    const all: { readonly peer: string; readonly windows: readonly WindowReport[] }[] = [];
    for (const position of await store.positions()) {
      const { peer } = position;
      const windows = await allWindows(store, peer);
      const unclaimed = await store.unclaimedTotal(peer);
      reports.push(positionReport(position, unclaimed, windows, trusts.limitOf(peer)));
      all.push({ peer, windows: windows.map(windowReport) });
    }
    if (options.csv === true) {
      printCsv(command, windowCsv(name, currency, all));
      return;
    }
    const lines = reports.flatMap((position) => positionLines(position, currency));
    print(command, options, { station: name, currency, positions: reports }, [
      ...(lines.length === 0 ? ['Nothing is owed and nobody owes.'] : lines),
    ]);
  });
}

async function withStore(
  options: SettleOptions,
  run: (store: Store, config: StationConfig) => Promise<void>,
): Promise<void> {
  const config = readStationConfig(options.config);
  const store = await openStationStore(config, systemEntropy);
  try {
    await run(store, config);
  } finally {
    await store.close();
  }
}

function peerLines(report: PeerReport, currency: string): string[] {
  const { peer, claimed, refused, windows, problem } = report;
  return [
    `${peer}: ${counted(claimed.count, 'claim')} of ` +
      `${formatMoney(claimed.amount, currency)} taken, ${refused.length} refused`,
    ...refused.map(({ paymentId, why }) => `  refused ${paymentId}: ${why}`),
    ...windows.map((window) => windowLine(window, currency)),
    ...(problem === undefined ? [] : [`  stopped: ${problem}`]),
  ];
}

function positionLines(position: PositionReport, currency: string): string[] {
  const { peer, payable, receivable, inFlight, unclaimed, limit, windows } = position;
  const money = (amount: string): string => formatMoney(amount, currency);
  return [
    `${peer}: we owe ${money(payable)}, are owed ${money(receivable)}, of which ` +
      `${money(unclaimed.amount)} not claimed; in flight ${money(inFlight)}; ` +
      `trusted with ${money(limit)}`,
    ...windows.map((window) => windowLine(window, currency)),
  ];
}

function windowLine(report: WindowReport, currency: string): string {
  const { window, state, ours, theirs, net, reference } = report;
  const money = (amount: string): string => formatMoney(amount, currency);
  const paid = reference === undefined ? '' : `, "${reference}"`;
  return (
    `  window ${window} ${state}: ours ${money(ours.amount)} (${counted(ours.count, 'claim')}), ` +
    `theirs ${money(theirs.amount)} (${theirs.count}), net ${money(net)}${paid}`
  );
}

function stationName(text: string): StationName {
  if (isStationName(text)) return text;
  throw new InvalidArgumentError('expected a station name such as q1');
}

function windowNumber(text: string): bigint {
  if (/^[1-9]\d{0,17}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('expected the number of a window, such as 1');
}
