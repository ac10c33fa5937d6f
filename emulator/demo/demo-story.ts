/** The toll road from a coin to a shared key, told with its real figures. */
import { formatMoney } from '../../applet-spec/money.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { audit, settle, type Settled } from './demo-books.ts';
import { allOf, DemoError, listOf, numberOf, textOf } from './demo-error.ts';
import type { DemoReaders, ReaderKind } from './demo-readers.ts';
import { currency, startNetwork, type DemoNetwork, type DemoStation } from './demo-network.ts';
import {
  asUser,
  checkOf,
  makeCard,
  makerRootIn,
  moneyIn,
  startUser,
  type DemoUser,
  type NewCard,
} from './demo-user.ts';
import { lookInto } from './demo-wires.ts';
import type { Programs } from './program-process.ts';
import type { WireRecorder } from './recorder.ts';

export interface DemoReport {
  /** In route order. */
  readonly stations: readonly string[];
  /** Minor units, as decimal strings; so `total` and `coinValue`. */
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
  readonly total: string;
  readonly currency: string;
  readonly coinValue: string;
  /** Hexadecimal; so the check values. */
  readonly paymentId: string;
  readonly verdict: string;
  /** Derived by the cards from the key; never the key. */
  readonly keyCheckA: string;
  readonly keyCheckB: string;
  readonly storedBy: readonly string[];
  readonly coinsBefore: number;
  readonly coinsAfter: number;
  readonly message: { readonly sent: string; readonly received: string };
  readonly certificateSeenInClear: boolean;
  /** Every station but the issuer, in minor units. */
  readonly settled: readonly Settled[];
  /** Of all stations and both users. */
  readonly auditFindings: number;
  readonly trialBalances: Readonly<Record<string, string>>;
}

export interface DemoOptions {
  readonly stations: number;
  /** What the users' cards are put into. */
  readonly reader: ReaderKind;
  readonly clock: Clock;
  /** Told as the story goes on: a step of the method or nothing, and what was done. */
  readonly tell: (step: string, words: string) => void;
  /** Ends the demo early, leaving nothing behind. */
  readonly signal: AbortSignal;
}

export interface Stage {
  readonly folder: string;
  readonly programs: Programs;
  readonly readers: DemoReaders;
  readonly recorder: WireRecorder;
}

const message = 'The quick brown fox pays its toll.';
/** Coins of the exact price, and some others. */
const coinsBought = { exact: 5, others: ['10x20', '5x50'] } as const;

export async function tellStory(options: DemoOptions, stage: Stage): Promise<DemoReport> {
  const { tell } = options;
  const [network, alice, bob] = await setScene(options, stage);
  const coinsBefore = await buyCoins(options, stage, alice, network);
  const quote = await quoteFor(options, stage, alice, bob);
  const payment = await during('paying', () =>
    asUser(stage.programs, alice, ['pay', '--quote', quote.quoteId, '--yes']),
  );
  const { paymentId, coinValue, verdict } = tellPayment(options, payment, alice, network);
  const [keyCheckA, keyCheckB] = await during('comparing the keys', () =>
    allOf([
      keyCheck(options, stage, alice, paymentId),
      keyCheck(options, stage, bob, paymentId),
    ] as const),
  );
  tell('S37', `${bob.called}’s card has acknowledged the coin’s random number: it is the key now.`);
  const after = await asUser(stage.programs, alice, ['balance']);
  const coinsAfter = numberOf(after, 'coins');
  tell('S39', `${alice.called}’s card has deleted the coin: ${coinsAfter} of ${coinsBefore} left.`);
  tell('', `Check value of the key, by ${alice.called}’s card: ${keyCheckA}`);
  tell('', `                         by ${bob.called}’s card:   ${keyCheckB}`);
  const received = await during('talking', () => talk(stage, alice, bob));
  tell('S4', `Under the key ${alice.called} sends “${message}”`);
  tell('', `${bob.called} reads “${received}”`);
  const storedBy = await during('auditing', () => whoStores(stage, network, alice, paymentId));
  const settled = await during('settling', () => settle(stage.programs, network, alice.station));
  const fees = settled.map(({ station, amount }) => `${station} ${money(amount)}`);
  tell('S5', `${alice.station.name} pays what it owes: ${inWords(fees)}.`);
  tell('S6', `The payment is kept for audit by ${inWords(storedBy)}.`);
  const books = await during('auditing', () => audit(stage.programs, network, [alice, bob]));
  tell('', `Each audits its own records: ${books.findings} findings, all ledgers balance.`);
  const certificateSeenInClear = await during('searching the wires', () =>
    lookInto(options, stage, [alice, bob]),
  );
  return {
    stations: network.stations.map(({ name }) => name),
    ...{ bill: quote.bill, total: quote.total, currency: quote.currency, coinValue, paymentId },
    ...{ verdict, keyCheckA, keyCheckB, storedBy, coinsBefore, coinsAfter },
    message: { sent: message, received },
    certificateSeenInClear,
    settled,
    auditFindings: books.findings,
    trialBalances: books.trialBalances,
  };
}

async function setScene(
  { tell, stations: count, reader }: DemoOptions,
  { folder, programs, readers, recorder }: Stage,
): Promise<readonly [DemoNetwork, DemoUser, DemoUser]> {
  tell(
    '',
    `A toll road of ${count} stations. All of it runs on this machine, each part a process;`,
  );
  tell('', 'only the cards and the QKD devices are emulated.');
  if (reader === 'pcsc') tell('', 'The cards are in two readers of a real pcscd.');
  const [network, [cardA, cardB]] = await during('setting up the network', () => {
    const cards = makeCards(programs, folder);
    const makerRoot = cards.then(() => makerRootIn(folder));
    return allOf([startNetwork(programs, recorder, folder, { count, makerRoot }), cards] as const);
  });
  const { stations, root } = network;
  const [first] = stations;
  const last = stations.at(-1);
  if (first === undefined || last === undefined) throw new DemoError('a network of no stations');
  const row = inShort(stations.map(({ name }) => name)).join(' – ');
  tell('', `A CA, stations ${row}, and QKD devices on each link between them.`);
  const [alice, bob] = await during('enrolling the users', () =>
    allOf([
      startUser({ programs, readers, recorder }, cardA, { station: first, root, place: 0 }),
      startUser({ programs, readers, recorder }, cardB, { station: last, root, place: 1 }),
    ] as const),
  );
  tell(
    '',
    `Alice has a card of ${first.name}, Bob one of ${last.name}; each pays ${money(moneyIn)} in.`,
  );
  return [network, alice, bob];
}

async function buyCoins(
  { tell }: DemoOptions,
  { programs }: Stage,
  alice: DemoUser,
  { stations }: DemoNetwork,
): Promise<number> {
  const price = stations.reduce((sum, station) => sum + station.fee, 0n);
  const lines = [`${coinsBought.exact}x${price}`, ...coinsBought.others];
  return during('buying coins', async () => {
    const bought = await asUser(programs, alice, ['buy', ...lines]);
    const { name } = alice.station;
    const coins = numberOf(bought, 'coins');
    tell(
      'S1',
      `${alice.called} buys ${coins} coins from ${name} for ${money(textOf(bought, 'value'))}.`,
    );
    tell('', 'A coin is a random number with a value, signed by its station; her card holds it.');
    return numberOf(await asUser(programs, alice, ['balance']), 'coins');
  });
}

interface DemoQuote {
  readonly quoteId: string;
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
  readonly total: string;
  readonly currency: string;
}

/** The network needs a moment until every station has heard of every other. */
async function quoteFor(
  options: DemoOptions,
  { programs }: Stage,
  alice: DemoUser,
  bob: DemoUser,
): Promise<DemoQuote> {
  const { tell } = options;
  const quoted = await during('asking for a quote', () =>
    patiently(options, () => asUser(programs, alice, ['quote', bob.name])),
  );
  const bill = listOf(quoted, 'bill').map((line) => ({
    station: textOf(line, 'station'),
    fee: textOf(line, 'fee'),
  }));
  const total = textOf(quoted, 'total');
  const { name } = alice.station;
  tell('S22', `${alice.called} asks ${name} what a key shared with ${bob.called} costs. The bill:`);
  for (const { station, fee } of bill) tell('S23', `  ${station.padEnd(6)} ${money(fee)}`);
  tell('S24', `  ${'total'.padEnd(6)} ${money(total)}`);
  return { quoteId: textOf(quoted, 'quoteId'), bill, total, currency: textOf(quoted, 'currency') };
}

function tellPayment(
  { tell }: DemoOptions,
  payment: Readonly<Record<string, unknown>>,
  alice: DemoUser,
  { stations }: DemoNetwork,
) {
  const paymentId = textOf(payment, 'paymentId');
  const coinValue = textOf(payment, 'coinValue');
  const verdict = textOf(payment, 'standing');
  tell('S33', `Her card picks a coin of ${money(coinValue)} and signs it over to this bill:`);
  tell('', `payment ${paymentId}`);
  const names = inWords(stations.map(({ name }) => name));
  tell('S36', `It travels under QKD keys; ${names} check and store it, one after another.`);
  if (verdict !== 'delivered') {
    const reason = payment['reason'] === undefined ? '' : ` (${textOf(payment, 'reason')})`;
    throw new DemoError(`the payment of ${alice.called} is ${verdict}${reason}, not delivered`);
  }
  return { paymentId, coinValue, verdict };
}

async function keyCheck(
  options: DemoOptions,
  { programs }: Stage,
  user: DemoUser,
  paymentId: string,
): Promise<string> {
  return patiently(options, async () => {
    const keys = listOf(await asUser(programs, user, ['keys']), 'keys');
    const check = checkOf(keys, paymentId);
    if (check === '') throw new DemoError(`the key of ${user.called} is not active`);
    return check;
  });
}

async function talk({ programs }: Stage, alice: DemoUser, bob: DemoUser): Promise<string> {
  const sealed = await asUser(programs, alice, ['send', bob.name, '--message', message]);
  const opened = await asUser(programs, bob, ['receive', '--message', textOf(sealed, 'message')]);
  return textOf(opened, 'text');
}

async function whoStores(
  { programs }: Stage,
  { stations }: DemoNetwork,
  alice: DemoUser,
  paymentId: string,
): Promise<string[]> {
  const storedAt = async ({ name, config }: DemoStation): Promise<string[]> => {
    const one = ['--payment', paymentId, '--json'];
    const found = await programs.run('keytolld', ['payments', '--config', config, ...one]);
    return listOf(found, 'payments').length === 1 ? [name] : [];
  };
  const [stored, own] = await allOf([
    allOf(stations.map(storedAt)),
    asUser(programs, alice, ['payments']),
  ] as const);
  const hers = listOf(own, 'payments').some((one) => one['paymentId'] === paymentId);
  return [...stored.flat(), ...(hers ? ['alice'] : [])];
}

/** Says in a failure what was being done. */
async function during<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    throw new DemoError(`it went wrong while ${what}: ${error.message}`, { cause: error });
  }
}

const tryMost = 60;
const tryEveryMs = 250;

/** Repeats what may fail because something is not there yet; the last failure is the demo's. */
async function patiently<T>({ clock, signal }: DemoOptions, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DemoError) || tries === tryMost || signal.aborted) throw error;
      await new Promise<void>((resolve) => {
        clock.after(tryEveryMs, resolve);
      });
    }
  }
}

function money(minorUnits: string): string {
  return formatMoney(minorUnits, currency);
}

function inWords(names: readonly string[]): string {
  const short = inShort(names);
  if (short.length < 2) return short.join('');
  return `${short.slice(0, -1).join(', ')} and ${short.at(-1) ?? ''}`;
}

const namesMost = 7;

/** A long row keeps its ends. */
function inShort(names: readonly string[]): readonly string[] {
  return names.length <= namesMost ? names : [...names.slice(0, 3), '…', ...names.slice(-2)];
}

/** One after the other: the first one founds their maker. */
async function makeCards(programs: Programs, folder: string): Promise<readonly [NewCard, NewCard]> {
  const alice = await makeCard(programs, folder, 'alice');
  return [alice, await makeCard(programs, folder, 'bob')];
}
