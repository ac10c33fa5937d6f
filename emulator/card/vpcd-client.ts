import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../../applet-spec/clock.ts';
import {
  encodeVpcdFrame,
  VPCD_BODY_MOST,
  VpcdFrameReader,
  vpcdControls,
} from '../../applet-spec/vpcd.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';

/** Where the virtual reader listens: Debian's vpcd, or the driver's own `virtual:` reader. */
export type VpcdAddress =
  { readonly host: string; readonly port: number } | { readonly path: string };

export interface VpcdClientOptions {
  readonly address: VpcdAddress;
  readonly card: SoftwareCard;
  readonly clock: Clock;
  /** Come back after the reader has thrown the card out or was not there. Default true. */
  readonly reconnect?: boolean;
  /** Called at each insertion, removal and failed attempt; for logs. */
  readonly onState?: (state: VpcdClientState) => void;
}

export type VpcdClientState =
  | { readonly kind: 'inserted' }
  | { readonly kind: 'removed'; readonly cause?: Error }
  | { readonly kind: 'unreachable'; readonly cause: Error };

/**
 * pcscd looks for a card every 400 ms; one that is back sooner than it was missed stays unseen for
 * ever. Whoever pulls a card by hand and puts in another waits until the reader has told of the
 * removal.
 */
const BACK_AFTER_MS = 500;
/**
 * A pcscd that sees a card powers it after its second get ATR; one that goes on asking has missed
 * it.
 */
const ATRS_BEFORE_POWER = 4;
/** While no reader listens: 50 ms, then twice as long each time, up to 2 s. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** A reader asks one thing at a time; a few controls may be queued behind it. */
const WAITING_MOST = 16;

/** Plugs a software card into a virtual reader, as the client of the vpcd protocol. */
export class VpcdClient {
  readonly #options: VpcdClientOptions;
  #socket: Socket | undefined;
  #cancelRetry: (() => void) | undefined;
  #retryMs = FIRST_RETRY_MS;
  #wanted = false;

  constructor(options: VpcdClientOptions) {
    this.#options = options;
  }

  /**
   * Starts connecting; `onState` tells how it goes. Does nothing while the card is in or on its
   * way.
   */
  insert(): void {
    this.#wanted = true;
    if (this.#socket === undefined && this.#cancelRetry === undefined) this.#connect();
  }

  /** Pulls the card out and keeps it out; resolves when the socket is closed. */
  async remove(): Promise<void> {
    this.#wanted = false;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => {
        resolve();
      });
      socket.destroy();
    });
  }

  #connect(): void {
    const { address, card, onState } = this.#options;
    const socket = createConnection({ ...address, noDelay: true });
    const contacts = new CardContacts(card, socket);
    let inserted = false;
    let cause: Error | undefined;
    this.#socket = socket;
    socket.once('connect', () => {
      inserted = true;
      this.#retryMs = FIRST_RETRY_MS;
      onState?.({ kind: 'inserted' });
    });
    socket.on('data', (chunk: Uint8Array) => {
      contacts.receive(chunk);
    });
    socket.once('error', (error) => {
      cause = error;
    });
    socket.once('close', () => {
      this.#socket = undefined;
      contacts.lost();
      if (inserted) onState?.({ kind: 'removed', ...(cause === undefined ? {} : { cause }) });
      else if (cause !== undefined) onState?.({ kind: 'unreachable', cause });
      this.#retry(inserted ? BACK_AFTER_MS : this.#retryMs);
    });
  }

  #retry(afterMs: number): void {
    if (!this.#wanted || this.#options.reconnect === false) return;
    this.#cancelRetry = this.#options.clock.after(afterMs, () => {
      this.#cancelRetry = undefined;
      this.#connect();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }
}

/** The card's side of one vpcd connection. */
class CardContacts {
  readonly #card: SoftwareCard;
  readonly #socket: Socket;
  readonly #frames = new VpcdFrameReader();
  readonly #waiting: Uint8Array[] = [];
  /** Counts power events: an answer computed before the last one is no answer any more. */
  #power = 0;
  #processing = false;
  #poweredYet = false;
  #atrsBeforePower = 0;

  constructor(card: SoftwareCard, socket: Socket) {
    this.#card = card;
    this.#socket = socket;
  }

  receive(chunk: Uint8Array): void {
    for (const body of this.#frames.push(chunk)) {
      const [first] = body;
      if (body.length === 1 && first !== undefined && first !== vpcdControls.getAtr) {
        this.#powerEvent(first);
      } else if (body.length === 0 || this.#waiting.length >= WAITING_MOST) {
        this.#socket.destroy(new Error('the reader broke the vpcd protocol'));
      } else {
        this.#waiting.push(body);
      }
    }
    this.#next();
  }

  /** Without its reader a card has no power. */
  lost(): void {
    this.#forgetCommands();
    this.#card.powerOff();
  }

  /** Power is physical: it does not wait for the command that runs. */
  #powerEvent(code: number): void {
    this.#forgetCommands();
    this.#poweredYet ||= code !== vpcdControls.powerOff;
    if (code === vpcdControls.powerOff) this.#card.powerOff();
    else if (code === vpcdControls.powerOn) this.#card.powerOn();
    else if (code === vpcdControls.reset) this.#card.reset();
    else this.#socket.destroy(new Error(`unknown vpcd control ${code}`));
  }

  #forgetCommands(): void {
    this.#power += 1;
    this.#processing = false;
    this.#waiting.length = 0;
  }

  #next(): void {
    if (this.#processing) return;
    const body = this.#waiting.shift();
    if (body === undefined) return;
    if (body.length === 1) {
      this.#sendAtr();
      this.#next();
      return;
    }
    const power = this.#power;
    this.#processing = true;
    this.#card.process(body).then(
      (response) => {
        if (power !== this.#power) return;
        this.#processing = false;
        this.#send(response);
        this.#next();
      },
      (error: unknown) => {
        if (power !== this.#power) return;
        // A card that fails like this is torn out, not given a status word that it never said.
        const fault = error instanceof Error ? error : new Error(String(error));
        this.#socket.destroy(fault);
      },
    );
  }

  #sendAtr(): void {
    if (!this.#poweredYet) this.#atrsBeforePower += 1;
    if (this.#atrsBeforePower > ATRS_BEFORE_POWER) {
      this.#socket.destroy(new Error('the reader took this card for the one before it'));
    } else {
      this.#send(this.#card.atr);
    }
  }

  #send(body: Uint8Array): void {
    if (body.length > VPCD_BODY_MOST) {
      this.#socket.destroy(new RangeError(`a response of ${body.length} bytes`));
    } else if (!this.#socket.destroyed) {
      this.#socket.write(encodeVpcdFrame(body));
    }
  }
}
