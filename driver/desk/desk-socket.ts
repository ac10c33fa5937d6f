/** The one importer of ws on the user's machine. */
import { WebSocket, type RawData } from 'ws';
import type { Clock } from '../../applet-spec/clock.ts';
import { limits } from '../../applet-spec/limits.ts';
import { GCM_TAG_BYTES } from '../../applet-spec/primitive-input.ts';
import { RECORD_HEADER_BYTES } from '../../applet-spec/sealed-record.ts';
import { DeskError } from './desk-error.ts';

/** A connection of binary messages, in order, each whole. */
export interface DeskSocket {
  /** Dropped silently once the connection is over; `receive` tells. */
  send(bytes: Uint8Array): void;
  /** The next message. Rejects with DeskError once the connection is over and all has been read. */
  receive(): Promise<Uint8Array>;
  /** Settles once the connection is over, from whichever end; never rejects. */
  readonly closed: Promise<DeskError>;
  /** Ends the connection; what waits in `receive` rejects with this error. */
  close(reason: DeskError): void;
}

const messageBytesMost = limits.deskMessageBytes + RECORD_HEADER_BYTES + GCM_TAG_BYTES;
/** Unread messages past which the sender is made to wait. */
const unreadMost = 64;
const connectMs = 10_000;
/** How often a silent connection is asked for a sign of life, and how long one may take. */
const heartbeatMs = 20_000;
const closeMs = 1_000;

/** Opens `ws://host:port`. Rejects with DeskError `station-unreachable`. */
export async function openDeskSocket(url: string, clock: Clock): Promise<DeskSocket> {
  const webSocket = connectTo(url);
  const inbox = new Inbox(webSocket, clock);
  return new Promise((resolve, reject) => {
    const cancelDeadline = clock.after(connectMs, () => {
      fail(new DeskError('station-unreachable', `${url} has not answered in ${connectMs} ms`));
    });
    const fail = (error: DeskError): void => {
      cancelDeadline();
      inbox.end(error);
      reject(error);
    };
    webSocket.on('error', (cause) => {
      fail(new DeskError('station-unreachable', `${url}: ${cause.message}`, { cause }));
    });
    webSocket.on('close', () => {
      fail(new DeskError('link-lost', `the connection to ${url} ended`));
    });
    webSocket.on('open', () => {
      cancelDeadline();
      keepAlive(webSocket, inbox, clock);
      resolve({
        send: (bytes) => {
          if (webSocket.readyState === WebSocket.OPEN) webSocket.send(bytes);
        },
        receive: () => inbox.take(),
        closed: inbox.closed,
        close: (reason) => {
          inbox.end(reason);
        },
      });
    });
  });
}

function connectTo(url: string): WebSocket {
  try {
    return new WebSocket(url, { maxPayload: messageBytesMost, perMessageDeflate: false });
  } catch (cause) {
    throw new DeskError('station-unreachable', `"${url}" is no address of a station's desk`, {
      cause,
    });
  }
}

/** Messages that have come and nobody has read; past a bound the socket is paused. */
class Inbox {
  readonly #webSocket: WebSocket;
  readonly #clock: Clock;
  readonly #unread: Uint8Array[] = [];
  #reader: { resolve(bytes: Uint8Array): void; reject(error: DeskError): void } | undefined;
  #end: DeskError | undefined;
  #settleClosed: (reason: DeskError) => void = () => undefined;
  readonly closed = new Promise<DeskError>((resolve) => {
    this.#settleClosed = resolve;
  });
  /** Messages, pings and pongs so far. */
  signsOfLife = 0;

  constructor(webSocket: WebSocket, clock: Clock) {
    this.#webSocket = webSocket;
    this.#clock = clock;
    webSocket.on('message', (data, isBinary) => {
      this.signsOfLife += 1;
      if (isBinary) this.#put(toBytes(data));
      else this.end(new DeskError('protocol', 'the station sent text instead of a message'));
    });
    webSocket.on('pong', () => {
      this.signsOfLife += 1;
    });
    webSocket.on('ping', () => {
      this.signsOfLife += 1;
    });
  }

  /** Full: silence is then ours, not the station's. */
  get full(): boolean {
    return this.#webSocket.isPaused;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Hangs over what has come already: a desk's last words are read before its end. */
  take(): Promise<Uint8Array> {
    const next = this.#unread.shift();
    if (next !== undefined) {
      if (this.#unread.length < unreadMost / 2) this.#webSocket.resume();
      return Promise.resolve(next);
    }
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** The first end counts. */
  end(error: DeskError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#settleClosed(error);
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#closeSocket();
  }

  /** A peer that does not answer the close is left behind. */
  #closeSocket(): void {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== WebSocket.OPEN) {
      webSocket.terminate();
      return;
    }
    const cancel = this.#clock.after(closeMs, () => {
      webSocket.terminate();
    });
    webSocket.once('close', cancel);
    webSocket.resume();
    webSocket.close();
  }

  #put(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve(bytes);
      this.#reader = undefined;
      return;
    }
    this.#unread.push(bytes);
    if (this.#unread.length >= unreadMost) this.#webSocket.pause();
  }
}

/** A station that vanished without a word is found out within two heartbeats. */
function keepAlive(webSocket: WebSocket, inbox: Inbox, clock: Clock): void {
  let heard = inbox.signsOfLife;
  let asked = false;
  const beat = (): void => {
    if (inbox.signsOfLife !== heard) asked = false;
    else if (asked && !inbox.full) {
      inbox.end(new DeskError('link-lost', 'the station has fallen silent'));
      webSocket.terminate();
    }
    heard = inbox.signsOfLife;
    if (inbox.ended) return;
    if (webSocket.readyState === WebSocket.OPEN) webSocket.ping();
    asked = true;
    cancel = clock.after(heartbeatMs, beat);
  };
  let cancel = clock.after(heartbeatMs, beat);
  webSocket.on('close', () => {
    cancel();
  });
}

function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data));
  return new Uint8Array(data);
}
