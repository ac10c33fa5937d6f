import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { concatBytes, fromHex } from '../../../applet-spec/bytes.ts';
import {
  CTAPHID_BROADCAST,
  ctaphidCommands,
  ctaphidErrors,
  decodeCtaphidPacket,
  encodeCtaphid,
} from '../../../applet-spec/ctaphid.ts';
import type { CtaphidPacket } from '../../../applet-spec/ctaphid.ts';
import { ApduExchange } from '../../../driver/reader/apdu-exchange.ts';
import type { CardConnection } from '../../../driver/reader/connection.ts';
import { HidReader } from '../../../driver/reader/hid-reader.ts';
import type { HidDevice, HidLibrary } from '../../../driver/reader/node-hid.ts';
import { HidBus } from '../../../emulator/card/hid-device.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard, echoInstructions as ins } from '../../contract/echo-card.ts';

const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const muteApdu = Uint8Array.of(0x80, ins.mute, 0, 0);
const countApdu = Uint8Array.of(0x80, ins.count, 0, 0, 0);

/** A program that speaks CTAPHID by hand beside the driver. */
class Stranger {
  readonly heard: CtaphidPacket[] = [];
  readonly #device: HidDevice;

  constructor(device: HidDevice) {
    this.#device = device;
    device.on('data', (report) => this.heard.push(decodeCtaphidPacket(report)));
  }

  async say(channel: number, command: number, payload: Uint8Array): Promise<void> {
    for (const report of encodeCtaphid({ channel, command, payload })) await this.report(report);
  }

  async report(report: Uint8Array): Promise<void> {
    await this.#device.write([0, ...report]);
    await flush();
  }

  /** The error codes that the device sent on a channel. */
  errors(channel: number): (number | undefined)[] {
    return this.heard.flatMap((packet) =>
      packet.kind === 'initial' &&
      packet.channel === channel &&
      packet.command === ctaphidCommands.error
        ? [packet.data[0]]
        : [],
    );
  }

  async channel(): Promise<number> {
    this.heard.length = 0;
    await this.say(CTAPHID_BROADCAST, ctaphidCommands.init, new Uint8Array(8).fill(9));
    const [answer] = this.heard;
    if (answer === undefined) throw new Error('no answer to INIT');
    return new DataView(answer.data.buffer, answer.data.byteOffset).getUint32(8);
  }
}

/** A device on a bus where each report has to wait for its turn, once the card is powered. */
class SlowDevice implements HidDevice {
  readonly written: CtaphidPacket[] = [];
  #hear: (report: Uint8Array) => void = () => undefined;
  #waiting: (() => void)[] = [];

  on(event: 'data' | 'error', listener: (told: never) => void): void {
    if (event === 'data') this.#hear = listener as (report: Uint8Array) => void;
  }

  write(values: number[]): Promise<number> {
    const packet = decodeCtaphidPacket(Uint8Array.from(values.slice(1)));
    this.written.push(packet);
    if (packet.kind === 'initial' && packet.command === ctaphidCommands.init) {
      const tail = Uint8Array.of(0, 0, 0, 1, 2, 1, 0, 0, 0);
      this.say(packet.command, concatBytes(packet.data.slice(0, 8), tail), CTAPHID_BROADCAST);
    } else if (packet.kind === 'initial' && packet.command === ctaphidCommands.power) {
      this.say(packet.command, new EchoCard().atr);
    } else {
      return new Promise((resolve) => this.#waiting.push(() => resolve(values.length)));
    }
    return Promise.resolve(values.length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** All that wait have had their turn. */
  turn(): void {
    for (const done of this.#waiting.splice(0)) done();
  }

  say(command: number, payload: Uint8Array, channel = 1): void {
    for (const report of encodeCtaphid({ channel, command, payload })) this.#hear(report);
  }
}

describe('HidReader', () => {
  let clock: VirtualClock;
  let bus: HidBus;
  let card: EchoCard;
  let path: string;
  let reader: HidReader;

  beforeEach(async () => {
    clock = new VirtualClock();
    bus = new HidBus(clock);
    card = new EchoCard();
    path = bus.plugIn(card);
    reader = await HidReader.open({ clock, library: bus });
  });
  afterEach(async () => {
    await reader.close();
  });

  async function stranger(): Promise<Stranger> {
    return new Stranger(await bus.HIDAsync.open(path));
  }

  async function mute(): Promise<[CardConnection, Promise<Uint8Array>]> {
    const connection = await reader.connect();
    const received = card.nextApdu();
    const answer = connection.transmit(muteApdu);
    await received;
    return [connection, answer];
  }

  it('takes the device that was named, and no other', async () => {
    const second = new EchoCard();
    const named = bus.plugIn(second);
    const other = await HidReader.open({ clock, library: bus, path: named });
    expect(other.name).toBe(`hid:${named}`);
    await other.connect();
    expect([card.poweredOn, second.poweredOn]).toEqual([0, 1]);
    await other.close();
  });

  it('keeps waiting while the device says KEEPALIVE', async () => {
    const exchange = new ApduExchange(await reader.connect(), {
      clock,
      silenceMs: 1_000,
      commandMs: 5_000,
    });
    const received = card.nextApdu();
    const lost = expect(
      exchange.transmit({ cla: 0x80, ins: ins.mute, p1: 0, p2: 0, data: new Uint8Array(0) }),
    ).rejects.toMatchObject({ code: 'outcome-unknown', end: { reason: 'mute' } });
    await received;
    let over = false;
    void exchange.closed.then(() => (over = true));
    for (let ms = 100; ms <= 4_900; ms += 100) {
      clock.advance(100);
      await flush();
      expect(over).toBe(false);
    }
    clock.advance(100);
    await lost;
  });

  it('waits for its turn while another program sends a message', async () => {
    const connection = await reader.connect();
    const other = await stranger();
    const channel = await other.channel();
    const [first] = encodeCtaphid({
      channel,
      command: ctaphidCommands.apdu,
      payload: new Uint8Array(100),
    });
    if (first === undefined) throw new Error('a report expected');
    await other.report(first);
    const answer = connection.transmit(countApdu);
    await flush();
    expect(card.received).toHaveLength(0);
    // The other program never ends its message: the device drops it.
    for (let ms = 0; ms < 600; ms += 50) {
      clock.advance(50);
      await flush();
    }
    expect(await answer).toEqual(fromHex('000000009000'));
    expect(other.errors(channel)).toEqual([ctaphidErrors.timeout]);
    expect(card.received).toHaveLength(1);
  });

  it('stops writing a message that the device is too busy for', async () => {
    const device = new SlowDevice();
    const library: HidLibrary = {
      devicesAsync: () => bus.devicesAsync(),
      HIDAsync: { open: () => Promise.resolve(device) },
    };
    const slow = await HidReader.open({ clock, library });
    const connection = await slow.connect();
    device.written.length = 0;
    const answer = connection.transmit(new Uint8Array(200).fill(1));
    await flush();
    // Refused at its first report, while the next ones wait for their turn on the bus.
    device.say(ctaphidCommands.error, Uint8Array.of(ctaphidErrors.busy));
    clock.advance(50);
    for (let turns = 0; turns < 8; turns++) {
      device.turn();
      await flush();
    }
    const kinds = device.written.map(({ kind }) => kind);
    expect(kinds).toEqual(['initial', 'initial', 'continuation', 'continuation', 'continuation']);
    device.say(ctaphidCommands.apdu, fromHex('9000'));
    expect(await answer).toEqual(fromHex('9000'));
    await slow.close();
  });

  it('says so when another program takes the card over, and has run nothing', async () => {
    const connection = await reader.connect();
    const other = await stranger();
    const channel = await other.channel();
    await other.say(channel, ctaphidCommands.power, Uint8Array.of(1));
    await expect(connection.transmit(countApdu)).rejects.toMatchObject({
      code: 'card-reset',
      retryable: true,
    });
    expect(card.received).toHaveLength(0);
    expect((await connection.closed).reason).toBe('card-reset');
  });

  it('ends the connection when the device is unplugged, before the next look', async () => {
    const [connection, answer] = await mute();
    const lost = expect(answer).rejects.toMatchObject({ code: 'outcome-unknown' });
    bus.unplug(path);
    await lost;
    expect((await connection.closed).reason).toBe('card-removed');
  });

  it('ignores what the device says to others', async () => {
    const [connection, answer] = await mute();
    const other = await stranger();
    const channel = await other.channel();
    await other.say(channel, 0x55, new Uint8Array(0));
    expect(other.errors(channel)).toEqual([ctaphidErrors.busy]);
    let settled = false;
    const watched = answer.then(String, String).then(() => (settled = true));
    await flush();
    expect(settled).toBe(false);
    await connection.close();
    await watched;
  });

  it('explains a device that may not be opened, and where the rule is', async () => {
    const library: HidLibrary = {
      devicesAsync: () => bus.devicesAsync(),
      HIDAsync: { open: () => Promise.reject(new Error('cannot open device with path')) },
    };
    const refused = await HidReader.open({ clock, library });
    const connecting = refused.connect();
    await expect(connecting).rejects.toMatchObject({ code: 'access-denied', retryable: false });
    await expect(connecting).rejects.toThrow(/70-keytoll\.rules.*udevadm/);
    await refused.close();
  });

  it('gives up a device that does not answer INIT', async () => {
    const silent = { on: () => undefined, write: async () => 65, close: async () => undefined };
    const library: HidLibrary = {
      devicesAsync: () => bus.devicesAsync(),
      HIDAsync: { open: () => Promise.resolve(silent) },
    };
    const deaf = await HidReader.open({ clock, library });
    const connecting = expect(deaf.connect()).rejects.toMatchObject({ code: 'mute' });
    await flush();
    clock.advance(3_000);
    await connecting;
    await deaf.close();
  });

  it.each([
    ['another command', [0x86, 0x00, 0x00]],
    ['a continuation without a beginning', [0x00]],
    ['a message that is too long', [0xc0, 0xff, 0xff]],
    ['error 7f', [0xbf, 0x00, 0x01, 0x7f]],
  ])('ends the connection when the device answers with %s', async (_, tail) => {
    const [connection, answer] = await mute();
    const lost = expect(answer).rejects.toMatchObject({ code: 'outcome-unknown' });
    const report = new Uint8Array(64);
    report.set([0, 0, 0, 1, ...tail]);
    bus.inject(path, report);
    await lost;
    expect((await connection.closed).reason).toBe('protocol');
  });

  it('says that nothing ran when the device has dropped the message', async () => {
    const [, answer] = await mute();
    const lost = expect(answer).rejects.toMatchObject({ code: 'protocol' });
    const report = new Uint8Array(64);
    report.set([0, 0, 0, 1, 0xbf, 0x00, 0x01, ctaphidErrors.timeout]);
    bus.inject(path, report);
    await lost;
  });
});

describe('the emulated HID device', () => {
  it('gives a channel to one program while another is in the midst of a message', async () => {
    const bus = new HidBus(new VirtualClock());
    const path = bus.plugIn(new EchoCard());
    const host = new Stranger(await bus.HIDAsync.open(path));
    const late = new Stranger(await bus.HIDAsync.open(path));
    const channel = await host.channel();
    await host.say(channel, ctaphidCommands.power, Uint8Array.of(1));
    const payload = new Uint8Array(100).fill(7);
    payload.set([0x80, ins.echo, 0, 0, 94]);
    payload[99] = 0;
    const [first, second] = encodeCtaphid({ channel, command: ctaphidCommands.apdu, payload });
    if (first === undefined || second === undefined) throw new Error('two reports expected');
    await host.report(first);
    expect(await late.channel()).toBe(channel + 1);
    host.heard.length = 0;
    await host.report(second);
    expect(host.heard).toMatchObject([
      { kind: 'initial', channel, command: ctaphidCommands.apdu },
      { kind: 'continuation', channel },
    ]);
  });

  it('answers malformed traffic as CTAP 2.1 §11.2 wants it', async () => {
    const clock = new VirtualClock();
    const bus = new HidBus(clock);
    const path = bus.plugIn(new EchoCard());
    const host = new Stranger(await bus.HIDAsync.open(path));
    const channel = await host.channel();
    const expectError = async (on: number, code: number): Promise<void> => {
      expect(host.errors(on)).toEqual([code]);
      host.heard.length = 0;
      await flush();
    };
    await host.say(channel + 1, ctaphidCommands.apdu, countApdu);
    await expectError(channel + 1, ctaphidErrors['invalid-channel']);
    await host.say(0, ctaphidCommands.init, new Uint8Array(8));
    await expectError(0, ctaphidErrors['invalid-channel']);
    await host.say(channel, 0x7e, new Uint8Array(0));
    await expectError(channel, ctaphidErrors['invalid-command']);
    await host.say(CTAPHID_BROADCAST, ctaphidCommands.init, new Uint8Array(7));
    await expectError(CTAPHID_BROADCAST, ctaphidErrors['invalid-length']);
    await host.say(channel, ctaphidCommands.power, Uint8Array.of(2));
    await expectError(channel, ctaphidErrors['invalid-length']);
    await host.say(channel, ctaphidCommands.apdu, countApdu);
    await expectError(channel, ctaphidErrors['invalid-channel']);
    const [first, second] = encodeCtaphid({
      channel,
      command: ctaphidCommands.apdu,
      payload: new Uint8Array(200),
    });
    if (first === undefined || second === undefined) throw new Error('two reports expected');
    await host.report(first);
    await host.report(Uint8Array.from(second).fill(2, 4, 5));
    await expectError(channel, ctaphidErrors['invalid-sequence']);
    await host.report(second);
    expect(host.heard).toEqual([]);
  });
});
