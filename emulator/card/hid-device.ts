import { EventEmitter } from 'node:events';
import { concatBytes } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import {
  CTAPHID_BROADCAST,
  CTAPHID_NONCE_BYTES,
  CTAPHID_PAYLOAD_MOST,
  CTAPHID_PROCESSING,
  CTAPHID_REPORT_BYTES,
  ctaphidCommands,
  ctaphidErrors,
  ctaphidPower,
  decodeCtaphidPacket,
  encodeCtaphid,
  hidUsage,
  joinCtaphid,
} from '../../applet-spec/ctaphid.ts';
import type {
  CtaphidErrorName,
  CtaphidMessage,
  CtaphidPacket,
  CtaphidPartial,
} from '../../applet-spec/ctaphid.ts';
import { CtaphidError } from '../../applet-spec/ctaphid-error.ts';
import type { HidDevice, HidDeviceInfo, HidLibrary } from '../../driver/reader/node-hid.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';

/**
 * CTAP 2.1 §11.2.5.2: the next packet of a message comes within this, or the message is dropped.
 */
const PACKET_TIMEOUT_MS = 500;
/** §11.2.9.1.5: how often a device at work says so. */
const KEEPALIVE_EVERY_MS = 100;
/** Protocol version 2, device version 1.0.0, no capabilities. */
const initTail = Uint8Array.of(2, 1, 0, 0, 0);

/** A card that is a USB device, at work: what all who have it open talk to. */
class HidCard {
  readonly card: SoftwareCard;
  readonly path: string;
  readonly #clock: Clock;
  readonly #hosts = new Set<OpenHidDevice>();
  #lastChannel = 0;
  /** The channel that powered the card on; the others may not use it. */
  #powered: number | undefined;
  #partial: CtaphidPartial | undefined;
  #cancelPartial: () => void = () => undefined;
  /** The channel whose command the card runs. */
  #working: number | undefined;
  #cancelKeepalive: () => void = () => undefined;
  /** Counts power events: a result computed before the last one is no answer any more. */
  #power = 0;

  constructor(card: SoftwareCard, path: string, clock: Clock) {
    this.card = card;
    this.path = path;
    this.#clock = clock;
  }

  open(): OpenHidDevice {
    const host = new OpenHidDevice(
      (report) => {
        this.#receive(report);
      },
      (closed) => this.#hosts.delete(closed),
    );
    this.#hosts.add(host);
    return host;
  }

  unplug(): void {
    this.#powerOff();
    this.#dropPartial();
    for (const host of this.#hosts) host.unplugged();
    this.#hosts.clear();
  }

  #receive(report: Uint8Array): void {
    const packet = decodeCtaphidPacket(report);
    const { channel } = packet;
    const isInit = packet.kind === 'initial' && packet.command === ctaphidCommands.init;
    if (
      channel === 0 ||
      (channel > this.#lastChannel && !(isInit && channel === CTAPHID_BROADCAST))
    ) {
      this.#refuse(channel, 'invalid-channel');
    } else if (!isInit && this.#busyFor(channel)) {
      // A stray continuation is ignored; a new message is told to wait (§11.2.5.1).
      if (packet.kind === 'initial') this.#refuse(channel, 'busy');
    } else if (isInit && this.#busyFor(channel)) {
      // A channel for one program; another one's message, or its command, goes on.
      this.#init({ ...packet, payload: packet.data.slice(0, packet.length) });
    } else {
      this.#join(packet);
    }
  }

  #busyFor(channel: number): boolean {
    return (this.#partial?.channel ?? channel) !== channel || this.#working !== undefined;
  }

  #join(packet: CtaphidPacket): void {
    if (packet.kind === 'continuation' && this.#partial === undefined) return;
    const before = this.#partial;
    this.#dropPartial();
    try {
      const step = joinCtaphid(before, packet);
      if (step.kind === 'message') {
        this.#message(step.message);
        return;
      }
      this.#partial = step.partial;
      this.#cancelPartial = this.#clock.after(PACKET_TIMEOUT_MS, () => {
        this.#partial = undefined;
        this.#refuse(packet.channel, 'timeout');
      });
    } catch (error) {
      if (!(error instanceof CtaphidError)) throw error;
      const isLength = error.code === 'bad-length';
      this.#refuse(packet.channel, isLength ? 'invalid-length' : 'invalid-sequence');
    }
  }

  #dropPartial(): void {
    this.#cancelPartial();
    this.#partial = undefined;
  }

  #message(message: CtaphidMessage): void {
    switch (message.command) {
      case ctaphidCommands.init:
        this.#init(message);
        return;
      case ctaphidCommands.power:
        this.#setPower(message);
        return;
      case ctaphidCommands.apdu:
        this.#run(message);
        return;
      default:
        this.#refuse(message.channel, 'invalid-command');
    }
  }

  #init({ channel, payload }: CtaphidMessage): void {
    if (payload.length !== CTAPHID_NONCE_BYTES) {
      this.#refuse(channel, 'invalid-length');
      return;
    }
    const given = channel === CTAPHID_BROADCAST ? ++this.#lastChannel : channel;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, given);
    const answer = concatBytes(payload, bytes, initTail);
    this.#send({ channel, command: ctaphidCommands.init, payload: answer });
  }

  #setPower({ channel, command, payload }: CtaphidMessage): void {
    const [wanted] = payload;
    if (payload.length !== 1 || (wanted !== ctaphidPower.on && wanted !== ctaphidPower.off)) {
      this.#refuse(channel, 'invalid-length');
    } else if (wanted === ctaphidPower.on) {
      this.#powerOff();
      this.#powered = channel;
      this.card.powerOn();
      this.#send({ channel, command, payload: this.card.atr });
    } else {
      if (this.#powered === channel) this.#powerOff();
      this.#send({ channel, command, payload: new Uint8Array(0) });
    }
  }

  #powerOff(): void {
    this.#power += 1;
    this.#working = undefined;
    this.#cancelKeepalive();
    this.#powered = undefined;
    this.card.powerOff();
  }

  #run({ channel, command, payload }: CtaphidMessage): void {
    if (this.#powered !== channel) {
      this.#refuse(channel, 'invalid-channel');
      return;
    }
    const power = this.#power;
    this.#working = channel;
    this.#keepAlive(channel);
    this.card.process(payload).then(
      (response) => {
        if (power !== this.#power) return;
        this.#working = undefined;
        this.#cancelKeepalive();
        if (response.length > CTAPHID_PAYLOAD_MOST) this.#refuse(channel, 'other');
        else this.#send({ channel, command, payload: response });
      },
      () => {
        if (power === this.#power) this.unplug();
      },
    );
  }

  #keepAlive(channel: number): void {
    this.#cancelKeepalive = this.#clock.after(KEEPALIVE_EVERY_MS, () => {
      const payload = Uint8Array.of(CTAPHID_PROCESSING);
      this.#send({ channel, command: ctaphidCommands.keepalive, payload });
      this.#keepAlive(channel);
    });
  }

  #refuse(channel: number, name: CtaphidErrorName): void {
    const payload = Uint8Array.of(ctaphidErrors[name]);
    this.#send({ channel, command: ctaphidCommands.error, payload });
  }

  #send(message: CtaphidMessage): void {
    for (const report of encodeCtaphid(message)) this.sendReport(report);
  }

  sendReport(report: Uint8Array): void {
    for (const host of this.#hosts) host.deliver(report);
  }
}

/** One program's opened device, in `node-hid`'s shape. */
class OpenHidDevice
  extends EventEmitter<{ data: [Uint8Array]; error: [Error] }>
  implements HidDevice
{
  readonly #toCard: (report: Uint8Array) => void;
  readonly #onClose: (device: OpenHidDevice) => void;
  #open = true;

  constructor(toCard: (report: Uint8Array) => void, onClose: (device: OpenHidDevice) => void) {
    super();
    this.#toCard = toCard;
    this.#onClose = onClose;
  }

  write(values: number[]): Promise<number> {
    if (!this.#open) return Promise.reject(new Error('Cannot write to hid device'));
    if (values.length !== 1 + CTAPHID_REPORT_BYTES || values[0] !== 0) {
      return Promise.reject(new Error('a report is its number, 0, and 64 bytes'));
    }
    // As on the bus: the write is done before the device has thought about it.
    const report = Uint8Array.from(values.slice(1));
    queueMicrotask(() => {
      if (this.#open) this.#toCard(report);
    });
    return Promise.resolve(values.length);
  }

  close(): Promise<void> {
    this.#open = false;
    this.#onClose(this);
    this.removeAllListeners();
    return Promise.resolve();
  }

  deliver(report: Uint8Array): void {
    queueMicrotask(() => {
      if (this.#open) this.emit('data', report);
    });
  }

  unplugged(): void {
    if (!this.#open) return;
    this.#open = false;
    this.emit('error', new Error('could not read from HID device'));
  }
}

/** The USB side of a machine whose HID devices are software cards: stands in for `node-hid`. */
export class HidBus implements HidLibrary {
  readonly #clock: Clock;
  readonly #cards = new Map<string, HidCard>();
  #plugged = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The path under which the card is found. */
  plugIn(card: SoftwareCard): string {
    const path = `/dev/hidraw${this.#plugged++}`;
    this.#cards.set(path, new HidCard(card, path, this.#clock));
    return path;
  }

  unplug(path: string): void {
    this.#cards.get(path)?.unplug();
    this.#cards.delete(path);
  }

  /** Lets the device send a report that no device of ours would. */
  inject(path: string, report: Uint8Array): void {
    this.#cards.get(path)?.sendReport(report);
  }

  devicesAsync(): Promise<HidDeviceInfo[]> {
    const devices = [...this.#cards.keys()].map((path) => ({
      path,
      usagePage: hidUsage.page,
      usage: hidUsage.usage,
      product: 'Keytoll card',
    }));
    return Promise.resolve(devices);
  }

  readonly HIDAsync = {
    open: (path: string): Promise<HidDevice> => {
      const card = this.#cards.get(path);
      return card === undefined
        ? Promise.reject(new Error(`cannot open device with path ${path}`))
        : Promise.resolve(card.open());
    },
  };
}
