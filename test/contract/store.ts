import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { trialBalance } from '../../daemon/ledger/trial-balance.ts';
import type { OwnAnnouncement } from '../../daemon/store/book-store.ts';
import { describeStoreChanges } from './store-changes.ts';
import { describeStoreCoins } from './store-coins.ts';
import {
  addUser,
  alice,
  bytesFrom,
  carol,
  euro,
  issuerPayment,
  newCoin,
  payerWithCoin,
  q1,
  q2,
  startMs,
} from './store-fixture.ts';
import { describeStoreLog } from './store-log.ts';
import { describeStorePayments } from './store-payments.ts';
import { describeStorePositions } from './store-positions.ts';
import { describeStoreQuarantine } from './store-quarantine.ts';
import { describeStoreRecovery } from './store-recovery.ts';
import { describeStoreSettlement } from './store-settlement.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';
import { describeStoreVerdicts } from './store-verdicts.ts';
import { describeStoreWitness } from './store-witness.ts';

/** What every engine must do alike (design §9). */
export function describeStore(name: string, open: OpenStore): void {
  describe(`store: ${name}`, () => {
    describeAccounts(open);
    describeCards(open);
    describeKeyUses(open);
    describeNetworkMemory(open);
    describeQuotes(open);
    describeStoreCoins(open);
    describeStorePayments(open);
    describeStoreChanges(open);
    describeStoreVerdicts(open);
    describeStoreSettlement(open);
    describeStorePositions(open);
    describeStoreLog(open);
    describeStoreWitness(open);
    describeStoreQuarantine(open);
    describeStoreRecovery(open);
  });
}

function describeAccounts(open: OpenStore): void {
  describe('accounts', () => {
    const { store, reopen } = benchPerTest(open);

    it('are made once, in the station’s currency', async () => {
      expect(await store().addUser(alice, euro)).toBe('created');
      expect(await store().addUser(alice, euro)).toBe('exists');
      expect(await store().user(alice)).toEqual({ user: alice, balance: 0n, currency: 'EUR' });
      expect(await store().user(carol)).toBeUndefined();
      expect(await store().users()).toHaveLength(1);
    });

    it('are topped up once per reference', async () => {
      await store().addUser(alice, euro);
      expect(await store().topUp(alice, 500n, 'slip 1', startMs)).toBe('created');
      expect(await store().topUp(alice, 500n, 'slip 1', startMs)).toBe('exists');
      expect(await store().topUp(alice, 501n, 'slip 1', startMs)).toBe(
        'exists-with-different-amount',
      );
      expect(await store().topUp(carol, 1n, 'slip 2', startMs)).toBe('unknown-user');
      expect((await (await reopen()).user(alice))?.balance).toBe(500n);
    });

    it('are never credited with more than the books can count, all in all', async () => {
      await store().addUser(alice, euro);
      await store().addUser(carol, euro);
      const most = 2n ** 63n - 1n;
      expect(await store().topUp(alice, most - 5n, 'slip 1', startMs)).toBe('created');
      expect(await store().payOut(alice, 100n, 'slip 2', startMs)).toBe('created');
      await expect(store().topUp(alice, 6n, 'slip 3', startMs)).rejects.toMatchObject({
        code: 'defect',
        message:
          `account user:alice@q1 cannot take 6 minor units more: ${most - 5n} have gone into it, ` +
          `and no account counts beyond ${most} of all that ever did`,
      });
      // Cash has come in for all users together.
      await expect(store().topUp(carol, 6n, 'slip 4', startMs)).rejects.toThrow(/^account cash /);
      expect(await store().topUp(alice, 5n, 'slip 3', startMs)).toBe('created');
      expect((await store().user(alice))?.balance).toBe(most - 100n);
    });

    it('are never overdrawn by a pay-out', async () => {
      await addUser(store(), alice, 100n);
      expect(await store().payOut(alice, 101n, 'out 1', startMs)).toBe('balance-too-low');
      expect(await store().payOut(alice, 60n, 'out 1', startMs)).toBe('created');
      expect(await store().payOut(alice, 60n, 'out 1', startMs)).toBe('exists');
      expect(await store().payOut(alice, 41n, 'out 2', startMs)).toBe('balance-too-low');
      expect(Object.fromEntries(await store().balances())).toEqual({
        cash: 40n,
        [`user:${alice}`]: -40n,
      });
    });

    it('show every transfer, in order, and balance', async () => {
      await addUser(store(), alice, 100n);
      await store().payOut(alice, 30n, 'out', startMs + 5);
      const [first, second] = await store().transfers(0n, 10);
      expect(first).toMatchObject({ debit: 'cash', credit: `user:${alice}`, amount: 100n });
      expect(second).toMatchObject({ credit: 'cash', kind: 'pay-out', timeMs: startMs + 5 });
      expect(await store().transfers(first?.number ?? 0n, 10)).toEqual([second]);
      expect(trialBalance(await store().balances())).toBe(0n);
    });

    it('refuse amounts beyond the database’s integers, and keep nothing of them', async () => {
      await store().addUser(alice, euro);
      await expect(store().topUp(alice, 2n ** 63n, 'too much', startMs)).rejects.toThrow(
        RangeError,
      );
      await expect(store().topUp(alice, -1n, 'too little', startMs)).rejects.toThrow();
      expect(await store().transfers(0n, 10)).toEqual([]);
      expect(await store().topUp(alice, 2n ** 62n, 'too much', startMs)).toBe('created');
    });
  });
}

function card(serial: string, handle?: string) {
  const key = (use: string): Uint8Array => bytesFrom('card key', serial, use);
  return {
    serial: bytesFrom('serial', serial).slice(0, 16),
    user: alice,
    state: 'awaiting-enrolment',
    keyVersion: 1,
    keys: { enc: key('enc'), mac: key('mac'), dek: key('dek'), hostLink: key('host') },
    ...(handle !== undefined && { handle: bytesFrom('handle', handle).slice(0, 16) }),
    paymentLimit: 1_000n,
    dayLimit: 5_000n,
  } as const;
}

function describeCards(open: OpenStore): void {
  describe('cards', () => {
    const { store, reopen } = benchPerTest(open);

    it('are found by serial number and by both handles', async () => {
      await store().addUser(alice, euro);
      const first = card('1', 'now');
      const nextHandle = bytesFrom('next').slice(0, 16);
      const whole = {
        ...first,
        nextHandle,
        nextKeys: card('2').keys,
        nextKeyVersion: 2,
        attestedBy: bytesFrom('maker'),
      };
      await store().putCard(whole);
      const again = await reopen();
      for (const identifier of [first.serial, whole.handle, nextHandle]) {
        if (identifier === undefined) throw new Error('a card without a handle');
        expect(await again.cardByIdentifier(identifier)).toEqual(whole);
      }
      expect(await again.cardOf(alice)).toEqual(whole);
      await again.putCard(first);
      expect(await again.cardByIdentifier(nextHandle)).toBeUndefined();
      expect(await again.cardOf(alice)).toEqual(first);
    });

    it('are told by the page, by serial number', async () => {
      await store().addUser(alice, euro);
      const all = ['1', '2', '3'].map((name) => card(name));
      for (const one of all) await store().putCard(one);
      const sorted = all.sort((a, b) => (toHex(a.serial) < toHex(b.serial) ? -1 : 1));
      expect(await store().cards(undefined, 2)).toEqual(sorted.slice(0, 2));
      expect(await store().cards(sorted[1]?.serial, 2)).toEqual(sorted.slice(2));
    });

    it('are enrolled with their user’s certificate', async () => {
      await store().addUser(alice, euro);
      await store().putCard(card('1'));
      const certificate = bytesFrom('certificate');
      await store().enrolCard(card('1').serial, certificate);
      expect((await store().cardOf(alice))?.state).toBe('enrolled');
      const { certificateHash } = (await store().user(alice)) ?? {};
      expect(certificateHash && (await store().certificate(certificateHash))).toEqual(certificate);
      await expect(store().enrolCard(card('9').serial, certificate)).rejects.toThrow('no card');
    });

    it('that are frozen stand behind the one in use', async () => {
      await store().addUser(alice, euro);
      await store().putCard({ ...card('old'), state: 'enrolled' });
      await store().putCard({ ...card('new'), state: 'frozen' });
      // A visit that was under way writes what it read before.
      await store().putCard({ ...card('new'), state: 'enrolled' });
      expect(await store().cardByIdentifier(card('new').serial)).toMatchObject({ state: 'frozen' });
      expect((await store().cardOf(alice))?.serial).toEqual(card('old').serial);
      await expect(store().enrolCard(card('new').serial, bytesFrom('c'))).rejects.toThrow('frozen');
    });
  });
}

function describeKeyUses(open: OpenStore): void {
  describe('QKD key uses', () => {
    const { store, reopen } = benchPerTest(open);
    const keyId = '01234567-89ab-4def-8123-456789abcdef';
    const use = { keyId, peer: q2, direction: 'send', purpose: 'pad' } as const;

    it('are recorded once for ever, whatever peer, direction or purpose', async () => {
      expect(await store().recordUse([use, use])).toEqual(['recorded', 'already-used']);
      const other = { keyId, peer: 'q9', direction: 'receive', purpose: 'mac' } as const;
      const fresh = { ...use, keyId: keyId.replace('0', 'f') };
      expect(await (await reopen()).recordUse([other, fresh])).toEqual([
        'already-used',
        'recorded',
      ]);
      expect(await store().usedKeys()).toBe(2);
    });

    it('know a key ID in capitals and one that is no UUID', async () => {
      await store().recordUse([use]);
      expect(await store().recordUse([{ ...use, keyId: keyId.toUpperCase() }])).toEqual([
        'already-used',
      ]);
      const odd = { ...use, keyId: 'vendor/key/7' };
      expect(await store().recordUse([odd, odd])).toEqual(['recorded', 'already-used']);
    });
  });
}

function describeNetworkMemory(open: OpenStore): void {
  describe('what the network said', () => {
    const { store, reopen } = benchPerTest(open);

    it('keeps the newest announcement of each station', async () => {
      await store().putAnnouncement(q1, 5n, bytesFrom('q1 5'));
      await store().putAnnouncement(q1, 4n, bytesFrom('q1 4'));
      await store().putAnnouncement(q2, 1n, bytesFrom('q2 1'));
      await store().putAnnouncement(q2, 2n, bytesFrom('q2 2'));
      expect(await (await reopen()).announcements()).toEqual([
        bytesFrom('q1 5'),
        bytesFrom('q2 2'),
      ]);
    });

    it('keeps its announcements by name, and of old ones those that were named', async () => {
      const [used, unused, newer] = ['used', 'unused', 'newer'].map((name, i) => ({
        name: bytesFrom(name).slice(0, 16),
        sequence: BigInt(i),
        time: i < 2 ? 100n : 101n,
        bytes: bytesFrom('own', name),
      })) as [OwnAnnouncement, OwnAnnouncement, OwnAnnouncement];
      for (const own of [used, unused, newer]) await store().putOwnAnnouncement(own);
      expect(await store().ownAnnouncement(unused.name)).toEqual(unused.bytes);
      expect(await store().ownAnnouncement(bytesFrom('x').slice(0, 16))).toBeUndefined();
      expect(await store().useOwnAnnouncement(used.name)).toEqual(used.bytes);
      expect(await store().useOwnAnnouncement(bytesFrom('x').slice(0, 16))).toBeUndefined();
      expect(await store().dropOwnAnnouncements(101n, 250)).toBe(1);
      expect(await (await reopen()).ownAnnouncement(unused.name)).toBeUndefined();
      for (const { name, bytes } of [used, newer]) {
        expect(await store().ownAnnouncement(name)).toEqual(bytes);
      }
      expect(await store().dropOwnAnnouncements(102n, 0)).toBe(0);
      expect(await store().dropOwnAnnouncements(102n, 250)).toBe(1);
    });

    it('counts on across restarts', async () => {
      expect(await store().nextSequence()).toBe(1n);
      expect(await store().nextSequence()).toBe(2n);
      expect(await (await reopen()).nextSequence()).toBe(3n);
      expect(await store().nextSequence(1_000_000_000n)).toBe(1_000_000_001n);
      expect(await store().nextSequence(7n)).toBe(1_000_000_002n);
      expect(await (await reopen()).nextSequence()).toBe(1_000_000_003n);
    });

    it('never goes back to an older revocation list', async () => {
      expect(await store().crl()).toBeUndefined();
      await store().putCrl(7n, bytesFrom('seven'), startMs);
      await store().putCrl(6n, bytesFrom('six'), startMs);
      expect(await store().crl()).toEqual(bytesFrom('seven'));
    });

    it('keeps every revocation list that was in force, once, and from when on', async () => {
      await store().putCrl(7n, bytesFrom('seven'), startMs);
      await store().putCrl(6n, bytesFrom('six'), startMs + 1);
      await store().putCrl(9n, bytesFrom('nine'), startMs + 2);
      await (await reopen()).putCrl(9n, bytesFrom('nine'), startMs + 3);
      const [seven, nine, ...more] = await store().keptLists(0n, 10);
      expect(seven).toMatchObject({ number: 1n, sinceMs: startMs, bytes: bytesFrom('seven') });
      expect(nine).toMatchObject({ number: 2n, sinceMs: startMs + 2, bytes: bytesFrom('nine') });
      expect(nine?.digest).toHaveLength(32);
      expect(more).toEqual([]);
      expect(await store().keptLists(1n, 10)).toEqual([nine]);
      expect(await store().keptLists(0n, 1)).toEqual([seven]);
    });
  });
}

function describeQuotes(open: OpenStore): void {
  describe('quotes', () => {
    const { store } = benchPerTest(open);
    const row = (name: string, expirySeconds: bigint) => ({
      digest: bytesFrom('digest', name),
      payer: alice,
      quote: bytesFrom('quote', name),
      acceptance: bytesFrom('acceptance', name),
      expirySeconds,
    });

    it('are found by digest, and forgotten when long expired', async () => {
      const early = row('early', 10_000n);
      const late = row('late', 90_000n);
      await store().putQuotes([early, late, early]);
      expect(await store().quote(early.digest)).toEqual(early);
      expect(await store().quote(bytesFrom('other'))).toBeUndefined();
      expect(await store().dropQuotes(90_000n, 10)).toBe(1);
      expect(await store().quote(early.digest)).toBeUndefined();
      expect(await store().quote(late.digest)).toEqual(late);
    });

    it('are kept while the card may have signed for them, however old', async () => {
      const early = row('signed', 10_000n);
      await store().putQuotes([early]);
      await store().markPaying(early.digest, early.payer);
      await store().markPaying(early.digest, early.payer);
      expect(await store().paying(early.payer)).toEqual([early.digest]);
      expect(await store().dropQuotes(90_000n, 10)).toBe(0);
      expect(await store().quote(early.digest)).toEqual(early);
      await store().unmarkPaying(early.digest);
      expect(await store().paying(early.payer)).toEqual([]);
      expect(await store().dropQuotes(90_000n, 10)).toBe(1);
    });

    it('are no longer being paid once their payment is admitted or refused', async () => {
      const admitted = issuerPayment('a', await payerWithCoin(store(), 'a'));
      const refused = issuerPayment('b', newCoin('b'));
      for (const { quoteDigest } of [admitted, refused]) {
        await store().markPaying(quoteDigest, alice);
      }
      await store().admit([admitted]);
      expect(await store().paying(alice)).toEqual([refused.quoteDigest]);
      const refusal = bytesFrom('no');
      await store().refuse([{ payment: refused, refusal, replacement: undefined }]);
      expect(await store().paying(alice)).toEqual([]);
    });
  });
}
