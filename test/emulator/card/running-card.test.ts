import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { decodeDelivery, encodeDelivery } from '../../../applet-spec/card-delivery.ts';
import { appletId } from '../../../applet-spec/commands.ts';
import { systemClock as driverClock } from '../../../driver/clock.ts';
import type { CardConnection } from '../../../driver/reader/connection.ts';
import { VirtualReader } from '../../../driver/reader/virtual-reader.ts';
import { registerCardCommand } from '../../../emulator/cli/card-command.ts';
import { readCardFaults } from '../../../emulator/card/card-fault-reader.ts';
import { CardFile } from '../../../emulator/card/card-file.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { Card } from '../../../emulator/card/card.ts';
import {
  runCard,
  type RunCardOptions,
  type RunningCard,
} from '../../../emulator/card/running-card.ts';
import { FaultyCard } from '../../../emulator/card/scripted-faults.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import { TestHost } from '../../contract/applet-host.ts';
import { coinOf, quoteOf } from '../../contract/applet-papers.ts';
import { load, paid, Subject } from '../../contract/applet-subject.ts';

const select = fromHex(`00a4040c09${toHex(appletId)}`);
const ok = fromHex('9000');

let folder = '';
let path = '';
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-card-'));
  path = join(folder, 'alice.card');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

async function reader(): Promise<VirtualReader> {
  const made = await VirtualReader.listen(
    { kind: 'unix', path: join(folder, 'reader') },
    driverClock,
  );
  closing.push(() => made.close());
  return made;
}

function run(options: Partial<RunCardOptions> = {}): RunningCard {
  const running = runCard({
    path,
    reader: { path: join(folder, 'reader') },
    clock: systemClock,
    entropy: seededEntropy('run'),
    ...options,
  });
  closing.push(() => running.close());
  return running;
}

async function connected(to: VirtualReader): Promise<CardConnection> {
  if (!to.cardPresent) {
    await new Promise<void>((resolve) => {
      const stop = to.watch(({ kind }) => {
        if (kind !== 'card-inserted') return;
        stop();
        resolve();
      });
    });
  }
  return to.connect();
}

describe('a card in a virtual reader', () => {
  it('pays, is pulled, and remembers in the next reader', async () => {
    const { image, delivery } = makeCard(seededEntropy('make'));
    CardFile.make(path, image);
    const slot = await reader();
    const first = run();
    const wire = await connected(slot);
    expect(wire.atr).toEqual(first.atr);
    const subject = new Subject({
      delivery,
      form: 'extended',
      transmit: (apdu) => wire.transmit(apdu),
      powerCycle: () => Promise.reject(new Error('not asked for')),
      dispose: () => wire.close(),
    });
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const answer = await paid(station, quoteOf(1));
    const gone = wire.closed;
    await first.close();
    expect((await gone).reason).toBe('card-removed');

    run({ apduProfile: 't1-short' });
    const again = await connected(slot);
    const later = new Subject({
      ...subject.card,
      form: 'short',
      transmit: (apdu) => again.transmit(apdu),
    });
    later.keys = subject.keys;
    expect(await paid(await later.connect(), quoteOf(1))).toEqual(answer);
  });

  it('shows a recorder what passes', async () => {
    CardFile.make(path, makeCard(seededEntropy('make')).image);
    const slot = await reader();
    const passed: string[] = [];
    run({ record: (from, bytes) => passed.push(`${from} ${toHex(bytes)}`) });
    const wire = await connected(slot);
    await wire.transmit(select);
    expect(passed).toEqual([`reader ${toHex(select)}`, 'card 9000']);
  });

  it('says that a file is no card, and leaves it unlocked', () => {
    CardFile.make(path, Uint8Array.of(1, 2, 3));
    expect(() => run()).toThrow(expect.objectContaining({ code: 'card-file-damaged' }));
    CardFile.open(path).close();
  });
});

describe('latency', () => {
  it('passes on the injected clock before the answer', async () => {
    const clock = new VirtualClock();
    const card = newCard(clock, 5);
    card.powerOn();
    let answered = false;
    const answer = card.process(select).then((response) => {
      answered = true;
      return response;
    });
    clock.advance(4);
    await Promise.resolve();
    expect(answered).toBe(false);
    clock.advance(1);
    expect(await answer).toEqual(ok);
  });

  it('ends with the power, and nothing was done', async () => {
    const clock = new VirtualClock();
    const card = newCard(clock, 5);
    card.powerOn();
    const lost = expect(card.process(select)).rejects.toMatchObject({ code: 'power-lost' });
    card.powerOff();
    await lost;
    expect(clock.pending).toBe(0);
    await expect(card.process(select)).rejects.toMatchObject({ code: 'power-lost' });
  });
});

describe('scripted faults', () => {
  const info = fromHex('00ca010100');

  it('befall the APDUs that they name', async () => {
    const clock = new VirtualClock();
    const card = new FaultyCard(newCard(clock), clock);
    card.powerOn();
    card.script(
      readCardFaults(`[
        {"kind":"status","apdu":1,"sw":"6F00"},
        {"kind":"status","apdu":3,"sw":"6581","moment":"after"},
        {"kind":"slow","apdu":4,"ms":70},
        {"kind":"remove","apdu":5}
      ]`),
    );
    expect(toHex(await card.process(select))).toBe('6f00');
    // It was not selected: somebody else answered.
    expect(toHex(await card.process(info))).toBe('6985');
    expect(toHex(await card.process(select))).toBe('6581');
    const slow = card.process(info);
    clock.advance(70);
    expect(toHex(await slow)).toMatch(/9000$/);
    await expect(card.process(info)).rejects.toMatchObject({ code: 'power-lost' });
    await expect(card.process(info)).rejects.toMatchObject({ code: 'power-lost' });
    card.powerOn();
    expect(await card.process(select)).toEqual(ok);
    expect(card.apdus).toBe(7);
  });

  it('mute is silence, whether or not the card has worked', async () => {
    const clock = new VirtualClock();
    const card = new FaultyCard(newCard(clock), clock, [
      { apdu: 1, kind: 'mute', moment: 'after' },
    ]);
    card.powerOn();
    const settled = vi.fn();
    void card.process(select).finally(settled);
    expect(toHex(await card.process(info))).toMatch(/9000$/);
    expect(settled).not.toHaveBeenCalled();
  });

  it.each([
    ['before', 0x6984],
    ['after', 0x63c2],
  ] as const)(
    'power that goes %s a write: the card is torn, comes back, and knows what it wrote',
    async (moment, sw) => {
      const { image } = makeCard(seededEntropy('make'));
      CardFile.make(path, image);
      const slot = await reader();
      // SELECT, then the first PIN.
      run({ faults: readCardFaults(`[{"kind":"power-cut","apdu":2,"moment":"${moment}"}]`) });
      const wire = await connected(slot);
      const host = new TestHost((apdu) => wire.transmit(apdu), 'extended');
      await host.select();
      await expect(host.setReferences('2580', '90210731')).rejects.toMatchObject({
        code: 'outcome-unknown',
      });
      expect((await wire.closed).reason).toBe('card-removed');
      const again = await connected(slot);
      const later = new TestHost((apdu) => again.transmit(apdu), 'extended');
      await later.select();
      expect((await later.verify('0000')).sw).toBe(sw);
    },
  );

  it('power is cut only where there is a storage to cut it at', () => {
    const clock = new VirtualClock();
    const cut = readCardFaults('[{"kind":"power-cut","apdu":1}]');
    expect(() => new FaultyCard(newCard(clock), clock, cut)).toThrow(RangeError);
  });

  it('are refused by name where they are wrong', () => {
    expect(() => readCardFaults('[{"kind":"slow","apdu":0,"ms":1}]')).toThrow(/apdu/);
    expect(() => readCardFaults('[{"kind":"explode","apdu":1}]')).toThrow(/kind/);
    expect(() => readCardFaults('[')).toThrow('not JSON');
  });

  it('a forged error after PAY changes nothing: the repeat gives what was signed', async () => {
    const { image, delivery } = makeCard(seededEntropy('forged'));
    const clock = new VirtualClock();
    const card = new FaultyCard(cardOf(image, clock), clock);
    card.powerOn();
    const subject = new Subject({
      delivery,
      form: 'extended',
      transmit: (apdu) => card.process(apdu),
      powerCycle: () => Promise.reject(new Error('not asked for')),
      dispose: () => Promise.resolve(),
    });
    const station = await subject.enrol();
    await load(station, coinOf(1));
    // AUTHORISE is the first APDU of the payment, PAY the second.
    card.script([{ apdu: 2, kind: 'status', sw: 0x6985, moment: 'after' }]);
    await expect(paid(station, quoteOf(1))).rejects.toMatchObject({ sw: 0x6985 });
    const again = await subject.openSession();
    expect((await again.send('pay', quoteOf(1), 1)).result).toBe('done');
    expect((await subject.info()).peerKeys).toBe(1);
  });
});

describe('keytoll-emulator card make', () => {
  it('makes a card and the delivery file that fits it', async () => {
    const delivery = join(folder, 'alice.delivery');
    const [made] = await emulator('card', 'make', path, '--delivery', delivery, '--profile', 't0');
    const { serial, keys } = decodeDelivery(readFileSync(delivery, 'utf8'));
    expect(made).toEqual({ file: path, delivery, serial: toHex(serial), profile: 't0' });
    expect(statSync(delivery).mode & 0o777).toBe(0o600);
    const file = CardFile.open(path);
    closing.push(async () => file.close());
    const card = cardOf(file.load(), new VirtualClock());
    card.powerOn();
    const subject = new Subject({
      delivery: { serial, keys, keyVersion: 0x30 },
      form: 'short',
      transmit: (apdu) => card.process(apdu),
      powerCycle: () => Promise.resolve(),
      dispose: () => Promise.resolve(),
    });
    await subject.host.select();
    expect((await subject.openSession()).greeting.diversification).toEqual(serial.slice(0, 10));
  });

  it('never writes over a card or a delivery file', async () => {
    const delivery = join(folder, 'alice.delivery');
    await emulator('card', 'make', path, '--delivery', delivery);
    const before = [readFileSync(path), readFileSync(delivery)];
    await expect(emulator('card', 'make', path, '--delivery', delivery)).rejects.toThrow(delivery);
    const other = join(folder, 'other.delivery');
    await expect(emulator('card', 'make', path, '--delivery', other)).rejects.toThrow(path);
    expect([readFileSync(path), readFileSync(delivery)]).toEqual(before);
    expect(() => statSync(other)).toThrow('ENOENT');
  });

  it('names what is wrong in one line', async () => {
    const wrong: readonly (readonly [RegExp, ...string[]])[] = [
      [/--delivery/, 'card', 'make', path],
      [/t1-extended, t1-short, t0/, 'card', 'make', path, '--delivery', 'd', '--profile', 't2'],
      [/HOST:PORT/, 'card', 'run', path, '--reader', 'nowhere'],
      [/card make/, 'card', 'run', path, '--reader', '127.0.0.1:35963'],
    ];
    for (const [message, ...words] of wrong) {
      await expect(emulator(...words)).rejects.toThrow(message);
    }
  });
});

describe('the delivery file', () => {
  const { delivery } = makeCard(seededEntropy('delivery'));

  it('is read as it was written', () => {
    expect(decodeDelivery(encodeDelivery(delivery))).toEqual(delivery);
  });

  it.each(['keytollCard', 'serial', 'keyVersion', 'enc', 'mac', 'dek', 'hostLink'])(
    'without %s is refused by name, and shows no key',
    (field) => {
      const text = encodeDelivery(delivery).replace(`"${field}"`, '"other"');
      expect(() => decodeDelivery(text)).toThrow(field);
      const secret = toHex(delivery.keys.enc);
      expect(() => decodeDelivery(text)).not.toThrow(secret);
      expect(() => decodeDelivery(text.slice(0, -3))).not.toThrow(secret);
    },
  );
});

it('a host speaks to it in short APDUs as well', async () => {
  const card = newCard(new VirtualClock());
  card.powerOn();
  const host = new TestHost((apdu) => card.process(apdu), 'short');
  await host.select();
  expect(await host.verify('2580')).toMatchObject({ sw: 0x6984 });
});

function newCard(clock: VirtualClock, latencyMs = 0): Card {
  const { image } = makeCard(seededEntropy('new'));
  return cardOf(image, clock, latencyMs);
}

function cardOf(image: Uint8Array, clock: VirtualClock, latencyMs = 0): Card {
  const entropy = seededEntropy('card');
  const storage = new MemoryStorage(image);
  return new Card({ storage, primitives: noblePrimitives, entropy, clock, latencyMs });
}

/**
 * The command line in this process: the lines that it prints, parsed; errors as they would be
 * shown.
 */
async function emulator(...words: readonly string[]): Promise<unknown[]> {
  const lines: unknown[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(JSON.parse(String(text)));
    return true;
  });
  const program = new Command('keytoll-emulator').exitOverride();
  program.configureOutput({ writeErr: () => undefined });
  registerCardCommand(program);
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap((c) => c.commands),
  ]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  try {
    await program.parseAsync(['node', 'keytoll-emulator', ...words]);
  } finally {
    write.mockRestore();
  }
  return lines;
}
