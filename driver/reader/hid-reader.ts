import type { Clock } from '../../applet-spec/clock.ts';
import { hidUsage } from '../../applet-spec/ctaphid.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { systemEntropy } from '../entropy.ts';
import { CardPresence } from './card-presence.ts';
import type { CardConnection, Reader, ReaderEvent } from './connection.ts';
import { HidConnection } from './hid-connection.ts';
import type { HidDevice, HidDeviceInfo, HidLibrary } from './node-hid.ts';
import { loadNodeHid } from './node-hid.ts';
import { ReaderError } from './reader-error.ts';

export interface HidReaderOptions {
  readonly clock: Clock;
  /** The device's path, as /dev/hidraw3; without, the first card that is plugged in. */
  readonly path?: string;
  readonly library?: HidLibrary;
  readonly entropy?: Entropy;
}

/**
 * HID devices come and go without an event; the list is read this often while the reader is open.
 */
const LOOK_EVERY_MS = 500;

/** A card that is itself a USB device: its own reader, present while it is plugged in. */
export class HidReader implements Reader {
  readonly #clock: Clock;
  readonly #path: string | undefined;
  readonly #library: HidLibrary;
  readonly #entropy: Entropy;
  readonly #presence = new CardPresence();
  #device: HidDeviceInfo | undefined;
  #connection: HidConnection | undefined;
  #connecting = false;
  #cancelLook: () => void = () => undefined;
  #closed = false;

  private constructor(options: HidReaderOptions, library: HidLibrary) {
    this.#clock = options.clock;
    this.#path = options.path;
    this.#library = library;
    this.#entropy = options.entropy ?? systemEntropy;
  }

  /** Throws ReaderError not-installed. */
  static async open(options: HidReaderOptions): Promise<HidReader> {
    const reader = new HidReader(options, options.library ?? (await loadNodeHid()));
    await reader.#look();
    return reader;
  }

  get name(): string {
    const path = this.#device?.path ?? this.#path;
    return path === undefined ? 'hid' : `hid:${path}`;
  }

  get cardPresent(): boolean {
    return this.#presence.present;
  }

  watch(listener: (event: ReaderEvent) => void): () => void {
    return this.#presence.watch(listener);
  }

  async connect(): Promise<CardConnection> {
    if (this.#closed) throw this.#error('closed', 'the reader is closed');
    if (this.#connecting || this.#connection?.ended === false) {
      throw this.#error('reader-busy', 'the card is in use by another connection of this program');
    }
    this.#connecting = true;
    try {
      await this.#refresh();
      const path = this.#device?.path;
      if (path === undefined) throw this.#error('no-card', 'no card is plugged in');
      const device = await this.#openDevice(path);
      const connection = new HidConnection(this.name, device, this.#clock, this.#entropy);
      this.#connection = connection;
      return await connection.powerOn();
    } finally {
      this.#connecting = false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook();
    await this.#connection?.close('the reader was closed');
    this.#presence.clear();
  }

  async #look(): Promise<void> {
    await this.#refresh();
    if (this.#closed) return;
    this.#cancelLook = this.#clock.after(LOOK_EVERY_MS, () => {
      void this.#look();
    });
  }

  async #refresh(): Promise<void> {
    let devices: HidDeviceInfo[];
    try {
      devices = await this.#library.devicesAsync();
    } catch (error) {
      // The bus could not be listed this once; the next look tells.
      this.#presence.tell({ kind: 'reader-lost', detail: String(error) });
      return;
    }
    if (this.#closed) return;
    const before = this.#device?.path;
    this.#device = devices.find((device) => this.#isOurs(device));
    if (before !== undefined && before !== this.#device?.path) {
      this.#connection?.lost('the card was unplugged');
      this.#presence.set(false);
    }
    this.#presence.set(this.#device !== undefined);
  }

  #isOurs({ path, usagePage, usage }: HidDeviceInfo): boolean {
    if (this.#path !== undefined) return path === this.#path;
    return usagePage === hidUsage.page && usage === hidUsage.usage;
  }

  async #openDevice(path: string): Promise<HidDevice> {
    try {
      return await this.#library.HIDAsync.open(path);
    } catch (cause) {
      // hidapi says no more than "cannot open device"; for a device that is listed, that is its
      // mode.
      const message =
        `${path} cannot be opened: this user may not use it; copy 70-keytoll.rules (from ` +
        'driver/reader in this package) to /etc/udev/rules.d, run udevadm control --reload && ' +
        'udevadm trigger, and plug the card in again';
      throw new ReaderError('access-denied', message, { reader: this.name, cause });
    }
  }

  #error(code: 'closed' | 'reader-busy' | 'no-card', text: string): ReaderError {
    return new ReaderError(code, `${this.name}: ${text}`, { reader: this.name });
  }
}
