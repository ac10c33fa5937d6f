/** Operations of one station's store, in batches of 64 as the relay makes them, on one core. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { openSqliteStore } from '../../daemon/store/sqlite-store.ts';
import type { NewCoin, Store } from '../../daemon/store/store.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import {
  addUser,
  buyLoaded,
  bytesFrom,
  delivered,
  euro,
  issuerPayment,
  newCoin,
} from '../contract/store-fixture.ts';
import { orderIdFrom, q1, q2, q3, relayPayment } from '../contract/store-fixture.ts';

const batch = 64;
const payers = 200;

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** `payments` goes up in whole batches. */
export async function storeFigures(payments: number): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-store-bench-'));
  try {
    return [
      ...(await issuerFigures(join(folder, 'q1.sqlite'), payments)),
      ...(await relayFigures(join(folder, 'q2.sqlite'), payments)),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function open(file: string, station: typeof q1): Promise<Store> {
  return openSqliteStore({
    file,
    station,
    stationKey: bytesFrom('station key'),
    currency: euro,
    primitives: opensslPrimitives,
    entropy: seededEntropy(station),
    checkpoints: import.meta.url.endsWith('.js') ? 'worker' : 'inline',
  });
}

async function issuerFigures(file: string, count: number): Promise<Figure[]> {
  const store = await open(file, q1);
  const coins: NewCoin[] = [];
  for (let i = 0; i < payers; i++) {
    const user = toUserName(`user${i}@q1`);
    const own = Array.from({ length: Math.ceil(count / payers) }, (_, n) => newCoin(`${i}/${n}`));
    await addUser(store, user, 12n * BigInt(own.length));
    await buyLoaded(store, user, orderIdFrom(i), own);
    own.forEach((coin, n) => (coins[n * payers + i] = coin));
  }
  const payments = coins.map((coin, i) => ({
    ...issuerPayment(`${i}`, coin, { payer: toUserName(`user${i % payers}@q1`) }),
    payment: filler(1_300),
    admission: filler(300),
    outbox: filler(2_000),
  }));
  const bytesBefore = statSync(file).size;
  const rows: bigint[] = [];
  const admitted = await rate('store.admit', payments, async (some) => {
    for (const done of await store.admit(some)) {
      if (done.outcome !== 'created') throw new Error(done.outcome);
      if (done.outboxRow !== undefined) rows.push(done.outboxRow);
    }
  });
  const confirmed = await rate('store.confirm', rows, (some) => store.confirmOutbox(q2, some));
  const decisions = payments.map((_, i) => ({ ...delivered(`${i}`), receipt: filler(400) }));
  const decided = await rate('store.decide.issuer', decisions, (some) => store.decide(some));
  await store.close();
  const bytes = Math.round((statSync(file).size - bytesBefore) / count);
  return [admitted, confirmed, decided, { name: 'store.bytes.issuer', value: bytes, unit: 'B' }];
}

async function relayFigures(file: string, count: number): Promise<Figure[]> {
  const store = await open(file, q2);
  const payments = Array.from({ length: count }, (_, i) => ({
    ...relayPayment(`${i}`, newCoin(`${i % payers}/${Math.floor(i / payers)}`)),
    payment: filler(1_300),
    admission: filler(300),
    outbox: filler(2_000),
  }));
  const held = await rate('store.hold', payments, (some) => store.hold(some));
  const decisions = payments.map((_, i) => ({
    ...delivered(`${i}`),
    receipt: filler(400),
    outbox: { peer: q1, record: filler(500) },
  }));
  const decided = await rate('store.decide.relay', decisions, (some) => store.decide(some));
  const pending = await store.outbox(q1, count);
  if (pending.length !== count || (await store.outbox(q3, 1)).length > 0) {
    throw new Error('the outbox is not what it must be');
  }
  await store.close();
  const bytes = Math.round(statSync(file).size / count);
  return [held, decided, { name: 'store.bytes.relay', value: bytes, unit: 'B' }];
}

async function rate<T>(
  name: string,
  items: readonly T[],
  run: (some: readonly T[]) => Promise<unknown>,
): Promise<Figure> {
  const startMs = performance.now();
  for (let i = 0; i < items.length; i += batch) await run(items.slice(i, i + batch));
  const seconds = (performance.now() - startMs) / 1_000;
  return { name, value: Math.round(items.length / seconds), unit: '1/s' };
}

function filler(length: number): Uint8Array {
  return new Uint8Array(length).fill(0x5a);
}
