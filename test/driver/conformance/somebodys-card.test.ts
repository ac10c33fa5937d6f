/** On a card that belongs to somebody the checklist uses nothing up. */
import { beforeEach, describe, expect, it } from 'vitest';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import {
  checkConformance,
  type ConformanceOptions,
} from '../../../driver/conformance/conformance.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { Card } from '../../../emulator/card/card.ts';
import { makeCard, type NewCard } from '../../../emulator/card/card-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { coinOf, quoteOf, receiptOf, transactionOf } from '../../contract/applet-papers.ts';
import { load, paid, pin, Subject } from '../../contract/applet-subject.ts';
import { testMaker } from '../../contract/test-maker.ts';

let reader: InProcessReader;
let card: Card;
let storage: MemoryStorage;
let made: NewCard;
let subject: Subject;

beforeEach(() => {
  const entropy = seededEntropy('somebody');
  const clock = new VirtualClock();
  made = makeCard(entropy, 't1-short', testMaker);
  storage = new MemoryStorage(made.image);
  card = new Card({ storage, primitives, entropy, clock });
  reader = new InProcessReader();
  reader.insert(card);
  card.powerOn();
  subject = new Subject({
    delivery: made.delivery,
    form: 'short',
    transmit: (apdu) => card.process(apdu),
    powerCycle: () => Promise.resolve(),
    dispose: () => Promise.resolve(),
  });
});

function check(given: Partial<ConformanceOptions> = {}) {
  const seams = { clock: new VirtualClock(), entropy: seededEntropy('host'), primitives };
  return checkConformance({ reader, ...seams, ...given });
}

/** Two coins, a payment that waits for its verdict, and a key that is in use. */
async function enrolledAndUsed(): Promise<void> {
  const station = await subject.enrol();
  await load(station, coinOf(1), coinOf(2), coinOf(3));
  const { coinId } = await paid(station, quoteOf(1));
  const spent = [1, 2, 3]
    .map((n) => coinOf(n))
    .find((coin) => coin.coinId.join() === coinId.join());
  const { paymentId } = transactionOf(quoteOf(1), spent ?? coinOf(1), subject.certificate);
  await station.done('conclude', receiptOf(paymentId));
  await paid(station, quoteOf(2));
}

describe('somebody’s card', () => {
  it('is checked without its PIN, and not one byte of it changes', async () => {
    await enrolledAndUsed();
    const before = storage.load();
    const report = await check();
    expect(report.failed).toBe(0);
    expect(report.passed).toBeGreaterThan(20);
    expect(new Set(report.cases.map(({ result, detail }) => `${result} ${detail}`))).toEqual(
      new Set([
        'passed undefined',
        'skipped needs the PIN: --pin',
        'skipped needs the keys of a card that is not enrolled: --delivery',
        'skipped would use the card up: --expendable, on a blank card',
      ]),
    );
    expect(storage.load()).toEqual(before);
  });

  it('is checked with its PIN, and all tries are given back', async () => {
    await enrolledAndUsed();
    const before = storage.load();
    const report = await check({ pin });
    expect(report.failed).toBe(0);
    expect(report.passed).toBeGreaterThan(30);
    expect(storage.load()).toEqual(before);
  });

  it('is not used up though somebody says that it may be', async () => {
    await enrolledAndUsed();
    const before = storage.load();
    const report = await check({ pin, delivery: made.delivery, expendable: true });
    expect(report.failed).toBe(0);
    const details = report.cases.map(({ detail }) => detail);
    expect(details).toContain('needs a blank card; this one is not');
    expect(details).toContain(
      'the delivery file is of another card, or its keys are not in force any more',
    );
    expect(storage.load()).toEqual(before);
  });

  it('is left alone once the PIN is wrong', async () => {
    await enrolledAndUsed();
    await expect(check({ pin: '000000' })).rejects.toMatchObject({
      code: 'pin-wrong',
      triesLeft: 2,
    });
  });
});

describe('a card that waits for its enrolment', () => {
  it('has its session checked under the keys that it came with, and nothing changes', async () => {
    await subject.host.select();
    await subject.host.setReferences(pin, '90210731');
    const before = storage.load();
    const report = await check({ pin, delivery: made.delivery });
    expect(report.failed).toBe(0);
    const sessions = report.cases.filter(({ id }) => id.startsWith('SESSION-'));
    expect(new Set(sessions.map(({ result }) => result))).toEqual(new Set(['passed']));
    expect(storage.load()).toEqual(before);
  });

  it('is not used up where nobody allows it', async () => {
    const before = storage.load();
    const report = await check({ delivery: made.delivery });
    expect(report.failed).toBe(0);
    expect(storage.load()).toEqual(before);
  });
});

describe('what is no card', () => {
  it('is told once nobody has put one in for ten seconds', async () => {
    reader.remove();
    const clock = new VirtualClock();
    const asked = check({ clock });
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(10_000);
    await expect(asked).rejects.toMatchObject({ code: 'no-card' });
  });

  it('is told of a card without the applet', async () => {
    reader.insert({
      atr: Uint8Array.of(0x3b, 0x00),
      powerOn: () => undefined,
      powerOff: () => undefined,
      reset: () => undefined,
      process: () => Promise.resolve(Uint8Array.of(0x6a, 0x82)),
    });
    await expect(check()).rejects.toMatchObject({ code: 'applet-not-found' });
  });
});
