/** Alice and Bob: a card in a reader, a wallet, and an agent, each its own process. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cardNeedles } from './card-needles.ts';
import type { DemoStation } from './demo-network.ts';
import type { DemoReader, DemoReaders, Place } from './demo-readers.ts';
import { allOf, textOf } from './demo-error.ts';
import type { Needle } from './recorder-needles.ts';
import type { Programs } from './program-process.ts';
import type { Address, WireRecorder } from './recorder.ts';

const pin = '482615';
const puk = '90374518';
/** Minor units: what each user pays in at the start. */
export const moneyIn = '5000';

/** A card as its maker sent it. */
export interface NewCard {
  readonly localName: string;
  readonly folder: string;
  readonly cardFile: string;
  readonly delivery: string;
}

export interface DemoUser {
  readonly name: string;
  /** As people call them: Alice, Bob. */
  readonly called: string;
  readonly cardFile: string;
  readonly wallet: string;
  readonly station: DemoStation;
}

/** The root of the maker of all cards, which `makeCard` makes with its first card. */
export function makerRootIn(folder: string): string {
  return join(folder, 'maker', 'root.pem');
}

export async function makeCard(
  programs: Programs,
  folder: string,
  localName: string,
): Promise<NewCard> {
  const home = join(folder, localName);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const cardFile = join(home, 'card');
  const delivery = join(home, 'delivery.json');
  const maker = ['--maker', dirname(makerRootIn(folder))];
  const made = ['card', 'make', cardFile, '--delivery', delivery, ...maker];
  await programs.run('keytoll-emulator', made);
  return { localName, folder: home, cardFile, delivery };
}

export interface UserStage {
  readonly programs: Programs;
  readonly readers: DemoReaders;
  readonly recorder: WireRecorder;
}

export interface UserHome {
  readonly station: DemoStation;
  /** The CA's root certificate. */
  readonly root: string;
  /** Which reader is the user's. */
  readonly place: Place;
}

/** Has the card enrolled at its station, pays money in, and starts the user's agent. */
export async function startUser(
  { programs, readers, recorder }: UserStage,
  card: NewCard,
  { station, root, place }: UserHome,
): Promise<DemoUser> {
  const { localName, folder, cardFile, delivery } = card;
  const wallet = join(folder, 'wallet');
  mkdirSync(wallet, { recursive: true, mode: 0o700 });
  const name = `${localName}@${station.name}`;
  const pinFile = join(folder, 'pin');
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const config = ['--config', station.config, '--json'];
  const reader = readers.at(place, folder);
  await allOf([
    insertCard(programs, recorder, card, reader),
    programs.run('keytolld', ['enrol', name, '--delivery', delivery, ...config]),
  ]);
  const common = ['--wallet', wallet, '--reader', reader.spec, '--pin-file', pinFile, '--json'];
  const init = ['card', 'init', '--station', station.deskUrl, '--ca', root, '--new-puk', puk];
  await allOf([
    programs.run('keytolld', ['account', 'top-up', name, moneyIn, ...config]),
    programs
      .run('keytoll', [...init, ...common])
      .then(() => programs.start('keytoll', ['agent', ...common])),
  ]);
  const called = `${localName.slice(0, 1).toUpperCase()}${localName.slice(1)}`;
  return { name, called, cardFile, wallet, station };
}

/** The card reaches the reader through the recorder, like a cable with a tap. */
async function insertCard(
  programs: Programs,
  recorder: WireRecorder,
  { localName, cardFile }: NewCard,
  { slot, tap }: DemoReader,
): Promise<void> {
  const { address } = await recorder.relay({
    segment: 'card-host',
    name: `card of ${localName}`,
    listen: tap,
    target: slot,
  });
  const reader = vpcdAddress(address);
  await programs.start('keytoll-emulator', ['card', 'run', cardFile, '--reader', reader]);
}

function vpcdAddress(address: Address): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}

/** One command of a user, answered by the agent. */
export function asUser(
  programs: Programs,
  user: DemoUser,
  args: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  return programs.run('keytoll', [...args, '--wallet', user.wallet, '--json']);
}

/**
 * The active key that a user's card shares for a payment: its check value, as the card derives it.
 */
export function checkOf(
  keys: readonly Readonly<Record<string, unknown>>[],
  paymentId: string,
): string {
  const found = keys.find((one) => one['paymentId'] === paymentId && one['state'] === 'active');
  return found === undefined ? '' : textOf(found, 'check');
}

/** All that must never be seen in clear, read out of the card's file as only its emulator can. */
export function secretsOf({ name, cardFile }: DemoUser): Needle[] {
  return cardNeedles(name, new Uint8Array(readFileSync(cardFile)));
}
