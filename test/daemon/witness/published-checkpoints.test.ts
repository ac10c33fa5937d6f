/** What witnesses tell each other of a log that they see from two sides (failure 29, I34). */
import { afterEach, expect, it } from 'vitest';
import { uintToBytes } from '../../../applet-spec/bytes.ts';
import { headNow } from '../../../applet-spec/names.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
  type Checkpoint,
} from '../../../daemon/wire/checkpoint.ts';
import { declaration as declarationKind } from '../../../daemon/wire/declaration.ts';
import type { WireMessage } from '../../../daemon/wire/wire-message.ts';
import { network } from '../audit/toll-papers.ts';
import { primitives } from '../audit/toll-room.ts';
import { MemoryLog } from './memory-log.ts';
import { WitnessingStation, WitnessRoom } from './witness-room.ts';

let room: WitnessRoom;
afterEach(() => room.close());

/** q2 and q3 are neighbours of q1 and not of each other; q4 sees both, and not q1. */
const square = { stations: 4, joined: ['q1-q2', 'q1-q3', 'q2-q4', 'q3-q4'] } as const;

/** A log that q1 shows to some, beside the one that it has. */
function logWith(secret: number, leaves: number): MemoryLog {
  const log = new MemoryLog();
  const leaf = (i: number) => primitives.sha256(uintToBytes(BigInt(i), 4));
  for (let i = 0; i < leaves; i++) log.add(leaf(i < 2 ? i : i + 1_000 * secret));
  return log;
}

/** q1 says nothing by itself any more, and answers nothing. */
async function twoFaced(options: Parameters<typeof WitnessRoom.open>[0] = {}): Promise<void> {
  room = await WitnessRoom.open(options);
  room.silent.add('q1');
}

/** q1 shows to one neighbour that a log has grown, with the proof from what that one knows. */
async function shows(to: string, log: MemoryLog, size: number, since = 0): Promise<Checkpoint> {
  const [from, upTo] = [BigInt(since), BigInt(size)];
  const checkpoint = room.signed('q1', upTo, log.tree.root(upTo));
  const proof = log.tree.consistency(from, upTo);
  await room.arrive('q1', to, room.shown(checkpoint, from, proof));
  await room.settled();
  return checkpoint;
}

async function evidenceAt(name: string) {
  return room.at(name).station.store.twoLogs();
}

const kinds = (of: WireMessage['kind']) => room.told.filter(({ message }) => message.kind === of);

it('two logs of one size shown to two neighbours are found by whoever knows both', async () => {
  await twoFaced(square);
  const toQ2 = await shows('q2', logWith(1, 5), 5);
  const toQ3 = await shows('q3', logWith(2, 5), 5);
  const both = [toQ2, toQ3].map(({ bytes }) => bytes);
  for (const name of ['q2', 'q3', 'q4']) {
    const [pair, ...more] = await evidenceAt(name);
    expect(more).toEqual([]);
    expect([pair?.cosigned, pair?.shown]).toEqual(expect.arrayContaining(both));
    expect(room.at(name).log.witness.contradicting).toEqual(['q1']);
    const { findings } = await room.room.audit(name);
    expect(findings).toEqual([
      { code: 'two-logs', detail: 'q1 signed two different logs of 5 leaves', party: 'q1' },
    ]);
  }
  expect(room.at('q4').complaints).toEqual([
    'q1: checkpoint, kept as evidence: two different logs of 5 leaves',
  ]);
});

it('two neighbours of it that are joined by a link find them by themselves', async () => {
  await twoFaced();
  await shows('q2', logWith(1, 5), 5);
  await shows('q3', logWith(2, 5), 5);
  for (const name of ['q2', 'q3']) expect(await evidenceAt(name)).toHaveLength(1);
});

it('what contradicts it is told on once, however much more there is', async () => {
  await twoFaced(square);
  await shows('q2', logWith(1, 5), 5);
  await shows('q3', logWith(2, 5), 5);
  const before = kinds('published').length;
  await shows('q3', logWith(3, 5), 5);
  await shows('q2', logWith(4, 5), 5);
  expect(kinds('published').length).toBe(before);
});

it('a second log of another size is found when its neighbour is asked for the proof', async () => {
  await twoFaced(square);
  const [one, other] = [logWith(1, 9), logWith(2, 9)];
  const shorter = await shows('q2', one, 5);
  const longer = await shows('q3', other, 9);
  await room.checkpoints();
  const asked = kinds('prove').map(({ from, to, message }) => ({ from, to, message }));
  expect(asked).toEqual([
    {
      from: 'q2',
      to: 'q1',
      message: { kind: 'prove', content: { checkpoint: longer, since: 5n } },
    },
  ]);
  // The best that q1 can do is to answer from the log that q2 does not know.
  await room.arrive('q1', 'q2', room.shown(longer, 5n, other.tree.consistency(5n, 9n)));
  const [pair] = await evidenceAt('q2');
  expect(pair).toMatchObject({ cosigned: shorter.bytes, shown: longer.bytes });
  expect(room.at('q2').complaints.at(-1)).toMatch(
    /its 9 leaves were not shown to begin with the 5/,
  );
});

it('the same, and meanwhile it showed more of the first log to the first neighbour', async () => {
  await twoFaced(square);
  const [one, other] = [logWith(1, 12), logWith(2, 9)];
  await shows('q2', one, 5);
  const longer = await shows('q3', other, 9);
  const longest = await shows('q2', one, 12, 5);
  await room.checkpoints();
  const [asked] = kinds('prove').filter(({ from }) => from === 'q2');
  const content = { checkpoint: longest, since: 9n };
  expect(asked?.message).toEqual({ kind: 'prove', content });
  await room.arrive('q1', 'q2', room.shown(longest, 9n, one.tree.consistency(9n, 12n)));
  expect((await evidenceAt('q2'))[0]).toMatchObject({
    cosigned: longer.bytes,
    shown: longest.bytes,
  });
});

it('a station that answers no such question is named to the operator', async () => {
  await twoFaced(square);
  await shows('q2', logWith(1, 5), 5);
  await shows('q3', logWith(2, 9), 9);
  for (let round = 1; round <= 2; round++) {
    await room.checkpoints();
    expect(room.at('q2').log.witness.unproven).toEqual([]);
  }
  await room.checkpoints();
  expect(room.at('q2').log.witness.unproven).toMatchObject([{ station: 'q1' }]);
  expect(room.at('q2').complaints).toEqual([
    'q1: checkpoint: it does not show 5 leaves cosigned here and 9 elsewhere to be of one log',
  ]);
  await room.checkpoints();
  expect(room.at('q2').complaints).toHaveLength(1);
});

it('one log seen from all sides is told on once, and nobody asks anything', async () => {
  room = await WitnessRoom.open(square);
  for (let round = 0; round < 3; round++) {
    const before = kinds('published').length;
    await room.stations.q1.grow(3);
    await room.checkpoints();
    // Both witnesses at first, and q4 to each of those whose word came second.
    expect(kinds('published').length - before).toBeLessThanOrEqual(4);
  }
  expect(kinds('prove')).toEqual([]);
  expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
});

it('a neighbour that was cut off is shown the proof that it asks for', async () => {
  room = await WitnessRoom.open(square);
  await room.stations.q1.grow(5);
  await room.checkpoints();
  room.cut.add('q1-q3');
  await room.stations.q1.grow(4);
  await room.checkpoints();
  // It hears of 9 leaves from q4; when it can ask, it is shown 12.
  expect(room.at('q3').log.witness.sizes.get(room.stations.q1.station.name)).toBe(5n);
  await room.stations.q1.grow(3);
  room.mend('q1', 'q3');
  await room.checkpoints();
  await room.checkpoints();
  await room.checkpoints();
  await room.checkpoints();
  expect(room.at('q3').log.witness.sizes.get(room.stations.q1.station.name)).toBe(12n);
  expect(room.at('q3').log.witness.unproven).toEqual([]);
  expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
});

it('a link that comes up brings what its ends have heard, also after a restart', async () => {
  room = await WitnessRoom.open(square);
  room.silent.add('q1');
  room.cut.add('q3-q4');
  await shows('q2', logWith(1, 5), 5);
  await shows('q3', logWith(2, 5), 5);
  const { station } = room.at('q3');
  await room.at('q3').log.close();
  Object.assign(room.stations, { q3: new WitnessingStation(room, station) });
  await room.at('q3').log.start();
  expect(await evidenceAt('q4')).toEqual([]);
  room.mend('q3', 'q4');
  await room.settled();
  for (const name of ['q2', 'q3', 'q4']) expect(await evidenceAt(name)).toHaveLength(1);
});

it('a new station hears of two logs once it knows who signed them', async () => {
  await twoFaced(square);
  room.cut.add('q2-q4');
  room.cut.add('q3-q4');
  await shows('q2', logWith(1, 5), 5);
  await room.arrive('q1', 'q2', room.shown(room.signed('q1', 5n, new Uint8Array(32)), 0n, []));
  room.unknown.add('q1');
  room.mend('q2', 'q4');
  await room.settled();
  expect(room.at('q4').log.witness.contradicting).toEqual([]);
  room.unknown.clear();
  await room.checkpoints();
  expect(room.at('q4').log.witness.contradicting).toEqual(['q1']);
});

it('a station hears from afar that its own database was rolled back', async () => {
  room = await WitnessRoom.open(square);
  room.silent.add('q1');
  room.silent.add('q3');
  await shows('q2', logWith(1, 5), 5);
  const { log, complaints } = room.stations.q1;
  expect(complaints).toEqual(['rolled back']);
  expect(log.standing.rolledBack).toEqual({ witness: 'q2', cosigned: 5n, present: 0n });
});

it('a loss that was declared to one neighbour is declared to another that asks', async () => {
  room = await WitnessRoom.open(square);
  await room.stations.q1.grow(5);
  await room.checkpoints();
  room.silent.add('q1');
  const { name: station, store, documentKey } = room.stations.q1.station;
  const root = await store.logRoot(5n);
  const lost = { generation: 0n, size: 5n, root };
  const time = room.room.nowSeconds;
  const body = {
    ...headNow,
    network,
    station,
    generation: 1n,
    lost,
    kept: { size: 5n, root },
    time,
  };
  const declaration = declarationKind.sign(body, documentKey);
  await room.arrive('q1', 'q2', { kind: 'declaration', content: { declaration } });
  const next = { ...headNow, network, station, size: 7n, root: logWith(1, 7).tree.root(7n), time };
  const checkpoint = checkpointKind.sign({ ...next, generation: 1n }, documentKey);
  const cosignature = signedBy('q2', checkpoint);
  const content = { checkpoint, cosignature };
  await room.arrive('q4', 'q3', { kind: 'published', content });
  await room.checkpoints();
  const [asked] = kinds('prove');
  expect(asked).toMatchObject({ from: 'q3', to: 'q1' });
  expect(await evidenceAt('q3')).toEqual([]);
});

/** A witness's word, as it signs it. */
function signedBy(witness: string, checkpoint: Checkpoint, key = witness) {
  const { name } = room.room.station(witness);
  const digest = checkpointKind.digest(primitives, checkpoint.bodyBytes);
  const { station, time } = checkpoint.body;
  return cosignatureKind.sign(
    { ...headNow, network, witness: name, station, checkpoint: digest, time },
    room.room.station(key).documentKey,
  );
}

it.each([
  ['that its station did not sign', /its signature$/, 'q2', 'q2', 'q2'],
  ['that nobody but its station cosigned', /nobody cosigned it$/, 'q1', 'q1', 'q1'],
  ['under the signature of another witness', /its cosignature does not verify$/, 'q1', 'q2', 'q3'],
])('a checkpoint %s is not told on', async (_what, words, signer, witness, key) => {
  await twoFaced(square);
  const { name: station } = room.room.station('q1');
  const time = room.room.nowSeconds;
  const body = { ...headNow, network, station, size: 5n, root: new Uint8Array(32), time };
  const checkpoint = checkpointKind.sign(body, room.room.station(signer).documentKey);
  const content = { checkpoint, cosignature: signedBy(witness, checkpoint, key) };
  await room.arrive('q2', 'q4', { kind: 'published', content });
  await room.settled();
  expect(room.at('q4').complaints.at(-1)).toMatch(words);
  expect(kinds('published')).toEqual([]);
});

it('checkpoints without end of one station are passed on a few a minute', async () => {
  await twoFaced(square);
  const log = logWith(1, 400);
  for (let size = 1; size <= 400; size++) {
    const checkpoint = room.signed('q1', BigInt(size), log.tree.root(BigInt(size)));
    const content = { checkpoint, cosignature: signedBy('q2', checkpoint) };
    await room.arrive('q2', 'q4', { kind: 'published', content });
  }
  expect(kinds('published').filter(({ from }) => from === 'q4').length).toBeLessThanOrEqual(240);
});
