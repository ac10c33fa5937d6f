/**
 * One conversation as its asker: signed questions, each under the nonce that the peer gave last.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { SettlementContext } from './settlement-context.ts';
import { SettlementError } from './settlement-error.ts';
import {
  settlementWord,
  type ContentOf,
  type SettlementContent,
  type SettlementWord,
} from './settlement-messages.ts';

/** The peer may ask back before it answers, when it is invited. */
const answerTimeoutMs = 30_000;
export const nonceBytes = 16;

export interface Answered<K extends SettlementContent['kind']> {
  readonly content: ContentOf<K>;
  readonly word: SettlementWord;
}

export class SettlementTalk {
  readonly peer: StationName;
  readonly #context: SettlementContext;
  #nonce: Uint8Array | undefined;

  constructor(context: SettlementContext, peer: StationName) {
    this.#context = context;
    this.peer = peer;
  }

  /** Any earlier question of ours that is still under way is void from here on. */
  async greet(): Promise<ContentOf<'standing'>> {
    const fresh = this.#context.entropy.randomBytes(nonceBytes);
    const word = await this.#exchange({ kind: 'greeting', content: {} }, fresh);
    const { content } = word.body;
    if (content.kind === 'standing') return content.content;
    throw this.#unexpected(content);
  }

  /** Rejects with SettlementError. */
  async ask<K extends SettlementContent['kind']>(
    question: SettlementContent,
    expected: readonly K[],
  ): Promise<SettlementContent & { readonly kind: K } & { readonly word: SettlementWord }> {
    for (let tries = 1; ; tries++) {
      if (this.#nonce === undefined) await this.greet();
      const word = await this.#exchange(question, this.#nonce ?? new Uint8Array(nonceBytes));
      const { content } = word.body;
      if (isOneOf(content, expected)) return { ...content, word };
      const stale = content.kind === 'declined' && content.content.reason === 'stale-nonce';
      // The peer has restarted since it gave the nonce, and has not worked on this question.
      if (!stale || tries > 1) throw this.#unexpected(content);
      this.#nonce = undefined;
    }
  }

  async #exchange(content: SettlementContent, nonce: Uint8Array): Promise<SettlementWord> {
    const { station, network, documentKey, primitives, routeTo, ask } = this.#context;
    const route = routeTo(this.peer);
    if (route === undefined) {
      throw new SettlementError('no-route', `no route to ${this.peer} is known now`);
    }
    const body = { ...headNow, network, from: station, to: this.peer, nonce, content };
    const question = settlementWord.sign(body, documentKey);
    const asked = await ask(
      route,
      { kind: 'settlement', content: question.bytes },
      answerTimeoutMs,
    );
    if (asked.kind !== 'settlement') throw this.#silent(asked);
    const word = this.#read(asked.content);
    const digest = settlementWord.digest(primitives, question.bodyBytes);
    if (word.body.inReplyTo === undefined || !equalBytes(word.body.inReplyTo, digest)) {
      throw new SettlementError('bad-answer', `${this.peer} answered something else`);
    }
    this.#nonce = word.body.nonce;
    return word;
  }

  #read(bytes: Uint8Array): SettlementWord {
    const word = verifiedWord(this.#context, bytes);
    if (word?.body.from === this.peer) return word;
    throw new SettlementError('bad-answer', `an answer that ${this.peer} did not sign`);
  }

  #silent(asked: { readonly kind: string; readonly content?: unknown }): SettlementError {
    if (asked.kind === 'unreachable') {
      return new SettlementError('no-route', `${this.peer} cannot be reached now`);
    }
    return new SettlementError('no-answer', `${this.peer} gave no answer`);
  }

  #unexpected(content: SettlementContent): SettlementError {
    return content.kind === 'declined'
      ? new SettlementError('declined', `${this.peer} declined: ${content.content.reason}`)
      : new SettlementError('bad-answer', `${this.peer} answered with "${content.kind}"`);
  }
}

/** A word to this station, of its network, signed by who it says speaks; else undefined. */
export function verifiedWord(
  { station, network, documentKeyOf }: SettlementContext,
  bytes: Uint8Array,
): SettlementWord | undefined {
  let word: SettlementWord;
  try {
    word = settlementWord.decode(bytes);
  } catch {
    return undefined;
  }
  const { body } = word;
  if (body.to !== station || body.network !== network || body.from === station) return undefined;
  const peersKey = documentKeyOf(body.from);
  return peersKey !== undefined && settlementWord.verify(word, peersKey) ? word : undefined;
}

function isOneOf<K extends SettlementContent['kind']>(
  content: SettlementContent,
  kinds: readonly K[],
): content is SettlementContent & { readonly kind: K } {
  return kinds.some((kind) => kind === content.kind);
}
