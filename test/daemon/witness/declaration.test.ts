/** Declared losses between neighbours (I14, I34): once, forward only, and never forgotten. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
} from '../../../daemon/wire/checkpoint.ts';
import {
  declaration as declarationKind,
  type DeclarationBody,
} from '../../../daemon/wire/declaration.ts';
import type { WireMessage } from '../../../daemon/wire/wire-message.ts';
import { network } from '../audit/toll-papers.ts';
import { primitives } from '../audit/toll-room.ts';
import { WitnessingStation, WitnessRoom } from './witness-room.ts';

let room: WitnessRoom;
beforeEach(async () => {
  room = await WitnessRoom.open();
  await room.stations.q1.grow(5);
  await room.checkpoints();
});
afterEach(() => room.close());

const otherRoot = new Uint8Array(32).fill(9);

/** What q1 says it lost: its log of 5 leaves, of which it goes on with 2. */
async function loss(change: Partial<DeclarationBody> = {}): Promise<DeclarationBody> {
  const { name: station, store } = room.room.station('q1');
  return {
    ...headNow,
    network,
    station,
    generation: 1n,
    lost: { generation: 0n, size: 5n, root: await store.logRoot(5n) },
    kept: { size: 2n, root: await store.logRoot(2n) },
    time: room.room.nowSeconds,
    ...change,
  };
}

it('of losses that are declared without end a few an hour are kept', async () => {
  const root = otherRoot;
  for (let generation = 1n; generation <= 100n; generation++) {
    await declare(
      await loss({ generation, lost: { generation: generation - 1n, size: 9n, root } }),
    );
  }
  const { store } = room.stations.q2.station;
  expect((await store.declarations()).length).toBeLessThanOrEqual(8);
  room.room.clock.advance(3_600_000);
  const generation = 101n;
  await declare(await loss({ generation, lost: { generation: 100n, size: 9n, root } }));
  const newest = (await store.declarations()).at(-1);
  expect(newest).toMatchObject({ generation, accepted: true });
});

async function declare(body: DeclarationBody, key = 'q1', from = 'q1'): Promise<void> {
  const declaration = declarationKind.sign(body, room.room.station(key).documentKey);
  await room.arrive(from, 'q2', { kind: 'declaration', content: { declaration } });
}

/** A checkpoint over what q1 has, as one of this generation, from a size on. */
async function show(generation: bigint, since: bigint): Promise<WireMessage> {
  const { name: station, store, documentKey } = room.room.station('q1');
  const size = await store.logSize();
  const root = await store.logRoot(size);
  const time = room.room.nowSeconds;
  const body = { ...headNow, network, station, size, root, time };
  const whole = generation > 0n ? { ...body, generation } : body;
  const checkpoint = checkpointKind.sign(whole, documentKey);
  const proof = await store.logConsistency(since, size);
  const shown = room.shown(checkpoint, since, proof);
  await room.arrive('q1', 'q2', shown);
  return shown;
}

async function cosigned() {
  const stored = await room.stations.q2.station.store.witnessed();
  return stored.find(({ peer }) => peer === 'q1');
}

const declared = () => room.stations.q2.station.store.declarations();
const findings = async () => (await room.room.audit('q2')).findings.map(({ code }) => code);

describe('a neighbour that is told of lost leaves', () => {
  it('keeps the word and what it had cosigned, and cosigns from there on', async () => {
    const before = await cosigned();
    const body = await loss();
    await declare(body);
    const [kept] = await declared();
    expect(kept).toMatchObject({ station: 'q1', generation: 1n, accepted: true });
    expect(kept?.held).toEqual({
      checkpoint: before?.checkpoint,
      cosignature: before?.cosignature,
    });
    await room.stations.q1.grow(1);
    await show(1n, 2n);
    expect(await cosigned()).toMatchObject({ size: 6n, generation: 1n });
    const { losses } = await room.room.audit('q2');
    expect(losses).toEqual([
      { station: 'q1', generation: 1n, lost: 5n, kept: 2n, time: body.time },
    ]);
    expect(await findings()).toEqual([]);
    expect(room.stations.q2.log.witness.contradicting).toEqual([]);
  });

  it('knows it again after a restart', async () => {
    await declare(await loss());
    const again = new WitnessingStation(room, room.stations.q2.station);
    await again.log.start();
    expect([...again.log.witness.declared.keys()]).toEqual(['q1']);
    await again.log.close();
  });

  it('cosigns nothing of a generation that was not declared, or that was given up', async () => {
    const before = await cosigned();
    await room.stations.q1.grow(1);
    await show(1n, 2n);
    expect(await cosigned()).toEqual(before);
    await declare(await loss());
    await show(0n, 5n);
    expect(await cosigned()).toEqual(before);
    expect(room.stations.q2.log.witness.contradicting).toEqual([]);
  });

  it('cosigns no new generation that does not begin with what it said to keep', async () => {
    await declare(await loss({ kept: { size: 2n, root: otherRoot } }));
    const before = await cosigned();
    await room.stations.q1.grow(1);
    await show(1n, 2n);
    expect(await cosigned()).toEqual(before);
    expect(room.stations.q2.log.witness.contradicting).toEqual(['q1']);
  });

  it('is not told anything new by the same word again', async () => {
    const body = await loss();
    await declare(body);
    await room.stations.q1.grow(1);
    await show(1n, 2n);
    const before = [await cosigned(), await declared()];
    await declare(body);
    await show(1n, 2n);
    expect([await cosigned(), await declared()]).toEqual(before);
  });

  it('holds no proof of a new generation against what others cosigned of the old', async () => {
    // Of eight leaves, which q3 cosigned, q1 has lost three, and now has three others.
    const longer = room.signed('q1', 8n, otherRoot);
    const { name: witness, documentKey } = room.room.station('q3');
    const word = { witness, station: longer.body.station, time: room.room.nowSeconds };
    const checkpoint = checkpointKind.digest(primitives, longer.bodyBytes);
    const cosignature = cosignatureKind.sign(
      { ...headNow, network, ...word, checkpoint },
      documentKey,
    );
    const content = { checkpoint: longer, cosignature };
    await room.arrive('q3', 'q2', { kind: 'published', content });
    await room.stations.q1.grow(3);
    const kept = { size: 8n, root: await room.room.station('q1').store.logRoot(8n) };
    await declare(await loss({ lost: { generation: 0n, size: 8n, root: otherRoot }, kept }));
    await room.stations.q1.grow(1);
    const shown = await show(1n, 8n);
    // The answer was lost.
    await room.arrive('q1', 'q2', shown);
    expect(await cosigned()).toMatchObject({ size: 9n, generation: 1n });
    expect(room.stations.q2.log.witness.contradicting).toEqual([]);
  });

  it('takes a second loss only as a generation after the first', async () => {
    await declare(await loss());
    await room.stations.q1.grow(1);
    await show(1n, 2n);
    const { store } = room.room.station('q1');
    const lost = { generation: 1n, size: 6n, root: await store.logRoot(6n) };
    await declare(await loss({ generation: 2n, lost }));
    expect((await declared()).map(({ generation }) => generation)).toEqual([1n, 2n]);
    await declare(await loss());
    expect(await declared()).toHaveLength(2);
    expect(await findings()).toEqual([]);
  });

  it('that has cosigned more says so, and gives up nothing', async () => {
    const { store } = room.room.station('q1');
    const lost = { generation: 0n, size: 4n, root: await store.logRoot(4n) };
    const before = room.told.length;
    await declare(await loss({ lost }));
    expect(await declared()).toEqual([]);
    expect(room.told.slice(before)).toMatchObject([{ to: 'q1', message: { kind: 'cosigned' } }]);
  });
});

describe('a declaration is evidence', () => {
  it('where it gives up another log than the one that was shown', async () => {
    await declare(await loss({ lost: { generation: 0n, size: 5n, root: otherRoot } }));
    expect(await declared()).toMatchObject([{ accepted: false }]);
    expect(room.stations.q2.log.witness.contradicting).toEqual(['q1']);
    expect(await findings()).toEqual(['two-logs']);
  });

  it('where it is the second of one generation', async () => {
    await declare(await loss());
    await declare(await loss({ kept: { size: 1n, root: otherRoot } }));
    expect(await declared()).toMatchObject([{ accepted: true }, { accepted: false }]);
    expect(await findings()).toEqual(['two-logs']);
  });
});

describe('a declaration is refused', () => {
  it.each([
    ['that its station did not sign', {}, 'q3', 'q1', 'q1: declaration: its signature'],
    ['of another station', {}, 'q1', 'q3', 'q3: declaration: it is of q1'],
    [
      'of another network',
      { network: 'other' },
      'q1',
      'q1',
      'q1: declaration: it is of network other',
    ],
  ])('%s', async (_what, change, key, from, words) => {
    await declare(await loss(change), key, from);
    expect(await declared()).toEqual([]);
    expect(room.stations.q2.complaints.at(-1)).toBe(words);
  });

  it('that does not go forward by its own words', async () => {
    const body = await loss();
    expect(() => declarationKind.body.encode({ ...body, generation: 0n })).toThrow(
      'a generation that is not after the one given up',
    );
  });
});
