import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { encodeDelivery } from '../../applet-spec/card-delivery.ts';
import { toHex } from '../../applet-spec/bytes.ts';
import { apduProfiles, isApduProfile, type ApduProfile } from '../card/atr.ts';
import { CardFileError } from '../card/card-error.ts';
import { readCardFaults } from '../card/card-fault-reader.ts';
import { CardFile } from '../card/card-file.ts';
import { makeCard } from '../card/card-maker.ts';
import { traceFile } from '../card/card-trace.ts';
import { openMaker } from '../card/maker-folder.ts';
import { runCard } from '../card/running-card.ts';
import type { VpcdAddress } from '../card/vpcd-client.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { reporting } from './report.ts';

interface MakeOptions {
  readonly delivery: string;
  readonly profile: ApduProfile;
  readonly maker?: string;
}

interface RunOptions {
  readonly reader: VpcdAddress;
  readonly latency: number;
  readonly profile?: ApduProfile;
  readonly trace?: string;
  readonly faults?: string;
}

/** `sun_path` of unix(7), less its final zero. */
const socketPathBytesMost = 107;
const profileNames = Object.keys(apduProfiles).join(', ');

/** `keytoll-emulator card make|run` */
export function registerCardCommand(program: Command): void {
  const card = program.command('card').description('quantum key cards that are files');
  card
    .command('make')
    .description('make a new card, and the delivery file that its station imports')
    .argument('<file>', 'where the card shall live')
    .requiredOption('--delivery <file>', 'serial number and transport keys, for the station')
    .option('--profile <name>', `how it speaks: ${profileNames}`, profileName, 't1-extended')
    .option('--maker <dir>', 'folder of its maker, made if new: certifies its device key')
    .action((file: string, options: MakeOptions, command: Command) =>
      reporting(command, () => {
        make(file, options);
      }),
    );
  card
    .command('run')
    .description('put a card into a virtual reader until SIGTERM or SIGINT')
    .argument('<file>', 'a card that `card make` has made')
    .requiredOption('--reader <address>', 'HOST:PORT or the path of a Unix socket', readerAddress)
    .option('--latency <ms>', 'how long it takes for each APDU', milliseconds, 0)
    .option('--profile <name>', `instead of its own: ${profileNames}`, profileName)
    .option('--trace <file>', 'append every APDU, the PIN too, as lines of JSON')
    .option('--faults <file>', 'JSON list of scripted faults')
    .action((file: string, options: RunOptions, command: Command) =>
      reporting(command, () => {
        run(file, options);
      }),
    );
}

function make(file: string, { delivery, profile, maker }: MakeOptions): void {
  const desk = maker === undefined ? undefined : openMaker(maker, systemEntropy);
  const made = makeCard(systemEntropy, profile, desk);
  // The keys first: a card whose keys were lost could never be enrolled.
  writeNew(delivery, encodeDelivery(made.delivery));
  try {
    CardFile.make(file, made.image);
  } catch (error) {
    rmSync(delivery, { force: true });
    throw error;
  }
  const serial = toHex(made.delivery.serial);
  process.stdout.write(`${JSON.stringify({ file, delivery, serial, profile })}\n`);
}

function run(path: string, options: RunOptions): void {
  const { reader, trace, faults, profile, latency } = options;
  const card = runCard({
    path,
    reader,
    clock: systemClock,
    entropy: systemEntropy,
    latencyMs: latency,
    ...(profile !== undefined && { apduProfile: profile }),
    ...(trace !== undefined && { record: traceFile(trace) }),
    ...(faults !== undefined && { faults: readCardFaults(readFileSync(faults, 'utf8')) }),
  });
  const stop = (): void => {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    void card.close();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const ready = { ready: true, file: path, atr: toHex(card.atr).toUpperCase(), reader };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Mode 0600, durable, never over another file. Throws CardFileError. */
function writeNew(path: string, text: string): void {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const detail = 'cannot be written; it must not be there yet, its folder must';
    throw new CardFileError('card-file-unwritable', path, detail, error);
  }
}

function readerAddress(value: string): VpcdAddress {
  const [, host, digits] = /^(.*):(\d{1,5})$/.exec(value) ?? [];
  if (host !== undefined && digits !== undefined && !value.includes('/')) {
    const port = Number(digits);
    if (port >= 1 && port <= 65_535) return { host: host === '' ? '127.0.0.1' : host, port };
  } else if (value.includes('/')) {
    if (Buffer.byteLength(value) <= socketPathBytesMost) return { path: value };
    throw new InvalidArgumentError(`a socket's path has ${socketPathBytesMost} bytes at most`);
  }
  throw new InvalidArgumentError('expected HOST:PORT or the path of a Unix socket');
}

function profileName(value: string): ApduProfile {
  if (isApduProfile(value)) return value;
  throw new InvalidArgumentError(`expected one of ${profileNames}`);
}

function milliseconds(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed) || parsed < 0) {
    throw new InvalidArgumentError('expected a number of milliseconds');
  }
  return parsed;
}
