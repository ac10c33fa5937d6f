import type { Command } from 'commander';
import { decodeDelivery, type CardDelivery } from '../../applet-spec/card-delivery.ts';
import { parseCertificate, type Certificate } from '../../applet-spec/certificate.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import { conformanceCases } from '../../applet-spec/conformance.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { ErrandError, toErrandError } from '../agent/errand-error.ts';
import { systemClock } from '../clock.ts';
import {
  checkConformance,
  type CaseOutcome,
  type ConformanceReport,
} from '../conformance/conformance.ts';
import { systemEntropy } from '../entropy.ts';
import { readBytesFile, readTextFile, type CommandSetting } from './command-setting.ts';
import { exitCodes } from './exit-codes.ts';
import { pemToDer } from './pem.ts';
import type { Cli } from './program.ts';
import { UsageError } from './usage-error.ts';

interface ConformanceCommandOptions {
  readonly delivery?: string;
  readonly expendable?: boolean;
  readonly makerRoot?: string;
}

/** `keytoll card conformance`: exit code 0 where no case failed, 1 where one did. */
export function addConformanceCommand(cli: Cli, card: Command): void {
  card
    .command('conformance')
    .description('try the conformance checklist on the card in the reader; nothing is used up')
    .option('--delivery <file>', 'the keys of a card that is not enrolled: the session’s cases too')
    .option('--expendable', 'with --delivery: use a blank card up, for its whole life’s cases')
    .option('--maker-root <file>', 'the root of the card’s maker, PEM or DER: its case too')
    .action((options: ConformanceCommandOptions, command: Command) =>
      cli.perform(command, (setting) => check(setting, options)),
    );
}

async function check(
  setting: CommandSetting,
  { delivery: file, expendable = false, makerRoot: rootFile }: ConformanceCommandOptions,
): Promise<number> {
  if (expendable && file === undefined) {
    throw new UsageError('--expendable needs the keys of the blank card: --delivery FILE');
  }
  const delivery = file === undefined ? undefined : readDelivery(file);
  const makerRoot = rootFile === undefined ? undefined : readMakerRoot(rootFile);
  const pin = setting.givenPin();
  const report = await checked({
    reader: await setting.openReader(),
    clock: systemClock,
    entropy: systemEntropy,
    primitives: noblePrimitives,
    expendable,
    ...(pin !== undefined && { pin }),
    ...(delivery !== undefined && { delivery }),
    ...(makerRoot !== undefined && { makerRoot }),
  });
  setting.print(report, () => reportWords(report));
  return report.failed === 0 ? exitCodes.done : exitCodes.fault;
}

/** A card that cannot even be selected is at fault; nothing was ordered or paid here. */
async function checked(options: Parameters<typeof checkConformance>[0]) {
  try {
    return await checkConformance(options);
  } catch (error) {
    const { outcome, message } = toErrandError(error);
    if (outcome !== 'unknown') throw error;
    throw new ErrandError({ outcome: 'fault', code: 'protocol', message }, error);
  }
}

function readDelivery(file: string): CardDelivery {
  const text = readTextFile(file, 'the delivery file');
  try {
    return decodeDelivery(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

function readMakerRoot(file: string): Certificate {
  const der = pemToDer(readBytesFile(file, "the maker's root certificate"), file);
  try {
    const root = parseCertificate(der);
    if (root.isCa) return root;
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
  throw new UsageError(`${file} is not the root of a card maker: it is no CA's certificate`);
}

function reportWords({ passed, failed, skipped, cases }: ConformanceReport): string {
  const sum = `${passed} passed, ${failed} failed, ${skipped} skipped.`;
  return [...cases.map(caseWords), sum].join('\n');
}

function caseWords({ id, clause, result, detail }: CaseOutcome): string {
  const line = `${result.padEnd(8)} ${id.padEnd(15)} ${conformanceCases[id].what}`;
  const margin = ' '.repeat(25);
  if (result === 'failed') return `${line}\n${margin}${clause}: ${detail ?? ''}`;
  return result === 'skipped' ? `${line}\n${margin}${detail ?? ''}` : line;
}
