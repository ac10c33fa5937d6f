/** The toll road from a coin to a shared key, told with its real figures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import { DemoError, listOf, numberOf, textOf } from './demo-error.ts';
import { inTurns, startNetwork, type DemoNetwork, type DemoStation } from './demo-network.ts';
import { asUser, checkOf, secretsOf, startUser, type DemoUser } from './demo-user.ts';
import { Programs } from './program-process.ts';
import { WireRecorder } from './recorder.ts';
import { blindSpots, searchRecordings, type Finding } from './recorder-search.ts';

export interface DemoReport {
  readonly stations: readonly string[];
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
  readonly total: string;
  readonly currency: string;
  readonly coinValue: string;
  readonly paymentId: string;
  readonly verdict: string;
  readonly keyCheckA: string;
  readonly keyCheckB: string;
  readonly storedBy: readonly string[];
  readonly coinsBefore: number;
  readonly coinsAfter: number;
  readonly message: { readonly sent: string; readonly received: string };
  readonly certificateSeenInClear: boolean;
}

export interface DemoOptions {
  readonly stations: number;
  readonly clock: Clock;
  /** Told as the story goes on: one line of what was done and what came of it. */
  readonly tell: (line: string) => void;
  /** Ends the demo early, leaving nothing behind. */
  readonly signal: AbortSignal;
}

const message = 'The quick brown fox pays its toll.';
/** Coins of the exact price, and some others. */
const coinsBought = { exact: 5, others: ['10x20', '5x50'] } as const;

/** Rejects with DemoError that says where it went wrong; nothing it started is left running. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-demo-'));
  const programs = new Programs(options.clock);
  const recorder = new WireRecorder();
  const abort = (): void => {
    void programs.endAll();
  };
  options.signal.addEventListener('abort', abort);
  try {
    return await tellStory(options, { folder, programs, recorder });
  } catch (error) {
    const complaints = programs.complaints().slice(-20);
    if (!(error instanceof DemoError) || complaints.length === 0) throw error;
    const said = ['The programs said:', ...complaints].join('\n');
    throw new DemoError(`${error.message}\n${said}`, { cause: error });
  } finally {
    options.signal.removeEventListener('abort', abort);
    await programs.endAll();
    await recorder.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Stage {
  readonly folder: string;
  readonly programs: Programs;
  readonly recorder: WireRecorder;
}

async function tellStory(options: DemoOptions, stage: Stage): Promise<DemoReport> {
  const { tell } = options;
  const network = await startNetwork(
    stage.programs,
    stage.recorder,
    stage.folder,
    options.stations,
  );
  const names = network.stations.map((station) => station.name);
  tell(`A CA, stations ${names.join(' – ')} and a QKD pair for each link are running.`);
  const [alice, bob] = await startUsers(stage, network);
  tell(`${alice.name} and ${bob.name} have cards, enrolled at their stations, and agents.`);
  const coinsBefore = await buyCoins(options, stage, alice, network);
  const quote = await quoteFor(options, stage, alice, bob);
  const payment = await asUser(stage.programs, alice, ['pay', '--quote', quote.quoteId, '--yes']);
  const paymentId = textOf(payment, 'paymentId');
  const verdict = textOf(payment, 'standing');
  tell(`S33–S38 Alice pays with one coin of ${quote.total}: payment ${paymentId} is ${verdict}.`);
  if (verdict !== 'delivered') {
    throw new DemoError(`the payment is ${verdict}: ${JSON.stringify(payment)}`);
  }
  const keyCheckA = await keyCheck(stage, alice, paymentId, options.clock);
  const keyCheckB = await keyCheck(stage, bob, paymentId, options.clock);
  tell(`S37–S39 Key check value on Alice’s card ${keyCheckA}, on Bob’s ${keyCheckB}.`);
  const received = await talk(stage, alice, bob);
  tell(`S4    Alice sends “${message}”; Bob reads “${received}”.`);
  const after = await asUser(stage.programs, alice, ['balance']);
  const coinsAfter = numberOf(after, 'coins');
  const storedBy = await whoStores(stage, network.stations, alice, paymentId);
  tell(`S6    The payment is stored by ${storedBy.join(', ')}.`);
  const certificateSeenInClear = await lookInto(options, stage, [alice, bob]);
  return {
    stations: names,
    bill: quote.bill,
    total: quote.total,
    currency: quote.currency,
    coinValue: textOf(payment, 'total'),
    paymentId,
    verdict,
    keyCheckA,
    keyCheckB,
    storedBy,
    coinsBefore,
    coinsAfter,
    message: { sent: message, received },
    certificateSeenInClear,
  };
}

async function startUsers(
  { folder, programs, recorder }: Stage,
  { stations, root }: DemoNetwork,
): Promise<readonly [DemoUser, DemoUser]> {
  const [first] = stations;
  const last = stations.at(-1);
  if (first === undefined || last === undefined) throw new DemoError('a network of no stations');
  return Promise.all([
    startUser(programs, recorder, { folder, localName: 'alice', station: first, root }),
    startUser(programs, recorder, { folder, localName: 'bob', station: last, root }),
  ]);
}

async function buyCoins(
  { tell }: DemoOptions,
  { programs }: Stage,
  alice: DemoUser,
  { stations }: DemoNetwork,
): Promise<number> {
  const price = stations.reduce((sum, station) => sum + station.fee, 0n);
  const lines = [`${coinsBought.exact}x${price}`, ...coinsBought.others];
  const bought = await asUser(programs, alice, ['buy', ...lines]);
  const balance = await asUser(programs, alice, ['balance']);
  tell(
    `S1    Alice buys ${numberOf(bought, 'coins')} coins worth ${textOf(bought, 'value')} ` +
      `for ${textOf(bought, 'value')} minor units from ${alice.station.name}.`,
  );
  return numberOf(balance, 'coins');
}

interface DemoQuote {
  readonly quoteId: string;
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
  readonly total: string;
  readonly currency: string;
}

/** The network needs a moment until every station has heard of every other. */
async function quoteFor(
  { tell, clock }: DemoOptions,
  { programs }: Stage,
  alice: DemoUser,
  bob: DemoUser,
): Promise<DemoQuote> {
  const quoted = await patiently(clock, () => asUser(programs, alice, ['quote', bob.name]));
  const bill = listOf(quoted, 'bill').map((line) => ({
    station: textOf(line, 'station'),
    fee: textOf(line, 'fee'),
  }));
  const quote = {
    quoteId: textOf(quoted, 'quoteId'),
    bill,
    total: textOf(quoted, 'total'),
    currency: textOf(quoted, 'currency'),
  };
  tell(`S22   Alice asks ${alice.station.name} for a key shared with ${bob.name}; the bill:`);
  for (const line of bill) tell(`        ${line.station.padEnd(6)} ${line.fee.padStart(4)}`);
  tell(`        ${'total'.padEnd(6)} ${quote.total.padStart(4)} minor units of ${quote.currency}`);
  return quote;
}

async function keyCheck(
  { programs }: Stage,
  user: DemoUser,
  paymentId: string,
  clock: Clock,
): Promise<string> {
  return patiently(clock, async () => {
    const keys = listOf(await asUser(programs, user, ['keys']), 'keys');
    const check = checkOf(keys, paymentId);
    if (check === '') throw new DemoError(`the key of ${user.name} is not active`);
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
  stations: readonly DemoStation[],
  alice: DemoUser,
  paymentId: string,
): Promise<string[]> {
  const stored = await inTurns(stations, 2, async ({ name, config }) => {
    const found = await programs.run('keytolld', [
      'payments',
      '--config',
      config,
      '--payment',
      paymentId,
      '--json',
    ]);
    return listOf(found, 'payments').length === 1 ? [name] : [];
  });
  const own = listOf(await asUser(programs, alice, ['payments']), 'payments');
  const hers = own.some((one) => one['paymentId'] === paymentId) ? ['alice'] : [];
  return [...stored.flat(), ...hers];
}

/** Stops everything, then searches every byte that went over any wire. */
async function lookInto(
  { tell }: DemoOptions,
  { programs, recorder }: Stage,
  users: readonly DemoUser[],
): Promise<boolean> {
  await programs.endAll();
  const { recordings } = recorder;
  const needles = users.flatMap(secretsOf);
  const blind = blindSpots(recordings);
  const [spot] = blind;
  if (spot !== undefined) {
    throw new DemoError(`the recorder could not look into ${spot.stream}: ${spot.reason}`);
  }
  const findings = searchRecordings(recordings, needles);
  const bytes = recordings.reduce((sum, one) => sum + one.toTarget.length + one.toClient.length, 0);
  const segments = new Set(recordings.map((one) => one.segment));
  if (segments.size !== 3) throw new DemoError('a kind of wire was not recorded');
  tell(
    `      ${bytes} bytes on ${recordings.length} wires hold none of ${needles.length} certificates ` +
      `and secrets in clear: ${findings.length === 0 ? 'true' : describe(findings)}.`,
  );
  return findings.length > 0;
}

function describe(findings: readonly Finding[]): string {
  const [first] = findings;
  return first === undefined ? '' : `false, ${first.needle} on ${first.stream} (${first.form})`;
}

const tryMost = 60;
const tryEveryMs = 250;

/** Repeats what may fail because something is not there yet; the last failure is the demo's. */
async function patiently<T>(clock: Clock, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DemoError) || tries === tryMost) throw error;
      await new Promise<void>((resolve) => {
        clock.after(tryEveryMs, resolve);
      });
    }
  }
}
