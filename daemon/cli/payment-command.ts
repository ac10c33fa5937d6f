/**
 * `keytolld payments`: what this station keeps of the payments that it issued, carried or handed
 * over.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { systemEntropy } from '../entropy.ts';
import { readStationConfig, type StationConfig } from '../station/config.ts';
import { openStationStore } from '../station/station-store.ts';
import type { PaymentRow, Store } from '../store/store.ts';
import { printPages, reporting, type PrintedRow } from './report.ts';

interface PaymentsOptions {
  readonly config: string;
  readonly payment?: Uint8Array;
  readonly json?: boolean;
}

const pageRows = 1_000;

export function registerPaymentsCommand(program: Command): void {
  program
    .command('payments')
    .description('the payments that this station stores')
    .requiredOption('--config <file>', 'station.toml')
    .option('--payment <id>', 'only this one, in hexadecimal', paymentId)
    .option('--json', 'print JSON')
    .action((options: PaymentsOptions, command: Command) =>
      reporting(command, async () => {
        const config = readStationConfig(options.config);
        const store = await openStationStore(config, systemEntropy);
        try {
          const only = options.payment === undefined ? [] : await readOne(store, options.payment);
          const pages = options.payment === undefined ? pagesOf(store) : [only];
          const head = { station: config.name };
          const printed = printedPages(pages, config);
          const rows = await printPages(command, options, { head, name: 'payments' }, printed);
          if (rows === 0 && options.json !== true) {
            command.configureOutput().writeOut?.('No payments yet.\n');
          }
        } finally {
          await store.close();
        }
      }),
    );
}

async function readOne(store: Store, paymentId: Uint8Array): Promise<readonly PaymentRow[]> {
  const [row] = await store.payments([paymentId]);
  if (row === undefined) throw new RangeError(`no payment ${toHex(paymentId)} is kept here`);
  return [row];
}

async function* pagesOf(store: Store): AsyncGenerator<readonly PaymentRow[], void> {
  for (let after: Uint8Array | undefined; ;) {
    const page = await store.eachPayment(after, pageRows);
    yield page;
    after = page.at(-1)?.paymentId;
    if (page.length < pageRows) return;
  }
}

async function* printedPages(
  pages: Iterable<readonly PaymentRow[]> | AsyncIterable<readonly PaymentRow[]>,
  { currency }: StationConfig,
): AsyncGenerator<readonly PrintedRow[], void> {
  for await (const page of pages) {
    yield page.map((row) => {
      const json = describe(row);
      const { paymentId, role, state, fee, payer, payee } = json;
      const line =
        `${paymentId}  ${role.padEnd(6)}  ${state.padEnd(11)}  ` +
        `fee ${formatMoney(fee, currency)}  ${payer} → ${payee}`;
      return { json, line };
    });
  }
}

function paymentId(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text);
  throw new InvalidArgumentError('expected 64 hexadecimal digits');
}

function describe(row: PaymentRow) {
  return {
    paymentId: toHex(row.paymentId),
    role: row.role,
    state: row.state,
    payer: row.payer,
    payee: row.payee,
    value: String(row.value),
    fee: String(row.fee),
    previous: row.previous ?? null,
    next: row.next ?? null,
  };
}
