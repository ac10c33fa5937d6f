import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { isUserName } from '../../applet-spec/names.ts';
import type { ErrandParams, ErrandResult } from '../agent/errands.ts';
import { readBytesFile, type CommandSetting } from './command-setting.ts';
import type { Cli } from './program.ts';
import { readStandardInput } from './standard-input.ts';
import { UsageError } from './usage-error.ts';

interface FileOptions {
  readonly in?: string;
  readonly out?: string;
  readonly message?: string;
}

export function addKeyCommands(cli: Cli): void {
  const { program } = cli;
  program
    .command('keys')
    .description('the keys that the card shares with others')
    .option('--erase <payment>', 'erase the key of this payment from the card')
    .action((options: { readonly erase?: string }, command: Command) =>
      cli.perform(command, (setting) =>
        options.erase === undefined ? listKeys(setting) : eraseKey(setting, options.erase),
      ),
    );
  program
    .command('send')
    .description('seal a message for somebody under a key shared with them')
    .argument('[peer]', 'for whom, such as bob@q3: under the newest key')
    .option('--key <payment>', 'under the key of this payment')
    .option('--message <text>', 'the message; else --in, else standard input')
    .option('--in <file>', 'the message from a file')
    .option('--out <file>', 'where the sealed text goes; else standard output')
    .action((peer: string | undefined, options: FileOptions, command: Command) =>
      cli.perform(command, (setting) =>
        send(setting, recipientOf(peer, command.opts<Record<string, string>>()['key']), options),
      ),
    );
  program
    .command('receive')
    .description('open a message that `keytoll send` sealed')
    .option('--message <text>', 'the sealed text; else --in, else standard input')
    .option('--in <file>', 'the sealed text from a file')
    .option('--out <file>', 'where the message goes; else standard output')
    .action((options: FileOptions, command: Command) =>
      cli.perform(command, (setting) => receive(setting, options)),
    );
}

async function listKeys(setting: CommandSetting): Promise<undefined> {
  const result = await setting.run('keys', {});
  setting.print(result, () =>
    result.keys.length === 0 ? 'No keys yet.' : result.keys.map(keyLine).join('\n'),
  );
}

async function eraseKey(setting: CommandSetting, given: string): Promise<undefined> {
  const paymentId = paymentIdOf(given);
  await setting.run('erase-key', { paymentId });
  setting.print({ erased: paymentId }, () => `The key of payment ${paymentId} has been erased.`);
}

async function send(
  setting: CommandSetting,
  to: ErrandParams<'send'>['to'],
  options: FileOptions,
): Promise<undefined> {
  const bytes = await inputBytes(options);
  const plaintext = Buffer.from(bytes).toString('base64');
  const sealed = await setting.run('send', { to, plaintext });
  if (options.out === undefined) {
    setting.print(sealed, () => sealed.message);
    return;
  }
  writeOut(options.out, toUtf8(`${sealed.message}\n`));
  setting.print(sealed, () => `Sealed for ${sealed.peer} in ${options.out ?? ''}.`);
}

async function receive(setting: CommandSetting, options: FileOptions): Promise<undefined> {
  const text = sealedText(await inputBytes(options));
  const takeAway = options.out === undefined ? undefined : requireWritable(options.out);
  const opened = await setting.run('receive', { message: text }).catch((error: unknown) => {
    takeAway?.();
    throw error;
  });
  const plaintext = new Uint8Array(Buffer.from(opened.plaintext, 'base64'));
  if (options.out !== undefined) writeOrShow(setting, options.out, plaintext);
  if (setting.json) setting.terminal.print(JSON.stringify(withText(opened, plaintext)));
  else if (options.out === undefined) setting.terminal.printBytes(plaintext);
  if (!setting.json) setting.terminal.note(`From ${opened.peer}, payment ${opened.paymentId}.`);
}

/** Whole groups of base64: what ends within one is cut short, as its length will tell. */
function sealedText(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).replace(/\s+/g, '');
  const groups = text.slice(0, text.length - (text.length % 4));
  if (groups !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) return groups;
  throw new UsageError('this is no sealed text: expected the base64 that `keytoll send` printed');
}

/** The plaintext is shown as text, too, where it is some. */
function withText(opened: ErrandResult<'receive'>, plaintext: Uint8Array): object {
  try {
    return { ...opened, text: new TextDecoder('utf-8', { fatal: true }).decode(plaintext) };
  } catch {
    return opened;
  }
}

async function inputBytes(options: FileOptions): Promise<Uint8Array> {
  if (options.message !== undefined && options.in !== undefined) {
    throw new UsageError('--message and --in exclude each other');
  }
  if (options.message !== undefined) return toUtf8(options.message);
  if (options.in !== undefined) return readBytesFile(options.in, 'the message');
  return readStandardInput();
}

function recipientOf(
  peer: string | undefined,
  ofPayment: string | undefined,
): ErrandParams<'send'>['to'] {
  if (ofPayment !== undefined) return { paymentId: paymentIdOf(ofPayment) };
  if (peer === undefined) throw new UsageError('name a peer or, with --key, a payment');
  if (isUserName(peer)) return { peer };
  throw new UsageError(`"${peer}" is no user name: expected name@station, such as bob@q3`);
}

function paymentIdOf(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new UsageError(`"${text}" is no payment ID: expected 64 hexadecimal digits`);
}

/**
 * A message opens once: where its file cannot be made it is not opened. Takes away what was made.
 */
function requireWritable(path: string): () => void {
  const isNew = !existsSync(path);
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw unwritable(path, error);
  }
  return () => {
    if (isNew) rmSync(path, { force: true });
  };
}

/** A disk that is full after all takes no message with it: it goes to standard output instead. */
function writeOrShow({ terminal }: CommandSetting, path: string, plaintext: Uint8Array): void {
  try {
    writeOut(path, plaintext);
  } catch (error) {
    terminal.printBytes(plaintext);
    throw error;
  }
}

function writeOut(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes, { mode: 0o600 });
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): UsageError {
  const detail = error instanceof Error ? error.message : 'unwritable';
  return new UsageError(`${path} cannot be written: ${detail}`);
}

function keyLine(peerKey: ErrandResult<'keys'>['keys'][number]): string {
  const { peer, state, paymentId } = peerKey;
  const check = peerKey.check ?? '-'.repeat(16);
  return `${peer.padEnd(20)}  ${state.padEnd(11)}  check ${check}  payment ${paymentId}`;
}
