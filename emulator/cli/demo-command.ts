/** `keytoll-emulator demo`: parsing and printing. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { limits } from '../../applet-spec/limits.ts';
import { systemClock } from '../clock.ts';
import { DemoError } from '../demo/demo-error.ts';
import { readerKinds, type ReaderKind } from '../demo/demo-readers.ts';
import { runDemo } from '../demo/demo.ts';

interface DemoCommandOptions {
  readonly stations: number;
  readonly reader: ReaderKind;
  readonly json?: true;
}

/** `S36` and a gap. */
const stepColumns = 5;

export function registerDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('a whole toll road on this machine, from a coin to a shared key')
    .option('--stations <n>', 'how many stations in a row', stationCount, 3)
    .addOption(
      new Option('--reader <kind>', 'pcsc: the cards are behind a real pcscd of the demo’s own')
        .choices(readerKinds)
        .default('virtual'),
    )
    .option('--json', 'print one JSON object and nothing else')
    .action(demo);
}

async function demo(options: DemoCommandOptions): Promise<void> {
  const stop = new AbortController();
  // Once it ends, it ends: a second signal must not leave behind what the first is clearing away.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stop.abort();
    });
  }
  const startedMs = systemClock.nowMs();
  try {
    const report = await runDemo({
      stations: options.stations,
      reader: options.reader,
      clock: systemClock,
      signal: stop.signal,
      tell: (step, words) => {
        if (options.json !== true) process.stdout.write(`${step.padEnd(stepColumns)}${words}\n`);
      },
    });
    const tookSeconds = ((systemClock.nowMs() - startedMs) / 1000).toFixed(1);
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify(report)}\n`
        : `Done in ${tookSeconds} s; nothing is left running.\n`,
    );
    if (report.certificateSeenInClear) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    process.stderr.write(`keytoll-emulator demo: ${error.message}\n`);
    process.exitCode = 1;
  }
}

function stationCount(text: string): number {
  const count = Number(text);
  const { routeStationsLeast: least, routeStationsMost: most } = limits;
  if (!Number.isInteger(count) || count < least || count > most) {
    throw new InvalidArgumentError(`expected ${least} to ${most} stations`);
  }
  return count;
}
