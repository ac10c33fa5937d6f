/** `keytolld backup` and `keytolld restore`: copies of the database. Parsing and printing. */
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { readStationConfig } from '../station/config.ts';
import { backUp, restore } from '../station/database-copy.ts';
import { print, reporting } from './report.ts';
import { exitOnStopSignal } from './stop-signals.ts';

interface CopyOptions {
  readonly config: string;
  readonly json?: boolean;
}

export function registerBackupCommands(program: Command): void {
  program
    .command('backup')
    .description('copy the database, whether or not the station runs')
    .argument('<file>', 'the copy, which must not exist')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      "\nKeep the station's keys elsewhere, too: without keys/storage.key a copy is of no use.",
    )
    .action((file: string, options: CopyOptions, command: Command) =>
      reporting(command, async () => {
        const config = readStationConfig(options.config);
        const copy = await heedingSignals(() => backUp(config, file));
        print(command, options, { ...copy, leaves: `${copy.leaves}` }, [
          `${config.name}: copied to ${copy.file}, ${copy.bytes} bytes, ` +
            `as of leaf ${copy.leaves} of its log; nothing in it is damaged.`,
        ]);
      }),
    );
  program
    .command('restore')
    .description('put a copy in the place of the database of a station that does not run')
    .argument('<file>', 'the copy')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe database of before is kept beside it.')
    .action((file: string, options: CopyOptions, command: Command) =>
      reporting(command, async () => {
        const config = readStationConfig(options.config);
        const seams = { clock: systemClock, entropy: systemEntropy };
        const restored = await heedingSignals(() => restore(config, file, seams));
        const { before, leaves } = restored;
        print(command, options, { ...restored, leaves: `${leaves}` }, [
          `${config.name}: ${restored.file} is the copy now, as of leaf ${leaves} of its log.`,
          ...(before === undefined ? [] : [`What was there before is in ${before}.`]),
          'Once the station runs, `keytolld status` says whether neighbours witnessed a newer one.',
        ]);
      }),
    );
}

/** It may be stopped anywhere, and leaves no half of a copy behind. */
async function heedingSignals<T>(work: () => Promise<T>): Promise<T> {
  const goOn = exitOnStopSignal(process);
  try {
    return await work();
  } finally {
    goOn();
  }
}
