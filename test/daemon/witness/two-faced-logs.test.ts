/** Whatever a station does with two logs somebody finds out; honest ones are let be. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { uintToBytes } from '../../../applet-spec/bytes.ts';
import type { WireMessage } from '../../../daemon/wire/wire-message.ts';
import { primitives } from '../audit/toll-room.ts';
import { MemoryLog } from './memory-log.ts';
import { WitnessRoom } from './witness-room.ts';

const square = { stations: 4, joined: ['q1-q2', 'q1-q3', 'q2-q4', 'q3-q4'] } as const;
const numRuns = 12;
type Witness = 'q2' | 'q3';

/** A station that shows each of two neighbours a log of its own, alike up to the fork. */
class TwoFaced {
  readonly #room: WitnessRoom;
  readonly #logs: Readonly<Record<Witness, MemoryLog>>;
  readonly #shown: Record<Witness, number> = { q2: 0, q3: 0 };
  readonly #fork: number;
  #leaves = 0;

  constructor(room: WitnessRoom, fork: number) {
    this.#room = room;
    this.#fork = fork;
    this.#logs = { q2: new MemoryLog(), q3: new MemoryLog() };
  }

  /** Whether both have cosigned what only one of the logs holds. */
  get isForked(): boolean {
    return Math.min(this.#shown.q2, this.#shown.q3) > this.#fork;
  }

  async shows(to: Witness, growth: number): Promise<void> {
    const since = this.#shown[to];
    const size = since + growth;
    while (this.#leaves < size) this.#grow();
    this.#shown[to] = size;
    await this.#proves(to, BigInt(since), BigInt(size));
  }

  /** To a question it says the best that it can: a proof in the log that this neighbour knows. */
  async answers(to: Witness, message: WireMessage): Promise<void> {
    if (message.kind !== 'prove') return;
    const { checkpoint, since } = message.content;
    const { tree } = this.#logs[to];
    const proof = tree.consistency(since, checkpoint.body.size);
    await this.#room.arrive('q1', to, this.#room.shown(checkpoint, since, proof));
  }

  async #proves(to: Witness, since: bigint, size: bigint): Promise<void> {
    const { tree } = this.#logs[to];
    const checkpoint = this.#room.signed('q1', size, tree.root(size));
    const proof = tree.consistency(since, size);
    await this.#room.arrive('q1', to, this.#room.shown(checkpoint, since, proof));
    await this.#room.settled();
  }

  #grow(): void {
    const at = this.#leaves++;
    for (const [i, log] of [this.#logs.q2, this.#logs.q3].entries()) {
      const secret = at < this.#fork ? 0 : i + 1;
      log.add(primitives.sha256(uintToBytes(BigInt(at), 4), Uint8Array.of(secret)));
    }
  }
}

const steps = fc.array(
  fc.record({
    to: fc.constantFrom<Witness>('q2', 'q3'),
    growth: fc.integer({ min: 1, max: 6 }),
    round: fc.boolean(),
  }),
  { minLength: 2, maxLength: 10 },
);

/** q3 has heard of three leaves before it cosigns the first checkpoint of its own. */
const heardBeforeCosigned: [number, { to: Witness; growth: number; round: boolean }[], boolean] = [
  0,
  [
    { to: 'q2', growth: 1, round: false },
    { to: 'q2', growth: 1, round: false },
  ],
  false,
];

it('two logs are found out, in whatever order they are shown', async () => {
  let forked = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 3 }), steps, fc.boolean(), async (...drawn) => {
      const [fork, shown, isSilent] = drawn;
      const room = await WitnessRoom.open(square);
      try {
        room.silent.add('q1');
        const liar = new TwoFaced(room, fork);
        for (const { to, growth, round } of shown) {
          await liar.shows(to, growth);
          if (round) await room.checkpoints();
        }
        for (const to of ['q2', 'q3'] as const) await liar.shows(to, fork + 1);
        expect(liar.isForked).toBe(true);
        forked++;
        for (let round = 0; round < 4; round++) {
          const before = room.told.length;
          await room.checkpoints();
          for (const { to, from, message } of isSilent ? [] : room.told.slice(before)) {
            if (to === 'q1' && (from === 'q2' || from === 'q3')) await liar.answers(from, message);
          }
          await room.settled();
        }
        const found = ['q2', 'q3', 'q4'].filter((name) => {
          const { witness } = room.at(name).log;
          const unproven = witness.unproven.map(({ station }) => station);
          return [...witness.contradicting, ...unproven].includes(room.stations.q1.station.name);
        });
        expect(found).not.toEqual([]);
      } finally {
        await room.close();
      }
    }),
    { numRuns, examples: [heardBeforeCosigned] },
  );
  expect(forked).toBeGreaterThanOrEqual(numRuns);
});

const events = fc.array(
  fc.record({
    grow: fc.array(fc.constantFrom('q1', 'q2', 'q3', 'q4'), { maxLength: 3 }),
    cut: fc.option(fc.constantFrom(...square.joined), { nil: undefined }),
    mend: fc.boolean(),
  }),
  { minLength: 2, maxLength: 8 },
);

it('nobody speaks ill of honest stations, whatever links do', async () => {
  await fc.assert(
    fc.asyncProperty(events, async (drawn) => {
      const room = await WitnessRoom.open(square);
      try {
        const mendAll = (): void => {
          for (const link of [...room.cut]) {
            const [one = '', other = ''] = link.split('-');
            room.mend(one, other);
          }
        };
        for (const { grow, cut, mend } of drawn) {
          if (cut !== undefined) room.cut.add(cut);
          else if (mend) mendAll();
          for (const name of grow) await room.at(name).grow(2);
          await room.checkpoints();
        }
        mendAll();
        await room.settled();
        for (let round = 0; round < 4; round++) await room.checkpoints();
        expect(room.all.flatMap(({ complaints }) => complaints)).toEqual([]);
        for (const { log } of room.all) {
          expect(log.witness.unproven).toEqual([]);
          expect([...log.sequencer.cosigned.values()]).toEqual(
            [...log.sequencer.cosigned.keys()].map(() => log.sequencer.lastSize),
          );
        }
      } finally {
        await room.close();
      }
    }),
    { numRuns },
  );
});
