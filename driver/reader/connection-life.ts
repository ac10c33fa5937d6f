import type { ConnectionEnd, ConnectionEndReason } from './connection.ts';
import { notRun, outcomeUnknown, ReaderError } from './reader-error.ts';

interface Pending {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: ReaderError) => void;
  readonly running: (() => void) | undefined;
}

/** What every connection has alike: it ends once, and it has at most one command at the card. */
export class ConnectionLife {
  readonly closed: Promise<ConnectionEnd>;
  readonly #reader: string;
  #settle: (end: ConnectionEnd) => void = () => undefined;
  #end: ConnectionEnd | undefined;
  #pending: Pending | undefined;

  constructor(reader: string) {
    this.#reader = reader;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get ended(): ConnectionEnd | undefined {
    return this.#end;
  }

  /** A command is at the card and unanswered. */
  get busy(): boolean {
    return this.#pending !== undefined;
  }

  /**
   * Hands a command over by `send`, which puts it on its way and returns at once; the promise
   * settles by `answer` or `end`. Rejects with ReaderError where the connection is over or a
   * command is under way.
   */
  command(send: () => void, running?: () => void): Promise<Uint8Array> {
    if (this.#end !== undefined) return Promise.reject(notRun(this.#reader, this.#end));
    if (this.#pending !== undefined) {
      const message = `${this.#reader}: a command is under way; a card takes one at a time`;
      const error = new ReaderError('command-in-flight', message, { reader: this.#reader });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, running };
      send();
    });
  }

  /** The card says that it is at work. */
  running(): void {
    this.#pending?.running?.();
  }

  /** False where nothing was asked. */
  answer(response: Uint8Array): boolean {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(response);
    return pending !== undefined;
  }

  /** The command under way was refused before the card had it; the connection lives on. */
  refuse(error: ReaderError): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }

  /**
   * The first call counts. A command under way becomes `outcome-unknown`, or with `neverRan` an
   * error that says so.
   */
  end(reason: ConnectionEndReason, detail: string, cause?: unknown, neverRan = false): void {
    if (this.#end !== undefined) return;
    const end: ConnectionEnd = { reason, detail };
    this.#end = end;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject((neverRan ? notRun : outcomeUnknown)(this.#reader, end, cause));
    this.#settle(end);
  }
}
