/** `keytolld init|run|status|network`: a station for its operator. Parsing and printing. */
import { fstatSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { secondsOfIsoTime } from '../../applet-spec/iso-time.ts';
import {
  isCurrency,
  isStationName,
  toStationName,
  type StationName,
} from '../../applet-spec/names.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { askRecover, askStatus, serveAdmin } from '../station/admin-socket.ts';
import { networkNameMost, readStationConfig } from '../station/config.ts';
import { openLog, type Logger } from '../station/log.ts';
import { LogOutput } from '../station/log-output.ts';
import { auditByProgram } from '../station/audit-program.ts';
import { adminSocketOf, runStation, type Station } from '../station/station.ts';
import { holdStation } from '../station/run-lock.ts';
import { openSecretEntropy } from '../station/secret-entropy.ts';
import { initStationFolder } from '../station/station-folder.ts';
import { certifyStation, openCa } from '../station/station-papers.ts';
import { webSockets } from '../web-socket.ts';
import { print, reporting } from './report.ts';
import { networkLines, recoveryLines, statusLines } from './status-lines.ts';
import { firstStopSignal } from './stop-signals.ts';

interface ConfigOption {
  readonly config: string;
  readonly json?: boolean;
}

export function registerStationCommands(program: Command): void {
  addInit(program);
  program
    .command('run')
    .description('run the station until SIGTERM or SIGINT')
    .requiredOption('--config <file>', 'station.toml')
    .option(
      '--ready-fd <number>',
      'write one JSON line with the ports to this descriptor',
      openDescriptor,
    )
    .action((options: ConfigOption & { readonly readyFd?: number }, command: Command) =>
      reporting(command, () => run(options)),
    );
  program
    .command('status')
    .description('what the running station does: users, links, keys, CRL, positions')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .action((options: ConfigOption, command: Command) =>
      reporting(command, async () => {
        const status = await askStatus(adminSocketOf(readStationConfig(options.config)));
        print(command, options, status, statusLines(status));
      }),
    );
  addRecover(program);
  program
    .command('network')
    .description('stations, links, key stock and tariffs, as this station knows them')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .action((options: ConfigOption, command: Command) =>
      reporting(command, async () => {
        const { stations } = await askStatus(adminSocketOf(readStationConfig(options.config)));
        print(command, options, { stations }, networkLines(stations));
      }),
    );
}

function addRecover(program: Command): void {
  program
    .command('recover')
    .description('rebuild lost books from neighbours; again, to see how far that has come')
    .requiredOption('--config <file>', 'station.toml')
    .option('--without <station>', 'a station that is gone and will not tell', stationNames)
    .option(
      '--since <time>',
      'when the copy was made, or earlier (ISO 8601, UTC); else all',
      timeOf,
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nOnly where there is no newer copy of the database: what neighbours witnessed beyond it\n' +
        'is given up for ever, by a declaration that every audit shows.',
    )
    .action((options: RecoverOptions, command: Command) =>
      reporting(command, async () => {
        const socket = adminSocketOf(readStationConfig(options.config));
        const { without: leaveOut = [], since: sinceSeconds } = options;
        const wish = { leaveOut, ...(sinceSeconds !== undefined && { sinceSeconds }) };
        const recovery = await askRecover(socket, wish);
        print(command, options, recovery, recoveryLines(recovery));
      }),
    );
}

interface RecoverOptions extends ConfigOption {
  readonly without?: readonly StationName[];
  readonly since?: bigint;
}

/** The option may be given several times. */
function stationNames(text: string, before: readonly StationName[] = []): readonly StationName[] {
  if (isStationName(text)) return [...before, text];
  throw new InvalidArgumentError('expected a station name such as q2');
}

function timeOf(text: string): bigint {
  const seconds = secondsOfIsoTime(text);
  if (seconds !== undefined) return seconds;
  throw new InvalidArgumentError(
    'expected a day or time such as 2026-07-01 or 2026-07-01T12:00:00Z',
  );
}

function addInit(program: Command): void {
  program
    .command('init')
    .description('make a folder with keys and a configuration for a new station')
    .argument('<folder>')
    .requiredOption('--name <name>', 'the station’s name, such as q1')
    .requiredOption('--network <name>', 'the network’s name')
    .option('--currency <code>', 'ISO 4217', 'EUR')
    .option('--ca <folder>', 'the CA’s folder, where it is on this machine: certifies the keys')
    .option('--json', 'print JSON')
    .action((folder: string, options: InitOptions, command: Command) =>
      reporting(command, () => init(folder, options, command)),
    );
}

interface InitOptions {
  readonly name: string;
  readonly network: string;
  readonly currency: string;
  readonly ca?: string;
  readonly json?: boolean;
}

async function init(folder: string, options: InitOptions, command: Command): Promise<void> {
  const { name, network, currency, ca } = options;
  if (!isCurrency(currency)) {
    throw new RangeError(`"${currency}" is no currency of ISO 4217, such as EUR`);
  }
  const station = toStationName(name);
  if (network.length < 1 || network.length > networkNameMost) {
    throw new RangeError(`--network takes a name of 1 to ${networkNameMost} characters`);
  }
  const entropy = systemEntropy;
  // Before anything is made: a folder that is half a station would be in the way of the next try.
  if (ca !== undefined) await openCa(ca, { clock: systemClock, entropy });
  const caFolder = ca === undefined ? {} : { caFolder: resolve(ca) };
  const config = initStationFolder(folder, { station, network, currency, entropy, ...caFolder });
  if (ca !== undefined) await certifyStation(folder, station, ca, { clock: systemClock, entropy });
  const issue = `keytolld ca issue CA --name ${name}`;
  const papers = [
    `  ${issue} --role station-coin --public-key ${folder}/keys/coin.pem.pub ` +
      `--out ${folder}/certificates/coin.der`,
    `  ${issue} --role station-document --public-key ${folder}/keys/document.pem.pub ` +
      `--out ${folder}/certificates/document.der`,
    `  copy the CA's root certificate and CRL into ${folder}/certificates`,
  ];
  print(command, options, { station, config, certified: ca !== undefined }, [
    `Station ${name} made in ${folder}${ca === undefined ? '' : ', and certified'}. Next:`,
    ...(ca === undefined ? papers : []),
    `  edit ${config}, then: keytolld run --config ${config}`,
  ]);
}

async function run(options: ConfigOption & { readonly readyFd?: number }): Promise<void> {
  const config = readStationConfig(options.config);
  const adminSocket = adminSocketOf(config);
  const held = holdStation(config);
  // Standard error: standard output is for what was asked for.
  const output = new LogOutput(2, systemClock);
  process.once('exit', () => {
    output.flushSync();
  });
  const log = openLog(config.log.level, config.name, output);
  output.onLost = (lines) => {
    log.warn({ lines }, 'lines of this log were lost: its disk was full, or nobody read it');
  };
  const stopped = firstStopSignal(process).then((signal) => {
    log.info({ signal }, 'stopping');
  });
  const secretEntropy = await openSecretEntropy(config, systemEntropy, systemClock);
  const station = await runStation(config, {
    clock: systemClock,
    entropy: systemEntropy,
    secretEntropy,
    primitives: opensslPrimitives,
    sockets: webSockets(systemClock),
    log,
    checkpoints: 'worker',
    audit: auditByProgram(thisScript()),
  });
  const admin = await serveAdmin(adminSocket, station);
  if (options.readyFd !== undefined) {
    const { deskPort, linksPort } = station;
    const ready = { station: station.name, desk: deskPort, links: linksPort };
    writeSync(options.readyFd, `${JSON.stringify(ready)}\n`);
  }
  await untilStopped(station, stopped, log);
  await admin.close();
  await station.close();
  await secretEntropy.close();
  held.release();
  log.info('the station has stopped');
}

/** As it was started. */
function thisScript(): string {
  const [, script] = process.argv;
  if (script === undefined) throw new RangeError('a program without a script');
  return script;
}

/**
 * Rejects with StoreError where the disk failed (failure 41): what was under way is then unknown
 * until the next start, and nothing is to be closed in order on that disk.
 */
async function untilStopped(station: Station, stopped: Promise<void>, log: Logger): Promise<void> {
  try {
    await Promise.race([stopped, station.broken]);
  } catch (error) {
    log.fatal({ err: error }, 'the disk failed: the station ends; check it before it starts again');
    throw error;
  }
}

/** Before the station starts: nobody would hear that it has. */
function openDescriptor(text: string): number {
  const descriptor = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.NaN;
  try {
    fstatSync(descriptor);
    return descriptor;
  } catch {
    throw new InvalidArgumentError('expected an open descriptor, such as 1');
  }
}
