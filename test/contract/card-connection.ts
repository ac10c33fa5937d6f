import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { encodeCommand } from '../../applet-spec/apdu.ts';
import { bytesToUint } from '../../applet-spec/bytes.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { ApduExchange } from '../../driver/reader/apdu-exchange.ts';
import type { CardConnection, Reader, ReaderEvent } from '../../driver/reader/connection.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import type { EchoProfile } from './echo-card.ts';
import { EchoCard, echoInstructions as ins } from './echo-card.ts';

/** A reader and a hand that puts cards into it. */
export interface CardBench {
  readonly reader: Reader;
  /** Resolves when the reader has seen the card. */
  insert(card: SoftwareCard): Promise<void>;
  /** Resolves when the reader has seen that it is gone. */
  remove(): Promise<void>;
  close(): Promise<void>;
}

export const echoProfiles: readonly EchoProfile[] = ['t1-extended', 't1-short', 't0'];

function command(instruction: number, fields: Partial<CommandApdu> = {}): CommandApdu {
  return { cla: 0x80, ins: instruction, p1: 0, p2: 0, data: new Uint8Array(0), ...fields };
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (7 * i + (i >> 8)) & 0xff);
}

/** What every way to a card must do alike; `open` makes a fresh, empty reader. */
export function describeCardConnection(name: string, open: () => Promise<CardBench>): void {
  describe(`card connection: ${name}`, () => {
    let bench: CardBench;
    let clock: VirtualClock;

    beforeEach(async () => {
      clock = new VirtualClock();
      bench = await open();
    });
    afterEach(async () => {
      await bench.close();
    });

    async function exchangeWith(card: EchoCard): Promise<[ApduExchange, CardConnection]> {
      await bench.insert(card);
      const connection = await bench.reader.connect();
      return [new ApduExchange(connection, { clock, silenceMs: 1_000 }), connection];
    }

    describeCommands(exchangeWith);
    describeLoss(
      () => bench,
      () => clock,
      exchangeWith,
    );
    describePresence(() => bench);
  });
}

type ExchangeWith = (card: EchoCard) => Promise<[ApduExchange, CardConnection]>;

function describeCommands(exchangeWith: ExchangeWith): void {
  it('gives the ATR and carries one raw APDU', async () => {
    const card = new EchoCard();
    const [, connection] = await exchangeWith(card);
    expect(connection.atr).toEqual(card.atr);
    const apdu = encodeCommand(command(ins.echo, { data: pattern(20), ne: 256 }), 'short');
    expect(await connection.transmit(apdu)).toEqual(Uint8Array.of(...pattern(20), 0x90, 0x00));
    expect(card.received).toEqual([apdu]);
  });

  it.each(echoProfiles)('carries commands and responses of any length on %s', async (profile) => {
    const card = new EchoCard({ profile });
    const [exchange] = await exchangeWith(card);
    for (const length of [0, 1, 254, 255, 256, 257, 1_000, 5_000]) {
      const data = pattern(length);
      const answer = await exchange.transmit(command(ins.echo, { data, ne: 65_536 }));
      expect(answer).toEqual({ data, sw: statusWords.done });
    }
    expect(card.executed).toBe(8);
  });

  it('carries 65,535 bytes of data both ways', { timeout: 20_000 }, async () => {
    const card = new EchoCard({ profile: 't1-extended' });
    const [exchange] = await exchangeWith(card);
    const data = pattern(65_535);
    const answer = await exchange.transmit(command(ins.echo, { data, ne: 65_536 }));
    expect(answer).toEqual({ data, sw: statusWords.done });
    expect(card.executed).toBe(1);
  });

  it.each(echoProfiles)('carries a whole APDU without understanding it on %s', async (profile) => {
    const [exchange] = await exchangeWith(new EchoCard({ profile }));
    const data = pattern(900);
    const whole = encodeCommand(command(ins.echo, { data, ne: 65_536 }), 'extended');
    expect(await exchange.transmitWhole(whole)).toEqual(Uint8Array.of(...data, 0x90, 0x00));
  });

  it.each(echoProfiles)('asks again with the right Le after 6Cxx on %s', async (profile) => {
    const card = new EchoCard({ profile });
    const [exchange] = await exchangeWith(card);
    const answer = await exchange.transmit(command(ins.exact, { p1: 17, ne: 256 }));
    expect(answer.data).toHaveLength(17);
    expect(card.executed).toBe(1);
  });

  it('carries nothing that is shorter than a header, and goes on', async () => {
    const card = new EchoCard();
    const [exchange, connection] = await exchangeWith(card);
    for (const length of [0, 1, 3]) {
      await expect(connection.transmit(new Uint8Array(length))).rejects.toThrow(RangeError);
    }
    expect(card.received).toEqual([]);
    expect((await exchange.transmit(command(ins.count, { ne: 256 }))).sw).toBe(statusWords.done);
  });

  it('gives back every status word as it is', async () => {
    const [exchange] = await exchangeWith(new EchoCard());
    const { sw } = await exchange.transmit(command(0x77));
    expect(sw).toBe(statusWords['instruction-not-supported']);
  });

  it('answers many callers in the order of their calls, one command at a time', async () => {
    const [exchange] = await exchangeWith(new EchoCard());
    const calls = Array.from({ length: 40 }, (_, i) =>
      exchange.transmit(command(ins.echo, { data: Uint8Array.of(i, i), ne: 256 })),
    );
    const answers = await Promise.all(calls);
    expect(answers.map(({ data }) => data[0])).toEqual(calls.map((_, i) => i));
  });
}

function describeLoss(
  bench: () => CardBench,
  clock: () => VirtualClock,
  exchangeWith: ExchangeWith,
): void {
  it('takes one raw APDU at a time', async () => {
    const card = new EchoCard();
    const [, connection] = await exchangeWith(card);
    const apdu = encodeCommand(command(ins.mute), 'short');
    const received = card.nextApdu();
    const first = connection.transmit(apdu);
    const settled = expect(first).rejects.toMatchObject({ code: 'outcome-unknown' });
    await received;
    await expect(connection.transmit(apdu)).rejects.toMatchObject({ code: 'command-in-flight' });
    await connection.close();
    await settled;
    expect(card.received).toHaveLength(1);
  });

  it('never repeats a command whose answer was lost with the card', async () => {
    const card = new EchoCard();
    const [exchange] = await exchangeWith(card);
    const received = card.nextApdu();
    const lost = expect(exchange.transmit(command(ins.mute))).rejects.toMatchObject({
      code: 'outcome-unknown',
      retryable: false,
    });
    const waiting = expect(
      exchange.transmit(command(ins.echo, { data: pattern(3), ne: 256 })),
    ).rejects.toMatchObject({ code: 'card-removed', retryable: true });
    await received;
    await bench().remove();
    await Promise.all([lost, waiting]);
    expect((await exchange.closed).reason).toBe('card-removed');
    expect(card.executed).toBe(1);

    await bench().insert(card);
    const again = new ApduExchange(await bench().reader.connect(), { clock: clock() });
    const count = await again.transmit(command(ins.count, { ne: 256 }));
    expect(bytesToUint(count.data)).toBe(1n);
  });

  it('gives up a mute card after its time, and can go on with the next', async () => {
    const card = new EchoCard();
    const [exchange] = await exchangeWith(card);
    const received = card.nextApdu();
    const lost = expect(exchange.transmit(command(ins.mute))).rejects.toMatchObject({
      code: 'outcome-unknown',
      end: { reason: 'mute' },
    });
    const waiting = expect(exchange.transmit(command(ins.count))).rejects.toMatchObject({
      code: 'mute',
    });
    await received;
    clock().advance(999);
    expect(card.received).toHaveLength(1);
    clock().advance(1);
    await Promise.all([lost, waiting]);
    expect((await exchange.closed).reason).toBe('mute');
    await bench().remove();
    const [next] = await exchangeWith(new EchoCard());
    expect((await next.transmit(command(ins.count, { ne: 256 }))).sw).toBe(statusWords.done);
  });

  it('closes at once: what runs is unknown, what waits has not run', async () => {
    const card = new EchoCard();
    const [exchange] = await exchangeWith(card);
    const received = card.nextApdu();
    const running = expect(exchange.transmit(command(ins.mute))).rejects.toMatchObject({
      code: 'outcome-unknown',
    });
    const waiting = expect(exchange.transmit(command(ins.count))).rejects.toMatchObject({
      code: 'closed',
      retryable: false,
    });
    await received;
    await exchange.close();
    await exchange.close();
    await Promise.all([running, waiting]);
    expect((await exchange.closed).reason).toBe('closed');
    expect(card.received).toHaveLength(1);
  });

  it('calls an answer unknown whose rest the card will not give', async () => {
    const card = new EchoCard();
    const [exchange] = await exchangeWith(card);
    await expect(exchange.transmit(command(ins.swallow, { ne: 256 }))).rejects.toMatchObject({
      code: 'outcome-unknown',
      sw: 0x6985,
    });
    expect(card.executed).toBe(1);
  });
}

function describePresence(bench: () => CardBench): void {
  it('says that the reader is empty', async () => {
    expect(bench().reader.cardPresent).toBe(false);
    await expect(bench().reader.connect()).rejects.toMatchObject({
      code: 'no-card',
      retryable: true,
    });
  });

  it('tells of insertion and removal', async () => {
    const events: ReaderEvent['kind'][] = [];
    const stop = bench().reader.watch(({ kind }) => {
      if (kind === 'card-inserted' || kind === 'card-removed') events.push(kind);
    });
    await bench().insert(new EchoCard());
    expect(bench().reader.cardPresent).toBe(true);
    await bench().remove();
    expect(bench().reader.cardPresent).toBe(false);
    await bench().insert(new EchoCard());
    stop();
    await bench().remove();
    expect(events).toEqual(['card-inserted', 'card-removed', 'card-inserted']);
  });

  it('ends an idle connection when the card is pulled', async () => {
    await bench().insert(new EchoCard());
    const connection = await bench().reader.connect();
    await bench().remove();
    expect((await connection.closed).reason).toBe('card-removed');
    const apdu = encodeCommand(command(ins.count), 'short');
    await expect(connection.transmit(apdu)).rejects.toMatchObject({ code: 'card-removed' });
  });

  it('holds the card for one connection, and powers it anew for the next', async () => {
    const card = new EchoCard();
    await bench().insert(card);
    const first = await bench().reader.connect();
    await expect(bench().reader.connect()).rejects.toMatchObject({
      code: 'reader-busy',
      retryable: true,
    });
    await first.transmit(encodeCommand(command(ins.echo), 'short'));
    const poweredBefore = card.poweredOn;
    await first.close();
    const second = await bench().reader.connect();
    expect(await second.transmit(encodeCommand(command(ins.echo), 'short'))).toHaveLength(2);
    expect(card.poweredOn).toBeGreaterThan(poweredBefore);
    await second.close();
  });
}
