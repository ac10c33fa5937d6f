import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import {
  CTAPHID_BROADCAST,
  CTAPHID_INIT_BYTES,
  CTAPHID_NONCE_BYTES,
  CTAPHID_PAYLOAD_MOST,
  ctaphidCommands,
  ctaphidErrors,
  ctaphidPower,
  decodeCtaphidPacket,
  encodeCtaphid,
  joinCtaphid,
} from '../../applet-spec/ctaphid.ts';
import type { CtaphidMessage, CtaphidPacket, CtaphidPartial } from '../../applet-spec/ctaphid.ts';
import { CtaphidError } from '../../applet-spec/ctaphid-error.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { CardConnection } from './connection.ts';
import { requireHeader } from './connection.ts';
import { ConnectionLife } from './connection-life.ts';
import type { HidDevice } from './node-hid.ts';
import { notRun, ReaderError } from './reader-error.ts';

const limits = { commandBytes: CTAPHID_PAYLOAD_MOST, responseBytes: CTAPHID_PAYLOAD_MOST } as const;
/** INIT and power on are answered at once by a device that works. */
const POWER_TIMEOUT_MS = 3_000;
/** Powering off is a courtesy: the device is given this long, and is then closed all the same. */
const POWER_OFF_TIMEOUT_MS = 500;
/** `hid.md`, Errors: whatever it is, the message's APDU has not run; after `other` it may have. */
const refusedWhole: ReadonlySet<number> = new Set(
  Object.values(ctaphidErrors).filter((code) => code !== ctaphidErrors.other),
);
/** A device that serves another channel is asked again this often, so many times. */
const BUSY_RETRY_MS = 50;
const BUSY_RETRIES = 40;

interface Asked {
  readonly message: CtaphidMessage;
  /** How often it was refused whole. */
  refusals: number;
}

/** One opened HID device: a CTAPHID channel, and the card behind it. */
export class HidConnection {
  readonly #reader: string;
  readonly #device: HidDevice;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #life: ConnectionLife;
  #channel = CTAPHID_BROADCAST;
  #partial: CtaphidPartial | undefined;
  /** The message under way, to be sent again while the device is busy with others. */
  #asked: Asked | undefined;
  #cancelRetry: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(reader: string, device: HidDevice, clock: Clock, entropy: Entropy) {
    this.#reader = reader;
    this.#device = device;
    this.#clock = clock;
    this.#entropy = entropy;
    this.#life = new ConnectionLife(reader);
    device.on('data', (report) => {
      this.#receive(report);
    });
    device.on('error', () => {
      this.lost('the card was unplugged');
    });
  }

  get ended(): boolean {
    return this.#life.ended !== undefined;
  }

  /** Throws ReaderError: mute, protocol, reader-busy, card-removed; the device is closed then. */
  async powerOn(): Promise<CardConnection> {
    const cancel = this.#clock.after(POWER_TIMEOUT_MS, () => {
      this.#fail('mute', `the device gave no answer within ${POWER_TIMEOUT_MS} ms`);
    });
    try {
      await this.#openChannel();
      const atr = await this.#ask(ctaphidCommands.power, Uint8Array.of(ctaphidPower.on));
      if (atr.length < 2 || atr.length > 33) throw this.#broken(`an ATR of ${atr.length} bytes`);
      return this.#connection(atr);
    } catch (error) {
      this.#fail('protocol', 'the card could not be powered on');
      // No command was at the card: whatever ended the connection, nothing has run.
      if (error instanceof ReaderError && error.end !== undefined) {
        throw notRun(this.#reader, error.end, error.cause);
      }
      throw error;
    } finally {
      cancel();
    }
  }

  /** The device is gone. */
  lost(detail: string): void {
    this.#fail('card-removed', detail);
  }

  close(detail = 'the connection was closed'): Promise<void> {
    this.#closing ??= this.#close(detail);
    return this.#closing;
  }

  async #close(detail: string): Promise<void> {
    if (this.#life.ended === undefined) {
      // A device that does not answer will not hear of the power either.
      if (!this.#life.busy) await this.#powerOff();
      this.#life.end('closed', detail);
    }
    await this.#release();
  }

  async #powerOff(): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(POWER_OFF_TIMEOUT_MS, resolve);
    });
    const off = this.#ask(ctaphidCommands.power, Uint8Array.of(ctaphidPower.off));
    await Promise.race([off.catch(() => undefined), late]);
    cancel();
  }

  #connection(atr: Uint8Array): CardConnection {
    return {
      reader: this.#reader,
      atr,
      limits,
      closed: this.#life.closed,
      transmit: async (command, running) => {
        requireHeader(command);
        if (command.length > CTAPHID_PAYLOAD_MOST) {
          const text = `an APDU of ${command.length} bytes exceeds ${CTAPHID_PAYLOAD_MOST}`;
          throw new ReaderError('too-long', `${this.#reader}: ${text}`, { reader: this.#reader });
        }
        return this.#ask(ctaphidCommands.apdu, command, running);
      },
      close: () => this.close(),
    };
  }

  /** CTAP 2.1 §11.2.9.1.3: the nonce tells our answer from another program's. */
  async #openChannel(): Promise<void> {
    const nonce = this.#entropy.randomBytes(CTAPHID_NONCE_BYTES);
    const answer = await this.#ask(ctaphidCommands.init, nonce);
    if (!equalBytes(answer.subarray(0, CTAPHID_NONCE_BYTES), nonce)) {
      throw this.#broken('an INIT answer to another nonce');
    }
    const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
    this.#channel = view.getUint32(CTAPHID_NONCE_BYTES);
  }

  #ask(command: number, payload: Uint8Array, running?: () => void): Promise<Uint8Array> {
    const message = { channel: this.#channel, command, payload };
    return this.#life.command(() => {
      const asked = { message, refusals: 0 };
      this.#asked = asked;
      this.#partial = undefined;
      void this.#send(asked);
    }, running);
  }

  async #send(asked: Asked): Promise<void> {
    const { message, refusals } = asked;
    try {
      for (const report of encodeCtaphid(message)) {
        // The rest of what was refused would come between the reports of the next attempt.
        if (this.ended || this.#asked !== asked || asked.refusals !== refusals) return;
        // hidapi wants the report's number first; a device with one kind of report has number 0.
        await this.#device.write([0, ...report]);
      }
    } catch {
      this.lost('the card was unplugged');
    }
  }

  #receive(report: Uint8Array): void {
    if (this.ended || this.#asked === undefined) return;
    try {
      const packet = decodeCtaphidPacket(report);
      // Reports reach every program that has the device open.
      if (packet.channel !== this.#channel || this.#isOthersInit(packet)) return;
      const step = joinCtaphid(this.#partial, packet);
      this.#partial = step.kind === 'partial' ? step.partial : undefined;
      if (step.kind === 'message') this.#message(step.message);
    } catch (error) {
      if (!(error instanceof CtaphidError)) throw error;
      this.#fail('protocol', `the device broke CTAPHID: ${error.message}`);
    }
  }

  #message({ command, payload }: CtaphidMessage): void {
    if (command === ctaphidCommands.keepalive) {
      this.#life.running();
    } else if (command === ctaphidCommands.error) {
      this.#refused(payload[0] ?? ctaphidErrors.other);
    } else if (command === this.#asked?.message.command) {
      this.#asked = undefined;
      this.#life.answer(payload);
    } else {
      this.#fail('protocol', 'the device answered another command than was asked');
    }
  }

  #refused(code: number): void {
    const asked = this.#asked;
    if (code === ctaphidErrors.busy && asked !== undefined && asked.refusals < BUSY_RETRIES) {
      asked.refusals += 1;
      // Refused whole, so asking again repeats nothing.
      this.#cancelRetry = this.#clock.after(BUSY_RETRY_MS, () => void this.#send(asked));
      return;
    }
    if (code === ctaphidErrors.busy && asked?.message.command === ctaphidCommands.apdu) {
      // The card may be in the midst of a chain, which only power puts right.
      this.#fail('protocol', 'another program keeps the device busy', true);
    } else if (code === ctaphidErrors.busy) {
      this.#asked = undefined;
      const message = `${this.#reader}: another program keeps the card busy; close it first`;
      this.#life.refuse(new ReaderError('reader-busy', message, { reader: this.#reader }));
    } else if (code === ctaphidErrors['invalid-channel']) {
      // Another program powered the card on its own channel; ours no longer counts.
      this.#fail('card-reset', 'another program took the card over', true);
    } else {
      const digits = code.toString(16).padStart(2, '0');
      this.#fail('protocol', `the device answered error ${digits}`, refusedWhole.has(code));
    }
  }

  /** On the broadcast channel each program hears the others' INIT. */
  #isOthersInit(packet: CtaphidPacket): boolean {
    const asked = this.#asked?.message;
    if (packet.channel !== CTAPHID_BROADCAST || packet.kind !== 'initial') return false;
    if (packet.command !== ctaphidCommands.init || asked === undefined) return false;
    const nonce = packet.data.subarray(0, CTAPHID_NONCE_BYTES);
    return packet.length !== CTAPHID_INIT_BYTES || !equalBytes(nonce, asked.payload);
  }

  #broken(what: string): ReaderError {
    const end = { reason: 'protocol', detail: `the device sent ${what}` } as const;
    return notRun(this.#reader, end);
  }

  #fail(
    reason: 'mute' | 'protocol' | 'card-removed' | 'card-reset',
    detail: string,
    neverRan = false,
  ): void {
    if (this.ended) return;
    this.#life.end(reason, detail, undefined, neverRan);
    this.#closing ??= this.#release();
  }

  async #release(): Promise<void> {
    this.#cancelRetry();
    this.#asked = undefined;
    try {
      await this.#device.close();
    } catch {
      // An unplugged device is closed already.
    }
  }
}
