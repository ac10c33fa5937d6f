/**
 * The contract of every card on the whole way from the driver to the card: the driver chains,
 * fetches and falls back as the card's profile demands.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { ApduExchange } from '../../driver/reader/apdu-exchange.ts';
import { apduProfiles, isApduProfile, type ApduProfile } from '../../emulator/card/atr.ts';
import { makeCard } from '../../emulator/card/card-maker.ts';
import { Card } from '../../emulator/card/card.ts';
import { MemoryStorage } from '../../emulator/card/storage.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import { TappedCard } from '../scenario/tapped-card.ts';
import { describeApplet } from './applet.ts';
import type { GenuineCard } from './applet-subject.ts';
import type { CardBench } from './card-connection.ts';
import { testMaker } from './test-maker.ts';

/** `open` makes an empty reader; some tests need a second one. */
export function describeAppletBehind(
  name: string,
  open: (slot: 0 | 1) => Promise<CardBench>,
): void {
  for (const profile of Object.keys(apduProfiles).filter(isApduProfile)) {
    describe(`${profile} behind ${name}`, () => {
      let places: readonly CardPlace[] = [];

      beforeAll(async () => {
        const benches = await Promise.all(([0, 1] as const).map(open));
        places = benches.map((bench) => new CardPlace(bench, profile));
      });
      afterAll(async () => {
        await Promise.all(places.map((place) => place.close()));
      });

      describeApplet('the emulated card', async () => {
        const free = places.find((place) => !place.taken) ?? places[0];
        if (free === undefined) throw new Error('no reader is open');
        return free.newCard();
      });
    });
  }
}

const entropy = seededEntropy('behind a reader');

/**
 * A card stays in the reader and gets another chip for each test: readers take their time to see a
 * card, and none to power it.
 */
class CardPlace {
  readonly #bench: CardBench;
  readonly #profile: ApduProfile;
  readonly #clock = new VirtualClock();
  #body: TappedCard | undefined;
  #exchange: ApduExchange | undefined;
  #taken = false;

  constructor(bench: CardBench, profile: ApduProfile) {
    this.#bench = bench;
    this.#profile = profile;
  }

  get taken(): boolean {
    return this.#taken;
  }

  close(): Promise<void> {
    return this.#bench.close();
  }

  async newCard(): Promise<GenuineCard> {
    this.#taken = true;
    await this.#exchange?.close();
    const { image, delivery } = makeCard(entropy, this.#profile, testMaker);
    const storage = new MemoryStorage(image);
    const clock = this.#clock;
    const chip = new Card({ storage, primitives: noblePrimitives, entropy, clock });
    if (this.#body === undefined) {
      this.#body = new TappedCard(chip);
      await this.#bench.insert(this.#body);
    } else {
      this.#body.becomes(chip);
    }
    let connection = await this.#connect();
    return {
      delivery,
      makerRoot: testMaker.root,
      form: 'extended',
      transmit: (apdu) => connection.exchange.transmitWhole(apdu),
      transmitRaw: (apdu) => connection.raw(apdu),
      powerCycle: async () => {
        await connection.exchange.close();
        connection = await this.#connect();
      },
      dispose: async () => {
        await connection.exchange.close();
        this.#taken = false;
      },
    };
  }

  async #connect() {
    const connection = await this.#bench.reader.connect();
    const exchange = new ApduExchange(connection, { clock: this.#clock });
    this.#exchange = exchange;
    return { exchange, raw: (apdu: Uint8Array) => connection.transmit(apdu) };
  }
}
