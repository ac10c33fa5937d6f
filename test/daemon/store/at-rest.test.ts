/** What lies on disk, seen from outside the store: with SQLite itself and as plain bytes. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { toCurrency } from '../../../applet-spec/names.ts';
import { sqliteBench, sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import type { StoreBench } from '../../contract/store-subject.ts';
import * as made from '../../contract/store-fixture.ts';
import { rawDatabase } from '../../raw-database.ts';

let bench: StoreBench & { readonly file: string };
beforeEach(async () => {
  bench = await sqliteBench();
});
afterEach(async () => {
  await bench.close();
});

/** The database and its log, as a thief would copy them. */
function diskBytes(): string {
  const files = [bench.file, `${bench.file}-wal`].filter((file) => existsSync(file));
  return files.map((file) => readFileSync(file).toString('latin1')).join('');
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function spoil(sql: string): void {
  const thief = rawDatabase(bench.file);
  try {
    thief.exec(sql);
  } finally {
    thief.close();
  }
}

async function livePayment(): Promise<{ coin: ReturnType<typeof made.newCoin> }> {
  const coin = await made.payerWithCoin(bench.store, 'a');
  await bench.store.admit([made.issuerPayment('a', coin)]);
  await bench.store.hold([made.lastPayment('held', made.newCoin('held'))]);
  return { coin };
}

describe('secrets at rest (I21)', () => {
  it('are nowhere in the clear, in no state of a payment', async () => {
    const { coin } = await livePayment();
    const secrets = [
      coin.secret,
      made.newCoin('held').secret,
      made.bytesFrom('certificate', made.alice),
    ];
    const look = () => secrets.filter((secret) => diskBytes().includes(latin1(secret)));
    expect(look()).toEqual([]);
    await bench.store.decide([made.delivered('a'), made.undelivered('held')]);
    expect(look()).toEqual([]);
    // The search finds what is there: public parts are.
    expect(diskBytes()).toContain(latin1(coin.commitment));
  });

  it('are erased with their seals once they are spent, decided and confirmed', async () => {
    const { coin } = await livePayment();
    const sealed = sealedBlobs();
    expect(sealed).toHaveLength(3);
    await bench.store.decide([made.delivered('a'), made.undelivered('held')]);
    await bench.store.close();
    const database = readFileSync(bench.file).toString('latin1');
    expect(sealed.filter((blob) => database.includes(latin1(blob)))).toEqual([]);
    expect(database).toContain(latin1(coin.commitment));
  });

  function sealedBlobs(): Uint8Array[] {
    const thief = rawDatabase(bench.file, { readonly: true });
    const blobs = thief
      .prepare<[], { sealed: Uint8Array }>(
        `SELECT sealed FROM coin WHERE sealed IS NOT NULL UNION ALL SELECT sealed FROM outbox
         UNION ALL SELECT sealed FROM held_secret
         UNION ALL SELECT sealed FROM quarantine`,
      )
      .all();
    thief.close();
    return blobs.map(({ sealed }) => Uint8Array.from(sealed));
  }

  it('of what is quarantined are sealed, too, and gone once that is dropped', async () => {
    const { secret } = made.newCoin('in a record that does not open');
    const attempt = { peer: made.q2, rowId: 1n, form: 'record', bytes: secret } as const;
    await bench.store.countAttempt({ ...attempt, why: 'a defect', nowMs: made.startMs }, 1);
    expect(diskBytes()).not.toContain(latin1(secret));
    const [sealed] = [...sealedBlobs()];
    expect(sealed?.length).toBeGreaterThan(secret.length);
    await bench.store.dropQuarantined(1n);
    await bench.store.close();
    const database = readFileSync(bench.file).toString('latin1');
    expect(database).not.toContain(latin1(sealed ?? secret));
  });

  it('of what is quarantined and damaged keep none of the others from being read', async () => {
    const attempt = {
      peer: made.q2,
      form: 'record',
      why: 'a defect',
      nowMs: made.startMs,
    } as const;
    for (const rowId of [1n, 2n]) {
      const bytes = made.bytesFrom('record', String(rowId));
      await bench.store.countAttempt({ ...attempt, rowId, bytes }, 1);
    }
    spoil('DROP TRIGGER quarantine_is_never_changed');
    spoil("UPDATE quarantine SET sealed = x'01' WHERE number = 1");
    const [damaged, other] = await bench.store.quarantined(0n, 10);
    expect(damaged).toMatchObject({ number: 1n, rowId: 1n, why: 'a defect' });
    expect(damaged?.bytes).toBeUndefined();
    expect(other?.bytes).toEqual(made.bytesFrom('record', '2'));
  });

  it('do not open in another’s row', async () => {
    const coins = [made.newCoin('a'), made.newCoin('b')];
    await made.addUser(bench.store, made.alice, 24n);
    await made.buyLoaded(bench.store, made.alice, made.orderIdFrom('x'), coins);
    const [first, second] = coins.map(({ coinId }) => `x'${toHex(coinId)}'`);
    spoil(`UPDATE coin SET sealed = (SELECT sealed FROM coin WHERE coin_id = ${first ?? ''})
      WHERE coin_id = ${second ?? ''}`);
    await expect(bench.store.coinSecrets(coins.map(({ coinId }) => coinId))).rejects.toMatchObject({
      code: 'corrupt',
    });
  });
});

describe('the database itself refuses', () => {
  it.each([
    ['to change a transfer', "UPDATE transfer SET amount = 1, kind = 'top-up'"],
    ['to delete a transfer', 'DELETE FROM transfer'],
    ['to replace a transfer', "INSERT OR REPLACE INTO transfer VALUES (1, 1, 2, 1, 'x', x'', 0)"],
    ['a transfer of nothing', "INSERT INTO transfer VALUES (99, 1, 2, 0, 'x', x'', 0)"],
    [
      'a transfer from an account to itself',
      "INSERT INTO transfer VALUES (99, 1, 1, 5, 'x', x'', 0)",
    ],
    ['to overdraw a user', "UPDATE account SET debits = credits + 1 WHERE name LIKE 'user:%'"],
    ['to delete a coin', 'DELETE FROM coin'],
    ['to make a coin worth more', 'UPDATE coin SET value = value + 1'],
    ['to release a pending coin', "UPDATE coin SET state = 'unspent', payment_id = NULL"],
    ['to give a pending coin back', "UPDATE coin SET state = 'refunded', sealed = NULL"],
    ['to keep the secret of a spent coin', "UPDATE coin SET state = 'spent'"],
    ['to unconfirm a payment', "UPDATE payment SET state = 'held'"],
    ['to delete a payment', 'DELETE FROM payment'],
    ['to change a payment', "UPDATE payment_body SET payment = x'00'"],
  ])('%s', async (_what, sql) => {
    await livePayment();
    expect(() => {
      spoil(sql);
    }).toThrow();
  });

  it('a second verdict and a step back from one', async () => {
    await livePayment();
    await bench.store.decide([made.delivered('a')]);
    expect(() => {
      spoil("UPDATE payment SET state = 'undelivered' WHERE state = 'delivered'");
    }).toThrow('no such step');
    expect(() => {
      spoil("UPDATE payment_verdict SET receipt = x'00'");
    }).toThrow('sticks');
    expect(() => {
      spoil("UPDATE coin SET state = 'pending', sealed = x'00'");
    }).toThrow('no such step');
  });
});

describe('opening', () => {
  it('refuses the wrong key, station and currency, and leaves the database as it was', async () => {
    await livePayment();
    await bench.store.close();
    const options = sqliteOptions(bench.file);
    const stationKey = made.bytesFrom('wrong');
    await expect(openSqliteStore({ ...options, stationKey })).rejects.toMatchObject({
      code: 'wrong-key',
    });
    await expect(openSqliteStore({ ...options, station: made.q2 })).rejects.toMatchObject({
      code: 'wrong-station',
    });
    const currency = toCurrency('CHF');
    await expect(openSqliteStore({ ...options, currency })).rejects.toMatchObject({
      code: 'wrong-station',
    });
    const right = await openSqliteStore(options);
    expect(await right.payments([made.bytesFrom('payment', 'a')])).toMatchObject([
      { role: 'issuer' },
    ]);
    await right.close();
  });

  it('refuses another network than the one that it was first opened for', async () => {
    await bench.store.close();
    const options = sqliteOptions(bench.file);
    const stationKey = made.bytesFrom('wrong');
    const wrong = openSqliteStore({ ...options, stationKey, network: 'other' });
    await expect(wrong).rejects.toMatchObject({ code: 'wrong-key' });
    await (await openSqliteStore({ ...options, network: 'demo' })).close();
    await expect(openSqliteStore({ ...options, network: 'other' })).rejects.toMatchObject({
      code: 'wrong-station',
      message: `${bench.file} is of the network demo, not of other`,
    });
    await (await openSqliteStore({ ...options, network: 'demo' })).close();
  });

  it('refuses what is no database, and what a newer program has used', async () => {
    await bench.store.close();
    const copy = `${bench.file}.newer`;
    copyFileSync(bench.file, copy);
    const newer = rawDatabase(copy);
    newer.pragma('user_version = 999');
    newer.close();
    await expect(openSqliteStore(sqliteOptions(copy))).rejects.toMatchObject({
      code: 'newer-schema',
    });
    writeFileSync(bench.file, 'no database at all '.repeat(500));
    await expect(openSqliteStore(sqliteOptions(bench.file))).rejects.toMatchObject({
      code: 'corrupt',
    });
  });

  it('lets nothing be called once closed, and closes what was asked before', async () => {
    const { store } = bench;
    const asked = store.addUser(made.alice, made.euro);
    const closing = store.close();
    await expect(store.users()).rejects.toMatchObject({ code: 'closed' });
    await expect(store.addUser(made.carol, made.euro)).rejects.toMatchObject({ code: 'closed' });
    expect(await asked).toBe('created');
    await closing;
    await store.close();
  });

  it('shares the file with an operator’s command beside the daemon', async () => {
    const other = await openSqliteStore(sqliteOptions(bench.file));
    await made.addUser(other, made.alice, 24n);
    await bench.store.topUp(made.alice, 1n, 'daemon', made.startMs);
    await other.topUp(made.alice, 2n, 'operator', made.startMs);
    expect((await bench.store.user(made.alice))?.balance).toBe(27n);
    expect((await other.balances()).get('cash')).toBe(27n);
    await other.close();
  });
});
