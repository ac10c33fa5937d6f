/**
 * `npm run bench -- NAME… [--json] [--seconds N]`: measures, and holds each figure against what the
 * machine could do at best. Without names it says what there is to measure.
 */
import { parseArgs } from 'node:util';
import { apduFigures } from './apdu-bench.ts';
import { killPrograms } from './bench-program.ts';
import { rounded, tableOf, type Figure } from './figure.ts';
import { linkFigures } from './link-bench.ts';
import { paymentFigures } from './payment-bench.ts';
import { qkdFigures } from './qkd-bench.ts';
import { measureSignatures } from './signature-speed.ts';
import { storeFigures } from './store-bench.ts';

interface BenchOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly nodeArguments: readonly string[];
  readonly say: (line: string) => void;
}

interface Bench {
  readonly measures: string;
  run(options: BenchOptions): Promise<readonly Figure[]>;
}

const benches: Readonly<Record<string, Bench>> = {
  payment: {
    measures:
      'payments over three real stations on this machine: throughput, latency, memory, bytes',
    run: paymentFigures,
  },
  store: {
    measures: 'one station’s database: admitting, holding, confirming and deciding payments',
    run: () => storeFigures(20_480),
  },
  link: {
    measures: 'records of 1,200 bytes over one link between two processes, by suite',
    run: linkFigures,
  },
  qkd: {
    measures: 'keys from a key manager through the adapter; QKD bits a payment costs, by suite',
    run: qkdFigures,
  },
  apdu: {
    measures: 'a card behind pcscd: the driver against bare pcsclite, and what commands cost',
    run: apduFigures,
  },
  signatures: {
    measures: 'verifications and signatures each second on one core: what the limits are made of',
    run: () => Promise.resolve(signatureFigures()),
  },
};

function signatureFigures(): Figure[] {
  const { verifications, signatures } = measureSignatures(2_000);
  return [
    { name: 'signatures.verify', value: rounded(verifications, 0), unit: '1/s' },
    { name: 'signatures.sign', value: rounded(signatures, 0), unit: '1/s' },
  ];
}

/** What was asked for is at fault, and nothing was measured. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '20' },
      'warm-up': { type: 'string', default: '5' },
      /** Writes CPU profiles of the stations into a folder. */
      profile: { type: 'string' },
    },
  });
  if (positionals.length === 0) {
    const lines = Object.entries(benches).map(([name, { measures }]) => `${name}: ${measures}`);
    process.stdout.write(`${lines.join('\n')}\n`);
    return;
  }
  const chosen = positionals.map((name) => {
    const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
    if (bench === undefined) {
      throw new UsageError(`no bench "${name}"; there are ${Object.keys(benches).join(', ')}`);
    }
    return bench;
  });
  const profile = values.profile;
  const options: BenchOptions = {
    seconds: numberOf(values.seconds, '--seconds'),
    warmUpSeconds: numberOf(values['warm-up'], '--warm-up'),
    nodeArguments: profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile],
    say: (line) => {
      process.stderr.write(`${line}\n`);
    },
  };
  const figures: Figure[] = [];
  for (const bench of chosen) figures.push(...(await bench.run(options)));
  process.stdout.write(`${values.json ? JSON.stringify(figures) : tableOf(figures)}\n`);
}

function numberOf(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0))
    throw new UsageError(`${name} ${text}: a number of seconds above 0 is expected`);
  return value;
}

/** Ours, or of `parseArgs`: an option that there is not. */
function isUsage(error: unknown): boolean {
  if (error instanceof UsageError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_');
}

// However the bench ends, nothing that it started outlives it.
process.on('exit', killPrograms);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130));
}
try {
  await main();
} catch (error) {
  const isTheirs = isUsage(error);
  const told = error instanceof Error ? (isTheirs ? error.message : error.stack) : String(error);
  process.stderr.write(`${told ?? 'the bench failed'}\n`);
  process.exitCode = isTheirs ? 2 : 1;
}
