/** Checkpoints between neighbours (I34): what is cosigned, what is refused, and what is kept. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
} from '../../../daemon/wire/checkpoint.ts';
import { primitives } from '../audit/toll-room.ts';
import { network } from '../audit/toll-papers.ts';
import { WitnessingStation, WitnessRoom } from './witness-room.ts';

let room: WitnessRoom;
beforeEach(async () => {
  room = await WitnessRoom.open();
});
afterEach(() => room.close());

const otherRoot = new Uint8Array(32).fill(9);

/** What q2 has cosigned of q1's log. */
async function cosignedOfQ1() {
  const stored = await room.stations.q2.station.store.witnessed();
  return stored.find(({ peer }) => peer === 'q1');
}

async function grown(leaves: number): Promise<void> {
  await room.stations.q1.grow(leaves);
  await room.checkpoints();
}

describe('a neighbour', () => {
  it('cosigns what grows, and remembers the last of it', async () => {
    await grown(3);
    expect((await cosignedOfQ1())?.size).toBe(3n);
    await grown(300);
    const last = await cosignedOfQ1();
    expect(last?.size).toBe(303n);
    const { store } = room.stations.q1.station;
    const kept = (await store.cosigned()).find(({ peer }) => peer === 'q2');
    expect(kept).toMatchObject({ size: 303n, checkpoint: last?.checkpoint });
    expect(kept?.cosignature).toEqual(last?.cosignature);
    expect(await store.checkpoints(0n, 1_000n)).toHaveLength(2);
    expect(room.stations.q1.log.sequencer.cosigned).toEqual(
      new Map([
        ['q2', 303n],
        ['q3', 303n],
      ]),
    );
    expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it('is asked for nothing where the log has not grown', async () => {
    await grown(3);
    const before = room.told.length;
    await room.checkpoints();
    expect(room.told).toHaveLength(before);
  });

  it('is shown it again where the answer was lost', async () => {
    room.deaf = true;
    await grown(3);
    room.deaf = false;
    expect(await cosignedOfQ1()).toBeUndefined();
    await room.checkpoints();
    expect((await cosignedOfQ1())?.size).toBe(3n);
  });

  it('that has more than the answer said asks for a proof from there, and gets it', async () => {
    await grown(3);
    await room.stations.q1.grow(5);
    const { store } = room.stations.q1.station;
    // It cosigned 5 of them; that answer was lost.
    const checkpoint = room.signed('q1', 5n, await store.logRoot(5n));
    room.deaf = true;
    const proof = await store.logConsistency(3n, 5n);
    await room.arrive('q1', 'q2', room.shown(checkpoint, 3n, proof));
    room.deaf = false;
    expect((await cosignedOfQ1())?.size).toBe(5n);
    await room.checkpoints();
    expect((await cosignedOfQ1())?.size).toBe(8n);
    expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it.each([
    ['while it runs', false],
    ['and it restarts', true],
  ])('believes a station whose clock is set back an hour %s', async (_when, restarts) => {
    await grown(3);
    const { clock, log, station } = room.stations.q1;
    clock.set(-3_600_000);
    if (restarts) {
      await log.close();
      const again = new WitnessingStation(room, station);
      again.clock.set(-3_600_000);
      Object.assign(room.stations, { q1: again });
      await again.log.start();
    }
    await grown(5);
    expect((await cosignedOfQ1())?.size).toBe(8n);
    expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
    expect(room.stations.q2.log.witness.contradicting).toEqual([]);
  });

  it('cosigns on once a clock is right again that had run years ahead', async () => {
    await grown(3);
    room.certificatesEnd = room.room.nowSeconds + 400n * 86_400n;
    const { clock } = room.stations.q1;
    const yearsMs = 3 * 365 * 86_400_000;
    clock.set(yearsMs);
    await grown(2);
    clock.set(-yearsMs);
    await grown(1);
    expect((await cosignedOfQ1())?.size).toBe(6n);
    expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it('cosigns on where a checkpoint was signed while the clock ran years ahead', async () => {
    const { log, station } = room.stations.q1;
    await room.stations.q1.grow(3);
    const ahead = room.room.nowSeconds + 1_000n * 86_400n;
    const signed = room.signed('q1', 3n, await station.store.logRoot(3n), ahead);
    await station.store.putCheckpoint({ size: 3n, bytes: signed.bytes });
    room.certificatesEnd = room.room.nowSeconds + 400n * 86_400n;
    await log.close();
    const again = new WitnessingStation(room, station);
    Object.assign(room.stations, { q1: again });
    await again.log.start();
    await grown(1);
    expect((await cosignedOfQ1())?.size).toBe(4n);
  });

  it('waits for the announcement of who asks', async () => {
    room.unknown.add('q1');
    await grown(3);
    expect(await cosignedOfQ1()).toBeUndefined();
    room.unknown.clear();
    await room.checkpoints();
    expect((await cosignedOfQ1())?.size).toBe(3n);
  });

  it('does not lend its name to whoever asks without end', async () => {
    await grown(1);
    const before = room.told.length;
    const checkpoint = room.signed('q1', 1n, await room.stations.q1.station.store.logRoot(1n));
    room.deaf = true;
    for (let i = 0; i < 2_000; i++) await room.arrive('q1', 'q2', room.shown(checkpoint, 0n, []));
    expect(room.told.length - before).toBeLessThanOrEqual(1_200);
  });
});

describe('a checkpoint is refused', () => {
  beforeEach(() => grown(3));

  async function expectRefused(words: RegExp, from = 'q1', name = 'q1', key = 'q1') {
    const before = await cosignedOfQ1();
    const { documentKey } = room.room.station(key);
    const { name: station } = room.room.station(name);
    const time = room.room.nowSeconds;
    const body = { ...headNow, network, station, size: 9n, root: otherRoot, time };
    const checkpoint = checkpointKind.sign(body, documentKey);
    await room.arrive(from, 'q2', room.shown(checkpoint, 3n, []));
    expect(room.stations.q2.complaints.at(-1)).toMatch(words);
    expect(await cosignedOfQ1()).toEqual(before);
    return checkpoint;
  }

  it('of another station than the one that shows it', async () => {
    await expectRefused(/^q3: checkpoint: it is of q1$/, 'q3');
  });

  it('that its station did not sign', async () => {
    await expectRefused(/^q1: checkpoint: its signature$/, 'q1', 'q1', 'q3');
    expect(room.stations.q2.log.witness.contradicting).toEqual([]);
  });

  it('of a log that is not shown to begin with the one cosigned, which is kept', async () => {
    const checkpoint = await expectRefused(/kept as evidence: its 9 leaves were not shown/);
    const [kept] = await room.stations.q2.station.store.twoLogs();
    expect(kept?.shown).toEqual(checkpoint.bytes);
    expect(kept?.cosigned).toEqual((await cosignedOfQ1())?.checkpoint);
    expect(room.stations.q2.log.witness.contradicting).toEqual(['q1']);
  });

  it('of another log of the same size: two that were shown to two neighbours', async () => {
    const other = room.signed('q1', 3n, otherRoot);
    await room.arrive('q1', 'q2', room.shown(other, 3n, []));
    expect(room.stations.q2.complaints).toEqual([
      'q1: checkpoint, kept as evidence: two different logs of 3 leaves',
    ]);
    const { findings } = await room.room.audit('q2');
    expect(findings).toEqual([
      { code: 'two-logs', detail: 'q1 signed two different logs of 3 leaves', party: 'q1' },
    ]);
  });

  it('of a log that has become shorter', async () => {
    room.room.clock.advance(5_000);
    const root = await room.stations.q1.station.store.logRoot(2n);
    await room.arrive('q1', 'q2', room.shown(room.signed('q1', 2n, root), 3n, []));
    expect(room.stations.q2.complaints).toEqual([
      'q1: checkpoint, kept as evidence: a log of 3 leaves that had 2 later',
    ]);
    expect((await cosignedOfQ1())?.size).toBe(3n);
  });

  it('and an earlier one that comes late is nothing bad', async () => {
    const root = await room.stations.q1.station.store.logRoot(2n);
    const early = room.signed('q1', 2n, root, room.room.nowSeconds - 100n);
    await room.arrive('q1', 'q2', room.shown(early, 0n, []));
    expect(room.stations.q2.complaints).toEqual([]);
    expect((await cosignedOfQ1())?.size).toBe(3n);
  });

  it('without end: a few contradictions prove as much as many', async () => {
    for (let i = 0; i < 30; i++) {
      const root = new Uint8Array(32).fill(i);
      await room.arrive('q1', 'q2', room.shown(room.signed('q1', 3n, root), 3n, []));
    }
    expect(await room.stations.q2.station.store.twoLogs()).toHaveLength(16);
  });
});

describe('what a neighbour shows to have cosigned', () => {
  beforeEach(() => grown(3));

  async function shown(size: bigint, root: Uint8Array, keys = { own: 'q1', witness: 'q2' }) {
    const { name: station } = room.room.station('q1');
    const time = room.room.nowSeconds;
    const body = { ...headNow, network, station, size, root, time };
    const own = room.room.station(keys.own).documentKey;
    const checkpoint = checkpointKind.sign(body, own);
    const digest = checkpointKind.digest(primitives, checkpoint.bodyBytes);
    const { name: witness } = room.room.station('q2');
    const word = { ...headNow, network, witness, station, checkpoint: digest, time };
    const by = room.room.station(keys.witness).documentKey;
    const cosignature = cosignatureKind.sign(word, by);
    await room.arrive('q2', 'q1', { kind: 'cosigned', content: { checkpoint, cosignature } });
  }

  it('and this station did not sign counts for nothing', async () => {
    await shown(9n, otherRoot, { own: 'q2', witness: 'q2' });
    expect(room.stations.q1.complaints).toEqual([
      'q2: cosigned checkpoint: this station’s key did not sign it',
    ]);
    expect(room.stations.q1.log.standing.rolledBack).toBeUndefined();
  });

  it('under another’s signature is not stored', async () => {
    const { store } = room.stations.q1.station;
    const before = await store.cosigned();
    await shown(2n, await store.logRoot(2n), { own: 'q1', witness: 'q3' });
    expect(room.stations.q1.complaints).toEqual([
      'q2: cosigned checkpoint: its cosignature does not verify',
    ]);
    expect(await store.cosigned()).toEqual(before);
  });

  it.each([
    ['is longer than the log', 9n],
    ['is of another log', 3n],
  ])('and %s tells of records that were lost, also after a restart', async (_how, size) => {
    await shown(size, otherRoot);
    const { log, complaints, station } = room.stations.q1;
    expect(complaints).toEqual(['rolled back']);
    const lost = { witness: 'q2', cosigned: size, present: 3n };
    expect(log.standing.rolledBack).toEqual(lost);
    expect(log.standing.refusal).toBe(
      'q1 has lost records that q2 witnessed, and takes no payments.',
    );
    // It signs no second log, whatever grows.
    await grown(5);
    expect((await station.store.lastCheckpoint())?.size).toBe(3n);
    const again = new WitnessingStation(room, station);
    await again.log.start();
    expect(again.log.standing.rolledBack).toEqual({ ...lost, present: 8n });
    await again.log.close();
    const code = size > 3n ? 'log-cut-short' : 'checkpoint-differs';
    expect((await room.room.audit('q1')).findings.map((one) => one.code)).toEqual([code]);
  });
});
