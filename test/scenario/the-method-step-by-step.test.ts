import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { certificateHash, parseCertificate } from '../../applet-spec/certificate.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { payment as paymentKind, verifyPayerSignature } from '../../applet-spec/payment.ts';
import { quote as quoteKind } from '../../applet-spec/quote.ts';
import { receipt as receiptKind } from '../../applet-spec/receipt.ts';
import { opensslPrimitives as primitives } from '../../daemon/openssl-primitives.ts';
import type { PaymentRow } from '../../daemon/store/store.ts';
import type { StoredCoin } from '../../emulator/card/card-state.ts';
import type { ErrandResult } from '../../driver/agent/errands.ts';
import { holdingsOf, unspent, type Holdings } from './holdings.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

/**
 * One payment over four stations, told in the order of the method; each step looks at what it left.
 */
let road: Road;
let price: bigint;
let pool: readonly StoredCoin[];
let quoted: ErrandResult<'quote'>;
let before: Holdings;
let paid: ErrandResult<'pay'>;
let rows: readonly PaymentRow[];

beforeAll(async () => {
  road = await Road.open({ stations: 4, devices: 'etsi-014', cards: 'wired' });
  price = road.price();
});
afterAll(() => endOfRoad(road));

function keysOf(station: string) {
  const found = road.station(station).publicKeys;
  return {
    coin: primitives.verifyingKey(found.coin),
    document: primitives.verifyingKey(found.document),
  };
}

describe('S1 issue coins', () => {
  it('S1 money becomes signed coins, in the card and in the pool of the issuer', async () => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 1_000n);
    const bought = await alice.buy([price, 3], [20n, 2]);
    expect(bought).toMatchObject({ coins: 5, balance: String(1_000n - 3n * price - 40n) });
    pool = alice.cardState.coins;
    const records = await alice.station.withStore((store) =>
      store.coins(pool.map(({ coinId }) => coinId)),
    );
    for (const [i, { value }] of pool.entries()) {
      const record = records[i];
      expect(record).toMatchObject({ state: 'unspent', owner: alice.name, value });
      const signed = coinKind.decode(record?.coin ?? new Uint8Array());
      expect(coinKind.verify(signed, keysOf('q1').coin)).toBe(true);
    }
  });

  it('S1 the payee buys coins at its own station in the same way', async () => {
    const { bob } = road;
    await bob.station.topUp(bob.name, 100n);
    await bob.buy([25n, 2]);
    expect(await unspent(bob)).toEqual([25n, 25n]);
  });

  it('S1 a coin that is returned becomes money again, and both sides destroy it', async () => {
    const { alice } = road;
    const returned = alice.cardState.coins.find(({ value }) => value === 20n);
    await alice.run('refund', { lines: [{ value: '20', count: 1 }] });
    expect(await unspent(alice)).toEqual([price, price, price, 20n]);
    expect((await alice.run('balance', {})).account).toBe(String(1_000n - 3n * price - 20n));
    const gone = pool.filter(
      ({ coinId }) => !alice.cardState.coins.some((one) => equalBytes(one.coinId, coinId)),
    );
    expect(gone.map(({ value }) => value)).toEqual([20n]);
    expect(returned).toBeDefined();
    await alice.station.withStore(async (store) => {
      const ids = gone.map(({ coinId }) => coinId);
      expect(await store.coins(ids)).toMatchObject([{ state: 'refunded' }]);
      expect(await store.coinSecrets(ids)).toEqual([undefined]);
    });
  });
});

describe('S2 ask for a key', () => {
  it('S21 the name says where the payee is; its station accepts for who is there', async () => {
    const { alice } = road;
    await expect(alice.quote('carol@q4')).rejects.toMatchObject({ code: 'payee-unknown' });
    await expect(alice.quote('bob@q9')).rejects.toMatchObject({ code: 'no-route' });
  });

  it('S22 the payer asks its own station for a key towards the payee’s', async () => {
    quoted = await road.alice.quote(road.bob.name);
    expect(quoted).toMatchObject({ payer: 'alice@q1', payee: 'bob@q4' });
  });

  it('S23 the station finds the route and what each station on it charges', () => {
    expect(quoted.bill).toEqual([
      { station: 'q1', fee: '3' },
      { station: 'q2', fee: '2' },
      { station: 'q3', fee: '4' },
      { station: 'q4', fee: '2' },
    ]);
  });

  it('S24 the bill reaches the payer signed, before anything is paid', async () => {
    before = await holdingsOf(road);
    const shown = await road.alice.run('show-quote', { quoteId: quoted.quoteId });
    expect(shown.bill).toEqual(quoted.bill);
    expect(shown.total).toBe(String(price));
  });
});

describe('S3 pay, and so send the key', () => {
  it('S31 the total is the sum of the bill', async () => {
    expect(quoted.total).toBe(String(quoted.bill.reduce((sum, { fee }) => sum + BigInt(fee), 0n)));
    paid = await road.alice.pay(quoted.quoteId);
    expect(paid.standing).toBe('delivered');
    rows = await Promise.all(
      road.stations.map(({ name }) => road.payment(name, paid.paymentId, 'delivered')),
    );
  });

  it('S32 one unused coin of exactly the total is joined with time, payer and bill', () => {
    const [row] = rows;
    const used = pool.find(({ coinId }) => row && equalBytes(coinId, row.coinId));
    expect(used?.value).toBe(price);
    const { transaction, quote, quoteBytes } = paymentKind.decode(row?.payment ?? new Uint8Array());
    expect(transaction.coinValue).toBe(price);
    expect(transaction.quoteDigest).toEqual(quoteKind.digest(primitives, quoteBytes));
    expect(quote.payer).toBe('alice@q1');
    expect(quote.bill.map(({ station }) => station)).toEqual(['q1', 'q2', 'q3', 'q4']);
    expect(Math.abs(Number(quote.time) - road.clock.nowMs() / 1_000)).toBeLessThan(120);
  });

  it('S33 the payer’s card has signed it, and its certificate came with it', () => {
    const { certificate } = road.alice.cardState;
    const der = certificate ?? new Uint8Array();
    const stored = paymentKind.decode(rows[0]?.payment ?? new Uint8Array());
    expect(toHex(stored.transaction.payerCertificate)).toBe(
      toHex(certificateHash(primitives, der)),
    );
    const payerKey = primitives.verifyingKey(parseCertificate(der).publicKey);
    expect(verifyPayerSignature(stored, payerKey)).toBe(true);
  });

  it('S34 the issuer admitted it: its own coin, unspent until then', async () => {
    const [row] = rows;
    expect(row).toMatchObject({ role: 'issuer', issuer: 'q1', payer: 'alice@q1' });
    expect(row?.admission).toBeDefined();
    const { coin } = paymentKind.decode(row?.payment ?? new Uint8Array());
    expect(coinKind.verify(coin, keysOf('q1').coin)).toBe(true);
    expect(coin.body.issuer).toBe('q1');
  });

  it('S35 the coin’s random number is the key of both', async () => {
    const spent = pool.find(({ coinId }) => rows[0] && equalBytes(coinId, rows[0].coinId));
    await road.sharedCheck(paid.paymentId);
    for (const user of [road.alice, road.bob]) {
      const slot = user.cardState.peerKeys.find((one) => toHex(one.paymentId) === paid.paymentId);
      expect(slot?.secret && toHex(slot.secret)).toBe(spent && toHex(spent.secret));
    }
  });

  it('S36 every station took it from the one before and stores it, certificate too', async () => {
    const [first] = rows;
    expect(rows.map(({ previous, next }) => [previous, next])).toEqual([
      [undefined, 'q2'],
      ['q1', 'q3'],
      ['q2', 'q4'],
      ['q3', undefined],
    ]);
    for (const [i, row] of rows.entries()) {
      expect(toHex(row.payment)).toBe(toHex(first?.payment ?? new Uint8Array()));
      const { transaction } = paymentKind.decode(row.payment);
      const certificate = await road.stations[i]?.withStore((store) =>
        store.certificate(transaction.payerCertificate),
      );
      expect(certificate).toEqual(road.alice.cardState.certificate);
    }
  });

  it('S37 the payee’s card holds the key and has acknowledged it', async () => {
    const last = rows.at(-1);
    const { acknowledgement } = receiptKind.decode(last?.receipt ?? new Uint8Array()).body;
    expect(acknowledgement).toHaveLength(64);
    expect(await road.bob.keyCheck(paid.paymentId)).toMatch(/^[0-9a-f]{16}$/);
    const held = await road.last.withStore((store) =>
      store.heldSecret(last?.paymentId ?? new Uint8Array()),
    );
    expect(held).toBeUndefined();
  });

  it('S38 the last station’s success goes back to the issuer, which deletes the coin', async () => {
    const documentKey = keysOf('q4').document;
    for (const { receipt } of rows) {
      const word = receiptKind.decode(receipt ?? new Uint8Array());
      expect(receiptKind.verify(primitives, word, documentKey)).toBe(true);
      expect(word.body).toMatchObject({ station: 'q4', verdict: 'delivered' });
    }
    await road.station('q1').withStore(async (store) => {
      const ids = rows.slice(0, 1).map(({ coinId }) => coinId);
      expect(await store.coins(ids)).toMatchObject([{ state: 'spent' }]);
      expect(await store.coinSecrets(ids)).toEqual([undefined]);
    });
  });

  it('S39 the card has no such coin any more; wallet and card have payment and key', async () => {
    const { alice } = road;
    expect(await unspent(alice)).toEqual([price, price, 20n]);
    const { payments } = await alice.run('payments', {});
    expect(payments).toMatchObject([{ paymentId: paid.paymentId, standing: 'delivered' }]);
    const { keys } = await alice.run('keys', {});
    expect(keys).toMatchObject([{ paymentId: paid.paymentId, peer: 'bob@q4', state: 'active' }]);
  });

  it('S3 moves the fees, and no other money', async () => {
    const after = await holdingsOf(road);
    const account = (station: string, name: string) => ({
      from: before.stations[station]?.balances[name] ?? 0n,
      to: after.stations[station]?.balances[name] ?? 0n,
    });
    const earned = ['q1', 'q2', 'q3', 'q4'].map((name) => account(name, 'fees-earned'));
    expect(earned.map(({ from, to }) => from - to)).toEqual([3n, 2n, 4n, 2n]);
    const owed = ['q2', 'q3', 'q4'].map((name) => account('q1', `payable:${name}`));
    expect(owed.map(({ from, to }) => from - to)).toEqual([2n, 4n, 2n]);
    const due = ['q2', 'q3', 'q4'].map((name) => account(name, 'receivable:q1'));
    expect(due.map(({ from, to }) => to - from)).toEqual([2n, 4n, 2n]);
    expect(after.users[toUserName('alice@q1')]?.account).toBe(before.users['alice@q1']?.account);
  });
});

describe('S4 talk', () => {
  it('S4 both use the key, in both directions, and each message once', async () => {
    const { alice, bob } = road;
    const question = await alice.says(bob.name, 'Does the road hold?');
    expect(await bob.hears(question)).toBe('Does the road hold?');
    const answer = await bob.says(alice.name, 'It does.');
    expect(await alice.hears(answer)).toBe('It does.');
    await expect(bob.hears(question)).rejects.toMatchObject({ code: 'message-replayed' });
  });
});
