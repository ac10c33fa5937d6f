/**
 * The one importer of ws among the station's files: sockets as the rest of the daemon sees them.
 */
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import type { Clock } from '../applet-spec/clock.ts';
import type { Socket, SocketFactory, SocketListener, SocketServer } from './socket.ts';
import { StationError } from './station/station-error.ts';

/**
 * A silent connection is asked for a sign of life this often, and given as long again to answer.
 */
const heartbeatMs = 20_000;
const connectMs = 10_000;
const closeMs = 1_000;
/** Connections at once, whatever was said on them: beyond it a newcomer is turned away. */
const connectionsMost = 10_000;
/**
 * RFC 6455 §5.3 masks what a client sends, unpredictably, so that a web page cannot choose the
 * bytes on the wire. A station's messages are no page's, and are sealed but for the handshake: the
 * mask is zero, which costs neither end a pass over every byte.
 */
const noMask = (mask: Uint8Array): void => {
  mask.fill(0);
};

export function webSockets(clock: Clock): SocketFactory {
  return {
    listen: (at, accept) => listen(at, accept, clock),
    connect: (url, messageBytesMost, signal) => connect(url, messageBytesMost, clock, signal),
  };
}

async function listen(
  at: { readonly host: string; readonly port: number; readonly messageBytesMost: number },
  accept: (socket: Socket) => void,
  clock: Clock,
): Promise<SocketServer> {
  const http = createServer((_, answer) => {
    answer.writeHead(426, { connection: 'close' }).end('Upgrade Required');
  });
  http.maxConnections = connectionsMost;
  const server = new WebSocketServer({
    server: http,
    maxPayload: at.messageBytesMost,
    perMessageDeflate: false,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause) => {
      reject(
        new StationError(
          'address-in-use',
          `cannot listen on ${at.host}:${at.port}: ${listenWords(cause)}`,
          { cause },
        ),
      );
    });
    http.listen(at.port, at.host);
  });
  server.on('connection', (webSocket, request) => {
    accept(wrap(webSocket, request.socket, request.socket.remoteAddress ?? 'unknown', clock));
  });
  const address = http.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : at.port,
    close: () =>
      new Promise((resolve) => {
        http.close(() => {
          resolve();
        });
        // Who has connected and asked for nothing would keep it open for ever.
        http.closeAllConnections();
        server.close();
        for (const client of server.clients)
          endSoon(client, 1001, 'the station is stopping', clock);
      }),
  };
}

function connect(
  url: string,
  messageBytesMost: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, {
      maxPayload: messageBytesMost,
      perMessageDeflate: false,
      handshakeTimeout: connectMs,
      generateMask: noMask,
    });
    // Not `once`: a connection that is given up reports an error, and may report another.
    webSocket.on('error', reject);
    const giveUp = (): void => {
      webSocket.terminate();
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    webSocket.once('close', () => signal?.removeEventListener('abort', giveUp));
    webSocket.once('upgrade', ({ socket }) => {
      webSocket.once('open', () => {
        signal?.removeEventListener('abort', giveUp);
        webSocket.off('error', reject);
        resolve(wrap(webSocket, socket, url, clock));
      });
    });
  });
}

/** RFC 6455 §7.4.1, where the other end gives no words of its own. */
const closeWords: Readonly<Record<number, string>> = {
  1002: 'the other end saw a breach of the WebSocket protocol',
  1009: 'the other end takes no message of that length',
};

function wrap(webSocket: WebSocket, stream: Duplex, remote: string, clock: Clock): Socket {
  let listener: SocketListener | undefined;
  let waiting: Uint8Array[] = [];
  let ended: string | undefined;
  let fault = '';
  webSocket.binaryType = 'nodebuffer';
  webSocket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      webSocket.close(1003, 'binary messages only');
    } else if (listener === undefined) waiting.push(data);
    else listener.message(data);
  });
  webSocket.on('error', (error) => {
    fault = error.message;
  });
  webSocket.on('close', (code, reason) => {
    stopHeartbeat();
    // Anybody's words: a log or a terminal must not obey them.
    ended =
      reason.toString().replace(/\p{Cc}/gu, ' ') ||
      fault ||
      (closeWords[code] ?? 'the connection ended');
    listener?.closed(ended);
  });
  const stopHeartbeat = keepAlive(webSocket, clock);
  const holdBack = together(stream);
  return {
    remote,
    get bufferedBytes() {
      return webSocket.bufferedAmount;
    },
    send(bytes) {
      if (webSocket.readyState !== WebSocket.OPEN) return;
      holdBack();
      webSocket.send(bytes);
    },
    close(reason) {
      endSoon(webSocket, 1000, reason.slice(0, 40), clock);
    },
    destroy() {
      webSocket.terminate();
    },
    listen(now) {
      listener = now;
      for (const bytes of waiting.splice(0)) now.message(bytes);
      waiting = [];
      if (ended !== undefined) now.closed(ended);
    },
  };
}

/** What is sent in one turn of the event loop is handed to the system in one call, at its end. */
function together(stream: Duplex): () => void {
  let held = false;
  return () => {
    if (held) return;
    held = true;
    stream.cork();
    setImmediate(() => {
      held = false;
      stream.uncork();
    });
  };
}

/** Says good-bye; a peer that does not answer it is cut off. */
function endSoon(webSocket: WebSocket, code: number, reason: string, clock: Clock): void {
  if (webSocket.readyState === WebSocket.CLOSED) return;
  webSocket.close(code, reason);
  const cancel = clock.after(closeMs, () => {
    webSocket.terminate();
  });
  webSocket.once('close', cancel);
}

/** Pings a silent connection, and ends one that stays silent. */
function keepAlive(webSocket: WebSocket, clock: Clock): () => void {
  let alive = true;
  let cancel: () => void = () => undefined;
  const sign = (): void => {
    alive = true;
  };
  webSocket.on('message', sign);
  webSocket.on('pong', sign);
  const beat = (): void => {
    if (!alive) {
      webSocket.terminate();
      return;
    }
    alive = false;
    if (webSocket.readyState === WebSocket.OPEN) webSocket.ping();
    cancel = clock.after(heartbeatMs, beat);
  };
  cancel = clock.after(heartbeatMs, beat);
  return () => {
    cancel();
  };
}

function listenWords(cause: NodeJS.ErrnoException): string {
  if (cause.code === 'EADDRINUSE') {
    return 'another program listens there (EADDRINUSE): end it, or name another port';
  }
  if (cause.code === 'EADDRNOTAVAIL') return 'no address of this machine (EADDRNOTAVAIL)';
  return cause.message;
}
