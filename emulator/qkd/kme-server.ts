import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../applet-spec/clock.ts';
import type { FaultScript } from './fault.ts';
import { Kme } from './kme.ts';

export interface KmeServerOptions {
  readonly kmeId: string;
  readonly kme: Kme;
  readonly faults: FaultScript;
  readonly clock: Clock;
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly minTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly maxTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
}

const maxRequestBytes = 1 << 20;
/** How long a key manager with the fault `deadlock` is busy with one request. */
const deadlockWindowMs = 20;

/** HTTPS with mutual TLS in front of one key manager, and the faults of its transport. */
export class KmeServer {
  readonly #options: KmeServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cancels = new Set<() => void>();
  #cancelAlone: (() => void) | undefined;
  #jammed = false;

  constructor(options: KmeServerOptions) {
    this.#options = options;
    const { ca, cert, key, minTlsVersion, maxTlsVersion } = options;
    this.#server = createServer({
      ca,
      cert,
      key,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: minTlsVersion ?? 'TLSv1.2',
      maxVersion: maxTlsVersion ?? 'TLSv1.3',
      keepAliveTimeout: 30_000,
    });
    this.#server.on('connection', (socket: Socket) => {
      if (options.faults.strike('outage', options.kmeId) !== undefined) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    this.#server.on('request', (request, response) => {
      this.#receive(request, response);
    });
  }

  /** Resolves with the port. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve(portOf(this.#server.address()));
      });
    });
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.dropConnections();
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Uint8Array[] = [];
    let length = 0;
    request.on('data', (chunk: Uint8Array) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > maxRequestBytes) request.destroy();
    });
    request.on('end', () => {
      this.#delayed(request, response, Buffer.concat(chunks).toString('utf8'));
    });
  }

  #delayed(request: IncomingMessage, response: ServerResponse, body: string): void {
    const { faults, kmeId } = this.#options;
    const call = Kme.callOf(request.url ?? '');
    const answer = (): void => {
      this.#answer(request, response, body);
    };
    if (faults.find('deadlock', kmeId, call) !== undefined) {
      this.#runAlone(answer);
      return;
    }
    this.#jammed = false;
    const slow = faults.strike('slow', kmeId, call);
    if (slow === undefined) answer();
    else this.#later(slow.delayMs, answer);
  }

  /** Two requests at once bring the key manager to a halt, both of them and all that follow. */
  #runAlone(answer: () => void): void {
    if (this.#jammed) return;
    if (this.#cancelAlone !== undefined) {
      this.#cancelAlone();
      this.#cancelAlone = undefined;
      this.#jammed = true;
      return;
    }
    this.#cancelAlone = this.#later(deadlockWindowMs, () => {
      this.#cancelAlone = undefined;
      answer();
    });
  }

  #later(ms: number, run: () => void): () => void {
    const cancelTimer = this.#options.clock.after(ms, () => {
      this.#cancels.delete(cancelTimer);
      run();
    });
    this.#cancels.add(cancelTimer);
    return () => {
      this.#cancels.delete(cancelTimer);
      cancelTimer();
    };
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const { faults, kmeId, kme } = this.#options;
    const { method = '', url = '' } = request;
    const answer = kme.answer({ caller: callerOf(request), method, target: url, body });
    if (faults.strike('lost-answer', kmeId, Kme.callOf(url)) !== undefined) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'content-length': Buffer.byteLength(answer.body),
      'cache-control': 'no-store',
    });
    response.end(answer.body);
  }
}

/** The emulated key managers take the SAE ID from the common name. */
function callerOf(request: IncomingMessage): string {
  if (!(request.socket instanceof TLSSocket)) return '';
  const name: unknown = request.socket.getPeerCertificate().subject.CN;
  return typeof name === 'string' ? name : '';
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}
