import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Credentials, DeviceCredentials } from './device-credentials.ts';
import { checkDeviceIdentity } from './device-identity.ts';
import type { DeviceIdentity } from './device-identity.ts';
import { QkdError } from './qkd-error.ts';
import { transportFailure } from './transport-failure.ts';

export interface Etsi014TransportOptions {
  /** `https://HOST:PORT`, with a path where the device's API does not start at the root. */
  readonly url: string;
  readonly credentials: DeviceCredentials;
  readonly clock: Clock;
  readonly identity?: DeviceIdentity;
  /** For each request, connecting included. Default 10,000. */
  readonly timeoutMs?: number;
  readonly minTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly maxTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Connections to the device at most; 1 for one that cannot do two things at once. Default 4. */
  readonly maxConnections?: number;
}

export interface TransportCall {
  readonly method: 'GET' | 'POST';
  /** From `/api` on, encoded. */
  readonly path: string;
  readonly body?: string;
  /** It takes keys out of the device: it is never repeated once it may have run. */
  readonly consumes: boolean;
  /** Bits that it may burn. */
  readonly bits: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TransportAnswer {
  readonly status: number;
  readonly body: string;
}

/** Idle connections are closed before the 5 s after which many servers close theirs. */
const idleMs = 4_000;
/** 4,096 keys of 1,024 bits with their IDs take less than a megabyte. */
const maxAnswerBytes = 8 << 20;

interface Lane {
  readonly agent: Agent;
  readonly generation: number;
  /** A request was answered with these credentials. */
  served: boolean;
  inUse: number;
}

/** HTTPS with mutual TLS to one key manager: connections are kept, every call has a deadline. */
export class Etsi014Transport {
  readonly #options: Etsi014TransportOptions;
  readonly #base: URL;
  readonly #closing = new AbortController();
  #lane: Lane | undefined;

  /** @throws QkdError `refused` where the URL is no https URL. */
  constructor(options: Etsi014TransportOptions) {
    this.#options = options;
    this.#base = parseBase(options.url);
  }

  get url(): string {
    return this.#base.href;
  }

  /**
   * One request. Resolves with any HTTP answer.
   * @throws QkdError `unavailable`, `authentication`, `outcome-unknown`, `aborted`, `protocol`.
   */
  async send(call: TransportCall): Promise<TransportAnswer> {
    if (this.#closing.signal.aborted) throw new QkdError('aborted', 'the source was closed');
    const lane = this.#currentLane();
    lane.inUse++;
    try {
      return await this.#exchange(lane, call);
    } finally {
      lane.inUse--;
      if (lane !== this.#lane && lane.inUse === 0) lane.agent.destroy();
    }
  }

  /** Reads the certificate files at once; requests under way finish under the old ones. */
  reload(): void {
    this.#options.credentials.reload();
  }

  close(): void {
    this.#closing.abort();
    this.#lane?.agent.destroy();
  }

  #currentLane(): Lane {
    const credentials = this.#options.credentials.current();
    const old = this.#lane;
    if (old?.generation === credentials.generation) return old;
    const lane = {
      agent: this.#agentFor(credentials),
      generation: credentials.generation,
      served: false,
      inUse: 0,
    };
    this.#lane = lane;
    if (old?.inUse === 0) old.agent.destroy();
    return lane;
  }

  #agentFor({ ca, cert, key }: Credentials): Agent {
    const { identity = {}, minTlsVersion, maxTlsVersion, maxConnections } = this.#options;
    return new Agent({
      keepAlive: true,
      maxSockets: maxConnections ?? 4,
      scheduling: 'lifo',
      timeout: idleMs,
      ca,
      cert,
      key,
      minVersion: minTlsVersion ?? 'TLSv1.2',
      maxVersion: maxTlsVersion ?? 'TLSv1.3',
      checkServerIdentity: (host, certificate) => checkDeviceIdentity(identity, host, certificate),
    });
  }

  #exchange(lane: Lane, call: TransportCall): Promise<TransportAnswer> {
    const { clock, timeoutMs = 10_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const progress = { sent: false, heard: false, freshConnection: false };
      const headers = {
        accept: 'application/json',
        ...(call.body === undefined
          ? {}
          : {
              'content-type': 'application/json',
              'content-length': String(Buffer.byteLength(call.body)),
            }),
      };
      const url = new URL(this.#base.href.replace(/\/$/, '') + call.path);
      const request = httpsRequest(url, { method: call.method, agent: lane.agent, headers });
      let over = false;
      const end = (settle: () => void): void => {
        if (over) return;
        over = true;
        cancelDeadline();
        call.signal?.removeEventListener('abort', onAbort);
        this.#closing.signal.removeEventListener('abort', onAbort);
        settle();
      };
      const fail = (error: Error): void => {
        end(() => {
          const { consumes, bits } = call;
          const certificateServed = lane.served;
          reject(transportFailure(error, { ...progress, certificateServed, consumes, bits }));
        });
        request.destroy();
      };
      const onAbort = (): void => {
        const lostBits = progress.sent && call.consumes ? call.bits : 0;
        fail(new QkdError('aborted', 'the request was given up', { lostBits }));
      };
      const cancelDeadline = clock.after(timeoutMs, () => {
        fail(lateError(timeoutMs, call, progress.sent));
      });
      call.signal?.addEventListener('abort', onAbort, { once: true });
      this.#closing.signal.addEventListener('abort', onAbort, { once: true });
      watchProgress(request, progress);
      request.on('error', fail);
      request.on('response', (response) => {
        lane.served = true;
        readAnswer(
          response,
          (body) => {
            end(() => {
              resolve({ status: response.statusCode ?? 0, body });
            });
          },
          fail,
        );
      });
      request.end(call.body);
      if (call.signal?.aborted === true) onAbort();
    });
  }
}

/** Notes from when on the request may have reached the device. */
function watchProgress(
  request: ClientRequest,
  progress: { sent: boolean; heard: boolean; freshConnection: boolean },
): void {
  request.on('socket', (socket) => {
    if (request.reusedSocket) {
      progress.sent = true;
      return;
    }
    progress.freshConnection = true;
    socket.once('secureConnect', () => {
      progress.sent = true;
    });
    // The only event before `secureConnect` that tells that the device shook hands so far that keys
    // were agreed; the keys themselves, which it hands over, are ignored.
    socket.once('keylog', () => {
      progress.heard = true;
    });
  });
}

function readAnswer(
  response: IncomingMessage,
  done: (body: string) => void,
  fail: (error: Error) => void,
): void {
  const chunks: Uint8Array[] = [];
  let length = 0;
  response.on('data', (chunk: Uint8Array) => {
    length += chunk.length;
    if (length > maxAnswerBytes) {
      fail(new QkdError('protocol', 'the key manager answered with more than 8 MiB'));
      return;
    }
    chunks.push(chunk);
  });
  response.on('error', fail);
  response.on('end', () => {
    const whole = Buffer.concat(chunks);
    const body = whole.toString('utf8');
    // The text cannot be wiped; the buffers that held the keys can.
    whole.fill(0);
    for (const chunk of chunks) chunk.fill(0);
    done(body);
  });
}

function lateError(timeoutMs: number, call: TransportCall, sent: boolean): QkdError {
  const message = `the key manager did not answer within ${String(timeoutMs)} ms`;
  if (sent && call.consumes)
    return new QkdError('outcome-unknown', message, { lostBits: call.bits });
  return new QkdError('unavailable', message);
}

function parseBase(url: string): URL {
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') {
    throw new QkdError('refused', `"${url}" is no https URL of a key manager`);
  }
  return new URL(url);
}
