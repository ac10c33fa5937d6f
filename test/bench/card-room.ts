/** Emulated cards in processes of their own, behind a pcscd of their own, for the bench. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeDelivery } from '../../applet-spec/card-delivery.ts';
import { systemClock } from '../../driver/clock.ts';
import { ApduExchange } from '../../driver/reader/apdu-exchange.ts';
import { cardInserted } from '../../driver/reader/card-presence.ts';
import { PcscReader } from '../../driver/reader/pcsc-reader.ts';
import type { ApduProfile } from '../../emulator/card/atr.ts';
import { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import { Subject, type CardUnderTest } from '../contract/applet-subject.ts';
import { runProgram, startProgram, type BenchProgram } from './bench-program.ts';

export interface BenchCard {
  readonly profile: ApduProfile;
  /** For each APDU, in milliseconds. */
  readonly latencyMs: number;
}

/** A connection of the driver's, with the card's applet in a test's hands. */
export interface Touch {
  readonly exchange: ApduExchange;
  readonly subject: Subject;
}

export class CardRoom {
  readonly #folder = mkdtempSync(join(tmpdir(), 'keytoll-card-bench-'));
  readonly #programs: BenchProgram[] = [];
  #pcscd: PrivatePcscd | undefined;

  /** Sets PCSCLITE_CSOCK_NAME. Throws Error that says what is not installed. */
  static async open(): Promise<CardRoom> {
    const room = new CardRoom();
    try {
      const folder = join(room.#folder, 'pcscd');
      mkdirSync(folder);
      room.#pcscd = await PrivatePcscd.start(folder, systemClock);
      process.env['PCSCLITE_CSOCK_NAME'] = room.#pcscd.socketPath;
      return room;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  readerName(slot: 0 | 1): string {
    return `Virtual PCD 00 0${slot}`;
  }

  /** A new card in one of the two readers, for good. */
  async insert(slot: 0 | 1, { profile, latencyMs }: BenchCard): Promise<PlacedCard> {
    const file = join(this.#folder, `card-${slot}`);
    const delivery = `${file}.json`;
    const made = ['card', 'make', file, '--delivery', delivery, '--profile', profile];
    await runProgram('keytoll-emulator', made);
    const port = this.#pcscd?.ports[slot] ?? 0;
    const where = ['--reader', `127.0.0.1:${port}`, '--latency', String(latencyMs)];
    this.#programs.push(
      await startProgram('keytoll-emulator', ['card', 'run', file, ...where], {
        logFile: join(this.#folder, 'cards.log'),
      }),
    );
    const reader = await PcscReader.open({ clock: systemClock, reader: this.readerName(slot) });
    await cardInserted(reader).come;
    return new PlacedCard(reader, decodeDelivery(readFileSync(delivery, 'utf8')));
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
    delete process.env['PCSCLITE_CSOCK_NAME'];
    await this.#pcscd?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A card in its reader. */
export class PlacedCard {
  readonly #reader: PcscReader;
  readonly #delivery: CardUnderTest['delivery'];

  constructor(reader: PcscReader, delivery: CardUnderTest['delivery']) {
    this.#reader = reader;
    this.#delivery = delivery;
  }

  /** Connects, selects, lets `work` go on, and disconnects. */
  async touched<T>(work: (touch: Touch) => Promise<T>): Promise<T> {
    const connection = await this.#reader.connect();
    const exchange = new ApduExchange(connection, { clock: systemClock });
    const subject = subjectOver(exchange, this.#delivery);
    try {
      await subject.host.select();
      return await work({ exchange, subject });
    } finally {
      await exchange.close();
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

export function subjectOver(exchange: ApduExchange, delivery: CardUnderTest['delivery']): Subject {
  return new Subject({
    delivery,
    form: 'extended',
    transmit: (apdu) => exchange.transmitWhole(apdu),
    powerCycle: () => Promise.reject(new Error('a bench does not cycle the power')),
    dispose: () => exchange.close(),
  });
}
