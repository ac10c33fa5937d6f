/** What a card's own commands cost on the way that a card with short APDUs has. */
import { performance } from 'node:perf_hooks';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { limits } from '../../applet-spec/limits.ts';
import { toStationName } from '../../applet-spec/names.ts';
import { systemClock } from '../../driver/clock.ts';
import { ApduExchange } from '../../driver/reader/apdu-exchange.ts';
import { InProcessReader } from '../../driver/reader/in-process-reader.ts';
import { traced } from '../../emulator/card/card-trace.ts';
import { makeCard } from '../../emulator/card/card-maker.ts';
import { Card } from '../../emulator/card/card.ts';
import { MemoryStorage } from '../../emulator/card/storage.ts';
import { systemEntropy } from '../../emulator/entropy.ts';
import type { TestStation } from '../contract/applet-host.ts';
import { coinOf, quoteOf } from '../contract/applet-papers.ts';
import { load, paid, pay, type Subject } from '../contract/applet-subject.ts';
import { CardRoom, subjectOver } from './card-room.ts';
import { against, rounded, type Figure } from './figure.ts';

const payments = 20;
const loads = 4;
const rich = { paymentLimit: 1_000_000n, dayLimit: 1_000_000n };
const coinValue = 100n;
const withoutCertificate = 0;

/**
 * Through a pcscd of its own, with a card of `cardMs` an APDU; the reference is as many transmits
 * of bare `pcsclite`, each of `bareMs`.
 */
export async function cardFigures(cardMs: number, bareMs: number): Promise<readonly Figure[]> {
  const counted = await countApdus();
  const room = await CardRoom.open();
  try {
    const card = await room.insert(0, { profile: 't1-short', latencyMs: cardMs });
    const { payMs, loadMs } = await card.touched(({ subject }) => timed(subject));
    await card.close();
    const asMany = 'bare pcsclite, as many APDUs';
    const coins = loads * limits.loadCoins;
    const bareLoadMs = loads * counted.load * bareMs;
    return [
      against(
        { name: 'card.pay', value: rounded(payMs, 1), unit: 'ms' },
        { name: asMany, value: rounded((counted.pay3 + counted.authorise) * bareMs, 1) },
      ),
      { name: 'card.pay.apdus.3', value: counted.pay3, unit: 'APDUs' },
      { name: 'card.pay.apdus.16', value: counted.pay16, unit: 'APDUs' },
      against(
        { name: 'card.load', value: rounded((1_000 * coins) / loadMs, 1), unit: 'coins/s' },
        { name: asMany, value: rounded((1_000 * coins) / bareLoadMs, 1) },
      ),
    ];
  } finally {
    await room.close();
  }
}

/** Milliseconds for one payment over three stations, authorised and signed, and for all loads. */
async function timed(
  subject: Subject,
): Promise<{ readonly payMs: number; readonly loadMs: number }> {
  const station = await subject.enrol(rich);
  const loadStartMs = performance.now();
  for (let n = 0; n < loads; n++) await loadBatch(station, n);
  const loadMs = performance.now() - loadStartMs;
  const startMs = performance.now();
  for (let n = 0; n < payments; n++) {
    const { result } = await pay(station, quoteOver(3, n), withoutCertificate);
    if (result !== 'done') throw new Error(`PAY: ${result}`);
  }
  return { payMs: (performance.now() - startMs) / payments, loadMs };
}

interface Counts {
  readonly authorise: number;
  readonly pay3: number;
  readonly pay16: number;
  readonly load: number;
}

/** APDUs on the wire of the same card, by the driver, in this process. */
async function countApdus(): Promise<Counts> {
  let apdus = 0;
  const { image, delivery } = makeCard(systemEntropy, 't1-short');
  const storage = new MemoryStorage(image);
  const seams = { primitives: noblePrimitives, entropy: systemEntropy, clock: systemClock };
  const reader = new InProcessReader();
  reader.insert(
    traced(new Card({ storage, ...seams }), (from) => {
      if (from === 'reader') apdus += 1;
    }),
  );
  const exchange = new ApduExchange(await reader.connect(), { clock: systemClock });
  const subject = subjectOver(exchange, delivery);
  const station = await subject.enrol(rich);
  const counting = async (work: () => Promise<unknown>): Promise<number> => {
    const before = apdus;
    await work();
    return apdus - before;
  };
  const loaded = await counting(() => loadBatch(station, 0));
  // The first payment hands the certificate over; a station keeps it.
  await paid(station, quoteOver(3, 0));
  const authorise = await counting(() => subject.host.authorise('pay', new Uint8Array(32)));
  const payFor = async (stations: number): Promise<number> => {
    const both = await counting(() => pay(station, quoteOver(stations, stations), 0));
    return both - authorise;
  };
  const counts = { authorise, pay3: await payFor(3), pay16: await payFor(16), load: loaded };
  await exchange.close();
  return counts;
}

function loadBatch(station: TestStation, batch: number): Promise<void> {
  const numbers = Array.from({ length: limits.loadCoins }, (_, i) => batch * limits.loadCoins + i);
  return load(station, ...numbers.map((n) => coinOf(n, { value: coinValue })));
}

/** The longest bill of so many stations, with names as long as they may be. */
function quoteOver(stations: number, n: number): Uint8Array {
  const names = Array.from({ length: stations }, (_, i) =>
    i === 0 ? 'q1' : `q${i + 1}`.padEnd(limits.stationNameBytes, 'x'),
  );
  const [home, ...others] = names.map(toStationName);
  if (home === undefined) throw new RangeError('a bill of no stations');
  const bill = [home, ...others].map((station, i) => ({
    station,
    fee: i === 0 ? coinValue - BigInt(stations - 1) : 1n,
    announcement: new Uint8Array(16).fill(i),
  }));
  return quoteOf(n, { bill });
}
