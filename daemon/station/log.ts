/**
 * The station's log: pino, one JSON line an event, with everything that could be a secret redacted.
 */
import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { toHex } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { TollLog } from '../relay/toll-context.ts';
import type { SettlementLog } from '../settlement/settlement-context.ts';
import { LogPacer } from './log-pacer.ts';

export type { Logger } from 'pino';

type Detail = Readonly<Record<string, unknown>>;

/** What the parts of a station tell its operator. */
export type Log = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (detail: Detail, message: string) => void>
>;

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

export function openLog(level: string, name: string, output: DestinationStream): Logger {
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
  return pino(options, output);
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

/**
 * The log of a running station. Of `info` and `warn` a few lines a minute are written about each
 * event with each `peer`, `user` or `remote` of the detail, then one that says how many were left
 * out; the message is the event, and holds no word of theirs. `error`, the station's own, is always
 * written, and `debug` was asked for.
 */
export class PacedLog implements Log {
  /** Not paced. */
  readonly plain: Logger;
  readonly #pacer: LogPacer;

  constructor(plain: Logger, clock: Clock) {
    this.plain = plain;
    this.#pacer = new LogPacer(clock);
  }

  debug(detail: Detail, message: string): void {
    this.plain.debug(detail, message);
  }

  info(detail: Detail, message: string): void {
    this.#pace('info', detail, message);
  }

  warn(detail: Detail, message: string): void {
    this.#pace('warn', detail, message);
  }

  error(detail: Detail, message: string): void {
    this.plain.error(detail, message);
  }

  /** Says what was left out until now. */
  close(): void {
    this.#pacer.close();
  }

  #pace(level: 'info' | 'warn', detail: Detail, message: string): void {
    const [kind, party] = partyOf(detail);
    this.#pacer.pace(
      message,
      party,
      () => {
        this.plain[level](detail, message);
      },
      (lines, of) => {
        const whose = of === undefined || of === '' ? { of: 'several' } : { [kind]: of };
        const words = `${lines} more such lines within a minute were left out: ${message}`;
        this.plain[level]({ ...whose, leftOut: lines }, words);
      },
    );
  }
}

const parties = ['peer', 'user', 'remote'] as const;

function partyOf(detail: Detail): readonly [kind: string, party: string] {
  for (const kind of parties) {
    const party = detail[kind];
    if (typeof party === 'string') return [kind, party];
  }
  return ['of', ''];
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

export function tollLog(log: PacedLog): TollLog {
  // Words and names alone, two lines a payment: nothing to look for in them that must not be told.
  const payments = log.plain.child({}, { redact: [] });
  return {
    payment(level, paymentId, message, detail) {
      payments[level]({ paymentId: toHex(paymentId), ...detail }, message);
    },
    notice(level, paymentId, message, detail) {
      log[level]({ paymentId: toHex(paymentId), ...detail }, message);
    },
    peer(level, peer, message, detail) {
      log[level]({ peer, ...detail }, message);
    },
    fault(error) {
      log.error({ err: error }, 'a fault; nothing of the operation was kept');
    },
  };
}
