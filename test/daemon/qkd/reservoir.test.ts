import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import type { KeyLedger } from '../../../daemon/qkd/key-ledger.ts';
import type { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import type { KeyReservation } from '../../../daemon/qkd/reservoir.ts';
import { balanced, MemoryLedger, ScriptedSource, settled } from './key-fixtures.ts';
import { mac, pad, reservoirOf } from './test-reservoir.ts';

describe('the reservoir', () => {
  it('prefetches keys up to its bound and no further', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    reservoir.start();
    await settled();
    expect(source.drawn).toHaveLength(8);
    expect(reservoir.balance()).toMatchObject({ received: 2_048n, available: 2_048n });
  });

  it('gives each want keys of its own, recorded in one call beforehand', async () => {
    const source = new ScriptedSource(100);
    const { reservoir, ledger } = reservoirOf(source);
    const taken = await reservoir.take([pad, mac]);
    expect(taken.map((one) => one.bits.length)).toEqual([32, 32]);
    expect(ledger.calls).toHaveLength(1);
    expect(ledger.calls[0]).toEqual([
      { keyId: taken[0]?.keyIds[0], peer: 'q2', direction: 'send', purpose: 'pad' },
      { keyId: taken[1]?.keyIds[0], peer: 'q2', direction: 'send', purpose: 'mac' },
    ]);
    expect(reservoir.balance().spent).toBe(512n);
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it('joins keys for a long want and claims the same bits on the other side', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    const other = reservoirOf(source.peer()).reservoir;
    const [long, short] = await reservoir.take([{ purpose: 'pad', bits: 1_000 }, mac]);
    expect(long?.keyIds).toHaveLength(4);
    expect(long?.bits).toHaveLength(125);
    const claimed = await other.claim([
      { purpose: 'pad', bits: 1_000, keyIds: long?.keyIds ?? [] },
      { ...mac, keyIds: short?.keyIds ?? [] },
    ]);
    expect(claimed).toEqual([long, short]);
    expect(balanced(other.balance())).toBe(true);
  });

  it('refuses a claim of too few or too many keys, and one key named twice', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    const other = reservoirOf(source.peer()).reservoir;
    const [one] = await reservoir.take([{ purpose: 'pad', bits: 512 }]);
    const ids = one?.keyIds ?? [];
    const first = ids.slice(0, 1);
    await expect(
      other.claim([
        { ...pad, keyIds: first },
        { ...mac, keyIds: first },
      ]),
    ).rejects.toMatchObject({ code: 'already-used' });
    await expect(other.claim([{ ...pad, keyIds: ids }])).rejects.toMatchObject({
      code: 'protocol',
    });
    expect(balanced(other.balance())).toBe(true);
  });

  it('a key used before, or too short, spoils its own record and no other', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    const far = reservoirOf(source.peer());
    const taken = await reservoir.take([pad, mac, pad, mac, { purpose: 'pad', bits: 512 }]);
    const claims = taken.map(({ purpose, keyIds, bits }) => ({
      ...{ purpose, keyIds },
      bits: 8 * bits.length,
    }));
    const [pad1, mac1, pad2, mac2, long] = claims;
    if (!pad1 || !mac1 || !pad2 || !mac2 || !long) throw new Error('five were taken');
    const usedBefore = { keyId: mac1.keyIds[0] ?? '', peer: 'q2', direction: 'receive' } as const;
    await far.ledger.recordUse([{ ...usedBefore, purpose: 'mac' }]);
    const got = await far.reservoir.claimEach([
      [pad1, mac1],
      [pad2, mac2],
      [{ ...long, bits: 256 }],
    ]);
    expect(got).toMatchObject([
      { code: 'already-used', keyIds: mac1.keyIds },
      [taken[2], taken[3]],
      { code: 'protocol', keyIds: long.keyIds },
    ]);
    expect(far.ledger.calls).toHaveLength(2);
    expect(far.reservoir.balance()).toMatchObject({ spent: 512n, lost: 1_024n });
    expect(balanced(far.reservoir.balance())).toBe(true);
    // Those that were spoilt are gone for ever, too.
    const ids = claims.flatMap(({ keyIds }) => keyIds);
    expect([...far.ledger.used.keys()].sort()).toEqual([...ids].sort());
  });

  it('replaces keys whose ID was used before', async () => {
    const source = new ScriptedSource(100);
    const ledger = new MemoryLedger();
    const first = reservoirOf(source, { ledger, capacityBits: 0 }).reservoir;
    const before = await first.take([pad]);
    source.repeatLast();
    const second = reservoirOf(source, { ledger, capacityBits: 0 }).reservoir;
    const after = await second.take([pad]);
    expect(after[0]?.keyIds).not.toEqual(before[0]?.keyIds);
    expect(second.balance()).toMatchObject({ lost: 256n, spent: 256n, received: 512n });
  });

  it('lets a caller give up waiting, and serves the others', async () => {
    const source = new ScriptedSource(0);
    const { reservoir, clock } = reservoirOf(source);
    const patience = new AbortController();
    const gaveUp = reservoir.take([{ purpose: 'pad', bits: 4_096 }], { signal: patience.signal });
    const waits = reservoir.take([pad]);
    patience.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: 'aborted' });
    source.refill(1);
    await settled();
    clock.advance(1_000);
    expect(await waits).toHaveLength(1);
  });

  it('keeps reserved bits for who reserved them, before others that wait', async () => {
    const source = new ScriptedSource(4);
    const { reservoir, clock } = reservoirOf(source, { capacityBits: 1_024 });
    reservoir.start();
    await settled();
    const reservation = await reservoir.reserve([pad, mac]);
    expect(reservation.bits).toBe(512);
    const greedy = reservoir.take([{ purpose: 'pad', bits: 768 }]);
    await settled();
    const reserved = await reservoir.take([pad, mac], { reservations: [reservation] });
    expect(reserved).toHaveLength(2);
    expect(reservation.bits).toBe(0);
    expect(balanced(reservoir.balance())).toBe(true);
    source.refill(8);
    clock.advance(5_000);
    expect(await greedy).toHaveLength(1);
  });

  it('gives a released reservation to who waits', async () => {
    const source = new ScriptedSource(2);
    const { reservoir } = reservoirOf(source, { capacityBits: 512 });
    reservoir.start();
    await settled();
    const reservation = await reservoir.reserve([pad, mac]);
    const waits = reservoir.take([pad]);
    await settled();
    reservation.release();
    reservation.release();
    expect(await waits).toHaveLength(1);
    expect(reservoir.balance().reserved).toBe(0n);
    expect(reservoir.balance().reservations).toEqual({ made: 512n, used: 0n, released: 512n });
  });

  it('makes one take of several reservations, and gives back what is left of them', async () => {
    const source = new ScriptedSource(8);
    const { reservoir, ledger } = reservoirOf(source);
    const reservations = await Promise.all([1, 2, 3].map(() => reservoir.reserve([pad, mac])));
    expect(await reservoir.take([pad, mac, pad], { reservations })).toHaveLength(3);
    expect(ledger.calls).toHaveLength(1);
    expect(reservoir.balance()).toMatchObject({ reserved: 768n, spent: 768n });
    for (const one of reservations) one.release();
    expect(reservoir.balance()).toMatchObject({
      reserved: 0n,
      reservations: { made: 1_536n, used: 768n, released: 768n },
    });
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it('I22: whatever happens, bits set apart are used, released or still set apart', async () => {
    const steps = fc.array(fc.constantFrom('reserve', 'take', 'release', 'refill', 'give-up'), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (story) => {
        const source = new ScriptedSource(6);
        const { reservoir, clock } = reservoirOf(source, { capacityBits: 512 });
        const held: KeyReservation[] = [];
        const patience: AbortController[] = [];
        for (const step of story) {
          const gaveUp = new AbortController();
          const one = held.shift();
          if (step === 'reserve') {
            patience.push(gaveUp);
            const waits = reservoir.reserve([pad, mac], gaveUp.signal);
            waits.then(
              (reserved) => held.push(reserved),
              () => undefined,
            );
          } else if (step === 'take' && one !== undefined) {
            await reservoir.take([pad], { reservations: [one] });
            one.release();
          } else if (step === 'release') one?.release();
          else if (step === 'refill') source.refill(2);
          else patience.pop()?.abort();
          if (one !== undefined && step !== 'take' && step !== 'release') held.push(one);
          clock.advance(500);
          await settled();
          const balance = reservoir.balance();
          const { made, used, released } = balance.reservations;
          expect(made).toBe(used + released + balance.reserved);
          expect(balanced(balance)).toBe(true);
        }
        await reservoir.close();
      }),
      { numRuns: 60 },
    );
  });

  it('hands out nothing when the ledger fails, and gives those keys up', async () => {
    const source = new ScriptedSource(100);
    const { reservoir, ledger } = reservoirOf(source);
    ledger.failNext(new Error('disk full'));
    await expect(reservoir.take([pad])).rejects.toThrow('disk full');
    expect(reservoir.balance()).toMatchObject({ spent: 0n, lost: 256n });
    expect(await reservoir.take([pad])).toHaveLength(1);
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it('counts what a lost answer may have burnt, and draws other keys', async () => {
    const errors: QkdError[] = [];
    const source = new ScriptedSource(100);
    const { reservoir, clock } = reservoirOf(source, { onError: (error) => errors.push(error) });
    source.loseNextAnswer();
    const waits = reservoir.take([pad]);
    await settled();
    clock.advance(1_000);
    expect(await waits).toHaveLength(1);
    expect(errors.map((error) => error.code)).toEqual(['outcome-unknown']);
    expect(reservoir.balance().lost).toBe(2_048n);
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it('keeps fetched keys of a claim that failed half-way for its repetition', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    const far = source.peer();
    far.keysPerFetch = 1;
    const other = reservoirOf(far).reservoir;
    const [long] = await reservoir.take([{ purpose: 'pad', bits: 768 }]);
    const claim = { purpose: 'pad', bits: 768, keyIds: long?.keyIds ?? [] } as const;
    far.failFetchAfter(2);
    await expect(other.claim([claim])).rejects.toMatchObject({ code: 'unavailable' });
    expect(other.balance().held).toBe(512n);
    expect(await other.claim([claim])).toEqual([long]);
    expect(other.balance()).toMatchObject({ held: 0n, spent: 768n });
  });

  it('stops drawing ahead from a device that drops what it drew before', async () => {
    const source = new ScriptedSource(100);
    const { reservoir } = reservoirOf(source);
    reservoir.start();
    await settled();
    for (let i = 0; i < 3; i++) reservoir.reportMissed();
    expect(reservoir.balance()).toMatchObject({ available: 0n, lost: 2_048n });
    const before = source.drawn.length;
    await reservoir.take([pad, mac]);
    await settled();
    expect(source.drawn.length - before).toBe(2);
  });

  it('draws ahead again once that has gone well for a while, and each time longer', async () => {
    const { reservoir, clock } = reservoirOf(new ScriptedSource(1_000));
    reservoir.start();
    for (const minutes of [10, 20, 40]) {
      for (let i = 0; i < 3; i++) reservoir.reportMissed();
      expect(reservoir.aheadBits).toBe(0);
      clock.advance(60_000 * minutes - 1);
      reservoir.reportFetched();
      await settled();
      expect(reservoir.balance().available).toBe(0n);
      clock.advance(1);
      reservoir.reportFetched();
      await settled();
      expect(reservoir.balance().available).toBe(2_048n);
    }
  });

  it('draws on demand no key more than is wanted, also where the ledger is slow', async () => {
    const source = new ScriptedSource(100);
    const ledger = new MemoryLedger();
    const slow: KeyLedger = {
      async recordUse(uses) {
        await settled();
        return ledger.recordUse(uses);
      },
    };
    const { reservoir } = reservoirOf(source, { ledger: slow, capacityBits: 0 });
    for (let i = 1; i <= 3; i++) {
      await reservoir.take([pad, mac]);
      await settled();
      // A device that drops what it drew before would have dropped them.
      expect(source.drawn).toHaveLength(2 * i);
    }
  });

  it('fails who waits when it is closed, and serves nobody afterwards', async () => {
    const { reservoir } = reservoirOf(new ScriptedSource(0));
    const waits = reservoir.take([pad]);
    const failed = expect(waits).rejects.toMatchObject({ code: 'aborted' });
    await reservoir.close();
    await failed;
    await expect(reservoir.take([pad])).rejects.toMatchObject({ code: 'aborted' });
    expect(balanced(reservoir.balance())).toBe(true);
  });

  it('uses smaller keys where the device has no larger ones', async () => {
    const source = new ScriptedSource(100);
    source.maxKeySizeBits = 128;
    const { reservoir } = reservoirOf(source, { clock: systemClock });
    const [one] = await reservoir.take([pad]);
    expect(one?.keyIds).toHaveLength(2);
    expect(one?.bits).toHaveLength(32);
  });
});
