import type { ConnectionEnd, ConnectionEndReason } from './connection.ts';
import { ReaderError } from './reader-error.ts';
import type { ReaderErrorCode } from './reader-error.ts';

/** What the driver and the child process that owns `pcsclite` say to each other. */
export type ToPcscChild =
  | { readonly kind: 'connect'; readonly reader: string }
  /** One APDU as it stands. */
  | { readonly kind: 'transmit'; readonly command: Uint8Array }
  /** A whole command: the child chains, and fetches the whole response. */
  | { readonly kind: 'transmit-whole'; readonly command: Uint8Array }
  | { readonly kind: 'disconnect' };

export type FromPcscChild =
  | { readonly kind: 'unavailable'; readonly fault: PcscFault }
  /** At the start and at every change. */
  | { readonly kind: 'readers'; readonly readers: readonly PcscReaderState[] }
  | { readonly kind: 'connected'; readonly atr: Uint8Array; readonly protocol: 'T=0' | 'T=1' }
  | { readonly kind: 'not-connected'; readonly fault: PcscFault }
  /** The command under way has made progress. */
  | { readonly kind: 'running' }
  | { readonly kind: 'answer'; readonly response: Uint8Array }
  /** The command under way failed and the connection is whole. */
  | { readonly kind: 'failed'; readonly fault: PcscFault }
  /** The connection is over; a command under way has, or has not, come to the card. */
  | {
      readonly kind: 'ended';
      readonly reason: ConnectionEndReason;
      readonly detail: string;
      readonly neverRan: boolean;
    };

export interface PcscReaderState {
  readonly name: string;
  readonly cardPresent: boolean;
  /** The card gave no answer to reset. */
  readonly mute: boolean;
  readonly atr?: Uint8Array;
}

/** A ReaderError on its way between processes. */
export interface PcscFault {
  readonly code: ReaderErrorCode;
  readonly message: string;
  readonly end?: ConnectionEnd;
  readonly sw?: number;
}

export function packFault(error: unknown): PcscFault {
  if (error instanceof ReaderError) {
    const { code, message, end, sw } = error;
    return { code, message, ...(end && { end }), ...(sw !== undefined && { sw }) };
  }
  return { code: 'protocol', message: error instanceof Error ? error.message : String(error) };
}

export function unpackFault(fault: PcscFault, reader: string): ReaderError {
  const { code, message, end, sw } = fault;
  return new ReaderError(code, message, {
    reader,
    ...(end && { end }),
    ...(sw !== undefined && { sw }),
  });
}

type Kind = ToPcscChild['kind'] | FromPcscChild['kind'];

function isMessage(value: unknown, kinds: ReadonlySet<Kind>): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const known: ReadonlySet<unknown> = kinds;
  return known.has(value.kind);
}

const toChild: ReadonlySet<Kind> = new Set([
  'connect',
  'transmit',
  'transmit-whole',
  'disconnect',
] satisfies ToPcscChild['kind'][]);

const fromChild: ReadonlySet<Kind> = new Set([
  'unavailable',
  'readers',
  'connected',
  'not-connected',
  'running',
  'answer',
  'failed',
  'ended',
] satisfies FromPcscChild['kind'][]);

/** Both processes run the same version of this file, so the kind tells the rest. */
export function isToPcscChild(value: unknown): value is ToPcscChild {
  return isMessage(value, toChild);
}

export function isFromPcscChild(value: unknown): value is FromPcscChild {
  return isMessage(value, fromChild);
}
