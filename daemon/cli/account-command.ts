/** `keytolld account …` and `keytolld enrol`: users and their cards for the operator. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { toHex } from '../../applet-spec/bytes.ts';
import { decodeDelivery, type CardDelivery } from '../../applet-spec/card-delivery.ts';
import { counted } from '../../applet-spec/counted.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import { homeStation, toUserName, type UserName } from '../../applet-spec/names.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { attestationPolicy, makerName } from '../station/card-makers.ts';
import { readStationConfig, type StationConfig } from '../station/config.ts';
import { askEndFrozen } from '../station/admin-socket.ts';
import { awaitCard, requireNew } from '../station/awaited-card.ts';
import { giveUpFormerCard, type GivenBack } from '../station/former-card.ts';
import { unreadable } from '../station/key-files.ts';
import { StationError } from '../station/station-error.ts';
import { adminSocketOf } from '../station/station.ts';
import { openStationStore } from '../station/station-store.ts';
import type { Store } from '../store/store.ts';
import { reference } from './reference.ts';
import { print, printPages, reporting, type PrintedRow } from './report.ts';

/** Of payments with coins that were spent before: one proves as much as a thousand. */
const spentAgainMost = 16;

interface AccountOptions {
  readonly config: string;
  readonly reference?: string;
  readonly json?: boolean;
}

interface EnrolOptions extends AccountOptions {
  readonly delivery: string;
  readonly paymentLimit: bigint;
  readonly dayLimit: bigint;
  readonly replace?: boolean;
}

export function registerAccountCommands(program: Command): void {
  const account = program.command('account').description('users of this station and their money');
  onAccount(account, 'add', 'open an account').action(
    (user: UserName, options: AccountOptions, command: Command) =>
      withStore(command, options, async (store, config) => {
        requireOwn(config, user);
        const outcome = await store.addUser(user, config.currency);
        print(command, options, { user, outcome }, [
          outcome === 'created' ? `Account of ${user} opened.` : `${user} has an account already.`,
        ]);
      }),
  );
  onAccount(account, 'show', 'balance and coins outstanding').action(
    (user: UserName, options: AccountOptions, command: Command) =>
      withStore(command, options, (store, config) => show(store, config, user, options, command)),
  );
  account
    .command('list')
    .description('every account: balance, coins outstanding, card')
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .action((options: AccountOptions, command: Command) =>
      withStore(command, options, async (store, config) => {
        const head = { station: config.name, currency: config.currency };
        const rows = accountRows(store, config);
        const printed = await printPages(command, options, { head, name: 'accounts' }, rows);
        if (printed === 0 && options.json !== true) {
          command.configureOutput().writeOut?.('No accounts yet.\n');
        }
      }),
    );
  for (const [name, what] of [
    ['top-up', 'cash in: credit the account'],
    ['pay-out', 'cash out: debit the account'],
  ] as const) {
    onAccount(account, name, what)
      .argument('<amount>', 'minor units of the currency', minorUnits)
      .option(
        '--reference <text>',
        'the bank’s or your own; the same one counts only once',
        reference,
      )
      .action((user: UserName, amount: bigint, options: AccountOptions, command: Command) =>
        withStore(command, options, (store, config) =>
          move(name, store, config, { user, amount }, options, command),
        ),
      );
  }
  program
    .command('enrol')
    .description('let a new card be enrolled for a user when it first comes to the desk')
    .argument('<user>', 'such as alice@q1', userName)
    .requiredOption('--config <file>', 'station.toml')
    .requiredOption('--delivery <file>', 'what came with the card: serial number, transport keys')
    .option('--replace', 'in the place of a lost card: that is never served again')
    .addOption(limit('--payment-limit <amount>', 'most that one payment may cost', 100_000n))
    .addOption(limit('--day-limit <amount>', 'most that a day’s payments may cost', 1_000_000n))
    .option('--json', 'print JSON')
    .action((user: UserName, options: EnrolOptions, command: Command) =>
      withStore(command, options, (store, config) => enrol(store, config, user, options, command)),
    );
}

/** With the default in words: commander cannot print a bigint. */
function limit(flags: string, what: string, otherwise: bigint): Option {
  return new Option(flags, `${what}, in minor units`)
    .argParser(minorUnits)
    .default(otherwise, String(otherwise));
}

function onAccount(account: Command, name: string, description: string): Command {
  return account
    .command(name)
    .description(description)
    .requiredOption('--config <file>', 'station.toml')
    .option('--json', 'print JSON')
    .argument('<user>', 'such as alice@q1', userName);
}

async function enrol(
  store: Store,
  config: StationConfig,
  user: UserName,
  options: EnrolOptions,
  command: Command,
): Promise<void> {
  requireOwn(config, user);
  const delivery = readDelivery(options.delivery);
  const { required, makers } = attestationPolicy(config);
  requireNew(await store.cardByIdentifier(delivery.serial));
  await store.addUser(user, config.currency);
  let visit: FormerVisit = 'none';
  const givenBack = await giveUpFormerCard(store, user, delivery.serial, {
    isGivenUp: options.replace === true,
    entropy: systemEntropy,
    nowMs: systemClock.nowMs(),
    endVisits: async () => {
      visit = await endVisitAt(config, user);
    },
  });
  await awaitCard(store, user, delivery, options);
  const attestation = required ? 'required' : makers.length > 0 ? 'optional' : 'off';
  const back = { coins: givenBack.coins, value: String(givenBack.value) };
  const json = { user, state: 'awaiting-enrolment', attestation };
  print(command, options, options.replace === true ? { ...json, givenBack: back, visit } : json, [
    ...(options.replace === true ? [givenBackWords(givenBack, visit, config)] : []),
    `The card may be enrolled for ${user}: keytoll card init --station ws://… --ca root.pem`,
    attestationWords[attestation],
  ]);
}

/** Whether the former card was at the desk; `unknown` where the running station did not say. */
type FormerVisit = 'none' | 'ended' | 'unknown';

async function endVisitAt(config: StationConfig, user: UserName): Promise<FormerVisit> {
  try {
    const ended = await askEndFrozen(adminSocketOf(config));
    return ended.includes(user) ? 'ended' : 'none';
  } catch (error) {
    // A station that does not run has nobody at its desk.
    return error instanceof StationError && error.code === 'not-running' ? 'none' : 'unknown';
  }
}

const visitWords: Readonly<Record<FormerVisit, string>> = {
  none: '',
  ended: ' It was at the desk, and has been sent away.',
  unknown: ' Should it be at the desk just now, restart the station to end that visit.',
};

function givenBackWords(
  { coins, value }: GivenBack,
  visit: FormerVisit,
  { currency }: StationConfig,
): string {
  const what = `${counted(coins, 'coin')} worth ${formatMoney(value, currency)}`;
  const words = `The former card is not served any more. Back on the account: ${what}.`;
  return `${words}${visitWords[visit]}`;
}

/** What the station will ask of the card, by `[cards]` in its configuration. */
const attestationWords = {
  required:
    'It must attest its key: cards of other makers than those in cards.maker-roots are refused.',
  optional: 'Its attestation is checked where it has one of a maker in cards.maker-roots.',
  off: 'No maker is named in cards.maker-roots: that its key is on a card is taken on trust.',
} as const;

async function* accountRows(
  store: Store,
  { currency }: StationConfig,
): AsyncGenerator<readonly PrintedRow[], void> {
  for (const { user, balance } of await store.users()) {
    const { coins, value } = await store.outstanding(user);
    const card = (await store.cardOf(user))?.state ?? 'none';
    const json = {
      user,
      balance: String(balance),
      coinsOutstanding: coins,
      valueOutstanding: String(value),
      card,
    };
    const out = `${counted(coins, 'coin')} outstanding worth ${formatMoney(value, currency)}`;
    yield [{ json, line: `${user}: ${formatMoney(balance, currency)}; ${out}; card: ${card}` }];
  }
}

async function show(
  store: Store,
  config: StationConfig,
  user: UserName,
  options: AccountOptions,
  command: Command,
): Promise<void> {
  requireOwn(config, user);
  const record = await store.user(user);
  if (record === undefined) throw unknownUser(user);
  const { coins, value } = await store.outstanding(user);
  const enrolled = record.certificateHash !== undefined;
  const attestedBy = enrolled ? (await store.cardOf(user))?.attestedBy : undefined;
  const maker = attestedBy && makerName(config, attestedBy);
  const spentAgain = (await store.spentAgain(user, spentAgainMost)).map((one) => ({
    payment: toHex(one.paymentId),
    first: toHex(one.first),
  }));
  const json = {
    user,
    balance: String(record.balance),
    currency: config.currency,
    coinsOutstanding: coins,
    valueOutstanding: String(value),
    enrolled,
    ...(attestedBy && { attestedBy: toHex(attestedBy) }),
    ...(maker !== undefined && { maker }),
    spentAgain,
  };
  print(command, options, json, [
    `${user}: ${formatMoney(record.balance, config.currency)} on account, ` +
      `${counted(coins, 'coin')} of ` +
      `${formatMoney(value, config.currency)} outstanding, ` +
      cardWords(enrolled, attestedBy, maker),
    ...spentAgainLines(user, spentAgain),
  ]);
}

function spentAgainLines(
  user: UserName,
  pairs: readonly { readonly payment: string; readonly first: string }[],
): string[] {
  if (pairs.length === 0) return [];
  return [
    'THE CARD WAS COPIED OR IS BROKEN: it paid again with coins that it had paid before;',
    `  give ${user} a new one (keytolld enrol ${user} --replace): this one is not served then`,
    ...pairs.map(({ payment, first }) => `  refused ${payment}: its coin paid ${first}`),
  ];
}

function cardWords(
  enrolled: boolean,
  attestedBy: Uint8Array | undefined,
  maker: string | undefined,
): string {
  if (!enrolled) return 'card not enrolled';
  if (attestedBy === undefined) return 'card enrolled, its key taken on trust';
  return `card enrolled, its key attested under ${maker ?? `maker root ${toHex(attestedBy)}`}`;
}

async function move(
  name: 'top-up' | 'pay-out',
  store: Store,
  config: StationConfig,
  { user, amount }: { readonly user: UserName; readonly amount: bigint },
  options: AccountOptions,
  command: Command,
): Promise<void> {
  requireOwn(config, user);
  const nowMs = systemClock.nowMs();
  const reference = options.reference ?? `${name} ${nowMs} ${user}`;
  const outcome = await (name === 'top-up'
    ? store.topUp(user, amount, reference, nowMs)
    : store.payOut(user, amount, reference, nowMs));
  if (outcome === 'unknown-user') throw unknownUser(user);
  if (outcome === 'balance-too-low') {
    const asked = formatMoney(amount, config.currency);
    throw new RangeError(`the account of ${user} holds less than ${asked}; nothing was paid out`);
  }
  if (outcome === 'exists-with-different-amount') {
    const other = 'another amount or account';
    throw new RangeError(`reference "${reference}" stands for ${other}; nothing was booked`);
  }
  const balance = (await store.user(user))?.balance ?? 0n;
  const json = { user, outcome, reference, balance: String(balance), currency: config.currency };
  print(command, options, json, [
    `${outcome === 'exists' ? 'Booked before' : 'Booked'}: ` +
      `${name} ${formatMoney(amount, config.currency)}; ` +
      `${user} now holds ${formatMoney(balance, config.currency)}.`,
  ]);
}

async function withStore(
  command: Command,
  options: AccountOptions,
  run: (store: Store, config: StationConfig) => Promise<void>,
): Promise<void> {
  await reporting(command, async () => {
    const config = readStationConfig(options.config);
    const store = await openStationStore(config, systemEntropy);
    try {
      await run(store, config);
    } finally {
      await store.close();
    }
  });
}

function requireOwn(config: StationConfig, user: UserName): void {
  if (homeStation(user) !== config.name) {
    throw new RangeError(`${user} is not of this station; expected name@${config.name}`);
  }
}

function unknownUser(user: UserName): RangeError {
  return new RangeError(`${user} has no account here; run: keytolld account add ${user}`);
}

/** From the card's maker. */
function readDelivery(file: string): CardDelivery {
  try {
    return decodeDelivery(readText(file));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`${file}: ${error.message}`, { cause: error });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StationError('bad-key-file', unreadable(file, error), { cause: error });
  }
}

function userName(text: string): UserName {
  try {
    return toUserName(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function minorUnits(text: string): bigint {
  if (!/^[1-9]\d{0,17}$/.test(text)) {
    throw new InvalidArgumentError(
      'expected a whole number of minor units above 0, of 18 digits at most, such as 500',
    );
  }
  return BigInt(text);
}
