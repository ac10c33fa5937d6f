/**
 * Questions to a station that is no neighbour, passed along a named route and answered back along
 * it. Told once, never kept: whoever asks sets a deadline and asks again. Nothing durable follows
 * from a question alone, and whatever matters in an answer is signed.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import {
  answer as answerCodec,
  question as questionCodec,
  type Answer,
  type Question,
  type WireMessage,
} from '../wire/wire-message.ts';

export type Asked = Answer | { readonly kind: 'no-answer' };

/** Answers a question that has reached its station; `undefined` leaves it unanswered. */
export type Answerer = (
  question: Question,
  route: readonly StationName[],
) => Promise<Answer | undefined>;

/** What a station on the way says itself; `undefined` passes the question on. */
export type Objector = Answerer;

type Routed = Extract<WireMessage, { kind: 'question' | 'answer' }>['content'];

/**
 * Questions of our own under way at once: beyond it, `ask` says no-answer at once. And those of one
 * neighbour that are being looked into here.
 */
const openMost = 4_096;

export class Questions {
  readonly #station: StationName;
  readonly #links: Links;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #answerer: Answerer;
  readonly #objector: Objector;
  readonly #open = new Map<string, (asked: Asked) => void>();
  /** Questions whose answers here are not ready, by the neighbour that told them. */
  readonly #lookedInto = new Map<StationName, number>();
  #closed = false;

  constructor(options: {
    readonly station: StationName;
    readonly links: Links;
    readonly clock: Clock;
    readonly entropy: Entropy;
    readonly answerer: Answerer;
    readonly objector?: Objector;
  }) {
    this.#station = options.station;
    this.#links = options.links;
    this.#clock = options.clock;
    this.#entropy = options.entropy;
    this.#answerer = options.answerer;
    this.#objector = options.objector ?? (() => Promise.resolve(undefined));
  }

  /** Whoever waits hears that there is no answer; nothing is asked any more. */
  close(): void {
    this.#closed = true;
    for (const end of [...this.#open.values()]) end({ kind: 'no-answer' });
  }

  /** `route` begins with this station and ends with the one that is asked. */
  ask(route: readonly StationName[], asked: Question, timeoutMs: number): Promise<Asked> {
    const next = route[1];
    if (next === undefined || this.#closed || this.#open.size >= openMost) {
      return Promise.resolve({ kind: 'no-answer' });
    }
    const correlation = this.#entropy.randomBytes(16);
    const name = toHex(correlation);
    return new Promise((resolve) => {
      const end = (outcome: Asked): void => {
        cancel();
        this.#open.delete(name);
        resolve(outcome);
      };
      const cancel = this.#clock.after(timeoutMs, () => {
        end({ kind: 'no-answer' });
      });
      this.#open.set(name, end);
      const content = { correlation, route, position: 1, question: questionCodec.encode(asked) };
      if (!this.#links.tell(next, { kind: 'question', content })) {
        end({ kind: 'unreachable', content: { station: next } });
      }
    });
  }

  /** A `question` or `answer` that a neighbour told. Anything off its route is dropped. */
  async told(peer: StationName, message: WireMessage): Promise<void> {
    if (message.kind !== 'question' && message.kind !== 'answer') return;
    const { route, position } = message.content;
    if (route[position] !== this.#station || route[position - 1] !== peer) return;
    // Nobody makes a link carry one question twice.
    if (new Set(route).size !== route.length) return;
    const last = position === route.length - 1;
    if (message.kind === 'answer') {
      if (last)
        this.#open.get(toHex(message.content.correlation))?.(readAnswer(message.content.answer));
      else this.#pass(message, message.content);
      return;
    }
    // Who asks sets a deadline, and asks again.
    if ((this.#lookedInto.get(peer) ?? 0) >= openMost) return;
    const asked = readQuestion(message.content.question);
    const given = asked && (await this.#lookInto(peer, asked, route, last));
    if (given !== undefined) this.#answerBack(message.content, position, given);
    else if (!last && !this.#pass(message, message.content)) {
      const station = route[position + 1] ?? this.#station;
      this.#answerBack(message.content, position, { kind: 'unreachable', content: { station } });
    }
  }

  async #lookInto(
    peer: StationName,
    asked: Question,
    route: readonly StationName[],
    last: boolean,
  ): Promise<Answer | undefined> {
    const speaker = last ? this.#answerer : this.#objector;
    this.#lookedInto.set(peer, (this.#lookedInto.get(peer) ?? 0) + 1);
    try {
      return await speaker(asked, route);
    } finally {
      this.#lookedInto.set(peer, (this.#lookedInto.get(peer) ?? 1) - 1);
    }
  }

  #pass(message: Extract<WireMessage, { kind: 'question' | 'answer' }>, routed: Routed): boolean {
    const next = routed.route[routed.position + 1];
    if (next === undefined) return false;
    const position = routed.position + 1;
    return this.#links.tell(
      next,
      message.kind === 'question'
        ? { kind: 'question', content: { ...message.content, position } }
        : { kind: 'answer', content: { ...message.content, position } },
    );
  }

  /** Sends an answer back along the stations that the question has come through. */
  #answerBack(asked: Routed, position: number, given: Answer): void {
    const route = asked.route.slice(0, position + 1).reverse();
    const back = route[1];
    if (back === undefined) return;
    const content = {
      correlation: asked.correlation,
      route,
      position: 1,
      answer: answerCodec.encode(given),
    };
    this.#links.tell(back, { kind: 'answer', content });
  }
}

function readAnswer(bytes: Uint8Array): Asked {
  try {
    return answerCodec.decode(bytes);
  } catch {
    return { kind: 'no-answer' };
  }
}

/** Undefined for what is no question of ours: stations on the way pass it on. */
function readQuestion(bytes: Uint8Array): Question | undefined {
  try {
    return questionCodec.decode(bytes);
  } catch {
    return undefined;
  }
}
