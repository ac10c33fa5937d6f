/** What keeps the rebuilding of lost books from its end, and what does not. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StationName } from '../../../applet-spec/names.ts';
import type { TakingContext } from '../../../daemon/recovery/records-taken.ts';
import type { Recovery } from '../../../daemon/recovery/recovery.ts';
import type { Answer } from '../../../daemon/wire/wire-message.ts';
import { TollRoom } from '../relay/toll-room.ts';
import { TollStation } from '../relay/toll-station.ts';
import { recoveryWith, shownBy } from './recovery-room.ts';

let room: TollRoom;
let station: TollStation;
let q1: StationName;

beforeEach(async () => {
  room = await TollRoom.open();
  station = await TollStation.open(room, 'q2');
  q1 = room.stations.q1.name;
});
afterEach(async () => {
  await station.close();
  room.close();
});

async function begin(recovery: Recovery, ...leaveOut: StationName[]): Promise<string | undefined> {
  await recovery.begin({ leaveOut });
  for (let turns = 0; turns < 300; turns++) await new Promise(setImmediate);
  return recovery.state?.state;
}

const stateOf = async (paymentId: Uint8Array) =>
  (await station.store.payments([paymentId]))[0]?.state;

it.each([
  [0, 2n ** 64n - 1n],
  [1, 2n ** 64n - 1n],
  [1, 2n ** 63n],
  [1, 0n],
])('a neighbour whose page says more = %i behind %i can be left out', async (more, next) => {
  const content = { records: [], next, more };
  const recovery = recoveryWith(room, station, {
    peer: q1,
    answer: { kind: 'records', content },
  });
  expect(await begin(recovery)).toBe('rebuilding');
  expect(await begin(recovery, q1)).toBe('done');
  await recovery.close();
});

const empty = { records: [], next: 0n } as const;

it.each([
  [
    'is not connected',
    { kind: 'unreachable', content: { station: 'q2' as StationName } },
    'no-link',
  ],
  ['says nothing', undefined, 'no-answer'],
  [
    'has lost records itself',
    { kind: 'declined', content: { reason: 'rolled-back', message: 'Lost, too.' } },
    'lost-records',
  ],
  ['shows pages without end', { kind: 'records', content: { ...empty, more: 1 } }, 'no-end'],
] satisfies readonly (readonly [string, Answer | undefined, string])[])(
  'a neighbour that %s is waited for, and why is told until it is left out',
  async (_what, answer, why) => {
    const recovery = recoveryWith(room, station, { peer: q1, ...(answer && { answer }) });
    expect(await begin(recovery)).toBe('rebuilding');
    expect([...recovery.waits]).toEqual([[q1, { why }]]);
    expect(await begin(recovery, q1)).toBe('done');
    await recovery.close();
  },
);

it('a neighbour that has told all is waited for no more', async () => {
  let content: Extract<Answer, { kind: 'records' }>['content'] = { ...empty, more: 1 };
  const recovery = recoveryWith(room, station, {
    peer: q1,
    answer: () => ({ kind: 'records', content }),
  });
  await begin(recovery);
  expect([...recovery.waits.keys()]).toEqual([q1]);
  content = { ...empty, more: 0 };
  room.room.clock.advance(5_000);
  for (let turns = 0; turns < 300; turns++) await new Promise(setImmediate);
  expect(recovery.state?.state).toBe('done');
  expect([...recovery.waits.keys()]).toEqual([]);
  await recovery.close();
});

it('a neighbour that always has one page more is left out between two pages', async () => {
  let next = 0n;
  const recovery = recoveryWith(room, station, {
    peer: q1,
    answer: () => ({ kind: 'records', content: { records: [], next: ++next, more: 1 } }),
  });
  expect(await begin(recovery)).toBe('rebuilding');
  expect(await begin(recovery, q1)).toBe('done');
  await recovery.close();
});

it('books that nobody has told of since the last stop are whole once all have told', async () => {
  const recovery = recoveryWith(room, station, {
    ...{ peer: q1, isUntold: true },
    answer: { kind: 'records', content: { ...empty, more: 0 } },
  });
  expect(await begin(recovery)).toBe('done');
  const [declared] = await station.store.declarations();
  expect(declared).toMatchObject({ station: 'q2', generation: 1n, accepted: true });
  await recovery.close();
});

it('a time to come is refused: nothing would be asked for, and all of it be given up', async () => {
  const answer = { kind: 'records', content: { ...empty, more: 0 } } as const;
  const recovery = recoveryWith(room, station, { peer: q1, answer });
  const sinceSeconds = room.now + 3_600n;
  await expect(recovery.begin({ sinceSeconds })).rejects.toMatchObject({ code: 'time-to-come' });
  expect(await station.store.recovery()).toBeUndefined();
  await recovery.begin({ sinceSeconds: room.now });
  await recovery.close();
});

it('another time is refused while neighbours are asked, and the same is not', async () => {
  const recovery = recoveryWith(room, station, { peer: q1 });
  await recovery.begin({ sinceSeconds: 1_000n });
  await expect(recovery.begin({ sinceSeconds: 0n })).rejects.toMatchObject({
    code: 'under-way',
    message: expect.stringContaining('since 1970-01-01T00:16:40') as string,
  });
  expect(await recovery.begin({ sinceSeconds: 1_000n })).toMatchObject({ sinceSeconds: 1_000n });
  expect(await recovery.begin({})).toMatchObject({ sinceSeconds: 1_000n });
  await recovery.close();
});

/** Of a network that q1 has left for good, which q3 shows a payment of. */
function withoutIssuer(known: 'known before' | 'revoked' | 'unknown'): TakingContext['directory'] {
  const { directory } = room;
  return {
    entry: (name) => (name === q1 ? undefined : directory.entry(name)),
    keysAt: (name, role, seconds) =>
      name === q1 && known !== 'known before' ? [] : directory.keysAt(name, role, seconds),
    isRevoked: (name) => name === q1 && known === 'revoked',
  };
}

it.each([
  ['known before', 'forwarded'],
  ['revoked', undefined],
] as const)('an issuer that is gone and %s holds nothing up', async (known, state) => {
  const record = await shownBy(room);
  const answer = { kind: 'records', content: { records: [record], next: 1n, more: 0 } } as const;
  const directory = withoutIssuer(known);
  const peer = room.stations.q3.name;
  const recovery = recoveryWith(room, station, { peer, answer, directory });
  expect(await begin(recovery)).toBe('done');
  expect(await stateOf(record.arriving.paymentId)).toBe(state);
  expect(recovery.state?.peers).toMatchObject([{ shown: 1, refused: state === undefined ? 1 : 0 }]);
  await recovery.close();
});

it('an issuer that nothing is known of is waited for until it is left out', async () => {
  const record = await shownBy(room);
  const answer = { kind: 'records', content: { records: [record], next: 1n, more: 0 } } as const;
  const told: string[] = [];
  const recovery = recoveryWith(room, station, {
    ...{ peer: room.stations.q3.name, answer, directory: withoutIssuer('unknown') },
    onProgress: (_message, detail = {}) => told.push(detail['why'] ?? ''),
  });
  await expect(recovery.begin({ leaveOut: [q1] })).rejects.toMatchObject({ code: 'no-neighbour' });
  expect(await begin(recovery)).toBe('rebuilding');
  expect([...recovery.waits.values()]).toEqual([{ why: 'unknown-signer', station: q1 }]);
  expect(told).toContain('q1 has not announced itself; leave it out where it is gone for good');
  await begin(recovery, q1);
  room.room.clock.advance(5_000);
  for (let turns = 0; turns < 300; turns++) await new Promise(setImmediate);
  expect(recovery.state?.state).toBe('done');
  expect(recovery.state?.peers).toMatchObject([
    { peer: 'q1', state: 'left-out' },
    { peer: 'q3', refused: 1, trouble: 'q1 is left out, and nothing is known of its keys' },
  ]);
  await recovery.close();
});
