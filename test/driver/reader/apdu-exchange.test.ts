import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandApdu } from '../../../applet-spec/apdu.ts';
import { ApduExchange } from '../../../driver/reader/apdu-exchange.ts';
import type { CardConnection, ConnectionEnd } from '../../../driver/reader/connection.ts';
import { outcomeUnknown } from '../../../driver/reader/reader-error.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard } from '../../contract/echo-card.ts';

const command: CommandApdu = { cla: 0x80, ins: 1, p1: 0, p2: 0, data: new Uint8Array(0), ne: 256 };
const done = Uint8Array.of(0x90, 0x00);
const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A connection whose answers and signs of life the test gives by hand. */
class HandConnection implements CardConnection {
  readonly reader = 'hand';
  readonly atr = new EchoCard().atr;
  readonly limits = { commandBytes: 65_535, responseBytes: 65_535 };
  readonly closed: Promise<ConnectionEnd>;
  sent = 0;
  running: () => void = () => undefined;
  answer: (response: Uint8Array) => void = () => undefined;
  #lose: (error: Error) => void = () => undefined;
  #end: (end: ConnectionEnd) => void = () => undefined;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  transmit(_command: Uint8Array, running: () => void = () => undefined): Promise<Uint8Array> {
    this.sent += 1;
    this.running = running;
    return new Promise((resolve, reject) => {
      this.answer = resolve;
      this.#lose = reject;
    });
  }

  close(): Promise<void> {
    const end = { reason: 'closed', detail: 'the connection was closed' } as const;
    this.#lose(outcomeUnknown(this.reader, end));
    this.#end(end);
    return Promise.resolve();
  }
}

describe('ApduExchange', () => {
  let clock: VirtualClock;
  let connection: HandConnection;
  let exchange: ApduExchange;

  beforeEach(() => {
    clock = new VirtualClock();
    connection = new HandConnection();
    exchange = new ApduExchange(connection, {
      clock,
      silenceMs: 1_000,
      commandMs: 3_000,
      waitingMost: 2,
    });
  });

  it('waits for as long as the card shows signs of life', async () => {
    const answer = exchange.transmit(command);
    await flush();
    clock.advance(900);
    connection.running();
    clock.advance(900);
    connection.answer(done);
    expect((await answer).sw).toBe(0x9000);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for ever for a card that only shows signs of life', async () => {
    const lost = expect(exchange.transmit(command)).rejects.toMatchObject({
      code: 'outcome-unknown',
      end: { reason: 'mute' },
    });
    await flush();
    for (let ms = 0; ms < 3_000; ms += 500) {
      connection.running();
      clock.advance(500);
    }
    await lost;
    expect((await exchange.closed).reason).toBe('mute');
    expect(clock.pending).toBe(0);
  });

  it('starts the time of a command when its turn comes', async () => {
    const first = exchange.transmit(command);
    const second = exchange.transmit(command);
    await flush();
    clock.advance(900);
    connection.answer(done);
    await first;
    await flush();
    clock.advance(900);
    connection.answer(done);
    expect((await second).sw).toBe(0x9000);
  });

  it('turns a command away when too many wait', async () => {
    const calls = [1, 2, 3].map(() => exchange.transmit(command));
    await expect(exchange.transmit(command)).rejects.toMatchObject({
      code: 'queue-full',
      retryable: true,
    });
    for (const call of calls) {
      await flush();
      connection.answer(done);
      await call;
    }
    expect(connection.sent).toBe(3);
    const next = exchange.transmit(command);
    await flush();
    connection.answer(done);
    expect((await next).sw).toBe(0x9000);
  });

  it('sends nothing of bytes that are no APDU', async () => {
    await expect(exchange.transmitWhole(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
      code: 'apdu-malformed',
    });
    expect(connection.sent).toBe(0);
  });
});
