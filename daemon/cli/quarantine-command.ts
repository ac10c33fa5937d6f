/** `keytolld quarantine …`: records of neighbours that could not be handled (failure 46). */
import { InvalidArgumentError, type Command } from 'commander';
import { toHex } from '../../applet-spec/bytes.ts';
import { counted } from '../../applet-spec/counted.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { systemEntropy } from '../entropy.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { askRetry } from '../station/admin-socket.ts';
import { readStationConfig } from '../station/config.ts';
import { openStationStore } from '../station/station-store.ts';
import { adminSocketOf } from '../station/station.ts';
import type { Quarantined } from '../store/quarantine-store.ts';
import type { Store } from '../store/store.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import { print, reporting } from './report.ts';

interface QuarantineOptions {
  readonly config: string;
  readonly json?: boolean;
}

const pageRows = 64;

export function registerQuarantineCommands(program: Command): void {
  const quarantine = program
    .command('quarantine')
    .description('records of neighbours that this station could not handle');
  onQuarantine(quarantine, 'list', 'which they are, of whom, and what went wrong').action(
    (options: QuarantineOptions, command: Command) =>
      withStore(command, options, async (store) => {
        const records = (await every(store)).map(describe);
        print(command, options, { records }, [
          ...records.map(lineOf),
          `${counted(records.length, 'record')} in quarantine`,
        ]);
      }),
  );
  onQuarantine(quarantine, 'show', 'one of them, with its bytes')
    .argument('<number>', 'as `list` names it', numberOf)
    .action((number: bigint, options: QuarantineOptions, command: Command) =>
      withStore(command, options, async (store) => {
        const found = await theOne(store, number);
        const record = { ...describe(found), bytes: toHex(found.bytes ?? new Uint8Array(0)) };
        print(command, options, record, [lineOf(record), record.bytes]);
      }),
    );
  onQuarantine(quarantine, 'retry', 'have the running station try one of them again')
    .argument('<number>', 'as `list` names it', numberOf)
    .action((number: bigint, options: QuarantineOptions, command: Command) =>
      reporting(command, () => retry(number, options, command)),
    );
  onQuarantine(quarantine, 'drop', 'forget one of them, with its bytes')
    .argument('<number>', 'as `list` names it', numberOf)
    .action((number: bigint, options: QuarantineOptions, command: Command) =>
      withStore(command, options, async (store) => {
        if (!(await store.dropQuarantined(number))) throw noSuch(number);
        print(command, options, { number: String(number), outcome: 'dropped' }, [
          `Record ${number} is dropped.`,
        ]);
      }),
    );
}

function onQuarantine(quarantine: Command, name: string, description: string): Command {
  return quarantine
    .command(name)
    .description(description)
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON');
}

async function retry(number: bigint, options: QuarantineOptions, command: Command): Promise<void> {
  const tried = await askRetry(adminSocketOf(readStationConfig(options.config)), number);
  switch (tried.outcome) {
    case 'handled':
      print(command, options, { number: String(number), outcome: tried.outcome }, [
        `Record ${number} is handled and quarantined no more.`,
      ]);
      return;
    case 'unknown':
      throw noSuch(number);
    case 'is-payment':
      throw new RangeError(
        `record ${number} is a payment, which was refused when it was quarantined: ` +
          'its issuer ends it; `keytolld quarantine drop` forgets it',
      );
    case 'failed-again':
      throw new RangeError(`record ${number} could not be handled again: ${tried.why}`);
  }
}

async function every(store: Store): Promise<readonly Quarantined[]> {
  const records: Quarantined[] = [];
  for (;;) {
    const page = await store.quarantined(records.at(-1)?.number ?? 0n, pageRows);
    records.push(...page);
    if (page.length < pageRows) return records;
  }
}

async function theOne(store: Store, number: bigint): Promise<Quarantined> {
  const [found] = await store.quarantined(number - 1n, 1);
  if (found?.number === number) return found;
  throw noSuch(number);
}

function noSuch(number: bigint): RangeError {
  return new RangeError(`there is no record ${number} in quarantine`);
}

function describe({ number, peer, rowId, attempts, firstMs, lastMs, why, ...what }: Quarantined) {
  return {
    number: String(number),
    peer,
    row: String(rowId),
    ...contentOf(what),
    attempts,
    first: new Date(firstMs).toISOString(),
    last: new Date(lastMs).toISOString(),
    length: what.bytes?.length ?? 0,
    why,
  };
}

/** What it says, as far as this program understands it. */
function contentOf({ form, bytes }: Pick<Quarantined, 'form' | 'bytes'>): {
  readonly kind: string;
  readonly paymentId: string | null;
} {
  if (bytes === undefined) return { kind: 'record that the disk has damaged', paymentId: null };
  if (form === 'record') return { kind: 'record that does not open', paymentId: null };
  let message: WireMessage;
  try {
    message = wireMessage.decode(bytes);
  } catch {
    return { kind: 'message that is not understood', paymentId: null };
  }
  return { kind: message.kind, paymentId: paymentNamed(message) };
}

function paymentNamed({ kind, content }: WireMessage): string | null {
  if (kind === 'receipt') return toHex(content.receipt.body.paymentId);
  if (kind === 'refusal') return toHex(content.refusal.body.paymentId);
  if (kind !== 'payment') return null;
  return toHex(paymentIdOf(opensslPrimitives, content.payment.transactionBytes));
}

function lineOf(one: ReturnType<typeof describe>): string {
  const { number, peer, row, kind, paymentId, length, attempts, first, last, why } = one;
  const about = paymentId === null ? kind : `${kind} ${paymentId}`;
  return (
    `${number}  ${peer} row ${row}: ${about}, ${length} bytes, failed ` +
    `${counted(attempts, 'time')}, ${first} to ${last}: ${why}`
  );
}

function withStore(
  command: Command,
  options: QuarantineOptions,
  run: (store: Store) => Promise<void>,
): Promise<void> {
  return reporting(command, async () => {
    const store = await openStationStore(readStationConfig(options.config), systemEntropy);
    try {
      await run(store);
    } finally {
      await store.close();
    }
  });
}

function numberOf(text: string): bigint {
  if (/^[1-9]\d{0,14}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('expected the number of a record, such as 1');
}
