import type { ConnectionEndReason } from './connection.ts';
import type { ReaderErrorCode } from './reader-error.ts';
import { ReaderError } from './reader-error.ts';

/** PC/SC return codes (winscard) that mean something to the driver. */
const scard = {
  noAccess: 0x80100027,
  unknownReader: 0x80100009,
  sharingViolation: 0x8010000b,
  noSmartcard: 0x8010000c,
  protocolMismatch: 0x8010000f,
  /** Between pcscd and its client: pcscd ended. */
  commError: 0x80100013,
  readerUnavailable: 0x80100017,
  noService: 0x8010001d,
  serviceStopped: 0x8010001e,
  unresponsiveCard: 0x80100066,
  unpoweredCard: 0x80100067,
  resetCard: 0x80100068,
  removedCard: 0x80100069,
  securityViolation: 0x8010006a,
} as const;

/**
 * `pcsclite` gives the code in the text only: `SCardConnect error: Sharing violation.(0x8010000b)`.
 */
export function pcscCode(error: unknown): number | undefined {
  const text = error instanceof Error ? error.message : String(error);
  const digits = /\(0x([0-9a-f]{8})\)/i.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** Why the service cannot be used at all. */
export function serviceFault(cause: unknown): ReaderError {
  switch (pcscCode(cause)) {
    case scard.noAccess:
    case scard.securityViolation:
      return new ReaderError('access-denied', accessDenied, { cause });
    default:
      return new ReaderError('service-absent', serviceAbsent, { cause });
  }
}

const serviceAbsent =
  'the smart-card service does not answer: start it (Debian: apt install pcscd && ' +
  'systemctl start pcscd.socket)';
const accessDenied =
  'the smart-card service turns this user away: allow org.debian.pcsc-lite.access_pcsc and ' +
  'access_card in polkit, or log in at the machine itself';

const connectCodes: ReadonlyMap<number, readonly [ReaderErrorCode, string]> = new Map([
  [
    scard.sharingViolation,
    ['reader-busy', 'another program holds the card; close it and try again'],
  ],
  [scard.noSmartcard, ['no-card', 'no card in the reader']],
  [scard.removedCard, ['no-card', 'the card was just removed']],
  [scard.resetCard, ['card-reset', 'the card was just reset']],
  [scard.unpoweredCard, ['mute', 'the card gives no answer: is it the right way round?']],
  [scard.unresponsiveCard, ['mute', 'the card gives no answer: is it the right way round?']],
  [scard.protocolMismatch, ['protocol', 'the reader cannot speak a protocol of the card']],
  [scard.unknownReader, ['no-reader', 'the reader was unplugged']],
  [scard.readerUnavailable, ['no-reader', 'the reader was unplugged']],
  [scard.noService, ['service-absent', serviceAbsent]],
  [scard.serviceStopped, ['service-absent', serviceAbsent]],
  [scard.securityViolation, ['access-denied', accessDenied]],
  [scard.noAccess, ['access-denied', accessDenied]],
]);

export function connectFault(reader: string, cause: unknown): ReaderError {
  const [code, text] = connectCodes.get(pcscCode(cause) ?? 0) ?? ['protocol', textOf(cause)];
  return new ReaderError(code, `${reader}: ${text}`, { reader, cause });
}

export interface TransmitFault {
  readonly reason: ConnectionEndReason;
  readonly detail: string;
  /** The service refused before the reader was asked. */
  readonly neverRan: boolean;
}

/** pcscd looks for a reset before it hands a command on; every other code may come after. */
export function transmitFault(cause: unknown): TransmitFault {
  const code = pcscCode(cause);
  switch (code) {
    case scard.resetCard:
      return { reason: 'card-reset', detail: 'the card was reset', neverRan: true };
    case scard.removedCard:
    case scard.noSmartcard:
    case scard.unpoweredCard:
    case scard.unresponsiveCard:
      return { reason: 'card-removed', detail: 'the card was removed', neverRan: false };
    case scard.unknownReader:
    case scard.readerUnavailable:
      return { reason: 'reader-lost', detail: 'the reader was unplugged', neverRan: false };
    case scard.commError:
    case scard.noService:
    case scard.serviceStopped:
      return { reason: 'service-lost', detail: 'the smart-card service ended', neverRan: false };
    default:
      return { reason: 'protocol', detail: textOf(cause), neverRan: false };
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
