import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ErrandError, toErrandError } from '../agent/errand-error.ts';
import { withAdvice, type AskedOfRoutes } from './advice.ts';
import { addAgentCommand } from './agent-command.ts';
import { addAuditCommand } from './audit-command.ts';
import { addCardCommands } from './card-commands.ts';
import { CommandSetting, type CommonOptions } from './command-setting.ts';
import { exitCodes } from './exit-codes.ts';
import { addKeyCommands } from './key-commands.ts';
import { addMoneyCommands, parseDays } from './money-commands.ts';
import { addPaymentCommands } from './payment-commands.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { programVersion } from './version.ts';

/** A command's work; a number is its exit code where that is not 0. */
export type CommandWork = (setting: CommandSetting) => Promise<number | undefined>;

/** What the command files add to: their commands end up in `perform`. */
export interface Cli {
  readonly program: Command;
  perform(command: Command, work: CommandWork): Promise<void>;
}

const exitCodesHelp = `
Exit codes: 0 done; 1 fault; 2 usage; 3 refused by card or station; 4 outcome unknown,
or done in part.`;

/** Runs one command line (without node and script) and returns its exit code. */
export async function runKeytoll(
  args: readonly string[],
  terminal: Terminal,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = newProgram(terminal);
  const perform = async (command: Command, work: CommandWork): Promise<void> => {
    const options = command.optsWithGlobals<CommonOptions>();
    const setting = new CommandSetting(options, terminal, environment);
    try {
      exitCode = (await work(setting)) ?? exitCodes.done;
    } catch (error) {
      exitCode = report(error, setting, command.opts<AskedOfRoutes>());
    } finally {
      await setting.close();
    }
  };
  const cli = { program, perform };
  addCardCommands(cli);
  addMoneyCommands(cli);
  addPaymentCommands(cli);
  addKeyCommands(cli);
  addAuditCommand(cli);
  addAgentCommand(cli);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCodes.done;
    // Commander has told people already; programs hear it in their own form.
    if (program.opts<CommonOptions>().json === true) {
      const isHelp = error.code === 'commander.help';
      const message = isHelp ? 'a command is missing' : error.message.replace(/^error: /, '');
      terminal.print(JSON.stringify({ error: { code: 'usage', message } }));
    }
    return exitCodes.usage;
  }
  return exitCode;
}

function newProgram(terminal: Terminal): Command {
  return new Command('keytoll')
    .description('A toll road for quantum keys: the user’s card and wallet')
    .version(programVersion())
    .option(
      '--wallet <dir>',
      'folder of the wallet (KEYTOLL_WALLET, default ~/.keytoll)',
      folderName,
    )
    .option(
      '--reader <spec>',
      'pcsc, pcsc:NAME, hid, virtual:HOST:PORT or virtual:/socket (KEYTOLL_READER, default pcsc)',
    )
    .option('--pin <pin>', 'PIN of the card (or --pin-file, or KEYTOLL_PIN)')
    .option('--pin-file <file>', 'file that holds the PIN')
    .option(
      '--renew-days <days>',
      'coins that end within so many days are exchanged for new ones; 0: none unasked (default 30)',
      parseDays,
    )
    .option('--json', 'print one JSON object: amounts in minor units, IDs in hexadecimal')
    .addHelpText('after', exitCodesHelp)
    .configureOutput({
      writeOut: (text) => {
        terminal.print(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.note(text.trimEnd());
      },
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
}

function report(error: unknown, setting: CommandSetting, asked: AskedOfRoutes): number {
  const { terminal } = setting;
  if (isCancelledPrompt(error)) {
    return say(setting, 'usage', 'stopped at a question; nothing was done', exitCodes.usage);
  }
  if (error instanceof UsageError) return say(setting, 'usage', error.message, exitCodes.usage);
  const failure = error instanceof ErrandError ? error : toErrandError(error);
  if (failure.code === 'internal' && failure.cause instanceof Error) {
    terminal.note(failure.cause.stack ?? failure.cause.message);
  }
  const words = withAdvice(failure.code, failure.message, failure.outcome, asked);
  return say(setting, failure.code, words, exitCodes[failure.outcome], failure.triesLeft);
}

function say(
  setting: CommandSetting,
  code: string,
  message: string,
  exitCode: number,
  triesLeft?: number,
): number {
  if (setting.json) {
    const left = triesLeft === undefined ? {} : { triesLeft };
    setting.terminal.print(JSON.stringify({ error: { code, message, ...left } }));
  }
  setting.terminal.note(`keytoll: ${message}`);
  return exitCode;
}

/** Of a variable that a script has not set: the folder would be the one that it runs in. */
function folderName(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('expected the name of a folder');
}

/** Ctrl-C at a prompt. */
function isCancelledPrompt(error: unknown): boolean {
  return error instanceof Error && error.name === 'ExitPromptError';
}
