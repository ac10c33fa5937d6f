/**
 * Bills and settlement windows as CSV (RFC 4180), for whoever keeps the books elsewhere. Amounts
 * are minor units; rows come in the order of the store, so that a second export is the same bytes
 * (I37).
 */
import type { Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import type { Item } from '../audit/itemised-bill.ts';
import type { WindowReport } from '../settlement/settlement-report.ts';

type Row = readonly (string | number)[];

const billHead: Row = [
  ...['station', 'payment', 'time', 'role', 'state', 'payer', 'payee', 'currency', 'value'],
  ...['line', 'line_station', 'fee', 'due'],
];

/**
 * Prints bills as they come, since there may be millions; `end` where none came, too. One row a
 * line of a bill. `due` is what the line comes to: the fee where the payment was delivered, else 0;
 * the sums of `due` over `line_station` are the ledger's movements.
 */
export function billPrinter(
  command: Command,
  station: string,
  currency: string,
): { readonly item: (item: Item) => void; readonly end: () => void } {
  let isBegun = false;
  const begin = (): void => {
    if (!isBegun) printCsv(command, csv([billHead]));
    isBegun = true;
  };
  return {
    end: begin,
    item: ({ paymentId, time, role, state, payer, payee, value, bill }) => {
      begin();
      const rows = bill.map(({ station: charging, fee }, i): Row => [
        ...[station, paymentId, time, role, state, payer, payee, currency, value],
        ...[i + 1, charging, fee, state === 'delivered' ? fee : '0'],
      ]);
      printCsv(command, csv(rows));
    },
  };
}

/** One row a window. `net` is what this station receives; below zero, what it pays. */
export function windowCsv(
  station: string,
  currency: string,
  peers: readonly { readonly peer: string; readonly windows: readonly WindowReport[] }[],
): string {
  const head = [
    ...['station', 'peer', 'window', 'state', 'currency', 'ours_count', 'ours_amount'],
    ...['theirs_count', 'theirs_amount', 'net', 'reference'],
  ];
  const rows = peers.flatMap(({ peer, windows }) =>
    windows.map(({ window, state, ours, theirs, net, reference = '' }): Row => [
      ...[station, peer, window, state, currency, ours.count, ours.amount],
      ...[theirs.count, theirs.amount, net, plain(reference)],
    ]),
  );
  return csv([head, ...rows]);
}

export function printCsv(command: Command, text: string): void {
  command.configureOutput().writeOut?.(text);
}

/** References are free text: a spreadsheet must not take one for a formula. */
function plain(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function csv(rows: Row[]): string {
  // Of a line that ends otherwise within a field, readers would make two rows (RFC 4180 §2.6).
  return stringify(rows, { record_delimiter: 'windows', quoted_match: /[\r\n]/ });
}
