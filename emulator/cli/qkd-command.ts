import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.ts';
import { seededEntropy, systemEntropy } from '../entropy.ts';
import { deviceFiles, initDevices } from '../qkd/device-files.ts';
import { readFaults } from '../qkd/fault-reader.ts';
import { startQkdEmulator } from '../qkd/qkd-emulator.ts';
import type { RunningQkdEmulator } from '../qkd/qkd-emulator.ts';
import { reporting } from './report.ts';

interface InitOptions {
  readonly sae: readonly string[];
  readonly host: readonly string[];
  readonly days: number;
}

interface RunOptions {
  readonly host: string;
  readonly port: readonly number[];
  readonly lengthKm: number;
  readonly lossDbPerKm: number;
  readonly rate?: number;
  readonly stock?: number;
  readonly initialStock?: number;
  readonly maxKeysPerRequest?: number;
  readonly seed?: string;
  readonly faults?: string;
  readonly control?: true;
}

/** `keytoll-emulator qkd init|run` */
export function registerQkdCommand(program: Command): void {
  const qkd = program
    .command('qkd')
    .description('key managers that speak ETSI GS QKD 014, with an emulated fibre between them');
  qkd
    .command('init')
    .description('make the device CA and the certificates of key managers and SAEs')
    .argument('<dir>', 'folder to fill')
    .requiredOption('--sae <id>', 'SAE ID, twice or more; each gets a key manager', collect, [])
    .option('--host <name>', "name or address in the key managers' certificates", collect, [])
    .option('--days <n>', 'validity of the certificates', number, 365)
    .action((dir: string, options: InitOptions, command: Command) =>
      reporting(command, () => init(dir, options)),
    );
  qkd
    .command('run')
    .description('serve the key managers of one folder until SIGTERM or SIGINT')
    .argument('<dir>', 'folder that `qkd init` has filled')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port, once for each key manager; 0: any', collectPorts, [])
    .option('--length-km <n>', 'length of the fibre', number, 20)
    .option('--loss-db-per-km <n>', 'loss of the fibre', number, 0.2)
    .option('--rate <bits>', 'secret bits per second, instead of what the fibre gives', number)
    .option('--stock <bits>', 'what the key managers can store', number)
    .option('--initial-stock <bits>', 'what they have stored at the start (default: all)', number)
    .option('--max-keys-per-request <n>', 'limit that the status names', number)
    .option('--seed <text>', 'makes keys and fibre repeat exactly: NOT secret')
    .option('--faults <file>', 'JSON list of scripted faults')
    .option('--control', 'read further faults from standard input, a line of JSON each')
    .action((dir: string, options: RunOptions, command: Command) =>
      reporting(command, () => run(dir, options)),
    );
}

async function init(dir: string, options: InitOptions): Promise<void> {
  // Other certificates under the same names would cut off whoever uses those of now.
  if (existsSync(join(dir, deviceFiles.plan))) {
    throw new RangeError(`${dir} has key managers already: name a new folder`);
  }
  const plan = await initDevices(dir, {
    saes: options.sae,
    days: options.days,
    clock: systemClock,
    entropy: systemEntropy,
    ...(options.host.length === 0 ? {} : { hosts: options.host }),
  });
  process.stdout.write(`${JSON.stringify({ dir, kmes: plan.kmes })}\n`);
}

async function run(dir: string, options: RunOptions): Promise<void> {
  const faults =
    options.faults === undefined ? [] : readFaults(await readFile(options.faults, 'utf8'));
  const emulator = await startQkdEmulator({
    dir,
    clock: systemClock,
    entropy: options.seed === undefined ? systemEntropy : seededEntropy(options.seed),
    host: options.host,
    ports: options.port,
    faults,
    fibre: {
      lengthKm: options.lengthKm,
      attenuationDbPerKm: options.lossDbPerKm,
      ...(options.rate === undefined ? {} : { rateBitsPerSecond: options.rate }),
      ...(options.stock === undefined ? {} : { storeBits: options.stock }),
      ...(options.initialStock === undefined ? {} : { initialBits: options.initialStock }),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    },
    limits:
      options.maxKeysPerRequest === undefined
        ? {}
        : { maxKeysPerRequest: options.maxKeysPerRequest },
  });
  const control = options.control === true ? listenForFaults(emulator) : undefined;
  const stop = (): void => {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    control?.close();
    void emulator.close();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ ready: true, kmes: emulator.kmes })}\n`);
}

/** A line is a fault, a list of faults, or the word `clear`. */
function listenForFaults(emulator: RunningQkdEmulator): { close(): void } {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    try {
      if (line.trim() === 'clear') emulator.clearFaults();
      else for (const fault of readFaults(line)) emulator.addFault(fault);
      process.stdout.write(`${JSON.stringify({ applied: line.trim() })}\n`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.stdout.write(`${JSON.stringify({ refused: reason })}\n`);
    }
  });
  return {
    close: () => {
      lines.close();
      process.stdin.destroy();
    },
  };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function collectPorts(value: string, before: readonly number[]): readonly number[] {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return [...before, Number(value)];
  throw new InvalidArgumentError('a port of 0 to 65535 is expected');
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed) || parsed < 0) {
    throw new InvalidArgumentError('a number of at least 0 is expected');
  }
  return parsed;
}
