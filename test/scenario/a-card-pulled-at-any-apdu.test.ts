/**
 * `KEYTOLL_CYCLES` and `KEYTOLL_SEED` make it longer and other, and have it print how far it is; a
 * cycle takes a second or more, because pcscd looks for cards no more often than every 400 ms.
 */
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { bytesToUint, toHex } from '../../applet-spec/bytes.ts';
import { ErrandError } from '../../driver/agent/errand-error.ts';
import type { ErrandResult } from '../../driver/agent/errands.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { describeWithPcscd } from '../contract/with-pcscd.ts';
import { eventually } from './eventually.ts';
import { unspent } from './holdings.ts';
import {
  footprintOf,
  ownFootprint,
  ownPcscChildren,
  type Footprint,
  type OwnFootprint,
} from '../contract/pcsc-processes.ts';
import { onRoad, type Road } from './road.ts';

const asked = process.env['KEYTOLL_CYCLES'];
const cycles = Number(asked ?? 12);
const seed = process.env['KEYTOLL_SEED'] ?? 'pulled';
/** A payment: AUTHORISE, PAY, the verdict; some fewer pull the card while it does nothing. */
const apdusOfPayment = 4;
/** Selection, PIN, session with the station, host link, lists. */
const apdusOfConnection = 10;
const coinsAtOnce = 100;
/** Every wait in a cycle is shorter, so that a cycle which takes longer stands still. */
const cycleMs = 120_000;
const sayEvery = 10;
/** By then every buffer and every pool has its size. */
const warmUpCycles = Math.floor(cycles / 5);
const mebibyte = 1_024 * 1_024;
/** The page cache of a station's database grows with the database, up to this (`database.ts`). */
const pageCacheBytes = 64 * mebibyte;
/**
 * A connection through the recorder has four ends here, and each user's may be down at the moment:
 * no leak, and less than one descriptor a cycle.
 */
const connectionsDown = 2 * 4;

describeWithPcscd('a card pulled at any APDU', (pcscd) => {
  it(
    `completes each of ${cycles} payments at its next insertion, loses no coin and leaks nothing`,
    () =>
      onRoad({ stations: 2, cards: pcscd() }, (road) =>
        new Pulling(road, pcscd().pid ?? 0).run(),
      )(),
    60_000 + 10_000 * cycles,
  );
});

/** Of each process of the story; hosts, stations and cards are all in this one. */
interface Footprints extends Readonly<Record<'pcscd' | 'pcsc-alice' | 'pcsc-bob', Footprint>> {
  readonly road: OwnFootprint;
}

/** Alice pays Bob, and somebody pulls her card. */
class Pulling {
  readonly #road: Road;
  readonly #pcscdPid: number;
  readonly #entropy = seededEntropy(seed);
  readonly #checks = new Set<string>();
  #coins = 0;
  #pulls = 0;

  constructor(road: Road, pcscdPid: number) {
    this.#road = road;
    this.#pcscdPid = pcscdPid;
  }

  async run(): Promise<void> {
    const { alice, clock } = this.#road;
    const startMs = clock.nowMs();
    await alice.station.topUp(alice.name, this.#road.price() * BigInt(cycles + coinsAtOnce));
    let early: Footprints | undefined;
    for (let cycle = 1; cycle <= cycles; cycle++) {
      if (this.#coins === 0) await this.#buyCoins();
      await this.#inTime(cycle, this.#cycle());
      this.#forget();
      if (cycle > warmUpCycles) early ??= this.#footprints();
      const seconds = Math.round((clock.nowMs() - startMs) / 1_000);
      if (asked !== undefined && cycle % sayEvery === 0) {
        say(`${cycle} of ${cycles} cycles, ${this.#pulls} pulls, ${seconds} s`, this.#footprints());
      }
    }
    expect(this.#checks.size).toBe(cycles);
    await this.#expectNoCoinLost();
    if (early !== undefined) await this.#expectNoLeak(early);
  }

  async #buyCoins(): Promise<void> {
    await this.#road.alice.buy([this.#road.price(), coinsAtOnce]);
    this.#coins = coinsAtOnce;
  }

  async #cycle(): Promise<void> {
    const { alice, bob } = this.#road;
    const { quoteId } = await alice.quote(bob.name);
    const at = this.#pullAtOneOf(apdusOfPayment);
    await settled(alice.pay(quoteId, { waitMs: 5_000 }));
    if (alice.faults.apdus < at) {
      await alice.pullCard();
      alice.insertCard();
    }
    // On the way back, too, one time in three.
    while (this.#draw(3) === 0) {
      const torn = this.#pullAtOneOf(apdusOfConnection);
      await this.#askUntilTheCardIsBack();
      if (alice.faults.apdus < torn) break;
    }
    alice.faults.script([]);
    const payment = await this.#completed(quoteId);
    expect(payment.standing).toBe('delivered');
    this.#checks.add(await this.#road.sharedCheck(payment.paymentId));
    const { paymentId } = payment;
    await Promise.all([alice, bob].map((user) => user.run('erase-key', { paymentId })));
    this.#coins -= 1;
    expect(await unspent(alice)).toHaveLength(this.#coins);
  }

  /** Out of the reader at one of the next APDUs, before or after the card has seen it. */
  #pullAtOneOf(apdus: number): number {
    const apdu = 1 + this.#draw(apdus);
    const moment = this.#draw(2) === 0 ? 'before' : 'after';
    this.#road.alice.faults.script([{ apdu, kind: 'remove', moment }]);
    this.#pulls += 1;
    return apdu;
  }

  /**
   * No event tells that for certain: a card that is pulled as it is selected was never connected,
   * and one that is back before pcscd looked was never gone.
   */
  #askUntilTheCardIsBack(): Promise<boolean> {
    const { alice } = this.#road;
    return this.#road.eventually('the card is back', async () => {
      await settled(alice.run('balance', {}));
      return alice.faults.apdus > 0;
    });
  }

  /** The same quote again, until the card and the station are back: it is the same payment. */
  #completed(quoteId: string): Promise<ErrandResult<'pay'>> {
    const { alice } = this.#road;
    return this.#road.eventually('the payment is completed', async () => {
      const payment = await settled(alice.pay(quoteId, { waitMs: 5_000 }));
      return payment?.standing === 'delivered' ? payment : undefined;
    });
  }

  /** Below `limit`. */
  #draw(limit: number): number {
    return Number(bytesToUint(this.#entropy.randomBytes(4)) % BigInt(limit));
  }

  async #inTime(cycle: number, work: Promise<void>): Promise<void> {
    const { clock, alice } = this.#road;
    let cancel: () => void = () => undefined;
    const stuck = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(cycleMs, () => {
        const card = `${alice.faults.apdus} APDUs since the last script`;
        reject(new Error(`cycle ${cycle} of seed ${seed} stands still, after ${card}`));
      });
    });
    try {
      await Promise.race([work, stuck]);
    } finally {
      cancel();
    }
  }

  /** What only a test remembers would look like a leak. */
  #forget(): void {
    const { recorder, stations } = this.#road;
    recorder.forget();
    for (const { log } of stations) log.forget();
  }

  #footprints(): Footprints {
    const [alices = 0, bobs = 0] = ownPcscChildren();
    return {
      road: ownFootprint(),
      pcscd: footprintOf(this.#pcscdPid),
      'pcsc-alice': footprintOf(alices),
      'pcsc-bob': footprintOf(bobs),
    };
  }

  /** What is on the card is what the wallet knows and what the issuer's books say is out. */
  async #expectNoCoinLost(): Promise<void> {
    const { alice } = this.#road;
    const { coins } = alice.cardState;
    expect(coins).toHaveLength(this.#coins);
    const balance = await alice.run('balance', {});
    expect(balance.coins).toBe(this.#coins);
    const records = await alice.station.withStore((store) =>
      store.coins(coins.map(({ coinId }) => coinId)),
    );
    const states = new Set(records.map((record) => record?.state));
    expect([...states]).toEqual(coins.length === 0 ? [] : ['unspent']);
    expect(new Set(coins.map(({ coinId }) => toHex(coinId))).size).toBe(coins.length);
  }

  async #expectNoLeak(early: Footprints): Promise<void> {
    const names = ['road', 'pcscd', 'pcsc-alice', 'pcsc-bob'] as const;
    await eventually(
      'hardly more descriptors are open than before',
      () => {
        const late = this.#footprints();
        return names.every(
          (name) => late[name].descriptors <= early[name].descriptors + connectionsDown,
        );
      },
      { explain: () => JSON.stringify({ early, late: this.#footprints() }) },
    );
    // Whoever waits for the program's end has to stop waiting when his own matter is over.
    const waiting = getEventListeners(this.#road.alice.host.ending, 'abort');
    expect(waiting.length).toBeLessThan(4);
    const late = this.#footprints();
    say(`after ${warmUpCycles} cycles`, early);
    say(`after ${cycles} cycles, seed ${seed}`, late);
    for (const name of names) {
      const caches = name === 'road' ? this.#road.stations.length * pageCacheBytes : 0;
      const most = 1.25 * early[name].residentBytes + 16 * mebibyte + caches;
      expect(late[name].residentBytes, name).toBeLessThan(most);
    }
    expect(late.road.heapBytes).toBeLessThan(1.1 * early.road.heapBytes + 4 * mebibyte);
  }
}

/** To whoever waits for a long run. */
function say(when: string, footprints: Footprints): void {
  const parts = Object.entries(footprints).map(
    ([name, { descriptors, residentBytes }]) =>
      `${name} ${descriptors} descriptors, ${(residentBytes / mebibyte).toFixed(1)} MiB`,
  );
  const heap = `${(footprints.road.heapBytes / mebibyte).toFixed(1)} MiB`;
  process.stderr.write(`${when}: ${parts.join('; ')}; heap of the road ${heap}\n`);
}

/** What came of it; undefined where the card or the link was gone. Anything else is a defect. */
async function settled<T>(errand: Promise<T>): Promise<T | undefined> {
  try {
    return await errand;
  } catch (error) {
    const { outcome, code } = error instanceof ErrandError ? error : { outcome: '', code: '' };
    if (outcome === 'unknown' || (outcome === 'fault' && code !== 'internal')) return undefined;
    throw error;
  }
}
