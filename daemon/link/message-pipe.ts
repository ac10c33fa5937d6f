import type { Clock } from '../../applet-spec/clock.ts';
import type { Socket, SocketListener } from '../socket.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: LinkError) => void;
  readonly cancel: () => void;
}

/**
 * A socket read one message after the other: for the handshake, which is a story and no machine.
 */
export class MessagePipe implements SocketListener {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #waiting: Waiting | undefined;
  #next: SocketListener | undefined;
  #ended: LinkError | undefined;

  /** To be made before the first turn of the socket's life ends. */
  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.listen(this);
  }

  get socket(): Socket {
    return this.#socket;
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  /** Throws LinkError `closed`, `timeout`. One reader at a time. */
  next(withinMs: number): Promise<Uint8Array> {
    const bytes = this.#arrived.shift();
    this.#arrivedBytes -= bytes?.length ?? 0;
    if (bytes !== undefined) return Promise.resolve(bytes);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(withinMs, () => {
        this.#waiting = undefined;
        reject(new LinkError('timeout', `no answer within ${withinMs} ms`));
      });
      this.#waiting = { resolve, reject, cancel };
    });
  }

  /** The handshake is over: whatever arrives from now on is the listener's. */
  handOver(listener: SocketListener): void {
    this.#next = listener;
    for (const bytes of this.#arrived.splice(0)) listener.message(bytes);
    if (this.#ended !== undefined) listener.closed(this.#ended.message);
  }

  /** Says a word to the peer and ends the connection; `error` is what a reader learns. */
  close(word: string, error = new LinkError('closed', word)): void {
    this.#end(error);
    this.#socket.close(word);
  }

  message(bytes: Uint8Array): void {
    if (this.#next !== undefined) {
      this.#next.message(bytes);
    } else if (this.#waiting !== undefined) {
      const { resolve, cancel } = this.#waiting;
      this.#waiting = undefined;
      cancel();
      resolve(bytes);
    } else if (this.#ended === undefined) {
      this.#arrived.push(bytes);
      this.#arrivedBytes += bytes.length;
      const { waitingMessages, waitingBytes } = linkLimits;
      const isWithin = this.#arrivedBytes <= waitingBytes;
      if (isWithin && this.#arrived.length <= waitingMessages) return;
      this.#end(new LinkError('peer-out-of-bounds', 'messages that nobody asked for'));
      this.#socket.destroy();
    }
  }

  closed(reason: string): void {
    const waiting = this.#arrived;
    this.#end(new LinkError('closed', reason));
    this.#arrived = waiting;
    this.#next?.closed(reason);
  }

  #end(error: LinkError): void {
    this.#ended ??= error;
    this.#arrived = [];
    const { reject, cancel } = this.#waiting ?? {};
    this.#waiting = undefined;
    cancel?.();
    reject?.(error);
  }
}
