/** I5 after a loss: what was claimed and paid in windows that are lost stays paid once. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settlementWord, type ContentOf } from '../../../daemon/settlement/settlement-messages.ts';
import { SettlementTalk } from '../../../daemon/settlement/settlement-talk.ts';
import { Settlement } from '../../../daemon/settlement/settlement.ts';
import { copyDatabase } from '../../../daemon/store/connection.ts';
import type { Store } from '../../../daemon/store/store.ts';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from './settlement-room.ts';

let room: SettlementRoom;
let copies: Store[];

beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n, 3n]));
  copies = [];
  await room.pay();
  await room.pay();
});
afterEach(async () => {
  for (const store of copies) await store.close();
  await room.toll.close();
});

/** The station's books as they are now, in a database of their own. */
async function copyOf(name: string): Promise<Store> {
  const { name: station, file } = room.toll.station(name);
  const copy = join(room.toll.folder, `copy ${copies.length} of ${name}`);
  copyDatabase(file, copy);
  const store = await room.toll.openStore(station, copy);
  copies.push(store);
  return store;
}

/** From now on the station settles on these books, which were rebuilt. */
function settlesOn(name: string, store: Store): void {
  const { name: station } = room.toll.station(name);
  room.wereLost.add(station);
  room.replace(name, new Settlement({ ...room.contextOf(station), store }));
}

const windowOf = (store: Store, peer: string, sequence = 1n) =>
  store.window(room.toll.station(peer).name, sequence);

type Recalled = ContentOf<'recalled'>;

/** What a peer says of a window that it recalls, changed and signed by it all the same. */
class Liar extends Settlement {
  readonly #name: string;
  readonly #change: (content: Recalled) => Recalled;

  constructor(name: string, change: (content: Recalled) => Recalled) {
    super(room.contextOf(room.toll.station(name).name));
    this.#name = name;
    this.#change = change;
  }

  override async answer(question: Uint8Array): Promise<Uint8Array | undefined> {
    const bytes = await super.answer(question);
    const body = bytes && settlementWord.decode(bytes).body;
    if (body?.content.kind !== 'recalled') return bytes;
    const content = this.#change(body.content.content);
    const { documentKey } = room.toll.station(this.#name);
    return settlementWord.sign({ ...body, content: { kind: 'recalled', content } }, documentKey)
      .bytes;
  }
}

describe.each([
  ['q1', 'q2', 'owes'],
  ['q2', 'q1', 'is owed'],
])('%s, which %s %s money for a window that it has lost,', (name, peer) => {
  it.each(['on-agreement', 'by-operator'] as const)(
    'has it again as it was agreed, paid %s, and claims nothing twice',
    async (pay) => {
      room.terms = { everySeconds: 0, pay };
      const copy = await copyOf(name);
      await room.at('q2').settle();
      for (const [one, other] of [
        ['q1', 'q2'],
        ['q2', 'q1'],
      ] as const) {
        const { store } = room.toll.station(one);
        await store.payWindow(room.toll.station(other).name, 1n, 'slip', room.toll.nowMs);
      }
      settlesOn(name, copy);
      const outcomes = await room.at(name).settle(room.toll.station(peer).name);
      expect(outcomes).toMatchObject([{ refused: [], windows: [{ sequence: 1n }] }]);
      expect(outcomes[0]).not.toHaveProperty('problem');
      const before = await windowOf(room.toll.station(name).store, peer);
      const { ours, theirs } = before ?? {};
      // What was received is for the operator to see on the bank's statement.
      const isOpen = pay === 'by-operator' && name === 'q2';
      expect(await windowOf(copy, peer)).toMatchObject({
        ours,
        theirs,
        state: isOpen ? 'agreed' : 'paid',
      });
      expect(await copy.unclaimed(room.toll.station(peer).name, 10)).toEqual([]);
      await room.at(name).settle(room.toll.station(peer).name);
      expect(await windowOf(copy, peer, 2n)).toMatchObject({ state: 'open' });
    },
  );

  it.each([
    ['that it never agreed to', ({ agreement: _none, ...content }: Recalled): Recalled => content],
    [
      'with other totals',
      ({ ours, theirs, ...content }: Recalled): Recalled => ({
        ...content,
        ours: { ...ours, amount: ours.amount + 1n },
        theirs: { ...theirs, amount: theirs.amount + 1n },
      }),
    ],
    ['without one of its claims', (content: Recalled): Recalled => ({ ...content, claims: [] })],
    [
      'with a claim for nothing',
      (content: Recalled): Recalled => ({ ...content, claims: [new Uint8Array(32)] }),
    ],
  ])('takes none %s', async (_what, change) => {
    const copy = await copyOf(name);
    await room.at('q2').settle();
    const balances = await copy.balances();
    settlesOn(name, copy);
    room.replace(peer, new Liar(peer, change));
    const [outcome] = await room.at(name).settle(room.toll.station(peer).name);
    expect(outcome?.problem).toMatch(/^window 1 of the lost time cannot be recalled: /);
    expect((await windowOf(copy, peer))?.state).not.toBe('paid');
    expect(await copy.balances()).toEqual(balances);
  });
});

it('a window that was being settled when the records were lost is settled to its end', async () => {
  const copy = await copyOf('q1');
  // q2 has its claims in it, and never hears that it is closed.
  room.fate = ({ kind }) => (kind === 'closing' ? 'question-lost' : 'delivered');
  await room.at('q2').settle(room.toll.station('q1').name);
  room.fate = () => 'delivered';
  settlesOn('q1', copy);
  await room.at('q1').settle(room.toll.station('q2').name);
  expect(await windowOf(copy, 'q2')).toMatchObject({ state: 'paid', theirs: { count: 2n } });
  expect(await windowOf(room.toll.station('q2').store, 'q1')).toMatchObject({ state: 'paid' });
});

it('a peer that tells of the same claims without end is believed no more', async () => {
  const copy = await copyOf('q2');
  await room.at('q2').settle();
  settlesOn('q2', copy);
  let first: Recalled['claims'] | undefined;
  const repeats = (content: Recalled): Recalled => {
    first ??= content.claims;
    return { ...content, claims: first, more: 1 };
  };
  room.replace('q1', new Liar('q1', repeats));
  const [outcome] = await room.at('q2').settle(room.toll.station('q1').name);
  expect(outcome?.problem).toMatch(/^window 1 of the lost time cannot be recalled: .* again$/);
});

it('a window beyond all numbers is recalled as one that is not there', async () => {
  await room.at('q2').settle();
  const { name: peer } = room.toll.station('q1');
  const talk = new SettlementTalk(room.contextOf(room.toll.station('q2').name), peer);
  const asked = { sequence: 2n ** 64n - 1n, side: 'ours' } as const;
  await expect(talk.ask({ kind: 'recall', content: asked }, ['recalled'])).rejects.toMatchObject({
    code: 'declined',
  });
});

it('a peer that has more claims and tells of none is believed no more', async () => {
  const copy = await copyOf('q2');
  await room.at('q2').settle();
  settlesOn('q2', copy);
  room.replace('q1', new Liar('q1', (content) => ({ ...content, more: 1 })));
  const [outcome] = await room.at('q2').settle(room.toll.station('q1').name);
  expect(outcome?.problem).toMatch(/: the peer has more claims and tells of none$/);
});

it('a peer whose windows are never agreed is not followed from one to the next', async () => {
  const copy = await copyOf('q2');
  await room.at('q2').settle();
  await room.pay();
  await room.at('q2').settle();
  settlesOn('q2', copy);
  room.replace('q1', new Liar('q1', (content) => ({ ...content, state: 'closed' })));
  const [outcome] = await room.at('q2').settle(room.toll.station('q1').name);
  expect(outcome?.problem).toMatch(/^window 1 .*: it is closed, and others follow it$/);
  expect(await windowOf(copy, 'q1', 2n)).toBeUndefined();
});
