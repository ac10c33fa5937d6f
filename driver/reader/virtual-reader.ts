import { chmodSync, existsSync, lstatSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import { socketPathFault } from '../socket-path.ts';
import { CardPresence } from './card-presence.ts';
import type { CardConnection, Reader, ReaderEvent } from './connection.ts';
import { ReaderError } from './reader-error.ts';
import { VirtualSlot } from './virtual-slot.ts';

/** Where a virtual reader listens. Port 0 lets the system choose. */
export type VirtualAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** How long a card may take for its answer to reset; ISO/IEC 7816-3 allows about one second. */
const ATR_TIMEOUT_MS = 5_000;

/**
 * A reader made of a listening socket, for cards that are programs: it speaks the vpcd protocol
 * from the reader's side, so that the same card later plugs into a real pcscd. One card at a time;
 * a second is turned away while one is in. The wire is in clear and unauthenticated: listen on
 * loopback or on a socket in a private folder only.
 */
export class VirtualReader implements Reader {
  readonly name: string;
  /** Where a card connects: `HOST:PORT` or the socket's path. */
  readonly address: string;
  readonly port: number | undefined;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #presence = new CardPresence();
  #slot: VirtualSlot | undefined;
  #closing: Promise<void> | undefined;

  private constructor(server: Server, address: string, port: number | undefined, clock: Clock) {
    this.name = `virtual:${address}`;
    this.address = address;
    this.port = port;
    this.#server = server;
    this.#clock = clock;
    server.on('error', (error) => {
      this.#presence.tell({ kind: 'reader-lost', detail: error.message });
    });
    server.on('connection', (socket) => {
      this.#insert(socket);
    });
  }

  /**
   * Throws ReaderError: reader-busy where the address is taken, access-denied, bad-spec where a
   * path is longer than a socket's may be, no-reader otherwise.
   */
  static async listen(address: VirtualAddress, clock: Clock): Promise<VirtualReader> {
    if (address.kind === 'unix') {
      const fault = socketPathFault(address.path);
      if (fault !== undefined) throw new ReaderError('bad-spec', `${fault}: name a shorter one`);
      await removeStaleSocket(address.path);
    }
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(listenError(address, cause));
      });
      const listening = (): void => {
        server.removeAllListeners('error');
        resolve();
      };
      if (address.kind === 'unix') server.listen(address.path, listening);
      else server.listen(address.port, address.host, listening);
    });
    if (address.kind === 'unix') {
      chmodSync(address.path, 0o600);
      return new VirtualReader(server, address.path, undefined, clock);
    }
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : address.port;
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return new VirtualReader(server, `${host}:${port}`, port, clock);
  }

  get cardPresent(): boolean {
    return this.#presence.present;
  }

  watch(listener: (event: ReaderEvent) => void): () => void {
    return this.#presence.watch(listener);
  }

  async connect(): Promise<CardConnection> {
    if (this.#closing !== undefined) {
      throw new ReaderError('closed', `${this.name} is closed`, { reader: this.name });
    }
    if (this.#slot === undefined) {
      const message = `no card in ${this.name}, as none has connected`;
      throw new ReaderError('no-card', message, { reader: this.name });
    }
    return this.#slot.powerOn(this.#clock, ATR_TIMEOUT_MS);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#slot?.eject('closed', 'the reader was closed');
    await closed;
    this.#presence.clear();
  }

  #insert(socket: Socket): void {
    if (this.#slot !== undefined || this.#closing !== undefined) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const slot = new VirtualSlot(this.name, socket);
    this.#slot = slot;
    socket.once('close', () => {
      this.#slot = undefined;
      this.#presence.set(false);
    });
    this.#presence.set(true);
  }
}

function listenError(address: VirtualAddress, cause: NodeJS.ErrnoException): ReaderError {
  const place = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
  if (address.kind === 'unix' && !existsSync(dirname(address.path))) {
    const words = `cannot listen on ${place}: its folder is not there`;
    return new ReaderError('no-reader', words, { cause });
  }
  switch (cause.code) {
    case 'EADDRINUSE':
      return new ReaderError('reader-busy', `another program listens on ${place}: end it first`, {
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new ReaderError('access-denied', `this user may not listen on ${place}`, { cause });
    default:
      return new ReaderError('no-reader', `cannot listen on ${place}: ${cause.message}`, { cause });
  }
}

/** A socket file without a listener is left over from a program that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  // Connecting to an ordinary file is refused too, and that file is not ours to delete.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const refused = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED');
    });
  });
  if (refused) rmSync(path, { force: true });
}
