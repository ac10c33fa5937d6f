import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { concatBytes, uintToBytes } from '../../../applet-spec/bytes.ts';
import type { CoinEntry, PayAnswer } from '../../../applet-spec/card-objects.ts';
import type { Coin } from '../../../applet-spec/coin.ts';
import type { PaymentRecord } from '../../../applet-spec/desk-messages.ts';
import { quote } from '../../../applet-spec/quote.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { Wallet } from '../../../driver/wallet/wallet.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { rawDatabase } from '../../raw-database.ts';
import { countedEntropy } from '../desk/host-bench.ts';
import { alice, bob, euro, network, Papers, q1 } from '../desk/stand-in-papers.ts';

let folder: string;
let wallet: Wallet;
let papers: Papers;
const clock = new VirtualClock();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-wallet-'));
  wallet = Wallet.open(folder);
  papers = await Papers.open({ clock, entropy: countedEntropy('papers') });
});
afterEach(() => {
  wallet.close();
  papers.close();
  rmSync(folder, { recursive: true, force: true });
});

function reopen(): void {
  wallet.close();
  wallet = Wallet.open(folder);
}

function onCard(coin: Coin, state: CoinEntry['state'] = 'unspent'): CoinEntry {
  const { coinId, value, expiry } = coin.body;
  return { coinId, value, expiry, state };
}

function offer() {
  const { requestId: _none, ...offered } = {
    requestId: 0n,
    ...papers.quoteReply([20n, 10n], { payee: bob, minimumSuite: 'aes' }, {}),
  };
  const kept = wallet.quotes.keep(offered, clock.nowMs());
  if (kept === undefined) throw new Error('another quote has its ID');
  return kept;
}

/** A payment as the desk tells of it, admitted and concluded. */
function paidRecords(verdict: 'delivered' | 'undelivered' = 'delivered') {
  const offered = offer();
  const { coin } = papers.issueCoin(30n);
  const answer: PayAnswer = { coinId: coin.body.coinId, signature: new Uint8Array(64).fill(5) };
  const admitted = papers.admitted(offered.quote, coin, answer);
  return { offered, admitted, concluded: papers.concluded(admitted, verdict) };
}

describe('the file', () => {
  it('and its folder are for their owner alone', () => {
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(join(folder, 'wallet.db'))).toBe(0o600);
    const fresh = join(folder, 'deeper', 'still');
    Wallet.open(fresh).close();
    expect(mode(fresh)).toBe(0o700);
  });

  it.skipIf(process.platform !== 'linux')('in a place that makes no folders is refused', () => {
    for (const folder of ['/proc/keytoll', '/proc/keytoll/wallet']) {
      expect(() => Wallet.open(folder)).toThrow(
        expect.objectContaining({ code: 'wallet-unreachable' }),
      );
    }
  });

  it('of a newer program is refused, not changed', () => {
    wallet.close();
    const database = rawDatabase(join(folder, 'wallet.db'));
    database.pragma('user_version = 9999');
    database.close();
    expect(() => Wallet.open(folder)).toThrow(expect.objectContaining({ code: 'wallet-newer' }));
    rmSync(join(folder, 'wallet.db'));
    wallet = Wallet.open(folder);
  });

  it('that is no wallet is named as damaged', () => {
    const other = join(folder, 'other');
    Wallet.open(other).close();
    for (const end of ['', '-wal', '-shm']) rmSync(join(other, `wallet.db${end}`), { force: true });
    writeFileSync(
      join(other, 'wallet.db'),
      'not a database, but long enough to look at'.repeat(99),
    );
    expect(() => Wallet.open(other)).toThrow(expect.objectContaining({ code: 'wallet-damaged' }));
  });

  it('that cannot be made says where', () => {
    writeFileSync(join(folder, 'plain'), '');
    const open = () => Wallet.open(join(folder, 'plain', 'wallet'));
    expect(open).toThrow(expect.objectContaining({ code: 'wallet-unreachable' }));
  });
});

describe('settings', () => {
  const station = { stationUrl: 'ws://127.0.0.1:1', rootCertificate: Uint8Array.of(1, 2) };
  const account = { station: q1, user: alice, network, currency: euro };

  it('are missed until the station is set, and then kept', () => {
    expect(wallet.settings()).toBeUndefined();
    expect(() => wallet.requireSettings()).toThrow(
      expect.objectContaining({ code: 'wallet-not-set-up' }),
    );
    wallet.saveStation(station);
    wallet.saveAccount(account);
    wallet.savePaymentsCursor(2n ** 64n - 1n);
    wallet.saveCrl(Uint8Array.of(9));
    reopen();
    expect(wallet.settings()).toEqual({ ...station, account, paymentsCursor: 2n ** 64n - 1n });
    expect(wallet.crl()).toEqual(Uint8Array.of(9));
  });

  it('of another CA forget its list; of another desk, its cursor', () => {
    wallet.saveStation(station);
    wallet.saveCrl(Uint8Array.of(9));
    wallet.savePaymentsCursor(7n);
    wallet.saveStation(station);
    expect([wallet.crl(), wallet.settings()?.paymentsCursor]).toEqual([Uint8Array.of(9), 7n]);
    wallet.saveStation({ stationUrl: 'ws://127.0.0.1:2', rootCertificate: Uint8Array.of(3) });
    expect([wallet.crl(), wallet.settings()?.paymentsCursor]).toEqual([undefined, 0n]);
  });
});

describe('coins', () => {
  it('are kept once, with the order that they came under', () => {
    const coins = [30n, 100n, 2n ** 64n - 1n].map((value) => papers.issueCoin(value).coin);
    const orderId = new Uint8Array(16).fill(1);
    expect(wallet.coins.keep(coins, orderId)).toBe(3);
    expect(wallet.coins.keep(coins)).toBe(0);
    reopen();
    expect(wallet.coins.onCard().map(({ state }) => state)).toEqual(['held', 'held', 'held']);
    const kept = wallet.coins.ofOrder(orderId).map(({ bytes }) => bytes);
    expect(kept).toHaveLength(3);
    expect(kept).toEqual(expect.arrayContaining(coins.map(({ bytes }) => bytes)));
  });

  it('stand where the card says', () => {
    const [a, b, c, d] = [1n, 2n, 3n, 4n].map((value) => papers.issueCoin(value).coin);
    if (!a || !b || !c || !d) throw new Error('four coins were issued');
    wallet.coins.keep([a, b, c]);
    const match = wallet.coins.match([onCard(a), onCard(b, 'signed'), onCard(d)]);
    expect(match.unknown).toEqual([onCard(d)]);
    expect(match.gone).toEqual([c.body.coinId]);
    expect(wallet.coins.find(a.body.coinId)?.state).toBe('held');
    expect(wallet.coins.find(b.body.coinId)?.state).toBe('signed');
    expect(wallet.coins.find(c.body.coinId)?.state).toBe('gone');
    expect(wallet.coins.find(d.body.coinId)).toBeUndefined();
    expect(wallet.coins.onCard()).toHaveLength(2);
    // A coin that the card shows again is held again: the card alone knows.
    expect(wallet.coins.match([onCard(c)]).gone).toHaveLength(2);
    expect(wallet.coins.find(c.body.coinId)?.state).toBe('held');
  });
});

describe('quotes', () => {
  it('go from offered to authorised to paid, found by ID and by digest', () => {
    const { offered, admitted } = paidRecords();
    wallet.quotes.authorise(offered.quoteDigest, 5);
    reopen();
    expect(wallet.quotes.find(offered.quote.body.quoteId)?.state).toBe('authorised');
    expect(wallet.quotes.pending()).toHaveLength(1);
    const { kept } = wallet.payments.keep(admitted, 'payer', 6);
    const found = wallet.quotes.find(offered.quoteDigest);
    expect(found).toMatchObject({ state: 'paid', paymentId: kept.paymentId });
    expect(wallet.quotes.pending()).toEqual([]);
    // What is paid stays paid.
    wallet.quotes.refuse(offered.quoteDigest, 'no', 7);
    wallet.quotes.authorise(offered.quoteDigest, 8);
    expect(wallet.quotes.find(offered.quoteDigest)?.state).toBe('paid');
  });

  it('that were refused say why and may be tried again', () => {
    const { quoteDigest } = offer();
    wallet.quotes.authorise(quoteDigest, 5);
    wallet.quotes.refuse(quoteDigest, 'not today', 6);
    expect(wallet.quotes.find(quoteDigest)).toMatchObject({
      state: 'refused',
      detail: 'not today',
    });
    wallet.quotes.authorise(quoteDigest, 7);
    expect(wallet.quotes.find(quoteDigest)?.state).toBe('authorised');
    expect(wallet.quotes.find(quoteDigest)?.detail).toBeUndefined();
  });

  it('are forgotten once expired; those authorised lapse, and may still turn out paid', () => {
    const { offered, admitted } = paidRecords();
    wallet.quotes.authorise(offered.quoteDigest, 1);
    const unused = offer();
    const { expiry } = unused.quote.body;
    expect(wallet.quotes.lapse(expiry, 2)).toBe(0);
    expect(wallet.quotes.pending()).toHaveLength(1);
    expect(wallet.quotes.lapse(expiry + 1n, 3)).toBe(1);
    expect(wallet.quotes.find(unused.quoteDigest)).toBeUndefined();
    expect(wallet.quotes.find(offered.quoteDigest)).toMatchObject({ state: 'refused' });
    wallet.payments.keep(admitted, 'payer', 4);
    expect(wallet.quotes.find(offered.quoteDigest)).toMatchObject({ state: 'paid' });
  });
});

describe('payments', () => {
  it('gain evidence and lose none, whatever comes again', () => {
    const { admitted, concluded } = paidRecords();
    const outcomes = [admitted, admitted, concluded, admitted, concluded].map(
      (record, i) => wallet.payments.keep(record, 'payer', i).outcome,
    );
    expect(outcomes).toEqual(['created', 'unchanged', 'updated', 'unchanged', 'unchanged']);
    reopen();
    const [kept] = wallet.payments.all();
    expect(kept).toMatchObject({ role: 'payer', standing: 'delivered', storedMs: 0 });
    expect(kept?.admission?.bytes).toEqual(admitted.admission?.bytes);
    expect(kept?.receipt?.bytes).toEqual(concluded.receipt?.bytes);
    expect(wallet.payments.undecided()).toEqual([]);
  });

  it('keep their first verdict', () => {
    const { admitted, concluded } = paidRecords('delivered');
    wallet.payments.keep(concluded, 'payer', 1);
    const other = papers.concluded(admitted, 'undelivered');
    const again = wallet.payments.keep(other, 'payer', 2);
    expect(again.outcome).toBe('contradiction');
    expect(wallet.payments.all()[0]?.standing).toBe('delivered');
  });

  it('are found by quote, and as payee leave the quotes alone', () => {
    const { offered, admitted } = paidRecords();
    const { kept } = wallet.payments.keep(admitted, 'payee', 1);
    expect(wallet.payments.find(kept.paymentId)?.role).toBe('payee');
    expect(wallet.payments.ofQuote(offered.quoteDigest)).toBeUndefined();
    expect(wallet.quotes.find(offered.quoteDigest)?.state).toBe('offered');
  });

  it('never hold a certificate', () => {
    const { admitted } = paidRecords();
    const payerCertificate = new Uint8Array(400).fill(0xce);
    const record: PaymentRecord = {
      ...admitted,
      payment: { ...admitted.payment, payerCertificate },
    };
    const { kept } = wallet.payments.keep(record, 'payer', 1);
    expect(kept.payment).not.toHaveProperty('payerCertificate');
    reopen();
    expect(wallet.payments.all()[0]?.payment).not.toHaveProperty('payerCertificate');
  });

  it('name the quote by the digest that the transaction names', () => {
    const { offered, admitted } = paidRecords();
    wallet.payments.keep(admitted, 'payer', 1);
    const digest = quote.digest(primitives, offered.quote.bodyBytes);
    expect(wallet.payments.ofQuote(digest)?.standing).toBe('admitted');
  });
});

describe('orders', () => {
  const orderId = new Uint8Array(16).fill(3);
  const coinIds = [1n, 2n].map((n) => uintToBytes(n, 16));
  const retirement = { orderId, operation: 'exchange', coinIds } as const;
  const lines = [
    { value: 30n, count: 20 },
    { value: 2n ** 64n - 1n, count: 1 },
  ];

  it('stay open, whole, until they have ended', () => {
    wallet.orders.open({ orderId, kind: 'exchange', lines, retirement }, 1);
    wallet.orders.open({ orderId, kind: 'buy', lines: [] }, 2);
    wallet.orders.progress(orderId, 7);
    wallet.orders.progress(orderId, 4);
    reopen();
    expect(wallet.orders.pending()).toEqual([
      { orderId, kind: 'exchange', lines, retirement, state: 'open', loaded: 7 },
    ]);
    wallet.orders.end(orderId, 'refused', 'no');
    wallet.orders.end(orderId, 'done');
    expect(wallet.orders.find(orderId)).toMatchObject({ state: 'refused', detail: 'no' });
    expect(wallet.orders.pending()).toEqual([]);
  });
});

describe('a wallet that is there already', () => {
  it.each([
    ['a file in the place of its folder', 'wallet.db', /wallet\.db is no folder$/],
    ['a folder that cannot be looked into', 'x'.repeat(300), /ENAMETOOLONG/],
  ])('is not taken for a new one behind %s', (_, name, words) => {
    expect(() => Wallet.openExisting(join(folder, name))).toThrow(words);
  });

  it('is empty where there is no folder', () => {
    const none = Wallet.openExisting(join(folder, 'none'));
    expect(none.settings()).toBeUndefined();
    none.close();
  });
});

describe('replay windows', () => {
  const key = concatBytes(new Uint8Array(31), Uint8Array.of(1));
  const admit = (epoch: bigint, ...sequences: bigint[]) =>
    wallet.replayWindows.admit(key, epoch, sequences);

  it('let each record in once, per key and epoch, also after a restart', () => {
    expect(admit(1n, 0n, 1n, 2n)).toBe(true);
    reopen();
    expect(admit(1n, 2n)).toBe(false);
    expect(admit(2n, 2n)).toBe(true);
    expect(wallet.replayWindows.admit(new Uint8Array(32), 1n, [2n])).toBe(true);
    expect(admit(1n, 70n)).toBe(true);
    expect(admit(1n, 6n)).toBe(false);
    expect(admit(1n, 7n)).toBe(true);
  });

  it('take all records of a message or none', () => {
    expect(admit(1n, 5n)).toBe(true);
    expect(admit(1n, 6n, 5n)).toBe(false);
    expect(admit(1n, 6n)).toBe(true);
  });
});
