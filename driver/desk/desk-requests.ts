import type { Clock } from '../../applet-spec/clock.ts';
import type { DeskMessage, DeskRefusalCode, HostMessage } from '../../applet-spec/desk-messages.ts';
import { DeskError } from './desk-error.ts';

/** Each request and the one message that answers it, unless it is refused. */
const replies = {
  account: 'account',
  buy: 'ordered',
  quote: 'quote',
  pay: 'paid',
  payment: 'payment',
  coins: 'coins',
  refund: 'refunded',
  exchange: 'exchanged',
  payments: 'payments',
  station: 'station',
} as const satisfies Partial<Record<HostMessage['kind'], DeskMessage['kind']>>;

export type RequestName = keyof typeof replies;
type ReplyContents = {
  [K in RequestName]: Extract<DeskMessage, { kind: (typeof replies)[K] }>['content'];
};
type AnyReply = Extract<DeskMessage, { kind: (typeof replies)[RequestName] }>;
export type DeskRequest = Extract<HostMessage, { kind: RequestName }>;

export interface DeskRefusal {
  readonly outcome: 'refused';
  readonly code: DeskRefusalCode;
  /** The desk's sentence for a person. */
  readonly message: string;
}

export type DeskAnswer<K extends RequestName> =
  { readonly outcome: 'done'; readonly content: ReplyContents[K] } | DeskRefusal;

/** Unanswered, these may have been carried out. */
const changing: ReadonlySet<RequestName> = new Set(['buy', 'pay', 'refund', 'exchange']);
/** How long the desk may say nothing at all while a request waits. */
const silenceMs = 60_000;
const waitingMost = 64;

interface Waiting {
  readonly name: RequestName;
  /** False for a reply that is not the request's. */
  take(reply: AnyReply): boolean;
  refuse(refusal: DeskRefusal): void;
  fail(error: DeskError): void;
}

/** The requests that wait for their answers, each under its number. */
export class DeskRequests {
  readonly #clock: Clock;
  readonly #send: (message: DeskRequest) => void;
  readonly #waiting = new Map<bigint, Waiting>();
  #nextId = 1n;
  #cancelSilence: (() => void) | undefined;
  #ended: DeskError | undefined;

  constructor(clock: Clock, send: (message: DeskRequest) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  ask<K extends RequestName>(
    name: K,
    make: (requestId: bigint) => DeskRequest & { readonly kind: K },
  ): Promise<DeskAnswer<K>> {
    if (this.#ended !== undefined) return Promise.reject(unsent(this.#ended));
    if (this.#waiting.size >= waitingMost) {
      const detail = `${waitingMost} requests wait for the station already`;
      return Promise.reject(new DeskError('queue-full', detail));
    }
    const requestId = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(requestId, {
        name,
        take: (reply) => {
          if (!isReply(reply, name)) return false;
          resolve({ outcome: 'done', content: reply.content });
          return true;
        },
        refuse: resolve,
        fail: reject,
      });
      this.heard();
      this.#send(make(requestId));
    });
  }

  /** The desk is alive: whatever it says renews its time to answer. */
  heard(): void {
    this.#cancelSilence?.();
    this.#cancelSilence = undefined;
    if (this.#waiting.size === 0) return;
    this.#cancelSilence = this.#clock.after(silenceMs, () => {
      this.#failAll((name) =>
        changing.has(name)
          ? unknown(name)
          : new DeskError('no-answer', `the station has not answered in ${silenceMs / 1_000} s`),
      );
    });
  }

  /** False for an answer to nothing, or of another kind than asked. */
  answer(message: AnyReply | Extract<DeskMessage, { kind: 'refused' }>): boolean {
    const { requestId } = message.content;
    const waiting = this.#waiting.get(requestId);
    if (waiting === undefined) return false;
    this.#waiting.delete(requestId);
    this.heard();
    if (message.kind !== 'refused') return waiting.take(message);
    const { code, message: words } = message.content;
    if (code === 'outcome-unknown') waiting.fail(unknown(waiting.name, words));
    else waiting.refuse({ outcome: 'refused', code, message: words });
    return true;
  }

  /** The link is over: nothing more will be answered. */
  end(reason: DeskError): void {
    this.#ended = reason;
    this.#failAll((name) =>
      changing.has(name) ? unknown(name, undefined, reason) : unsent(reason),
    );
  }

  #failAll(errorOf: (name: RequestName) => DeskError): void {
    this.#cancelSilence?.();
    this.#cancelSilence = undefined;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) waiting.fail(errorOf(waiting.name));
  }
}

function isReply<K extends RequestName>(
  reply: AnyReply,
  name: K,
): reply is AnyReply & { readonly content: ReplyContents[K] } {
  return reply.kind === replies[name];
}

function unknown(name: RequestName, words?: string, cause?: DeskError): DeskError {
  const why = cause === undefined ? '' : ` (${cause.message.replace(/[.\s]+$/, '')})`;
  const detail = words ?? `the station has not said what became of "${name}"${why}`;
  return new DeskError('outcome-unknown', detail, { cause });
}

function unsent(reason: DeskError): DeskError {
  if (reason.code !== 'link-lost') return reason;
  return new DeskError('link-lost', reason.message, { cause: reason });
}
