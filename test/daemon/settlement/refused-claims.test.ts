/** A claimant that cheats: its words are well signed, its claims are not well founded. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { admission } from '../../../applet-spec/receipt.ts';
import { Settlement } from '../../../daemon/settlement/settlement.ts';
import { SettlementTalk } from '../../../daemon/settlement/settlement-talk.ts';
import type { Claim } from '../../../daemon/settlement/settlement-messages.ts';
import type { SettlementStore } from '../../../daemon/store/settlement-store.ts';
import type { Store } from '../../../daemon/store/store.ts';
import { signReceipt, type PaidPayment } from '../audit/toll-papers.ts';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from './settlement-room.ts';

let room: SettlementRoom;
beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n, 3n]));
});
afterEach(() => room.toll.close());

const line = { q2: 1, q3: 2 } as const;

function claimOf(paid: PaidPayment, changes: Partial<Claim> = {}): Claim {
  const { paymentId, receipt, admission: admitted } = paid;
  return { paymentId, line: line.q2, amount: 4n, admission: admitted, receipt, ...changes };
}

/** What q1 judges of claims by q2, or by another. No claim moves money: only a paid window does. */
async function judged(claims: readonly Claim[], claimant = 'q2', sequence = 1n) {
  const { name: peer, store } = room.toll.station('q1');
  const before = await store.balances();
  const talk = new SettlementTalk(room.contextOf(room.toll.station(claimant).name), peer);
  const { content } = await talk.ask({ kind: 'claims', content: { sequence, claims } }, ['judged']);
  expect(await store.balances()).toEqual(before);
  return content.judgements.map(({ word }) => word);
}

it('a window without a claim is not closed: a peer could have any number kept', async () => {
  const [q1, q2] = [room.toll.station('q1'), room.toll.station('q2')];
  const nothing = { count: 0n, amount: 0n };
  const talk = new SettlementTalk(room.contextOf(q2.name), q1.name);
  for (const sequence of [1n, 1n, 2n]) {
    const content = { sequence, ours: nothing, theirs: nothing };
    await expect(talk.ask({ kind: 'closing', content }, ['closed'])).rejects.toMatchObject({
      code: 'declined',
    });
  }
  expect(await q1.store.windows(q2.name, 0n, 9)).toMatchObject([{ sequence: 1n, state: 'open' }]);
  const { quote } = await room.pay();
  await room.at('q2').settle();
  const [window] = await q1.store.windows(q2.name, 0n, 9);
  expect(window).toMatchObject({ state: 'paid', theirs: { amount: quote.bill[1]?.fee } });
});

async function nothingIsOwedMore(amount: bigint, claimant = 'q2'): Promise<void> {
  const { store } = room.toll.station('q1');
  const window = await store.window(room.toll.station(claimant).name, 1n);
  expect(window?.theirs.amount).toBe(amount);
  expect((await room.toll.audit('q1')).findings).toEqual([]);
}

describe('an issuer', () => {
  it('refuses a claim without a receipt', async () => {
    const { receipt: _kept, ...bare } = claimOf(await room.pay());
    expect(await judged([bare])).toEqual(['no-receipt']);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim made twice, in one message, in another and in another window', async () => {
    const claim = claimOf(await room.pay());
    expect(await judged([claim, claim])).toEqual(['accepted', 'exists']);
    expect(await judged([claim])).toEqual(['exists']);
    await nothingIsOwedMore(4n);
    await room.at('q2').settle();
    expect(await judged([claim], 'q2', 2n)).toEqual(['exists']);
    const { store } = room.toll.station('q1');
    const { name: q2 } = room.toll.station('q2');
    expect((await store.window(q2, 2n))?.theirs.count ?? 0n).toBe(0n);
    expect((await store.balances()).get('payable:q2')).toBe(0n);
  });

  it('refuses a claim for another’s line', async () => {
    const paid = await room.pay();
    expect(await judged([claimOf(paid, { line: line.q3, amount: 3n })])).toEqual(['other-line']);
    expect(await judged([claimOf(paid, { line: 0, amount: 5n })])).toEqual(['other-line']);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim of a station that is not on the bill', async () => {
    const paid = await room.pay({ route: ['q1', 'q2'] });
    expect(await judged([claimOf(paid)], 'q3')).toEqual(['other-line']);
    await nothingIsOwedMore(0n, 'q3');
  });

  it('refuses a claim of a wrong amount', async () => {
    const paid = await room.pay();
    expect(await judged([claimOf(paid, { amount: 5n }), claimOf(paid, { amount: 3n })])).toEqual([
      'wrong-amount',
      'wrong-amount',
    ]);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim of nothing for a line of nothing', async () => {
    const free = new SettlementRoom(await TollRoom.open([5n, 0n, 3n]));
    try {
      const { name: q1 } = free.toll.station('q1');
      const talk = new SettlementTalk(free.contextOf(free.toll.station('q2').name), q1);
      const claims = [claimOf(await free.pay(), { amount: 0n })];
      const asked = { kind: 'claims', content: { sequence: 1n, claims } } as const;
      const { content } = await talk.ask(asked, ['judged']);
      expect(content.judgements.map(({ word }) => word)).toEqual(['wrong-amount']);
    } finally {
      await free.toll.close();
    }
  });

  it('refuses a claim for a payment that it does not know', async () => {
    const paid = await room.pay();
    const paymentId = new Uint8Array(32).fill(9);
    expect(await judged([claimOf(paid, { paymentId })])).toEqual(['unknown-payment']);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim for a payment with the coin of another issuer', async () => {
    const paid = await room.pay({ route: ['q3', 'q2', 'q1'] });
    expect(await judged([claimOf(paid)])).toEqual(['foreign-issuer']);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim with the admission of another payment, or with a forged one', async () => {
    const paid = await room.pay();
    const other = await room.pay();
    const forged = paid.admission;
    const signature = new Uint8Array(64).fill(1);
    const proof = { ...forged.proof, signature };
    expect(
      await judged([
        claimOf(paid, { admission: other.admission }),
        claimOf(paid, { admission: admission.prove(forged.body, proof) }),
      ]),
    ).toEqual(['bad-admission', 'bad-admission']);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim with a receipt that the last station did not sign', async () => {
    const paid = await room.pay();
    const { name: q3 } = room.toll.station('q3');
    const acknowledgement = paid.receipt.body.acknowledgement ?? new Uint8Array(64);
    const { documentKey } = room.toll.station('q2');
    const about = { paymentId: paid.paymentId, station: q3, time: room.toll.nowSeconds };
    const forged = signReceipt(about, documentKey, { acknowledgement });
    const { receipt } = await room.pay();
    expect(await judged([claimOf(paid, { receipt: forged }), claimOf(paid, { receipt })])).toEqual([
      'bad-receipt',
      'bad-receipt',
    ]);
    await nothingIsOwedMore(0n);
  });

  it('refuses a claim for what was not delivered, and keeps proof of two verdicts', async () => {
    const paid = await room.pay({ until: 'undelivered' });
    const { name: q3, documentKey } = room.toll.station('q3');
    const acknowledgement = new Uint8Array(64).fill(3);
    const about = { paymentId: paid.paymentId, station: q3, time: room.toll.nowSeconds };
    const second = signReceipt(about, documentKey, { acknowledgement });
    expect(await judged([claimOf(paid), claimOf(paid, { receipt: second })])).toEqual([
      'not-delivered',
      'not-delivered',
    ]);
    expect(await room.toll.station('q1').store.evidence(paid.paymentId)).toEqual([second.bytes]);
    const { store } = room.toll.station('q1');
    expect((await store.window(room.toll.station('q2').name, 1n))?.theirs.amount).toBe(0n);
    expect((await room.toll.audit('q1')).findings).toMatchObject([
      { code: 'two-verdicts', party: 'q3', paymentId: paid.paymentId },
    ]);
  });

  it('keeps no receipt as proof that the last station did not sign, however many', async () => {
    const paid = await room.pay({ until: 'undelivered' });
    const { name: q3, documentKey } = room.toll.station('q3');
    const about = { paymentId: paid.paymentId, station: q3, time: room.toll.nowSeconds };
    const saying = (n: number, key = documentKey) =>
      signReceipt(about, key, { acknowledgement: new Uint8Array(64).fill(n) });
    const { documentKey: thiefs } = room.toll.station('q2');
    const forged = Array.from({ length: 16 }, (_, n) => saying(n, thiefs));
    const words = await judged(forged.map((receipt) => claimOf(paid, { receipt })));
    expect(new Set(words)).toEqual(new Set(['bad-receipt']));
    const second = saying(99);
    await judged([claimOf(paid, { receipt: second })]);
    expect(await room.toll.station('q1').store.evidence(paid.paymentId)).toEqual([second.bytes]);
  });

  it('answers nobody who is not who the words say', async () => {
    const paid = await room.pay();
    const thief = { ...room.contextOf(room.toll.station('q2').name) };
    const { name: peer } = room.toll.station('q1');
    const { documentKey } = room.toll.station('q3');
    const talk = new SettlementTalk({ ...thief, documentKey }, peer);
    const sequence = 1n;
    const claims = [claimOf(paid)];
    await expect(
      talk.ask({ kind: 'claims', content: { sequence, claims } }, ['judged']),
    ).rejects.toMatchObject({ code: 'no-answer' });
    expect(await room.toll.station('q1').store.window(room.toll.station('q2').name, 1n)).toBe(
      undefined,
    );
  });
});

it('a claimant whose claims are all refused reads and asks of each once', async () => {
  for (let i = 0; i < 130; i++) await room.pay();
  const { name: q1 } = room.toll.station('q1');
  const q2 = room.contextOf(room.toll.station('q2').name);
  const none = room.toll.station('q3').store;
  room.replace('q1', new Settlement({ ...room.contextOf(q1), store: strangeTo(none) }));
  let read = 0;
  const unclaimed: SettlementStore['unclaimed'] = async (...asked) => {
    const rows = await q2.store.unclaimed(...asked);
    read += rows.length;
    return rows;
  };
  const [outcome] = await new Settlement({
    ...q2,
    store: { ...q2.store, unclaimed },
  }).settle(q1);
  expect(outcome?.refused).toHaveLength(130);
  expect(read).toBe(130);
});

/** Books of a station that issued none of these coins. */
function strangeTo(store: Store): Store {
  return { ...store, payments: async (ids) => ids.map(() => undefined) };
}

it('an issuer whose window moved while it agreed gives no word for former totals', async () => {
  await room.pay();
  const { name: q1, store } = room.toll.station('q1');
  const { name: q2 } = room.toll.station('q2');
  const agreeWindow = (): Promise<'totals-differ'> => Promise.resolve('totals-differ');
  room.replace('q1', new Settlement({ ...room.contextOf(q1), store: { ...store, agreeWindow } }));
  const [outcome] = await room.at('q2').settle(q1);
  expect(outcome?.problem).toMatch(/^window 1: we say ours 4 in 1 claims/);
  expect(await room.toll.station('q2').store.window(q1, 1n)).toMatchObject({ state: 'closed' });
  expect(await store.window(q2, 1n)).toMatchObject({ state: 'closed' });
});
