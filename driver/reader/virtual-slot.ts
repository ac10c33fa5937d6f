import type { Socket } from 'node:net';
import type { Clock } from '../../applet-spec/clock.ts';
import { counted } from '../../applet-spec/counted.ts';
import {
  encodeVpcdFrame,
  VPCD_BODY_MOST,
  VpcdFrameReader,
  vpcdControls,
} from '../../applet-spec/vpcd.ts';
import type { CardConnection, ConnectionEndReason } from './connection.ts';
import { requireHeader } from './connection.ts';
import { ConnectionLife } from './connection-life.ts';
import { notRun, ReaderError } from './reader-error.ts';

const limits = { commandBytes: VPCD_BODY_MOST, responseBytes: VPCD_BODY_MOST } as const;

function control(code: number): Uint8Array {
  return encodeVpcdFrame(Uint8Array.of(code));
}

/** One inserted card of a virtual reader: the socket on which a card program speaks vpcd. */
export class VirtualSlot {
  readonly #reader: string;
  readonly #socket: Socket;
  readonly #frames = new VpcdFrameReader();
  /** The connection open on this card, and what the next frame from the card answers. */
  #life: ConnectionLife | undefined;

  constructor(reader: string, socket: Socket) {
    this.#reader = reader;
    this.#socket = socket;
    socket.on('data', (chunk: Uint8Array) => {
      this.#receive(chunk);
    });
    // 'close' follows every error and says all that is needed.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#life?.end('card-removed', 'the card was removed');
      this.#life = undefined;
    });
  }

  /** Throws ReaderError: reader-busy, mute, card-removed, protocol. */
  async powerOn(clock: Clock, atrTimeoutMs: number): Promise<CardConnection> {
    if (this.#life !== undefined) {
      const message = `${this.#reader}: the card is in use by another connection of this program`;
      throw new ReaderError('reader-busy', message, { reader: this.#reader });
    }
    const life = new ConnectionLife(this.#reader);
    this.#life = life;
    const cancel = clock.after(atrTimeoutMs, () => {
      this.eject('mute', `the card gave no answer to reset within ${atrTimeoutMs} ms`);
    });
    try {
      const atr = await life.command(() => {
        this.#socket.write(control(vpcdControls.powerOn));
        this.#socket.write(control(vpcdControls.getAtr));
      });
      if (atr.length < 2 || atr.length > 33) {
        this.eject('protocol', `the card's answer to reset has ${atr.length} bytes, not 2 to 33`);
        throw notRun(this.#reader, { reason: 'protocol', detail: 'the card gave a bad ATR' });
      }
      return this.#connection(life, atr);
    } catch (error) {
      // No command was at the card: whatever ended the connection, nothing has run.
      if (error instanceof ReaderError && error.end !== undefined) {
        throw notRun(this.#reader, error.end, error.cause);
      }
      throw error;
    } finally {
      cancel();
    }
  }

  /**
   * Throws the card out: its late answer must never be taken for the answer to a later question.
   */
  eject(reason: ConnectionEndReason, detail: string): void {
    this.#life?.end(reason, detail);
    this.#life = undefined;
    this.#socket.destroy();
  }

  #connection(life: ConnectionLife, atr: Uint8Array): CardConnection {
    return {
      reader: this.#reader,
      atr,
      limits,
      closed: life.closed,
      transmit: (command, running) => this.#transmit(life, command, running),
      close: () => this.#powerOff(life),
    };
  }

  async #transmit(
    life: ConnectionLife,
    command: Uint8Array,
    running?: () => void,
  ): Promise<Uint8Array> {
    requireHeader(command);
    if (command.length > VPCD_BODY_MOST) {
      const message = `${this.#reader}: ${command.length} bytes exceed ${VPCD_BODY_MOST}`;
      throw new ReaderError('too-long', message, { reader: this.#reader });
    }
    return life.command(() => this.#socket.write(encodeVpcdFrame(command)), running);
  }

  #powerOff(life: ConnectionLife): Promise<void> {
    if (life.ended !== undefined) return Promise.resolve();
    if (life.busy) {
      this.eject('closed', 'the connection was closed');
      return Promise.resolve();
    }
    life.end('closed', 'the connection was closed');
    this.#life = undefined;
    return new Promise((resolve) => {
      this.#socket.write(control(vpcdControls.powerOff), () => {
        resolve();
      });
    });
  }

  #receive(chunk: Uint8Array): void {
    for (const body of this.#frames.push(chunk)) {
      const isWhole = body.length >= 2;
      if (isWhole && this.#life?.answer(body) === true) continue;
      const sent = counted(body.length, 'byte');
      const why = isWhole ? 'that were not asked for' : 'too few for an answer';
      this.eject('protocol', `the card sent ${sent}${isWhole ? ' ' : ', '}${why}`);
      return;
    }
  }
}
