/** What every command of the applet works on, and the forms of its answers. */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import type { Authorisation } from '../../applet-spec/card-objects.ts';
import type { CardResult } from '../../applet-spec/commands.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { statusWords, type StatusWordName } from '../../applet-spec/status-words.ts';
import type { CardMemory } from './card-memory.ts';
import { StatusWordError } from './card-error.ts';
import type { SecureSession } from './secure-session.ts';

export interface CardContext {
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  readonly memory: CardMemory;
  /** Volatile: made anew at every SELECT, and gone with the power. */
  readonly session: AppletSession;
}

/** What lasts from one SELECT to the next at most. */
export interface AppletSession {
  pinVerified: boolean;
  /** At most one, used up by the command that it is for. */
  authorisation: Authorisation | undefined;
  readonly secure: SecureSession;
}

/** A command in the clear; its answer leaves as it is. */
export type ClearCommand = (card: CardContext, command: CommandApdu) => ResponseApdu;

/** A command of the station's, unwrapped; its answer is wrapped, so that a refusal is authentic. */
export type SecureCommand = (card: CardContext, command: CommandApdu) => SecureAnswer;

export interface SecureAnswer {
  readonly result: CardResult;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array(0);

export function answer(data: Uint8Array = nothing): ResponseApdu {
  return { data, sw: statusWords.done };
}

export function done(payload: Uint8Array = nothing): SecureAnswer {
  return { result: 'done', payload };
}

export function refuse(result: CardResult): SecureAnswer {
  return { result, payload: nothing };
}

export function statusWord(name: StatusWordName): StatusWordError {
  return new StatusWordError(statusWords[name]);
}

/** Throws StatusWordError 6A86. */
export function requireParameters({ p1, p2 }: CommandApdu, wantedP1: number, wantedP2 = 0): void {
  if (p1 !== wantedP1 || p2 !== wantedP2) throw statusWord('incorrect-parameters');
}

/** Throws StatusWordError 6700. */
export function requireDataLength({ data }: CommandApdu, least: number, most = least): void {
  if (data.length < least || data.length > most) throw statusWord('wrong-length');
}

/** A point of P-256 that signatures can be verified under. Throws StatusWordError 6A80. */
export function requirePublicKey(primitives: Primitives, point: Uint8Array): void {
  try {
    primitives.verifyingKey(point);
  } catch (error) {
    throw error instanceof RangeError ? statusWord('incorrect-data') : error;
  }
}
