/** Alice and Bob: a card in a reader, a wallet, and an agent, each its own process. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../applet-spec/bytes.ts';
import { decodeCardState } from '../card/card-state.ts';
import type { DemoStation } from './demo-network.ts';
import { textOf } from './demo-error.ts';
import type { Needle } from './recorder-needles.ts';
import type { Programs, RunningProgram } from './program-process.ts';
import type { WireRecorder } from './recorder.ts';

const pin = '482615';
const puk = '90374518';
/** Minor units: what each user pays in at the start. */
const topUp = '5000';

export interface DemoUser {
  readonly name: string;
  readonly folder: string;
  readonly cardFile: string;
  readonly wallet: string;
  readonly station: DemoStation;
  readonly cardProcess: RunningProgram;
  readonly agent: RunningProgram;
}

/** Makes a card, has it enrolled at its station, pays money in, and starts the user's agent. */
export async function startUser(
  programs: Programs,
  recorder: WireRecorder,
  options: {
    readonly folder: string;
    readonly localName: string;
    readonly station: DemoStation;
    readonly root: string;
  },
): Promise<DemoUser> {
  const { localName, station, root } = options;
  const folder = join(options.folder, localName);
  const wallet = join(folder, 'wallet');
  mkdirSync(wallet, { recursive: true, mode: 0o700 });
  const name = `${localName}@${station.name}`;
  const cardFile = join(folder, 'card');
  const delivery = join(folder, 'delivery.json');
  const pinFile = join(folder, 'pin');
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  await programs.run('keytoll-emulator', ['card', 'make', cardFile, '--delivery', delivery]);
  const config = ['--config', station.config, '--json'];
  await programs.run('keytolld', ['enrol', name, '--delivery', delivery, ...config]);
  await programs.run('keytolld', ['account', 'top-up', name, topUp, ...config]);
  const { cardProcess, readerSpec } = await insertCard(programs, recorder, folder, cardFile);
  const common = ['--wallet', wallet, '--reader', readerSpec, '--pin-file', pinFile, '--json'];
  const init = ['card', 'init', '--station', station.deskUrl, '--ca', root, '--new-puk', puk];
  await programs.run('keytoll', [...init, ...common]);
  const agent = await programs.start('keytoll', ['agent', ...common]);
  return { name, folder, cardFile, wallet, station, cardProcess, agent };
}

/** The card reaches the reader through the recorder, like a cable with a tap. */
async function insertCard(
  programs: Programs,
  recorder: WireRecorder,
  folder: string,
  cardFile: string,
): Promise<{ readonly cardProcess: RunningProgram; readonly readerSpec: string }> {
  const readerPath = join(folder, 'reader.sock');
  const tapPath = join(folder, 'tap.sock');
  await recorder.relay({
    segment: 'card-host',
    name: `card in ${folder.split('/').at(-1) ?? ''}`,
    listen: { path: tapPath },
    target: { path: readerPath },
  });
  const cardProcess = await programs.start('keytoll-emulator', [
    'card',
    'run',
    cardFile,
    '--reader',
    tapPath,
  ]);
  return { cardProcess, readerSpec: `virtual:${readerPath}` };
}

/** One command of a user, answered by the agent. */
export function asUser(
  programs: Programs,
  user: DemoUser,
  args: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  return programs.run('keytoll', [...args, '--wallet', user.wallet, '--json']);
}

/** The active key that a user's card shares for a payment: its check value, as the card derives it. */
export function checkOf(
  keys: readonly Readonly<Record<string, unknown>>[],
  paymentId: string,
): string {
  const found = keys.find((one) => one['paymentId'] === paymentId && one['state'] === 'active');
  return found === undefined ? '' : textOf(found, 'check');
}

/** All that must never be seen in clear, read out of the card's file as only its emulator can. */
export function secretsOf(user: DemoUser): Needle[] {
  const state = decodeCardState(new Uint8Array(readFileSync(user.cardFile)));
  const needles: Needle[] = [];
  if (state.certificate !== undefined) {
    needles.push({ name: `certificate of ${user.name}`, bytes: state.certificate });
  }
  for (const { coinId, secret } of state.coins) {
    needles.push({ name: `secret of coin ${toHex(coinId)} of ${user.name}`, bytes: secret });
  }
  for (const { paymentId, secret } of state.peerKeys) {
    if (secret === undefined) continue;
    needles.push({ name: `key of payment ${toHex(paymentId)} of ${user.name}`, bytes: secret });
  }
  return needles;
}
