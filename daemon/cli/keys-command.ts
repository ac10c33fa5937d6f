/** `keytolld keys list|renew|rotate`: a station's coin and document keys. Parsing and printing. */
import { basename } from 'node:path';
import { Argument, type Command } from 'commander';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { askStatus } from '../station/admin-socket.ts';
import { readStationConfig, type StationConfig } from '../station/config.ts';
import {
  certify,
  issueCommand,
  newKey,
  renewal,
  type RotationSeams,
  type Wanted,
} from '../station/key-rotation.ts';
import { keyReport, type CertificateReport, type KeyReport } from '../station/key-report.ts';
import { openNewestTrust } from '../station/newest-list.ts';
import { signingKinds, type SigningKind } from '../station/signing-files.ts';
import { adminSocketOf } from '../station/station.ts';
import type { StationStatus } from '../station/station-status.ts';
import { print, reporting } from './report.ts';

interface KeyOptions {
  readonly config: string;
  readonly ca?: string;
  readonly json?: boolean;
}

/** Adds `keys` with its subcommands. Tests give their own clock and entropy. */
export function registerKeysCommand(
  program: Command,
  seams: RotationSeams = { clock: systemClock, entropy: systemEntropy },
): void {
  const keys = program
    .command('keys')
    .description('the keys that sign coins and documents, and their certificates');
  keys
    .command('list')
    .description('what there is, until when it is good, and what may be destroyed')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .action((options: KeyOptions, command: Command) =>
      reporting(command, async () => {
        const config = readStationConfig(options.config);
        const trust = await openNewestTrust(config, seams);
        const report = keyReport(config, trust, seams, await runningKeys(config));
        print(command, options, report, linesOf(report));
      }),
    );
  const making = [
    ['renew', 'another certificate for the key in use', renewal],
    ['rotate', 'a new key and its certificate', newKey],
  ] as const;
  for (const [name, description, make] of making) {
    keys
      .command(name)
      .description(description)
      .addArgument(new Argument('<kind>', 'which key').choices(signingKinds))
      .requiredOption('--config <file>', 'station.toml')
      .option('--ca <folder>', "the CA's folder, where it is on this machine (default: ca.folder)")
      .option('--json', 'print JSON')
      .action((kind: SigningKind, options: KeyOptions, command: Command) =>
        reporting(command, async () => {
          const config = readStationConfig(options.config);
          const wanted = await make(config, kind, seams);
          await finish(config, wanted, options, command, seams);
        }),
      );
  }
}

async function finish(
  config: StationConfig,
  wanted: Wanted,
  options: KeyOptions,
  command: Command,
  seams: RotationSeams,
): Promise<void> {
  const { kind, keyFile, certificateFile } = wanted;
  const folder = options.ca ?? (config.ca.folder && config.path(config.ca.folder));
  if (folder !== undefined) await certify(config, folder, wanted, seams);
  const json = {
    kind,
    privateKey: keyFile.file,
    certificate: certificateFile,
    certified: folder !== undefined,
    ...(folder === undefined && { issue: issueCommand(config, wanted) }),
  };
  const use =
    '  half a minute later all stations know of it: restart this one, which signs with it then';
  print(command, options, json, [
    folder === undefined
      ? `${keyFile.file} waits for its certificate. At the CA's desk:`
      : `${certificateFile} certifies ${keyFile.file}. Next:`,
    ...(folder === undefined ? [`  ${issueCommand(config, wanted)}`] : []),
    use,
  ]);
}

/** undefined where the station does not run, or does not say. */
async function runningKeys(config: StationConfig): Promise<StationStatus['signsWith'] | undefined> {
  try {
    return (await askStatus(adminSocketOf(config))).signsWith;
  } catch {
    return undefined;
  }
}

function linesOf({ certificates, waiting, superfluous }: KeyReport): string[] {
  return [
    ...certificates.map(certificateLine),
    ...waiting.map(
      ({ kind, file, issue }) => `${kind}: ${basename(file)} waits for its certificate: ${issue}`,
    ),
    ...superfluous.map(({ file, from }) => `private key ${file}: destroy it ${from}`),
  ];
}

function certificateLine(one: CertificateReport): string {
  const { kind, file, privateKey, serial, notBefore, notAfter, state, neededUntil } = one;
  const needed = neededUntil === undefined ? '' : `, needed until ${neededUntil}`;
  const words = state === 'after restart' ? 'in use once the station starts anew' : state;
  const signer = privateKey === undefined ? 'private key not here' : basename(privateKey);
  return (
    `${kind}: ${basename(file)}, ${words}${needed}, ${notBefore} to ${notAfter}, ` +
    `serial number ${serial}, ${signer}`
  );
}
