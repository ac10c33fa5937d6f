/**
 * `keytolld payments`: what this station keeps of the payments that it issued, carried or handed
 * over.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { systemEntropy } from '../entropy.ts';
import { readStationConfig } from '../station/config.ts';
import { openStationStore } from '../station/station-store.ts';
import type { PaymentRow, Store } from '../store/store.ts';
import { print, reporting } from './report.ts';

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
          const rows = await readRows(store, options.payment);
          const payments = rows.map(describe);
          const lines = payments.map(
            (one) =>
              `${one.paymentId}  ${one.role.padEnd(6)}  ${one.state.padEnd(11)}  ` +
              `fee ${formatMoney(one.fee, config.currency)}  ${one.payer} → ${one.payee}`,
          );
          print(
            command,
            options,
            { station: config.name, payments },
            lines.length === 0 ? ['No payments yet.'] : lines,
          );
        } finally {
          await store.close();
        }
      }),
    );
}

async function readRows(store: Store, only?: Uint8Array): Promise<readonly PaymentRow[]> {
  if (only !== undefined) {
    const [row] = await store.payments([only]);
    if (row === undefined) throw new RangeError(`no payment ${toHex(only)} is kept here`);
    return [row];
  }
  const rows: PaymentRow[] = [];
  for (;;) {
    const page = await store.eachPayment(rows.at(-1)?.paymentId, pageRows);
    rows.push(...page);
    if (page.length < pageRows) return rows;
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
