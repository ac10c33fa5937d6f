/** Whose undelivered payments a station bears, how many of them, and what it says to the rest. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toUserName } from '../../../applet-spec/names.ts';
import { reasonCodes, type Reason } from '../../../applet-spec/receipt.ts';
import { FailureBudgets, spentWords } from '../../../daemon/relay/failure-budgets.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, bob, TollRoom, type Place } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

const failures = { payers: 2, payees: 3, stations: 4 };
const hourMs = 3_600_000;
const carol = toUserName('carol@q1');
const dan = toUserName('dan@q3');

let room: TollRoom;

beforeEach(async () => {
  room = await TollRoom.open();
});
afterEach(() => {
  room.close();
});

/** Each with a coin and a quote of its own. */
async function next(at: Place): Promise<ArrivingPayment> {
  room.room.clock.advance(1_000);
  return room.arriving(at);
}

describe('what counts', () => {
  const undelivered = (reason: Reason) => ({ verdict: 'undelivered', reason }) as const;
  const everyReason = Object.keys(reasonCodes) as Reason[];
  const ofUsers = everyReason.filter((reason) => /^payee-|^deadline-/.test(reason));
  const ofTheRoad = everyReason.filter((reason) => !ofUsers.includes(reason));

  async function after(place: Place, reason: Reason | 'delivered', times = 9) {
    const station = room.stations[place].name;
    const { payment } = await room.arriving(place);
    const role = ({ q1: 'issuer', q2: 'relay', q3: 'last' } as const)[place];
    const budgets = new FailureBudgets(station, failures, room.room.clock);
    for (let i = 0; i < times; i++) {
      budgets.begun({ role, payment });
      const ending = reason === 'delivered' ? { verdict: reason } : undelivered(reason);
      budgets.ended({ role, payment }, ending);
    }
    const { q1, q3 } = room.stations;
    return [
      ['payer', budgets.spent({ payer: alice, stations: [] })],
      ['payee', budgets.spent({ payee: bob, stations: [] })],
      ['issuer', budgets.spent({ stations: [q1.name] })],
      ['last', budgets.spent({ stations: [q3.name] })],
    ].flatMap(([who, spent]) => (spent === undefined ? [] : [who]));
  }

  it('is nothing that was delivered, however often', async () => {
    for (const place of ['q1', 'q2', 'q3'] as const) {
      expect(await after(place, 'delivered', 100)).toEqual([]);
    }
  });

  it.each(ofUsers)('at the issuer for payer, payee and last station: %s', async (reason) => {
    expect(await after('q1', reason)).toEqual(['payer', 'payee', 'last']);
  });

  it.each(ofTheRoad)('at the issuer for the last station, and for no user: %s', async (reason) => {
    expect(await after('q1', reason)).toEqual(['last']);
  });

  it('on the way for the stations at both ends, and at the last one for its payee', async () => {
    expect(await after('q2', 'payee-absent')).toEqual(['issuer', 'last']);
    expect(await after('q3', 'payee-absent')).toEqual(['payee', 'issuer']);
    expect(await after('q3', 'no-keys')).toEqual(['issuer']);
  });

  it('while it is under way, too: nobody has very many fail at once', async () => {
    const { payment } = await room.arriving('q1');
    const budgets = new FailureBudgets(room.stations.q1.name, failures, room.room.clock);
    const payer = () => budgets.spent({ payer: alice, stations: [] });
    budgets.begun({ role: 'issuer', payment });
    expect(payer()).toBeUndefined();
    budgets.begun({ role: 'issuer', payment });
    expect(payer()).toMatchObject({ who: alice, perHour: 2 });
    expect(budgets.allSpent).toEqual([payer()]);
    budgets.ended({ role: 'issuer', payment }, { verdict: 'delivered' });
    expect(payer()).toBeUndefined();
    expect(budgets.spent({ payer: carol, payee: dan, stations: [] })).toBeUndefined();
  });

  it('is told in words that a desk has room for', () => {
    const who = toUserName(`${'a'.repeat(20)}@${'q'.repeat(11)}`);
    const words = spentWords({ who, perHour: 1_000_000, untilMs: Date.UTC(2026, 0, 1) });
    expect(words).toContain(`${who} were not delivered: 1000000 an hour`);
    expect(words).toContain('2026-01-01T00:00:00.000Z');
    expect(words.length + ' No coin was used.'.length).toBeLessThanOrEqual(256);
  });
});

describe('a station on the way', () => {
  let q2: TollStation;
  beforeEach(async () => {
    q2 = await TollStation.open(room, 'q2', { failures });
  });
  afterEach(() => q2.close());

  async function fails(): Promise<void> {
    const arriving = await next('q2');
    expect(await q2.receives(arriving)).toBe('carried');
    const receipt = room.undelivered(arriving.paymentId, 'asked-by-issuer');
    await q2.hears(room.stations.q3.name, { kind: 'receipt', content: { receipt } });
  }

  it('draws no key for an issuer whose payments fail, says so, and does again later', async () => {
    for (let i = 0; i < failures.stations; i++) await fails();
    const { keysDrawn } = q2;
    expect(await q2.receives(await next('q2'))).toBe('too-many-failures');
    expect(q2.complaints.at(-1)).toMatch(/not carried: .*too-many-failures/);
    expect(q2.keysDrawn).toBe(keysDrawn);
    room.room.clock.advance(hourMs / failures.stations);
    expect(await q2.receives(await next('q2'))).toBe('carried');
    expect(await q2.receives(await next('q2'))).toBe('too-many-failures');
  });

  it('says so to a question for an acceptance, so that no coin is used', async () => {
    for (let i = 0; i < failures.stations; i++) await fails();
    const { q1, q2: here, q3 } = room.stations;
    const content = { payer: alice, payee: bob, time: room.now, minimumSuite: 'aes' } as const;
    const route = [q1.name, here.name, q3.name];
    expect(await q2.toll.object({ kind: 'acceptance', content }, route)).toMatchObject({
      kind: 'declined',
      content: { reason: 'too-many-failures', station: here.name },
    });
  });
});

describe('a last station', () => {
  it('declines for a payee whose card always fails, and for nobody else', async () => {
    const q3 = await TollStation.open(room, 'q3', { failures });
    q3.payeesCard = () => ({ outcome: 'refused', reason: 'payee-card-fault' });
    for (let i = 0; i < failures.payees; i++) {
      const arriving = await next('q3');
      expect(await q3.receives(arriving)).toBe('carried');
      const receipt = () => q3.said.find(({ message }) => message.kind === 'receipt');
      while (receipt() === undefined) await new Promise(setImmediate);
      q3.said.length = 0;
    }
    const { q1, q3: here } = room.stations;
    const ask = (payee: typeof bob) => {
      const content = { payer: alice, payee, time: room.now, minimumSuite: 'aes' } as const;
      return q3.toll.answer({ kind: 'acceptance', content }, [q1.name, here.name]);
    };
    expect(await ask(bob)).toMatchObject({ content: { reason: 'too-many-failures' } });
    expect(await ask(dan)).toMatchObject({ content: { reason: 'payee-absent' } });
    await q3.close();
  });
});
