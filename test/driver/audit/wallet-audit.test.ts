/** S6 for a user: a clean wallet has no finding, and each kind of tampering with it has one. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { coin as coinKind } from '../../../applet-spec/coin.ts';
import { headNow } from '../../../applet-spec/names.ts';
import { payment as paymentKind, type Payment } from '../../../applet-spec/payment.ts';
import {
  acceptance as acceptanceKind,
  quote as quoteKind,
  type BillLine,
} from '../../../applet-spec/quote.ts';
import { auditWallet, type WalletAuditReport } from '../../../driver/audit/wallet-audit.ts';
import type { WalletFindingCode } from '../../../driver/audit/wallet-finding.ts';
import { Wallet } from '../../../driver/wallet/wallet.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { euro, network, signReceipt, type PaidPayment } from '../../daemon/audit/toll-papers.ts';
import { alice, TollRoom } from '../../daemon/audit/toll-room.ts';
import { rawDatabase, type RawDatabase } from '../../raw-database.ts';

let room: TollRoom;
let folder: string;
let first: PaidPayment;
let second: PaidPayment;
let undelivered: PaidPayment;

beforeAll(async () => {
  room = await TollRoom.open([5n, 4n, 3n]);
  folder = mkdtempSync(join(tmpdir(), 'keytoll-wallet-'));
  first = await room.pay();
  second = await room.pay();
  undelivered = await room.pay({ until: 'undelivered' });
  const wallet = Wallet.open(join(folder, 'sound'), primitives);
  const q1 = room.station('q1');
  wallet.saveStation({ stationUrl: 'ws://127.0.0.1:1', rootCertificate: room.root });
  wallet.saveAccount({ user: alice, station: q1.name, network, currency: euro });
  wallet.certificates.keep(q1.name, 'station-document', q1.documentCertificate);
  wallet.certificates.keep(q1.name, 'station-coin', q1.coinCertificate);
  for (const paid of [first, second, undelivered]) keep(wallet, paid);
  wallet.close();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await room.close();
});

function keep(wallet: Wallet, paid: PaidPayment): void {
  const q1 = room.station('q1');
  const q3 = room.station('q3');
  const { payer, payee, acceptanceId, payeeCertificate, time, expiry } = paid.quote;
  const welcome = {
    ...headNow,
    network,
    acceptanceId,
    payer,
    payee,
    payeeCertificate,
    time,
    expiry,
  };
  wallet.coins.keep([paid.coin]);
  wallet.quotes.keep(
    {
      quote: quoteKind.sign(paid.quote, q1.documentKey),
      acceptance: acceptanceKind.sign({ ...welcome, payeeStation: q3.name }, q3.documentKey),
      stationCertificate: q1.documentCertificate,
      payeeStationCertificate: q3.documentCertificate,
    },
    room.nowMs,
  );
  const { verdict: standing } = paid.receipt.body;
  const payment = paymentKind.decode(paid.bytes);
  const { admission, receipt } = paid;
  wallet.payments.keep({ payment, admission, receipt, standing }, 'payer', room.nowMs);
  wallet.coins.mark(paid.coin.body.coinId, 'gone');
}

let copies = 0;

/** The audit of a copy of the wallet after `change`. */
function auditAfter(
  change: (database: RawDatabase) => void,
  options: Parameters<typeof auditWallet>[2] = {},
): WalletAuditReport {
  const copy = join(folder, `copy-${copies++}`);
  mkdirSync(copy);
  copyFileSync(join(folder, 'sound', 'wallet.db'), join(copy, 'wallet.db'));
  const database = rawDatabase(join(copy, 'wallet.db'));
  change(database);
  database.close();
  const wallet = Wallet.open(copy, primitives);
  try {
    return auditWallet(wallet, primitives, options);
  } finally {
    wallet.close();
  }
}

function rewrite(
  database: RawDatabase,
  { paymentId, bytes }: PaidPayment,
  change: (before: Payment) => Payment,
): void {
  const changed = paymentKind.encode(change(paymentKind.decode(bytes)));
  set(database, 'payment', changed, paymentId);
}

function set(
  database: RawDatabase,
  column: string,
  value: Uint8Array | string | null,
  paymentId: Uint8Array,
): void {
  database.prepare(`update payments set ${column} = ? where payment_id = ?`).run(value, paymentId);
}

function withBill(before: Payment, change: (bill: readonly BillLine[]) => BillLine[]): Payment {
  const quote = { ...before.quote, bill: change(before.quote.bill) };
  return { ...before, quote, quoteBytes: quoteKind.body.encode(quote) };
}

describe('an audit of a sound wallet', () => {
  it('finds nothing, and says what nothing in the wallet can check', () => {
    const report = auditAfter(() => {});
    expect(report.findings).toEqual([]);
    expect(report.unchecked).toEqual({ 'payer signature': 3 });
  });

  it('is the user’s own itemised bill, by payment, station, peer and month', () => {
    const report = auditAfter(() => {});
    expect(report).toMatchObject({
      user: 'alice@q1',
      payments: 3,
      paid: { payments: 2, amount: '24' },
      byStation: {
        q1: { payments: 2, amount: '10' },
        q2: { payments: 2, amount: '8' },
        q3: { payments: 2, amount: '6' },
      },
      byPeer: { 'bob@q3': { payments: 2, amount: '24' } },
      byPeriod: { '2026-07': { payments: 2, amount: '24' } },
    });
    expect(report.items.map(({ paymentId }) => paymentId)).toEqual(
      expect.arrayContaining([first, second, undelivered].map(({ paymentId }) => toHex(paymentId))),
    );
    expect(report.items[0]?.bill).toHaveLength(3);
  });

  it('shows what the issuer owes in coins, each as it was signed, for when it is gone', () => {
    const { coinId, value } = first.coin.body;
    const { coins, findings } = auditAfter((database) => {
      database.prepare('delete from payments').run();
      database.prepare("update coins set state = 'held' where coin_id = ?").run(coinId);
    });
    expect(findings).toEqual([]);
    expect(coins).toMatchObject([{ coinId: toHex(coinId), value: String(value), state: 'held' }]);
    const signed = coinKind.decode(fromHex(coins[0]?.signed ?? ''));
    expect(coinKind.verify(signed, room.station('q1').coinKey)).toBe(true);
    expect(auditAfter(() => {}).coins).toEqual([]);
  });
});

const tamperings: readonly (readonly [
  what: string,
  code: WalletFindingCode,
  change: (database: RawDatabase) => void,
])[] = [
  [
    'a changed fee',
    'sum-differs',
    (database) => {
      rewrite(database, first, (before) =>
        withBill(before, (bill) => bill.map((line) => ({ ...line, fee: line.fee + 1n }))),
      );
    },
  ],
  [
    'two swapped lines',
    'quote-differs',
    (database) => {
      rewrite(database, first, (before) =>
        withBill(before, ([a, b, c]) => [a, c, b].flatMap((line) => line ?? [])),
      );
    },
  ],
  [
    'another payment under its ID',
    'payment-id-differs',
    (database) => {
      set(database, 'payment', second.bytes, first.paymentId);
    },
  ],
  [
    'another coin',
    'coin-differs',
    (database) => {
      rewrite(database, first, (before) => ({ ...before, coin: second.coin }));
    },
  ],
  [
    'a coin used twice',
    'coin-used-twice',
    (database) => {
      set(database, 'payment', second.bytes, first.paymentId);
    },
  ],
  [
    'a dropped receipt',
    'receipt-missing',
    (database) => {
      set(database, 'receipt', null, first.paymentId);
    },
  ],
  [
    'the receipt of another payment',
    'receipt-invalid',
    (database) => {
      set(database, 'receipt', second.receipt.bytes, first.paymentId);
    },
  ],
  [
    'a receipt that another station signed',
    'receipt-invalid',
    (database) => {
      const { paymentId, receipt } = first;
      const { station, time, acknowledgement = new Uint8Array(64) } = receipt.body;
      const { documentKey } = room.station('q2');
      const forged = signReceipt({ paymentId, station, time }, documentKey, { acknowledgement });
      set(database, 'receipt', forged.bytes, paymentId);
    },
  ],
  [
    'an undelivered payment called delivered',
    'receipt-contradicts',
    (database) => {
      set(database, 'standing', 'delivered', undelivered.paymentId);
    },
  ],
  [
    'a delivered payment called refused',
    'refusal-invalid',
    (database) => {
      set(database, 'standing', 'refused', first.paymentId);
    },
  ],
  [
    'a dropped admission',
    'admission-missing',
    (database) => {
      set(database, 'admission', null, first.paymentId);
    },
  ],
  [
    'the admission of another payment',
    'admission-invalid',
    (database) => {
      set(database, 'admission', second.admission.bytes, first.paymentId);
    },
  ],
  [
    'a used coin that stands as held',
    'coin-state',
    (database) => {
      database
        .prepare("update coins set state = 'held' where coin_id = ?")
        .run(first.coin.body.coinId);
    },
  ],
  [
    'a held coin that the station did not sign',
    'coin-signature',
    (database) => {
      const bytes = first.coin.bytes.slice();
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      database
        .prepare("update coins set state = 'held', coin = ? where coin_id = ?")
        .run(bytes, first.coin.body.coinId);
    },
  ],
  [
    'a quote that was never offered',
    'quote-invalid',
    (database) => {
      const other = quoteKind.sign(
        { ...first.quote, expiry: first.quote.expiry + 1n },
        room.station('q1').documentKey,
      );
      const digest = quoteKind.digest(primitives, quoteKind.body.encode(first.quote));
      database
        .prepare('update quotes set quote = ? where quote_digest = ?')
        .run(other.bytes, digest);
    },
  ],
  [
    'a certificate that the CA did not sign',
    'station-certificate',
    (database) => {
      database.prepare("update station_certificates set station = 'q9'").run();
    },
  ],
  [
    'bytes that are no payment',
    'undecodable',
    (database) => {
      set(database, 'payment', new Uint8Array(8), first.paymentId);
    },
  ],
  [
    'somebody else’s payment',
    'not-ours',
    (database) => {
      database.prepare("update settings set user = 'carol@q1'").run();
    },
  ],
];

describe('an audit with the card’s help', () => {
  const said = (own: boolean) =>
    new Map([first, second, undelivered].map(({ paymentId }) => [toHex(paymentId), own]));

  it('leaves nothing unchecked where the card knows its signatures', () => {
    const report = auditAfter(() => {}, { ownSignatures: said(true) });
    expect(report.findings).toEqual([]);
    expect(report.unchecked).toEqual({});
  });

  it('finds what the card never signed', () => {
    const report = auditAfter(() => {}, { ownSignatures: said(false) });
    expect(report.findings).toHaveLength(3);
    expect(report.findings[0]).toMatchObject({ code: 'own-signature', party: 'alice@q1' });
  });
});

describe('an audit of some payments', () => {
  const count = (filter: NonNullable<Parameters<typeof auditWallet>[2]>['filter']) =>
    auditAfter(() => {}, filter && { filter }).payments;

  it('itemises by peer, station, relay and period, and audits all the same', () => {
    expect(count({ peer: 'bob@q3' })).toBe(3);
    expect(count({ peer: 'carol@q3' })).toBe(0);
    expect(count({ station: 'q3' })).toBe(3);
    expect(count({ relay: 'q2' })).toBe(3);
    expect(count({ relay: 'q3' })).toBe(0);
    expect(count({ to: first.quote.time - 1n })).toBe(0);
    expect(count({ from: first.quote.time, to: undelivered.quote.time })).toBe(3);
    const none = { filter: { peer: 'nobody@q3' } };
    const tampered = auditAfter((database) => {
      set(database, 'receipt', null, first.paymentId);
    }, none);
    expect(tampered.findings).toMatchObject([{ code: 'receipt-missing' }]);
  });
});

describe('in a tampered wallet an audit finds', () => {
  it.each(tamperings)('%s (%s)', (_what, code, change) => {
    expect(auditAfter(change).findings.map((finding) => finding.code)).toContain(code);
  });
});
