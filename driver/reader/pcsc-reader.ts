import type { Clock } from '../../applet-spec/clock.ts';
import { CardPresence } from './card-presence.ts';
import type { CardConnection, Reader, ReaderEvent } from './connection.ts';
import { requireHeader } from './connection.ts';
import { ConnectionLife } from './connection-life.ts';
import { pcscPrograms } from './pcsc-holders.ts';
import { unpackFault } from './pcsc-messages.ts';
import type { FromPcscChild, PcscFault, PcscReaderState } from './pcsc-messages.ts';
import { pcscChildPath, PcscProcess } from './pcsc-process.ts';
import { ReaderError } from './reader-error.ts';
import type { ReaderErrorCode } from './reader-error.ts';

export interface PcscReaderOptions {
  readonly clock: Clock;
  /** The reader's name or a part of it; without, the first reader that holds a card. */
  readonly reader?: string;
  /** The compiled `pcsc-child.js`, where this file runs uncompiled. */
  readonly childPath?: string;
}

const limits = { commandBytes: 65_535, responseBytes: 65_535 } as const;
/** Powering a card takes pcscd up to a few seconds, with a bad contact more. */
const CONNECT_TIMEOUT_MS = 10_000;
const DISCONNECT_TIMEOUT_MS = 2_000;
/** A child that died is replaced after 50 ms, then twice as long each time, up to 5 s. */
const FIRST_RESPAWN_MS = 50;
const LAST_RESPAWN_MS = 5_000;

interface Connecting {
  readonly reader: string;
  readonly connected: (connection: CardConnection) => void;
  readonly refused: (error: ReaderError) => void;
  readonly cancelTimeout: () => void;
}

/**
 * A reader of the system's PC/SC service. `pcsclite` itself lives in a child process, so neither a
 * native crash nor a card that never answers takes this program down. The service and the reader
 * may come and go: `watch` tells, `connect` says what is missing, and a replaced child finds them
 * again.
 */
export class PcscReader implements Reader {
  readonly #clock: Clock;
  readonly #wanted: string | undefined;
  readonly #childPath: string;
  readonly #presence = new CardPresence();
  /** Settles with the present child's first word. */
  #known: Promise<void> = Promise.resolve();
  #tellKnown: () => void = () => undefined;
  #process: PcscProcess | undefined;
  #readers: readonly PcscReaderState[] = [];
  #unavailable: ReaderError | undefined;
  #respawnMs = FIRST_RESPAWN_MS;
  #cancelRespawn: () => void = () => undefined;
  #connecting: Connecting | undefined;
  #open: { readonly life: ConnectionLife; readonly reader: string } | undefined;
  #disconnecting: Promise<void> = Promise.resolve();
  #tellDisconnected: () => void = () => undefined;
  #closed = false;

  private constructor(options: PcscReaderOptions) {
    this.#clock = options.clock;
    this.#wanted = options.reader;
    this.#childPath = options.childPath ?? pcscChildPath;
    this.#expectFirstWord();
    this.#spawn();
  }

  /**
   * Throws ReaderError: not-installed, or service-lost where the child cannot even start. An absent
   * service or reader is `connect`'s to report.
   */
  static async open(options: PcscReaderOptions): Promise<PcscReader> {
    const reader = new PcscReader(options);
    await reader.#known;
    const error = reader.#unavailable;
    if (error?.code === 'not-installed' || error?.code === 'service-lost') {
      await reader.close();
      throw error;
    }
    return reader;
  }

  get name(): string {
    return this.#chosen()?.name ?? (this.#wanted === undefined ? 'pcsc' : `pcsc:${this.#wanted}`);
  }

  get cardPresent(): boolean {
    return this.#presence.present;
  }

  /** All readers of the service, for a list. */
  get readers(): readonly PcscReaderState[] {
    return this.#readers;
  }

  /** Why the service cannot be used now; undefined while it can. */
  get unavailable(): ReaderError | undefined {
    return this.#unavailable;
  }

  watch(listener: (event: ReaderEvent) => void): () => void {
    return this.#presence.watch(listener);
  }

  async connect(): Promise<CardConnection> {
    await this.#disconnecting;
    await this.#known;
    if (this.#closed) throw this.#error('closed', 'the reader is closed');
    if (this.#open !== undefined || this.#connecting !== undefined) {
      throw this.#error('reader-busy', 'the card is in use by another connection of this program');
    }
    const state = this.#reachable();
    try {
      return await this.#connectTo(state.name);
    } catch (error) {
      throw error instanceof ReaderError && error.code === 'reader-busy'
        ? this.#nameHolders(error)
        : error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRespawn();
    await this.#disconnect('the reader was closed');
    this.#process?.kill();
    await this.#process?.exited;
    this.#presence.clear();
  }

  /** The reader that this object stands for now. */
  #chosen(): PcscReaderState | undefined {
    const wanted = this.#wanted;
    if (wanted === undefined) {
      const { reader } = this.#open ?? {};
      return (
        this.#readers.find(({ name }) => name === reader) ??
        this.#readers.find(({ cardPresent }) => cardPresent) ??
        this.#readers[0]
      );
    }
    return (
      this.#readers.find(({ name }) => name === wanted) ??
      this.#readers.find(({ name }) => name.includes(wanted))
    );
  }

  #reachable(): PcscReaderState {
    if (this.#unavailable !== undefined) throw this.#unavailable;
    const state = this.#chosen();
    if (state === undefined) {
      const others = this.#readers.map(({ name }) => name).join(', ');
      const seen = others === '' ? 'no reader is plugged in' : `there is only: ${others}`;
      throw this.#error('no-reader', `no such reader; ${seen}`);
    }
    if (!state.cardPresent) throw this.#error('no-card', 'no card in the reader');
    return state;
  }

  #connectTo(reader: string): Promise<CardConnection> {
    const child = this.#process;
    if (child === undefined) {
      return Promise.reject(this.#error('service-lost', 'the connection to the service is lost'));
    }
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.#clock.after(CONNECT_TIMEOUT_MS, () => {
        this.#connecting = undefined;
        const detail = `the card did not come up within ${CONNECT_TIMEOUT_MS} ms`;
        reject(this.#error('mute', detail));
        child.kill();
      });
      this.#connecting = { reader, connected: resolve, refused: reject, cancelTimeout };
      child.send({ kind: 'connect', reader });
    });
  }

  #spawn(): void {
    const child: PcscProcess = new PcscProcess(this.#childPath, {
      message: (message) => {
        this.#receive(message, child);
      },
      exited: (detail) => {
        this.#processLost(detail);
      },
    });
    this.#process = child;
  }

  #expectFirstWord(): void {
    this.#known = new Promise((resolve) => {
      this.#tellKnown = resolve;
    });
  }

  #processLost(detail: string): void {
    const lost = `the reader's process ended (${detail})`;
    const spoke = this.#process?.spoke === true;
    this.#process = undefined;
    this.#settleConnecting()?.refused(this.#error('service-lost', lost));
    this.#open?.life.end('service-lost', lost);
    this.#open = undefined;
    this.#tellDisconnected();
    if (!spoke) this.#lose(this.#error('service-lost', lost));
    if (this.#closed || this.#unavailable?.code === 'not-installed') return;
    // A child that worked is replaced at once and unseen, but for the connection that it took
    // along.
    if (this.#unavailable === undefined) this.#expectFirstWord();
    this.#cancelRespawn = this.#clock.after(this.#respawnMs, () => {
      this.#spawn();
    });
    this.#respawnMs = Math.min(2 * this.#respawnMs, LAST_RESPAWN_MS);
  }

  #lose(error: ReaderError): void {
    const news = this.#unavailable === undefined;
    this.#unavailable = error;
    this.#readers = [];
    this.#tellKnown();
    this.#presence.set(false);
    if (news) this.#presence.tell({ kind: 'reader-lost', detail: error.message });
  }

  #receive(message: FromPcscChild, child: PcscProcess): void {
    switch (message.kind) {
      case 'unavailable':
        this.#lose(unpackFault(message.fault, this.name));
        return;
      case 'readers':
        this.#readersChanged(message.readers);
        return;
      case 'connected': {
        const connecting = this.#settleConnecting();
        if (connecting === undefined) return;
        const life = new ConnectionLife(connecting.reader);
        this.#open = { life, reader: connecting.reader };
        connecting.connected(this.#connection(life, child, connecting.reader, message));
        return;
      }
      case 'not-connected':
        this.#settleConnecting()?.refused(unpackFault(message.fault, this.name));
        return;
      case 'running':
        this.#open?.life.running();
        return;
      case 'answer':
        this.#open?.life.answer(message.response);
        return;
      case 'failed':
        this.#commandFailed(message.fault);
        return;
      case 'ended':
        this.#tellDisconnected();
        this.#open?.life.end(message.reason, message.detail, undefined, message.neverRan);
        this.#open = undefined;
    }
  }

  #readersChanged(readers: readonly PcscReaderState[]): void {
    const found = this.#unavailable !== undefined;
    this.#unavailable = undefined;
    this.#respawnMs = FIRST_RESPAWN_MS;
    this.#readers = readers;
    this.#tellKnown();
    if (found) this.#presence.tell({ kind: 'reader-found' });
    this.#presence.set(this.#chosen()?.cardPresent === true);
  }

  #commandFailed(fault: PcscFault): void {
    const open = this.#open;
    if (open === undefined) return;
    open.life.refuse(unpackFault(fault, open.reader));
    // 'ended' follows; what waits in the queue must not be sent before it has come.
    if (fault.end !== undefined) {
      open.life.end(fault.end.reason, fault.end.detail);
      this.#open = undefined;
    }
  }

  #settleConnecting(): Connecting | undefined {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    connecting?.cancelTimeout();
    return connecting;
  }

  #connection(
    life: ConnectionLife,
    child: PcscProcess,
    reader: string,
    { atr, protocol }: { readonly atr: Uint8Array; readonly protocol: 'T=0' | 'T=1' },
  ): CardConnection {
    const carry =
      (kind: 'transmit' | 'transmit-whole') =>
      async (command: Uint8Array, running?: () => void): Promise<Uint8Array> => {
        requireHeader(command);
        if (kind === 'transmit' && command.length > limits.commandBytes) {
          const text = `an APDU of ${command.length} bytes exceeds ${limits.commandBytes}`;
          throw this.#error('too-long', text);
        }
        return life.command(() => {
          child.send({ kind, command });
        }, running);
      };
    return {
      reader,
      atr,
      limits,
      protocol,
      closed: life.closed,
      transmit: carry('transmit'),
      transmitWhole: carry('transmit-whole'),
      close: () =>
        this.#open?.life === life
          ? this.#disconnect('the connection was closed')
          : this.#disconnecting,
    };
  }

  /** Resolves when the card is powered off and free for others. */
  #disconnect(detail: string): Promise<void> {
    const open = this.#open;
    const child = this.#process;
    this.#settleConnecting()?.refused(this.#error('closed', detail));
    if (open === undefined || child === undefined) return this.#disconnecting;
    this.#open = undefined;
    const stuck = open.life.busy;
    open.life.end('closed', detail);
    this.#disconnecting = new Promise((resolve) => {
      const cancel = this.#clock.after(DISCONNECT_TIMEOUT_MS, () => {
        child.kill();
      });
      this.#tellDisconnected = () => {
        cancel();
        resolve();
      };
    });
    // Nothing but the end of the process takes back a command that the card does not answer.
    if (stuck) child.kill();
    else child.send({ kind: 'disconnect' });
    return this.#disconnecting;
  }

  #nameHolders(busy: ReaderError): ReaderError {
    const own = [process.pid, this.#process?.pid].filter((pid) => pid !== undefined);
    const programs = pcscPrograms(new Set(own));
    if (programs.length === 0) return busy;
    const message = `${busy.message}; using the smart-card service now: ${programs.join(', ')}`;
    return new ReaderError('reader-busy', message, { reader: this.name, cause: busy });
  }

  #error(code: ReaderErrorCode, text: string): ReaderError {
    return new ReaderError(code, `${this.name}: ${text}`, { reader: this.name });
  }
}
