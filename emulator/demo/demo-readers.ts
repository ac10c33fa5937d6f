/** Where the demo's cards are put in: virtual readers of the driver's own, or a real pcscd. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import { PrivatePcscd, privatePcscdMissing } from '../card/private-pcscd.ts';
import { DemoError } from './demo-error.ts';
import type { Address } from './recorder.ts';

export const readerKinds = ['virtual', 'pcsc'] as const;
export type ReaderKind = (typeof readerKinds)[number];

/** The two users, each with a reader. */
export type Place = 0 | 1;

/** One reader, with a place for a tap before it. */
export interface DemoReader {
  /** What `keytoll --reader` takes. */
  readonly spec: string;
  /** Where a card is plugged in. */
  readonly slot: Address;
  /** Where the tap listens that stands before the slot. */
  readonly tap: Address;
}

export interface DemoReaders {
  /** For the programs that use them. */
  readonly environment: Readonly<Record<string, string>>;
  /** `folder` is the user's, for sockets. */
  at(place: Place, folder: string): DemoReader;
  close(): Promise<void>;
}

/** Throws DemoError: what is not installed, or how it failed. */
export async function openReaders(
  kind: ReaderKind,
  folder: string,
  clock: Clock,
): Promise<DemoReaders> {
  return kind === 'pcsc' ? pcscReaders(join(folder, 'pcscd'), clock) : virtualReaders;
}

/** Each agent listens on a socket of its own, and its card connects to that. */
const virtualReaders: DemoReaders = {
  environment: {},
  at: (_place, folder) => {
    const path = join(folder, 'reader.sock');
    return { spec: `virtual:${path}`, slot: { path }, tap: { path: join(folder, 'tap.sock') } };
  },
  close: () => Promise.resolve(),
};

async function pcscReaders(folder: string, clock: Clock): Promise<DemoReaders> {
  const missing = privatePcscdMissing();
  if (missing !== undefined) throw new DemoError(`cards behind pcscd: ${missing}`);
  mkdirSync(folder);
  const pcscd = await startPcscd(folder, clock);
  return {
    environment: { PCSCLITE_CSOCK_NAME: pcscd.socketPath },
    at: (place) => ({
      spec: `pcsc:Virtual PCD 00 0${place}`,
      slot: { host: '127.0.0.1', port: pcscd.ports[place] },
      tap: { host: '127.0.0.1', port: 0 },
    }),
    close: () => pcscd.stop(),
  };
}

async function startPcscd(folder: string, clock: Clock): Promise<PrivatePcscd> {
  try {
    return await PrivatePcscd.start(folder, clock);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new DemoError(`a pcscd of its own could not be started: ${detail}`, { cause: error });
  }
}
