import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { Tape } from './recorder-tape.ts';

/** The three kinds of wire on which nothing secret may be readable. */
export type Segment = 'card-host' | 'host-station' | 'station-station';

/** Where a relay listens (port 0: any free one) or what it stands before. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface RelayPlan {
  readonly segment: Segment;
  /** Names the wire in findings, as `alice's card`. */
  readonly name: string;
  readonly listen: Address;
  /** May become known later: connections before that are cut. */
  readonly target: Address | (() => Address | undefined);
}

export interface Relay {
  /** What to hand out instead of the target's address. */
  readonly address: Address;
  /** Stops listening and cuts what is still connected; what was recorded stays. */
  close(): Promise<void>;
}

/** All that one connection carried so far: `client` is who connected, `target` who was reached. */
export interface Recording {
  readonly segment: Segment;
  /** The relay's name and the connection's number on it: `alice's card #1`. */
  readonly stream: string;
  readonly toTarget: Uint8Array;
  readonly toClient: Uint8Array;
}

interface Take {
  readonly segment: Segment;
  readonly stream: string;
  readonly toTarget: Tape;
  readonly toClient: Tape;
  readonly open: () => boolean;
}

/**
 * Transparent relays between the processes of the demo, which keep a copy of every byte. A relay
 * passes on back-pressure, half-close and reset, so both ends behave as if it were not there.
 */
export class WireRecorder {
  readonly #takes = new Set<Take>();
  readonly #relays = new Set<Relay>();

  /** In the order in which the connections were made; those still open are included so far. */
  get recordings(): Recording[] {
    return [...this.#takes].map(({ segment, stream, toTarget, toClient }) => ({
      segment,
      stream,
      toTarget: toTarget.read(),
      toClient: toClient.read(),
    }));
  }

  /** Drops what was recorded so far; what runs for hours would fill the memory. */
  forget(): void {
    for (const take of this.#takes) {
      take.toTarget.erase();
      take.toClient.erase();
      if (!take.open()) this.#takes.delete(take);
    }
  }

  /** Rejects with the system's error where it cannot listen. */
  async relay({ segment, name, listen, target }: RelayPlan): Promise<Relay> {
    const sockets = new Set<Socket>();
    let connections = 0;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const reached = typeof target === 'function' ? target() : target;
      if (reached === undefined) {
        client.destroy();
        return;
      }
      connections += 1;
      const onward = createConnection({ ...reached, allowHalfOpen: true, noDelay: true });
      const take: Take = {
        segment,
        stream: `${name} #${connections}`,
        toTarget: new Tape(),
        toClient: new Tape(),
        open: () => sockets.has(client) || sockets.has(onward),
      };
      this.#takes.add(take);
      for (const socket of [client, onward]) {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      }
      carry(client, onward, take.toTarget);
      carry(onward, client, take.toClient);
    });
    server.listen(listen);
    await once(server, 'listening');
    const relay: Relay = {
      address: addressOf(server, listen),
      close: async () => {
        this.#relays.delete(relay);
        const closed = server.listening ? once(server, 'close') : undefined;
        server.close();
        for (const socket of sockets) socket.destroy();
        await closed;
      },
    };
    this.#relays.add(relay);
    return relay;
  }

  /** Closes every relay. */
  async close(): Promise<void> {
    await Promise.all([...this.#relays].map((relay) => relay.close()));
  }
}

/** One direction. `pipe` stops reading while `to` is full and ends `to` when `from` has ended. */
function carry(from: Socket, to: Socket, tape: Tape): void {
  from.on('data', (chunk: Uint8Array) => tape.append(chunk));
  from.pipe(to);
  from.on('error', () => cut(to));
  from.on('close', () => {
    if (!from.readableEnded) cut(to);
  });
}

/** A wire that broke on one side breaks on the other; a reset exists on TCP alone. */
function cut(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

function addressOf(server: Server, listen: Address): Address {
  const bound = server.address();
  if ('path' in listen || bound === null || typeof bound === 'string') return listen;
  return { host: listen.host, port: bound.port };
}
