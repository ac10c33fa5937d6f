import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import type { Primitives } from '../../../applet-spec/primitives.ts';
import { decodeFrame } from '../../../daemon/link/frame-item.ts';
import { linkRecord } from '../../../daemon/link/link-record.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { MemoryLedger, ScriptedSource } from '../qkd/key-fixtures.ts';
import {
  LinkRoom,
  messageOf,
  numberOf,
  pay,
  payments,
  primitives,
  secretOf,
  turns,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

/**
 * A device at the receiving end whose keys stay fetchable: only the ledger knows they were used.
 */
class StickySource extends ScriptedSource {
  override async fetch(ids: readonly string[]) {
    const before = ids.map((id) => [id, this.handedOut.get(id)?.slice()] as const);
    const keys = await super.fetch(ids);
    for (const [id, bits] of before) if (bits !== undefined) this.handedOut.set(id, bits);
    return keys.map(({ id, bits }) => ({ id, bits: bits.slice() }));
  }
}

/** Sees each frame before it is sealed, and learns what each pad covers. */
function watched(covers: Map<string, Set<string>>): Primitives {
  return {
    ...primitives,
    aesGcmSeal(sealingKey, nonce, plaintext, associatedData) {
      for (const item of decodeFrame(plaintext)) {
        if (item.kind !== 'row') continue;
        const { content } = linkRecord.decode(item.content.record);
        const cover = 'cover' in content ? content.cover : undefined;
        for (const id of cover ? [...cover.padIds, ...cover.macIds] : []) {
          const under = covers.get(id) ?? new Set();
          covers.set(id, under.add(toHex(cover?.ciphertext ?? new Uint8Array(0))));
        }
      }
      return primitives.aesGcmSeal(sealingKey, nonce, plaintext, associatedData);
    },
  };
}

async function reconnect(...ends: LinkEnd[]): Promise<void> {
  room.network.cut();
  await until(() => ends.every((end) => end.state() !== 'up'));
  await room.pass(1_000);
  await until(() => ends.every((end) => end.state() === 'up'));
}

function spentBits(end: LinkEnd): number {
  return 256 * [...end.ledger.used.values()].filter(({ direction }) => direction === 'send').length;
}

describe('the exact key economy, in bits a payment beyond the traffic key:', () => {
  const length = messageOf(1, 1_200).length;
  it.each([
    ['aes', 0],
    ['otp-secret', 512],
    // 1,200 bytes of message, 34 of secret and 4 of TLV in whole keys of 256 bits; and the MAC key.
    ['otp', 256 * Math.ceil((8 * (length + 38)) / 256) + 256],
  ] as const)('%s', async (suite, bits) => {
    const [q1, q2] = await room.linked({ suite, stock: 10_000 });
    const before = spentBits(q1);
    expect(before).toBe(256);
    await pay(q1, 1, 100, 1_200);
    await until(() => q1.outbox.size === 0);
    expect((spentBits(q1) - before) / 100).toBe(bits);
    expect(spentBits(q2)).toBe(256);
    expect(q1.reservoir.balance().lost).toBe(0n);
    expect(q1.reservoir.balance().spent).toBe(BigInt(spentBits(q1)) + 256n);
  });

  it('words cost nothing under otp-secret', async () => {
    const [q1] = await room.linked();
    const before = spentBits(q1);
    const [record] = await q1.links.protect(q1.peer, [{ message: messageOf(1) }]);
    if (record === undefined) throw new Error('no record');
    q1.links.send(q1.peer, [{ rowId: 1n, record }]);
    await until(() => q1.confirmed.length === 1);
    expect(spentBits(q1)).toBe(before);
  });
});

describe('a record that is sent again after a reconnection', () => {
  it('and was confirmed before is confirmed again, without a key', async () => {
    const [q1, q2] = await room.linked();
    await pay(q1, 1, 3);
    const kept = new Map(q1.outbox);
    await until(() => q1.outbox.size === 0);
    const spent = spentBits(q1);
    for (const [rowId, record] of kept) q1.outbox.set(rowId, record);
    await reconnect(q1, q2);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows).toHaveLength(3);
    // The new connection's traffic key alone.
    expect(spentBits(q1) - spent).toBe(256);
  });

  it.each([
    ['forgets fetched keys', ScriptedSource],
    ['keeps keys fetchable', StickySource],
  ])(
    'and was claimed, not stored, by a receiver whose device %s: covered anew',
    async (_, Source) => {
      const covers = new Map<string, Set<string>>();
      const source = new Source(1_000, room.handedOut);
      const ledger = new MemoryLedger();
      const [q1, q2] = await room.linked({}, { primitives: watched(covers) }, { source, ledger });
      q2.confirms = false;
      await pay(q1, 1, 3);
      await until(() => q2.rows.length === 3);
      // q2 stops before anything is durable but its key ledger.
      await q2.close();
      await pay(q1, 4, 4);
      const again = await room.open('q2', { peer: 'q1', source, ledger });
      await room.pass(30_000);
      await until(() => q1.outbox.size === 0);
      expect(again.rows.map(numberOf).sort()).toEqual([1, 2, 3, 4]);
      for (const row of again.rows) expect(row.secret).toEqual(secretOf(numberOf(row)));
      expect(covers.size).toBeGreaterThanOrEqual(2 * (3 + 3 + 1));
      for (const under of covers.values()) expect(under.size).toBe(1);
    },
  );

  it('and is still being worked on is covered anew', async () => {
    const [q1, q2] = await room.linked();
    q2.confirms = false;
    await pay(q1, 1, 1);
    await until(() => q2.rows.length === 1);
    await reconnect(q1, q2);
    await until(() => q2.rows.length === 2);
    expect(q2.rows.map(numberOf)).toEqual([1, 1]);
    expect(q2.rows.map(({ secret }) => secret)).toEqual([secretOf(1), secretOf(1)]);
    // Confirmed on the new connection, whichever it came over.
    q2.links.confirm(q2.peer, [1n]);
    await until(() => q1.outbox.size === 0);
  });

  it('costs the other rows of its frame no key, where its own was used before', async () => {
    const source = new StickySource(1_000, room.handedOut);
    const [q1, q2] = await room.linked({}, {}, { source });
    const [old, ...fresh] = await payments(q1, 1, 63);
    if (old === undefined) throw new Error('no record was made');
    q1.links.send(q1.peer, [{ ...old, record: old.record.slice() }]);
    await until(() => q1.confirmed.length === 1);
    const before = spentBits(q1);
    const [first, ...others] = fresh;
    if (first === undefined) throw new Error('no other record was made');
    const repeated = { rowId: 99n, record: old.record };
    q1.links.send(q1.peer, [first, repeated, ...others]);
    await until(() => q1.confirmed.length === 64);
    expect(q2.batches).toEqual([1, 62, 1]);
    expect(q2.rows.map(({ secret }) => secret)).toContainEqual(secretOf(63));
    // The one that was repeated is covered anew, and no other.
    expect(spentBits(q1) - before).toBe(512);
  });

  it('under another suite than it was made for goes under the present one', async () => {
    const ledger = new MemoryLedger();
    const [old, oldPeer] = await room.linked({ suite: 'aes' }, { ledger });
    const rows = await payments(old, 1, 2);
    await old.close();
    await oldPeer.close();
    const [q1, q2] = await room.linked({ suite: 'otp-secret' }, { ledger });
    const before = spentBits(q1);
    q1.links.send(q1.peer, rows);
    await until(() => q1.confirmed.length === 2);
    expect(q2.rows.map(({ secret }) => secret)).toEqual([1, 2].map(secretOf));
    expect(spentBits(q1) - before).toBe(2 * 512);
  });
});

describe('keys that the peer’s device lost', () => {
  class HoleySource extends ScriptedSource {
    holes = new Set<number>();
    #fetched = 0;

    override async fetch(ids: readonly string[]) {
      if (this.holes.has(this.#fetched++)) {
        throw new QkdError('not-found', 'no such key', { keyIds: ids });
      }
      return super.fetch(ids);
    }
  }

  it('make a record unreadable; it is covered anew and arrives', async () => {
    const source = new HoleySource(1_000, room.handedOut);
    const [q1, q2] = await room.linked({}, {}, { source });
    // The claim of the frame fails, then that of the second row alone.
    source.holes = new Set([1, 3]);
    const before = spentBits(q1);
    await pay(q1, 1, 3);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(numberOf)).toEqual([1, 3, 2]);
    expect(q2.rows.map(({ secret }) => secret)).toEqual([1, 3, 2].map(secretOf));
    expect(spentBits(q1) - before).toBe(4 * 512);
    expect(q1.changes).toEqual(['up q2']);
  });

  it('again and again end the link, with a report', async () => {
    const source = new HoleySource(1_000, room.handedOut);
    const [q1] = await room.linked({}, {}, { source });
    source.holes = new Set(Array.from({ length: 200 }, (_, i) => i + 1));
    await pay(q1, 1, 1);
    await until(() => q1.state() !== 'up');
    expect(q1.log.at(-1)?.detail).toMatchObject({ code: 'key-not-usable' });
    expect(spentBits(q1)).toBeLessThan(256 + 512 * 8);
  });

  it('while the device is away are waited for, and the status says so', async () => {
    const [q1, q2] = await room.linked();
    q2.source.failFetchAfter(0);
    await pay(q1, 1, 1);
    await turns(30);
    expect(q2.links.status(q2.peer)).toMatchObject({
      state: 'waiting-for-keys',
      detail: 'the device is away',
    });
    await room.pass(2_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.state()).toBe('up');
  });
});

describe('a device whose two ends differ', () => {
  it.each([
    ['pad', 0],
    ['MAC key', 1],
  ])('in a %s is found out, the pad retired, the payment sent under another', async (_, which) => {
    const [q1, q2] = await room.linked();
    const rows = await payments(q1, 1, 2);
    const differs = [...room.handedOut.values()][which];
    differs?.set(differs.map((byte) => byte ^ 0xff));
    for (const { rowId, record } of rows) q1.outbox.set(rowId, record);
    q1.links.send(q1.peer, rows);
    await until(() => q2.state() !== 'up');
    expect(q2.log.at(-1)?.detail).toMatchObject({ code: 'record-forged' });
    await room.pass(5_000);
    await until(() => q1.outbox.size === 0);
    for (const row of q2.rows) expect(row.secret).toEqual(secretOf(numberOf(row)));
    expect(new Set(q2.rows.map(numberOf))).toEqual(new Set([1, 2]));
  });
});

describe('no key serves twice', () => {
  it('over any cuts, restarts and repeated draws, and all payments arrive', async () => {
    const step = fc.constantFrom('pay', 'pay', 'cut', 'restart q1', 'restart q2', 'repeat');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, sticky) => {
        const covers = new Map<string, Set<string>>();
        const Source = sticky ? StickySource : ScriptedSource;
        const sources = [new Source(5_000, room.handedOut), new Source(5_000, room.handedOut)];
        const ledgers = [new MemoryLedger(), new MemoryLedger()];
        const open = (i: 0 | 1) =>
          room.open(i === 0 ? 'q1' : 'q2', {
            ...{ peer: i === 0 ? 'q2' : 'q1', dials: i === 0, primitives: watched(covers) },
            ...{ source: sources[i] as ScriptedSource, ledger: ledgers[i] as MemoryLedger },
          });
        let [q2, q1] = [await open(1), await open(0)];
        const arrived = new Set<number>();
        let number = 0;
        for (const one of steps) {
          if (one === 'pay') await pay(q1, ++number, ++number);
          else if (one === 'cut') room.network.cut();
          else if (one === 'repeat') sources[0]?.repeatLast();
          else if (one === 'restart q1') {
            const { outbox } = q1;
            await q1.close();
            q1 = await open(0);
            for (const [rowId, record] of outbox) q1.outbox.set(rowId, record);
          } else {
            await q2.close();
            for (const row of q2.rows) arrived.add(numberOf(row));
            q2 = await open(1);
          }
          await turns(number % 7);
        }
        await room.pass(60_000);
        await until(() => q1.outbox.size === 0);
        for (const row of q2.rows) {
          arrived.add(numberOf(row));
          expect(row.secret).toEqual(secretOf(numberOf(row)));
        }
        expect(arrived.size).toBe(number);
        for (const under of covers.values()) expect(under.size).toBe(1);
        await room.close();
        room = new LinkRoom();
      }),
      { numRuns: 40 },
    );
  });
});
