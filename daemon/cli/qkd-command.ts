/**
 * `keytolld qkd …`: QKD devices for the operator. Parsing and printing; the work is in
 * `daemon/qkd/`.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { DeviceCredentials } from '../qkd/device-credentials.ts';
import { Etsi014Transport } from '../qkd/etsi-014-transport.ts';
import type { ProbeEnd, ProbeReport } from '../qkd/probe-check.ts';
import { probe } from '../qkd/probe.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import { fail } from './report.ts';

interface ProbeCommandOptions {
  readonly sae: string;
  readonly peer: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly peerCa?: string;
  readonly peerCert?: string;
  readonly peerKey?: string;
  readonly kmeName?: readonly string[];
  readonly kmeFingerprint?: readonly string[];
  readonly timeoutMs: number;
  readonly json?: true;
}

/** Adds `qkd probe`. Ends with status 1 where a check deviates, 2 where nothing could be tried. */
export function registerQkdCommand(program: Command): void {
  const qkd = program.command('qkd').description('QKD devices');
  qkd
    .command('probe')
    .description('try a key manager against ETSI GS QKD 014; this spends some of its keys')
    .argument('<url...>', 'https URL of the key manager, and of the one at the other end')
    .requiredOption('--sae <id>', 'our SAE ID')
    .requiredOption('--peer <id>', "the peer's SAE ID")
    .requiredOption('--ca <file>', "PEM: the CA of the key manager's certificate")
    .requiredOption('--cert <file>', 'PEM: our SAE certificate')
    .requiredOption('--key <file>', 'PEM: its private key')
    .option('--peer-ca <file>', 'the same for the other end (default: --ca)')
    .option('--peer-cert <file>', "PEM: the peer's SAE certificate, to try both ends")
    .option('--peer-key <file>', 'PEM: its private key')
    .option('--kme-name <name>', "name in the key managers' certificates, in any field", collect)
    .option('--kme-fingerprint <hex>', 'SHA-256 of their certificates', collect)
    .option('--timeout-ms <n>', 'for each request', positive, 10_000)
    .option('--json', 'print JSON')
    .action(runProbe);
}

async function runProbe(
  urls: readonly string[],
  options: ProbeCommandOptions,
  command: Command,
): Promise<void> {
  const ends: OpenEnd[] = [];
  try {
    ends.push(...endsOf(urls, options));
    const [master, slave] = ends;
    if (master === undefined) throw new QkdError('refused', 'no key manager was named');
    const report = await probe({
      master,
      peerSaeId: options.peer,
      clock: systemClock,
      entropy: systemEntropy,
      ...(slave === undefined ? {} : { slave }),
    });
    const text = options.json === true ? `${JSON.stringify(report)}\n` : table(report);
    process.stdout.write(text);
    process.exitCode = report.conforms ? 0 : 1;
  } catch (error) {
    if (!(error instanceof QkdError)) throw error;
    fail(command, error, 2);
  } finally {
    for (const { transport } of ends) transport.close();
  }
}

/** One that has to be closed again. */
interface OpenEnd extends ProbeEnd {
  readonly transport: Etsi014Transport;
}

function endsOf(urls: readonly string[], options: ProbeCommandOptions): OpenEnd[] {
  const [master, slave, ...more] = urls;
  if (master === undefined || more.length > 0) {
    throw new QkdError('refused', 'one URL is expected, or two: of either end');
  }
  const { ca, cert, key, peerCa = ca, peerCert, peerKey } = options;
  const first = endOf(master, options.sae, { ca, cert, key }, options);
  if (slave === undefined) return [first];
  if (peerCert === undefined || peerKey === undefined) {
    throw new QkdError('refused', 'a second URL needs --peer-cert and --peer-key');
  }
  const files = { ca: peerCa, cert: peerCert, key: peerKey };
  return [first, endOf(slave, options.peer, files, options)];
}

function endOf(
  url: string,
  saeId: string,
  files: { readonly ca: string; readonly cert: string; readonly key: string },
  { kmeName = [], kmeFingerprint = [], timeoutMs }: ProbeCommandOptions,
): OpenEnd {
  const credentials = new DeviceCredentials(
    { caFile: files.ca, certificateFile: files.cert, privateKeyFile: files.key },
    { clock: systemClock },
  );
  const identity = { names: kmeName, fingerprints: kmeFingerprint };
  const transport = new Etsi014Transport({
    url,
    credentials,
    identity,
    timeoutMs,
    clock: systemClock,
  });
  return { transport, saeId };
}

function table({ checks, conforms }: ProbeReport): string {
  const rows = checks.map(({ id, clause, result, detail = '' }) => [id, clause, result, detail]);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const deviations = checks.filter(({ result }) => result === 'deviates').length;
  const verdict = conforms
    ? 'conforms to ETSI GS QKD 014 V1.1.1 in all that was tried'
    : `deviates from ETSI GS QKD 014 V1.1.1 in ${deviations} of ${checks.length} checks`;
  return `${[...lines, '', verdict].join('\n')}\n`;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number <= 0) {
    throw new InvalidArgumentError('a whole number above 0 is expected');
  }
  return number;
}
