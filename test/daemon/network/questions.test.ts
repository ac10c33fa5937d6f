import { describe, expect, it } from 'vitest';
import { toStationName, type StationName } from '../../../applet-spec/names.ts';
import type { LinkStatus } from '../../../daemon/link/links.ts';
import { Questions, type Answerer } from '../../../daemon/network/questions.ts';
import {
  answer as answerCodec,
  question as questionCodec,
  type Answer,
  type Question,
  type WireMessage,
} from '../../../daemon/wire/wire-message.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { TellingLinks } from './neighbours.ts';

const asked: Question = { kind: 'settlement', content: new Uint8Array(32).fill(1) };
const declined: Answer = {
  kind: 'declined',
  content: { reason: 'payee-absent', message: 'Bob is out.' },
};
const [q1, q2, q3] = ['q1', 'q2', 'q3'].map(toStationName) as [
  StationName,
  StationName,
  StationName,
];
const route = [q1, q2, q3];

/** Stations in a row; what one tells the next is carried by `deliver`, in turns. */
class Row {
  readonly clock = new VirtualClock();
  readonly links = new Map<StationName, TellingLinks>();
  readonly stations = new Map<StationName, Questions>();
  /** Everything that went over a link. */
  readonly seen: string[] = [];
  readonly answered: { question: Question; route: readonly StationName[] }[] = [];

  constructor(names: readonly StationName[], answerer: Answerer, objector?: Answerer) {
    names.forEach((station, i) => {
      const links = new TellingLinks();
      for (const peer of [names[i - 1], names[i + 1]]) if (peer !== undefined) links.set(peer);
      this.links.set(station, links);
      const entropy = seededEntropy(station);
      this.stations.set(
        station,
        new Questions({
          station,
          links,
          clock: this.clock,
          entropy,
          answerer: (question, from) => {
            this.answered.push({ question, route: from });
            return answerer(question, from);
          },
          ...(objector && { objector }),
        }),
      );
    });
  }

  at(station: StationName): Questions {
    const found = this.stations.get(station);
    if (found === undefined) throw new Error(`no station ${station}`);
    return found;
  }

  set(station: StationName, peer: StationName, changes: Partial<LinkStatus>): void {
    this.links.get(station)?.set(peer, changes);
  }

  /** Carries messages until none is left. */
  async deliver(change: (message: WireMessage) => WireMessage = (same) => same): Promise<void> {
    for (let busy = true; busy;) {
      busy = false;
      for (const [from, links] of this.links) {
        for (const { peer, message } of links.take()) {
          busy = true;
          this.seen.push(`${from} ${message.kind} ${peer}`);
          await this.at(peer).told(from, change(message));
        }
      }
    }
  }
}

const alwaysDeclined: Answerer = () => Promise.resolve(declined);

describe('a question', () => {
  it('goes along its route, is answered there, and the answer comes back along it', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver();
    expect(await outcome).toEqual(declined);
    expect(row.answered).toEqual([{ question: asked, route }]);
    expect(row.seen).toEqual(['q1 question q2', 'q2 question q3', 'q3 answer q2', 'q2 answer q1']);
    expect(row.clock.pending).toBe(0);
  });

  it('ends without an answer at its deadline, and a late answer changes nothing', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask(route, asked, 5_000);
    row.clock.advance(5_000);
    expect(await outcome).toEqual({ kind: 'no-answer' });
    await row.deliver();
    expect(row.seen).toHaveLength(4);
  });

  it('ends at once where its station stops, with no alarm left', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask(route, asked, 5_000);
    row.at(q1).close();
    expect(await outcome).toEqual({ kind: 'no-answer' });
    expect(row.clock.pending).toBe(0);
    expect(await row.at(q1).ask(route, asked, 5_000)).toEqual({ kind: 'no-answer' });
  });

  it('may be left unanswered', async () => {
    const row = new Row(route, () => Promise.resolve(undefined));
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver();
    row.clock.advance(5_000);
    expect(await outcome).toEqual({ kind: 'no-answer' });
  });

  it('ends at once where the first link is down, and names the station', async () => {
    const row = new Row(route, alwaysDeclined);
    row.set(q1, q2, { state: 'down' });
    expect(await row.at(q1).ask(route, asked, 5_000)).toEqual({
      kind: 'unreachable',
      content: { station: q2 },
    });
    expect(row.clock.pending).toBe(0);
  });

  it('ends with the station that a relay could not reach', async () => {
    const row = new Row(route, alwaysDeclined);
    row.set(q2, q3, { state: 'waiting-for-keys' });
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver();
    expect(await outcome).toEqual({ kind: 'unreachable', content: { station: q3 } });
  });

  it('ends with the word of a station on the way that will not have it passed on', async () => {
    const content = { reason: 'position-limit', message: 'No more.', station: q2 } as const;
    const heard: (readonly StationName[])[] = [];
    const row = new Row(route, alwaysDeclined, (question, way) => {
      expect(question).toEqual(asked);
      heard.push(way);
      return Promise.resolve({ kind: 'declined', content });
    });
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver();
    expect(await outcome).toEqual({ kind: 'declined', content });
    expect(row.answered).toEqual([]);
    expect(heard).toEqual([route]);
  });

  it('to nobody ends at once', async () => {
    const row = new Row(route, alwaysDeclined);
    expect(await row.at(q1).ask([q1], asked, 5_000)).toEqual({ kind: 'no-answer' });
  });

  it('answered with what is no answer ends without one', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver((message) =>
      message.kind === 'answer'
        ? { kind: 'answer', content: { ...message.content, answer: Uint8Array.of(1, 2) } }
        : message,
    );
    expect(await outcome).toEqual({ kind: 'no-answer' });
  });

  it('that is no question is dropped where it should be answered', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask(route, asked, 5_000);
    await row.deliver((message) =>
      message.kind === 'question'
        ? { kind: 'question', content: { ...message.content, question: Uint8Array.of(9, 0) } }
        : message,
    );
    row.clock.advance(5_000);
    expect(await outcome).toEqual({ kind: 'no-answer' });
    expect(row.answered).toEqual([]);
  });

  it('is one of 4,096 under way, and no more', async () => {
    const row = new Row([q1, q2], alwaysDeclined);
    const open = Array.from({ length: 4_096 }, () => row.at(q1).ask([q1, q2], asked, 5_000));
    expect(await row.at(q1).ask([q1, q2], asked, 5_000)).toEqual({ kind: 'no-answer' });
    await row.deliver();
    expect(new Set((await Promise.all(open)).map(({ kind }) => kind))).toEqual(
      new Set(['declined']),
    );
  });
});

describe('a station drops', () => {
  const correlation = new Uint8Array(16).fill(4);
  const question = questionCodec.encode(asked);

  function questionOn(path: readonly StationName[], position: number): WireMessage {
    return { kind: 'question', content: { correlation, route: path, position, question } };
  }

  it('what one neighbour asks beyond 4,096 questions that are not answered yet', async () => {
    const answers: (() => void)[] = [];
    const row = new Row(route, () => new Promise((end) => answers.push(() => end(undefined))));
    const ask = () => row.at(q2).told(q1, questionOn([q1, q2], 1));
    const told = Array.from({ length: 5_000 }, ask);
    expect(row.answered).toHaveLength(4_096);
    // Another neighbour is heard.
    told.push(row.at(q2).told(q3, questionOn([q3, q2], 1)));
    expect(row.answered).toHaveLength(4_097);
    for (const end of answers.splice(0)) end();
    await Promise.all(told);
    void ask();
    expect(row.answered).toHaveLength(4_098);
  });

  const offRoute: readonly (readonly [string, StationName, WireMessage])[] = [
    ['a question at another station’s place', q1, questionOn(route, 2)],
    ['a question from a neighbour that is not before it', q3, questionOn(route, 1)],
    ['a question that begins here', q1, questionOn([q2, q3], 0)],
    ['a question beyond its route', q1, questionOn([q1, q2], 2)],
    ['a question that comes by twice', q1, questionOn([q1, q2, q3, q2, q3], 1)],
  ];

  it.each(offRoute)('%s', async (_what, peer, message) => {
    const row = new Row(route, alwaysDeclined);
    await row.at(q2).told(peer, message);
    await row.deliver();
    expect(row.seen).toEqual([]);
    expect(row.answered).toEqual([]);
  });

  it('an answer to what it never asked', async () => {
    const row = new Row(route, alwaysDeclined);
    const outcome = row.at(q1).ask([q1, q2], asked, 5_000);
    const content = { correlation, route: [q2, q1], position: 1 };
    const answer = answerCodec.encode(declined);
    await row.at(q1).told(q2, { kind: 'answer', content: { ...content, answer } });
    row.clock.advance(5_000);
    expect(await outcome).toEqual({ kind: 'no-answer' });
  });
});
