import type { Command } from 'commander';
import { formatMoney } from '../../applet-spec/money.ts';
import { ErrandError } from '../agent/errand-error.ts';
import type { ErrandResult } from '../agent/errands.ts';
import type { ReaderEvent } from '../reader/connection.ts';
import { readBytesFile, type CommandSetting } from './command-setting.ts';
import { addConformanceCommand } from './conformance-command.ts';
import { pemToDer } from './pem.ts';
import type { Cli } from './program.ts';
import { listReaders } from './reader-list.ts';
import { untilInterrupted } from './signals.ts';

interface InitOptions {
  readonly station: string;
  readonly ca: string;
  readonly newPin?: string;
  readonly newPuk?: string;
}

interface NewReferenceOptions {
  readonly newPin?: string;
  readonly puk?: string;
  readonly newPuk?: string;
}

export function addCardCommands(cli: Cli): void {
  const card = cli.program.command('card').description('the quantum key card');
  card
    .command('info')
    .description('what the card in the reader is')
    .action((_options, command: Command) => cli.perform(command, showInfo));
  card
    .command('init')
    .description("set a new card's PIN and PUK, and enrol it at a station")
    .requiredOption('--station <url>', "the station's desk, ws://host:port")
    .requiredOption('--ca <file>', "the CA's root certificate, PEM or DER")
    .option('--new-pin <pin>', 'the first PIN, 4 to 16 characters (or --pin)')
    .option('--new-puk <puk>', 'the first PUK of a new card, 4 to 16 characters (KEYTOLL_PUK)')
    .action((options: InitOptions, command: Command) =>
      cli.perform(command, (setting) => initialise(setting, options)),
    );
  addPinCommands(cli, card);
  addPukCommand(cli, card);
  addConformanceCommand(cli, card);
  card
    .command('list')
    .description('the readers of this machine and the cards on USB, or the one of --reader')
    .action((_options, command: Command) => cli.perform(command, listReaders));
  card
    .command('watch')
    .description('tell of cards that come and go, until Ctrl-C')
    .action((_options, command: Command) => cli.perform(command, watch));
}

function addPinCommands(cli: Cli, card: Command): void {
  const pin = card.command('pin').description('the PIN of the card');
  pin
    .command('change')
    .description('a new PIN for the old one (--pin)')
    .option('--new-pin <pin>', 'the new PIN')
    .action((options: NewReferenceOptions, command: Command) =>
      cli.perform(command, async (setting) => {
        const oldPin = setting.givenPin() ?? (await setting.askSecret('Old PIN', '--pin'));
        const newPin = options.newPin ?? (await setting.askNewSecret('New PIN', '--new-pin'));
        await setting.run('pin-change', { oldPin, newPin });
        setting.print({ changed: true }, () => 'The PIN has been changed.');
        return undefined;
      }),
    );
  pin
    .command('unblock')
    .description('a new PIN and all tries back, for the PUK')
    .option('--puk <puk>', 'the PUK (KEYTOLL_PUK)')
    .option('--new-pin <pin>', 'the new PIN')
    .action((options: NewReferenceOptions, command: Command) =>
      cli.perform(command, async (setting) => {
        const puk =
          options.puk ??
          setting.givenPuk() ??
          (await setting.askSecret('PUK', '--puk or KEYTOLL_PUK'));
        const newPin = options.newPin ?? (await setting.askNewSecret('New PIN', '--new-pin'));
        await setting.run('pin-unblock', { puk, newPin });
        setting.print({ unblocked: true }, () => 'The PIN has been set anew.');
        return undefined;
      }),
    );
}

function addPukCommand(cli: Cli, card: Command): void {
  card
    .command('puk')
    .description('the PUK of the card')
    .command('change')
    .description('a new PUK for the old one')
    .option('--puk <puk>', 'the old PUK (KEYTOLL_PUK)')
    .option('--new-puk <puk>', 'the new PUK, 4 to 16 characters')
    .action((options: NewReferenceOptions, command: Command) =>
      cli.perform(command, async (setting) => {
        const oldPuk =
          options.puk ??
          setting.givenPuk() ??
          (await setting.askSecret('Old PUK', '--puk or KEYTOLL_PUK'));
        const newPuk = options.newPuk ?? (await setting.askNewSecret('New PUK', '--new-puk'));
        await setting.run('puk-change', { oldPuk, newPuk });
        setting.print({ changed: true }, () => 'The PUK has been changed.');
        return undefined;
      }),
    );
}

async function showInfo(setting: CommandSetting): Promise<undefined> {
  const info = await setting.run('card-info', {});
  setting.print(info, () => infoWords(info));
}

async function initialise(setting: CommandSetting, options: InitOptions): Promise<undefined> {
  const rootCertificate = pemToDer(
    readBytesFile(options.ca, "the CA's root certificate"),
    'the CA file',
  );
  const newPin =
    options.newPin ??
    setting.givenPin() ??
    (await setting.askNewSecret('PIN for the card', '--new-pin or --pin'));
  const newPuk = options.newPuk ?? setting.givenPuk();
  const params = {
    newPin,
    stationUrl: options.station,
    rootCertificate: Buffer.from(rootCertificate).toString('base64'),
    ...(newPuk !== undefined && { newPuk }),
  };
  const result = await setting.run('card-init', params).catch(async (error: unknown) => {
    if (!(error instanceof ErrandError) || error.code !== 'puk-needed') throw error;
    const given = await setting.askNewSecret('PUK for the card', '--new-puk or KEYTOLL_PUK');
    return setting.run('card-init', { ...params, newPuk: given });
  });
  setting.print(result, () => {
    const words = result.enrolled
      ? `The card is ${result.user}'s now, at ${result.station} (network ${result.network}).`
      : `The card was enrolled already: ${result.user} at ${result.station}.`;
    return result.pukSet ? words : `${words} Its PUK is the one that it had before.`;
  });
}

const eventWords = {
  'card-inserted': 'a card is there',
  'card-removed': 'the card is gone',
  'reader-lost': 'the reader is gone',
  'reader-found': 'the reader is back',
} as const satisfies Record<ReaderEvent['kind'], string>;

async function watch(setting: CommandSetting): Promise<undefined> {
  const reader = await setting.openReader();
  const tell = (event: ReaderEvent): void => {
    setting.print(
      { reader: reader.name, event: event.kind },
      () => `${reader.name}: ${eventWords[event.kind]}`,
    );
  };
  const forget = reader.watch(tell);
  if (reader.cardPresent) tell({ kind: 'card-inserted' });
  await untilInterrupted();
  forget();
}

function infoWords(info: ErrandResult<'card-info'>): string {
  const lines = [
    `Reader      ${info.reader}`,
    `State       ${info.lifeCycle}`,
    `Identifier  ${info.identifier}`,
    `PIN, PUK    ${info.pinTries} and ${info.pukTries} tries left`,
    `Coins       ${info.coins} of ${info.coinsCapacity}`,
    `Peer keys   ${info.peerKeys} of ${info.peerKeysCapacity}`,
  ];
  const { owner } = info;
  if (owner === undefined) return lines.join('\n');
  const { currency } = owner;
  const once = formatMoney(owner.paymentLimit, currency);
  const daily = formatMoney(owner.dayLimit, currency);
  const limits = `Limits      ${once} a payment, ${daily} a day`;
  return [...lines, `Owner       ${owner.user}, network ${owner.network}`, limits].join('\n');
}
