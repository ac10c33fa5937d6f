/**
 * HTTP over a Unix socket beside the database, mode 0600: how the operator asks a running station.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { isStationName, type StationName, type UserName } from '../../applet-spec/names.ts';
import type { DamagedPayments } from '../relay/damaged-rows.ts';
import type { RetryOutcome } from '../relay/quarantine.ts';
import type { SettlementReport } from '../settlement/settlement-report.ts';
import type { DoubtfulStatus, RecoveryStatus, RecoveryWish } from './recovery-part.ts';
import { StationError } from './station-error.ts';
import type { PositionStatus, StationStatus } from './station-status.ts';
import type { QuarantineCount } from '../store/quarantine-store.ts';

const askable = 'ask GET /status, POST /settle, /recover, /frozen-cards or /quarantine/NUMBER';
const answerBytesMost = 16 << 20;
const statusTimeoutMs = 5_000;
/** A card may be at work on a command. */
const frozenTimeoutMs = 60_000;
/** It may wait for the keys of a link, or ask another station. */
const retryTimeoutMs = 60_000;
/** A peer may be far, and may have many claims. */
const settleTimeoutMs = 300_000;

/** What the socket asks of a station. */
export interface Administered {
  readonly status: () => StationStatus;
  readonly positions: () => Promise<readonly PositionStatus[]>;
  readonly doubtful: () => Promise<DoubtfulStatus>;
  readonly damaged: () => Promise<readonly DamagedPayments[]>;
  readonly quarantine: () => Promise<readonly QuarantineCount[]>;
  readonly retryQuarantined: (number: bigint) => Promise<RetryOutcome>;
  readonly settle: (peer?: StationName) => Promise<SettlementReport>;
  readonly recover: (wish: RecoveryWish) => Promise<RecoveryStatus>;
  readonly endFrozen: () => Promise<readonly UserName[]>;
}

/** All that `GET /status` tells. */
export interface AdminStatus extends StationStatus {
  readonly positions: readonly PositionStatus[];
  readonly doubtful: DoubtfulStatus;
  readonly damaged: readonly DamagedPayments[];
  readonly quarantine: readonly QuarantineCount[];
}

export async function serveAdmin(
  socketPath: string,
  station: Administered,
): Promise<{ readonly close: () => Promise<void> }> {
  rmSync(socketPath, { force: true });
  const server: Server = createServer((asked, answer) => {
    const tell = (code: number, content: object): void => {
      answer.writeHead(code, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(content));
    };
    answered(station, asked).then(
      (content) => {
        if (content === undefined) tell(404, { message: askable });
        else tell(200, content);
      },
      (error: unknown) => {
        tell(500, { message: error instanceof Error ? error.message : 'a fault' });
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Rejects with StationError `not-running`. */
export function askStatus(socketPath: string): Promise<AdminStatus> {
  return askAdmin<AdminStatus>(socketPath, 'GET', '/status', statusTimeoutMs);
}

/** Settles with one peer or with all; rejects with StationError. */
export function askSettle(socketPath: string, peer?: StationName): Promise<SettlementReport> {
  const path = peer === undefined ? '/settle' : `/settle/${peer}`;
  return askAdmin<SettlementReport>(socketPath, 'POST', path, settleTimeoutMs);
}

/** Begins to rebuild lost books, or tells how far that has come; rejects with StationError. */
export function askRecover(
  socketPath: string,
  { sinceSeconds, leaveOut = [] }: RecoveryWish,
): Promise<RecoveryStatus> {
  const asked = new URLSearchParams();
  for (const peer of leaveOut) asked.append('without', peer);
  if (sinceSeconds !== undefined) asked.set('since', String(sinceSeconds));
  return askAdmin<RecoveryStatus>(
    socketPath,
    'POST',
    `/recover?${asked.toString()}`,
    statusTimeoutMs,
  );
}

/** Has a record of its quarantine tried again; rejects with StationError. */
export function askRetry(socketPath: string, number: bigint): Promise<RetryOutcome> {
  return askAdmin<RetryOutcome>(socketPath, 'POST', `/quarantine/${number}`, retryTimeoutMs);
}

/** Frozen cards leave the desk; whose they were. Rejects with StationError. */
export async function askEndFrozen(socketPath: string): Promise<readonly string[]> {
  const answer = await askAdmin<{ readonly ended: readonly string[] }>(
    socketPath,
    'POST',
    '/frozen-cards',
    frozenTimeoutMs,
  );
  return answer.ended;
}

function recoveryWish(url: string): RecoveryWish | undefined {
  const asked = new URLSearchParams(url.slice('/recover?'.length));
  const leaveOut = asked.getAll('without').filter(isStationName);
  const since = asked.get('since') ?? '0';
  if (leaveOut.length !== asked.getAll('without').length) return undefined;
  return /^\d{1,15}$/.test(since) ? { leaveOut, sinceSeconds: BigInt(since) } : undefined;
}

async function answered(
  station: Administered,
  { method, url }: IncomingMessage,
): Promise<object | undefined> {
  if (method === 'GET' && url === '/status') {
    const positions = await station.positions();
    const doubtful = await station.doubtful();
    const damaged = await station.damaged();
    const quarantine = await station.quarantine();
    const counts = { positions, doubtful, damaged, quarantine };
    return { ...station.status(), ...counts } satisfies AdminStatus;
  }
  if (method !== 'POST' || url === undefined) return undefined;
  if (url === '/settle') return station.settle();
  if (url === '/frozen-cards') return { ended: await station.endFrozen() };
  if (url === '/recover' || url.startsWith('/recover?')) {
    const wish = recoveryWish(url);
    return wish && station.recover(wish);
  }
  const [, path, name, ...rest] = url.split('/');
  if (name === undefined || rest.length > 0) return undefined;
  if (path === 'quarantine') {
    return /^\d{1,15}$/.test(name) ? station.retryQuarantined(BigInt(name)) : undefined;
  }
  return path === 'settle' && isStationName(name) ? station.settle(name) : undefined;
}

function askAdmin<T>(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeout: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => {
      reject(
        new StationError(
          'not-running',
          'the station is not running; start it with `keytolld run --config station.toml`',
          { cause },
        ),
      );
    };
    const asked = request({ socketPath, method, path, timeout }, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > answerBytesMost) asked.destroy();
        else parts.push(part);
      });
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        if (answer.statusCode === 200) resolve(JSON.parse(text) as T);
        else reject(new StationError('command-failed', messageOf(text)));
      });
      answer.on('error', fail);
    });
    asked.on('error', fail);
    asked.on('timeout', () => asked.destroy());
    asked.end();
  });
}

function messageOf(text: string): string {
  const content: unknown = JSON.parse(text);
  return typeof content === 'object' &&
    content !== null &&
    'message' in content &&
    typeof content.message === 'string'
    ? content.message
    : 'the station could not do it';
}
