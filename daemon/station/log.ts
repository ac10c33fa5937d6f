/**
 * The station's log: pino, one JSON line an event, with everything that could be a secret redacted.
 */
import { pino, type Logger, type LoggerOptions } from 'pino';
import { toHex } from '../../applet-spec/bytes.ts';
import type { TollLog } from '../relay/toll-context.ts';
import type { SettlementLog } from '../settlement/settlement-context.ts';

export type Log = Logger;

/** Names that no log line may show, at any depth that pino looks into. */
const secretNames = [
  'secret',
  'coinSecret',
  'keys',
  'nextKeys',
  'privateKey',
  'bits',
  'pin',
  'puk',
  'certificate',
  'payerCertificate',
  'record',
];

/** Lines are written many at once, as late as this; what is left at the end is written then. */
const minLength = 4_096;
const flushMs = 50;

export function openLog(level: string, name: string): Log {
  // Standard error: standard output is for what was asked for.
  const destination = pino.destination({ fd: 2, sync: false, minLength, periodicFlush: flushMs });
  const options: LoggerOptions = {
    level,
    name,
    base: { name },
    redact: {
      paths: secretNames.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]),
      censor: '[redacted]',
    },
    serializers: { err: serializeError },
  };
  return pino(options, destination);
}

/** Only what an error says of itself: no bytes that hang on it. */
function serializeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    type: error.name,
    message: error.message,
    ...('code' in error && { code: error.code }),
    stack: error.stack,
    ...(error.cause instanceof Error && { cause: serializeError(error.cause) }),
  };
}

/** What links tell the operator; `peer` is an address while it is a stranger's. */
export function linkLog(log: Log) {
  return {
    link(
      level: 'info' | 'warn',
      peer: string,
      message: string,
      detail?: Readonly<Record<string, string>>,
    ): void {
      log[level]({ peer, ...detail }, message);
    },
    fault(error: unknown): void {
      log.error({ err: error }, 'a fault on a link');
    },
  };
}

export function settlementLog(log: Log): SettlementLog {
  return {
    peer(level, peer, message, detail) {
      log[level]({ peer, ...detail }, message);
    },
    fault(error) {
      log.error({ err: error }, 'a fault in settlement; it is tried again on schedule');
    },
  };
}

export function tollLog(log: Log): TollLog {
  // Words and names alone, two lines a payment: nothing to look for in them that must not be told.
  const payments = log.child({}, { redact: [] });
  return {
    payment(level, paymentId, message, detail) {
      payments[level]({ paymentId: toHex(paymentId), ...detail }, message);
    },
    fault(error) {
      log.error({ err: error }, 'a fault; nothing of the operation was kept');
    },
  };
}
