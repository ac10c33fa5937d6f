import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StationName } from '../../../applet-spec/names.ts';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from './settlement-room.ts';

let room: SettlementRoom;
beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n, 3n]));
});
afterEach(() => room.toll.close());

const store = (name: string) => room.toll.station(name).store;
const nameOf = (name: string): StationName => room.toll.station(name).name;
const balance = async (station: string, account: string) =>
  (await store(station).balances()).get(account) ?? 0n;

async function everyAuditIsClean(): Promise<void> {
  for (const { name } of room.toll.stations) {
    expect((await room.toll.audit(name)).findings).toEqual([]);
  }
}

describe('settlement', () => {
  it('claims, closes, agrees and pays what was carried, on both sides alike', async () => {
    await room.pay();
    await room.pay();
    const outcomes = await room.at('q2').settle();
    expect(outcomes).toMatchObject([
      {
        peer: 'q1',
        claimed: { count: 2n, amount: 8n },
        refused: [],
        windows: [{ sequence: 1n, state: 'paid', ours: { count: 2n, amount: 8n } }],
      },
    ]);
    expect(outcomes[0]).not.toHaveProperty('problem');
    expect(await store('q1').window(nameOf('q2'), 1n)).toMatchObject({
      state: 'paid',
      theirs: { count: 2n, amount: 8n },
      paidBy: 'keytoll test q1 q2 window 1',
    });
    expect(await balance('q1', 'payable:q2')).toBe(0n);
    expect(await balance('q2', 'receivable:q1')).toBe(0n);
    expect(await balance('q2', 'cash')).toBe(8n);
    await everyAuditIsClean();
  });

  it('lets the issuer begin: every station that it owes is invited to claim', async () => {
    await room.pay();
    const outcomes = await room.at('q1').settle();
    expect(
      outcomes.map(({ peer, windows }) => [peer, windows[0]?.theirs.amount, windows[0]?.state]),
    ).toEqual([
      ['q2', 4n, 'paid'],
      ['q3', 3n, 'paid'],
    ]);
    await everyAuditIsClean();
  });

  it('nets what two stations owe each other in one window', async () => {
    await room.pay({ route: ['q1', 'q2'] });
    await room.pay({ route: ['q2', 'q1'] });
    await room.pay({ route: ['q2', 'q1'] });
    const [outcome] = await room.at('q2').settle();
    expect(outcome?.windows).toMatchObject([
      { state: 'paid', ours: { count: 1n, amount: 4n }, theirs: { count: 2n, amount: 10n } },
    ]);
    expect(await balance('q1', 'receivable:q2')).toBe(0n);
    expect(await balance('q2', 'payable:q1')).toBe(0n);
    await everyAuditIsClean();
  });

  it('takes a verdict from the claim where the network has not brought it', async () => {
    const paid = await room.pay({ unheardBy: ['q1'] });
    expect((await store('q1').payments([paid.paymentId]))[0]?.state).toBe('admitted');
    await room.at('q3').settle();
    expect((await store('q1').payments([paid.paymentId]))[0]?.state).toBe('delivered');
    expect(await balance('q3', 'receivable:q1')).toBe(0n);
    await everyAuditIsClean();
  });

  it('puts later claims into the next window', async () => {
    await room.pay();
    await room.at('q2').settle();
    await room.pay();
    const [outcome] = await room.at('q2').settle();
    expect(outcome?.windows).toMatchObject([{ sequence: 2n, state: 'paid' }]);
    expect((await store('q1').windows(nameOf('q2'), 0n, 9)).map(({ state }) => state)).toEqual([
      'paid',
      'paid',
    ]);
  });

  it('waits for the operator where that is configured, on each side for its own', async () => {
    room.terms = { everySeconds: 0, pay: 'by-operator' };
    await room.pay();
    const [outcome] = await room.at('q2').settle();
    expect(outcome?.windows).toMatchObject([{ sequence: 1n, state: 'agreed' }]);
    expect(await balance('q1', 'payable:q2')).toBe(-4n);
    const { nowMs } = room.toll;
    const pay = () => store('q1').payWindow(nameOf('q2'), 1n, 'bank 17', nowMs);
    expect([await pay(), await pay()]).toEqual(['paid', 'exists']);
    expect(await balance('q1', 'payable:q2')).toBe(0n);
    expect(await balance('q2', 'receivable:q1')).toBe(4n);
    await everyAuditIsClean();
  });

  it('runs on its schedule, and ends with the station', async () => {
    room.terms = { everySeconds: 60, pay: 'on-agreement' };
    await room.pay();
    await room.at('q2').start();
    room.toll.clock.advance(60_000);
    await expect.poll(() => balance('q2', 'receivable:q1')).toBe(0n);
    await room.at('q2').close();
    expect(room.toll.clock.pending).toBe(0);
  });

  it('says who cannot be reached, and changes nothing', async () => {
    await room.pay();
    room.fate = () => 'question-lost';
    const [outcome] = await room.at('q2').settle();
    expect(outcome?.problem).toBe('q1 gave no answer');
    expect(await store('q2').window(nameOf('q1'), 1n)).toBeUndefined();
    expect(await balance('q2', 'receivable:q1')).toBe(4n);
  });

  it('leaves no window half agreed when the answer to a closing is lost', async () => {
    await room.pay();
    room.fate = ({ kind }) => (kind === 'closing' ? 'answer-lost' : 'delivered');
    await room.at('q2').settle();
    expect((await store('q2').window(nameOf('q1'), 1n))?.state).toBe('closed');
    expect((await store('q1').window(nameOf('q2'), 1n))?.state).toBe('paid');
    room.fate = () => 'delivered';
    await room.pay();
    // The other side has gone on to the next window: it finds this one unsettled, and waits.
    await room.restart('q2');
    await room.at('q1').settle(nameOf('q2'));
    const states = async (at: string, peer: string) =>
      (await store(at).windows(nameOf(peer), 0n, 9)).map(({ state }) => state);
    expect(await states('q2', 'q1')).toEqual(['paid', 'paid']);
    expect(await states('q1', 'q2')).toEqual(['paid', 'paid']);
    await everyAuditIsClean();
  });

  it('books on start what was agreed and not paid when the station stopped', async () => {
    room.terms = { everySeconds: 0, pay: 'by-operator' };
    await room.pay();
    await room.at('q2').settle();
    room.terms = { everySeconds: 0, pay: 'on-agreement' };
    await room.restart('q2');
    expect((await store('q2').window(nameOf('q1'), 1n))?.state).toBe('paid');
    expect(await balance('q2', 'receivable:q1')).toBe(0n);
  });
});
