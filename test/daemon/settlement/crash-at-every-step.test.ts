/**
 * I42: a station that stops before or after any step of settling goes on where it was, and pays
 * once.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Settlement } from '../../../daemon/settlement/settlement.ts';
import type { SettlementContext } from '../../../daemon/settlement/settlement-context.ts';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from './settlement-room.ts';

class Crash extends Error {}

type Store = SettlementContext['store'];

/** A store whose station dies at its `step`-th write, before it or right after it. */
function mortal(
  store: Store,
  step: number,
  when: 'before' | 'after',
): Store & { reached: boolean } {
  let writes = 0;
  let dead = false;
  const writing =
    <A extends unknown[], R>(run: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      writes += 1;
      const dies = dead || writes === step;
      if (dies && (dead || when === 'before')) return die();
      const result = await run(...args);
      return dies ? die() : result;
    };
  const die = (): never => {
    dead = true;
    mortalStore.reached = true;
    throw new Crash();
  };
  const mortalStore = {
    ...store,
    reached: false,
    openWindow: writing((...args: Parameters<Store['openWindow']>) => store.openWindow(...args)),
    joinWindow: writing((...args: Parameters<Store['joinWindow']>) => store.joinWindow(...args)),
    putClaims: writing((...args: Parameters<Store['putClaims']>) => store.putClaims(...args)),
    closeWindow: writing((...args: Parameters<Store['closeWindow']>) => store.closeWindow(...args)),
    agreeWindow: writing((...args: Parameters<Store['agreeWindow']>) => store.agreeWindow(...args)),
    payWindow: writing((...args: Parameters<Store['payWindow']>) => store.payWindow(...args)),
  };
  return mortalStore;
}

let room: SettlementRoom;
beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n]));
  await room.pay({ route: ['q1', 'q2'] });
  await room.pay({ route: ['q2', 'q1'] });
});
afterEach(() => room.toll.close());

async function settledAlike(): Promise<void> {
  for (const { name, store } of room.toll.stations) {
    const [position] = await store.positions();
    expect(position).toMatchObject({ payable: 0n, receivable: 0n });
    expect((await room.toll.audit(name)).findings).toEqual([]);
    const kinds = (await store.transfers(0n, 1_000)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'settlement-paid')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'settlement-received')).toHaveLength(1);
  }
}

const steps = [1, 2, 3, 4, 5].flatMap((step) =>
  (['before', 'after'] as const).map((when) => [step, when] as const),
);

describe('settling goes on and pays once', () => {
  it.each(steps)('after the asking station stops at its write %i, %s it', async (step, when) => {
    const context = room.contextOf(room.toll.station('q2').name);
    const store = mortal(context.store, step, when);
    await expect(new Settlement({ ...context, store }).settle()).rejects.toThrow(Crash);
    expect(store.reached).toBe(true);
    await room.restart('q2');
    await room.at('q2').settle();
    await settledAlike();
  });

  it.each(steps)('after the asked station stops at its write %i, %s it', async (step, when) => {
    const context = room.contextOf(room.toll.station('q1').name);
    const store = mortal(context.store, step, when);
    room.replace('q1', new Settlement({ ...context, store }));
    const [outcome] = await room.at('q2').settle();
    expect(store.reached).toBe(true);
    expect(outcome?.problem).toBe('q1 gave no answer');
    await room.restart('q1');
    await room.at('q2').settle();
    await settledAlike();
  });
});
