/**
 * `KEYTOLL_CYCLES` and `KEYTOLL_SEED` make it longer and other; a cycle takes a second or more,
 * because pcscd looks for cards no more often than every 400 ms.
 */
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { bytesToUint, toHex } from '../../applet-spec/bytes.ts';
import { ErrandError } from '../../driver/agent/errand-error.ts';
import type { ErrandResult } from '../../driver/agent/errands.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { describeWithPcscd } from '../contract/with-pcscd.ts';
import { unspent } from './holdings.ts';
import { footprintOf, ownPcscChildren, type Footprint } from '../contract/pcsc-processes.ts';
import { onRoad, type Road } from './road.ts';

const cycles = Number(process.env['KEYTOLL_CYCLES'] ?? 12);
const seed = process.env['KEYTOLL_SEED'] ?? 'pulled';
/** A payment: AUTHORISE, PAY, the verdict; some fewer pull the card while it does nothing. */
const apdusOfPayment = 4;
/** Selection, PIN, session with the station, host link, lists. */
const apdusOfConnection = 10;
const coinsAtOnce = 100;

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

/** Alice pays Bob, and somebody pulls her card. */
class Pulling {
  readonly #road: Road;
  readonly #pcscdPid: number;
  readonly #entropy = seededEntropy(seed);
  readonly #checks = new Set<string>();
  #coins = 0;

  constructor(road: Road, pcscdPid: number) {
    this.#road = road;
    this.#pcscdPid = pcscdPid;
  }

  async run(): Promise<void> {
    const { alice } = this.#road;
    await alice.station.topUp(alice.name, this.#road.price() * BigInt(cycles + coinsAtOnce));
    let early: readonly Footprint[] = [];
    for (let cycle = 0; cycle < cycles; cycle++) {
      if (this.#coins === 0) await this.#buyCoins();
      await this.#cycle();
      // By a fifth of the way every buffer and every pool has its size.
      if (cycle === Math.floor(cycles / 5)) early = this.#footprints();
    }
    expect(this.#checks.size).toBe(cycles);
    await this.#expectNoCoinLost();
    await this.#expectNoLeak(early);
  }

  async #buyCoins(): Promise<void> {
    await this.#road.alice.buy([this.#road.price(), coinsAtOnce]);
    this.#coins = coinsAtOnce;
  }

  async #cycle(): Promise<void> {
    const { alice, bob } = this.#road;
    const { quoteId } = await alice.quote(bob.name);
    const gone = alice.next('card-gone');
    const at = this.#pullAtOneOf(apdusOfPayment);
    await settled(alice.pay(quoteId, { waitMs: 5_000 }));
    if (alice.faults.apdus < at) {
      await alice.pullCard();
      await gone;
      alice.insertCard();
    }
    await gone;
    // On the way back, too, one time in three.
    while (this.#draw(3) === 0) {
      const goneAgain = alice.next('card-gone');
      const torn = this.#pullAtOneOf(apdusOfConnection);
      await settled(alice.run('balance', {}));
      if (alice.faults.apdus < torn) break;
      await goneAgain;
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
    return apdu;
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

  #footprints(): readonly Footprint[] {
    return [process.pid, this.#pcscdPid, ...ownPcscChildren()].map(footprintOf);
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

  async #expectNoLeak(early: readonly Footprint[]): Promise<void> {
    const grown = (late: readonly Footprint[]): boolean =>
      late.some(({ descriptors }, i) => descriptors > (early[i]?.descriptors ?? 0));
    await this.#road.eventually('as few descriptors are open as before', () => {
      return !grown(this.#footprints());
    });
    // Whoever waits for the program's end has to stop waiting when his own matter is over.
    const waiting = getEventListeners(this.#road.alice.host.ending, 'abort');
    expect(waiting.length).toBeLessThan(4);
    const late = this.#footprints();
    process.stderr.write(`${cycles} cycles, seed ${seed}: ${JSON.stringify({ early, late })}\n`);
    // pcscd and the child that owns pcsclite do the same thing again and again.
    for (const i of [1, 2]) {
      const before = early[i]?.residentBytes ?? 0;
      expect(late[i]?.residentBytes).toBeLessThan(1.25 * before + 8 * 1_024 * 1_024);
    }
  }
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
