/**
 * Settling with one peer, from the side that is asked. Questions of one peer are worked on one
 * after the other, each under a nonce given once: a question that was delayed or repeated changes
 * nothing.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { ClaimRow } from '../store/settlement-store.ts';
import type { PaymentRow } from '../store/store.ts';
import { judgeClaim } from './claim-judgement.ts';
import type { SettlementContext } from './settlement-context.ts';
import {
  recalledMost,
  redemptionIdOf,
  settlementWord,
  type Claim,
  type ContentOf,
  type Judgement,
  type SettlementContent,
  type SettlementWord,
} from './settlement-messages.ts';
import { nonceBytes, verifiedWord } from './settlement-talk.ts';
import { lastWindow, type WindowBooks } from './window-books.ts';
import { isEmpty, mirrored, windowStep } from './window-steps.ts';

/** What the answering side asks back, where no conversation of its own is under way. */
export interface AskingBack {
  claimInto(peer: StationName, sequence: bigint): Promise<void>;
  finish(peer: StationName, sequence: bigint): Promise<void>;
}

export class SettlementAnswerer {
  readonly #context: SettlementContext;
  readonly #books: WindowBooks;
  readonly #askingBack: AskingBack;
  readonly #nonces = new Map<StationName, Uint8Array>();
  readonly #turns = new Map<StationName, Promise<void>>();

  constructor(context: SettlementContext, books: WindowBooks, askingBack: AskingBack) {
    this.#context = context;
    this.#books = books;
    this.#askingBack = askingBack;
  }

  /** Undefined for what its speaker did not sign: nobody is to be told anything. */
  async answer(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const question = verifiedWord(this.#context, bytes);
    if (question === undefined || question.body.inReplyTo !== undefined) return undefined;
    const { from } = question.body;
    const before = this.#turns.get(from) ?? Promise.resolve();
    const answered = before.then(() => this.#work(question));
    this.#turns.set(
      from,
      answered.then(
        () => undefined,
        () => undefined,
      ),
    );
    return answered;
  }

  /** Resolves once no question is being worked on. */
  async idle(): Promise<void> {
    await Promise.all(this.#turns.values());
  }

  async #work(question: SettlementWord): Promise<Uint8Array> {
    const { from, nonce, content } = question.body;
    const expected = this.#nonces.get(from);
    const current = expected !== undefined && equalBytes(expected, nonce);
    const fresh = this.#context.entropy.randomBytes(nonceBytes);
    this.#nonces.set(from, fresh);
    const answer: SettlementContent =
      current || content.kind === 'greeting'
        ? await this.#answerTo(from, question)
        : { kind: 'declined', content: { reason: 'stale-nonce' } };
    return this.#sign(question, fresh, answer);
  }

  async #answerTo(peer: StationName, question: SettlementWord): Promise<SettlementContent> {
    const { content } = question.body;
    switch (content.kind) {
      case 'greeting':
        return this.#standing(peer);
      case 'claims':
        return this.#takeClaims(peer, content.content);
      case 'invitation':
        return this.#claimNow(peer, content.content.sequence);
      case 'closing':
        return this.#close(peer, content.content, question);
      case 'recall':
        return this.#recalled(peer, content.content);
      default:
        return declined('out-of-sequence');
    }
  }

  async #standing(peer: StationName): Promise<SettlementContent> {
    const last = await lastWindow(this.#context.store, peer);
    const { sequence, state } = last ?? { sequence: 0n, state: 'paid' };
    return { kind: 'standing', content: { sequence, state } };
  }

  async #takeClaims(peer: StationName, asked: ContentOf<'claims'>): Promise<SettlementContent> {
    const place = await this.#enter(peer, asked.sequence);
    if (place !== undefined) return place;
    const { store, takeReceipt } = this.#context;
    const rows = await store.payments(asked.claims.map(({ paymentId }) => paymentId));
    const judgements: (Judgement | undefined)[] = [];
    const owed: { readonly place: number; readonly claim: Claim }[] = [];
    for (const [i, claim] of asked.claims.entries()) {
      const judged = judgeClaim(this.#context, peer, claim, rows[i]);
      if (judged.owed && judged.news !== undefined) await takeReceipt(judged.news);
      if (judged.owed) owed.push({ place: i, claim });
      else {
        judgements[i] = { word: judged.why, window: 0n };
        if (judged.why === 'not-delivered') await this.#keepContradiction(claim, rows[i]);
      }
    }
    for (const [i, judged] of (await this.#putClaims(peer, asked.sequence, owed)).entries()) {
      const at = owed[i]?.place;
      if (at !== undefined) judgements[at] = judged;
    }
    return {
      kind: 'judged',
      content: {
        judgements: asked.claims.map(
          (_, i) => judgements[i] ?? { word: 'unknown-payment', window: 0n },
        ),
      },
    };
  }

  async #putClaims(
    peer: StationName,
    sequence: bigint,
    owed: readonly { readonly claim: Claim }[],
  ): Promise<Judgement[]> {
    const { store, primitives } = this.#context;
    const outcomes = await store.putClaims(
      'theirs',
      peer,
      sequence,
      owed.map(({ claim: { paymentId, amount } }) => ({
        redemptionId: redemptionIdOf(primitives, paymentId, peer),
        paymentId,
        amount,
      })),
    );
    return outcomes.map((outcome): Judgement => {
      switch (outcome.outcome) {
        case 'created':
          return { word: 'accepted', window: sequence };
        case 'exists':
          return existing(outcome.claim);
        case 'window-not-open':
          return { word: 'window-closed', window: 0n };
        case 'unknown-payment':
        case 'not-delivered':
        case 'wrong-amount':
          return { word: outcome.outcome, window: 0n };
        case 'not-on-bill':
          return { word: 'other-line', window: 0n };
      }
    });
  }

  /** The last station signed two verdicts: the claim's receipt, which holds, is kept against it. */
  async #keepContradiction(claim: Claim, row: PaymentRow | undefined): Promise<void> {
    const { receipt, paymentId } = claim;
    if (row?.state !== 'undelivered' || receipt?.body.verdict !== 'delivered') return;
    await this.#context.store.putEvidence([{ paymentId, bytes: receipt.bytes }]);
  }

  async #claimNow(peer: StationName, sequence: bigint): Promise<SettlementContent> {
    const place = await this.#enter(peer, sequence);
    if (place !== undefined) return place;
    await this.#askingBack.claimInto(peer, sequence);
    return { kind: 'invited', content: {} };
  }

  /** The peer's word for its totals becomes our agreement, where ours mirror them. */
  async #close(
    peer: StationName,
    peers: ContentOf<'closing'>,
    word: SettlementWord,
  ): Promise<SettlementContent> {
    const place = await this.#enter(peer, peers.sequence);
    if (place !== undefined) return place;
    const { store } = this.#context;
    const { sequence } = peers;
    let window = await store.window(peer, sequence);
    if (window?.state === 'open' && !mirrored(window, peers)) {
      // The peer may hold claims of ours whose judgement we never heard.
      await this.#askingBack.claimInto(peer, sequence);
      window = await store.window(peer, sequence);
    }
    if (window === undefined) return declined('out-of-sequence');
    const { ours, theirs } = window;
    if (!mirrored(window, peers)) return { kind: 'differing', content: { sequence, ours, theirs } };
    // Nothing is settled by it, and a peer could have any number of them kept here for ever.
    if (window.state === 'open' && isEmpty(window)) return declined('out-of-sequence');
    await store.closeWindow(peer, sequence);
    if (await this.#books.agree(peer, peers, word)) {
      return { kind: 'closed', content: { sequence, ours, theirs } };
    }
    // Its totals moved between the look and the closing: the peer must not hold our word for them.
    const now = (await store.window(peer, sequence)) ?? window;
    return { kind: 'differing', content: { sequence, ours: now.ours, theirs: now.theirs } };
  }

  /** What a window holds here, for a peer that has lost its own record of it. */
  async #recalled(peer: StationName, asked: ContentOf<'recall'>): Promise<SettlementContent> {
    const { store, primitives, station } = this.#context;
    const last = await lastWindow(store, peer);
    // Beyond it there is none, nor any number that the store could look for.
    const isThere = last !== undefined && asked.sequence <= last.sequence;
    const window = isThere ? await store.window(peer, asked.sequence) : undefined;
    if (window === undefined) return declined('out-of-sequence');
    const [side, claimant] =
      asked.side === 'ours' ? (['theirs', peer] as const) : (['ours', station] as const);
    const after = asked.after && redemptionIdOf(primitives, asked.after, claimant);
    const page = await store.claims(side, peer, asked.sequence, after, recalledMost);
    const { sequence, ours, theirs, state, agreement } = window;
    return {
      kind: 'recalled',
      content: {
        sequence,
        ours,
        theirs,
        state,
        claims: page.map(({ paymentId }) => paymentId),
        more: page.length < recalledMost ? 0 : 1,
        // Once: a word that is kept as an agreement must not hold others.
        ...(agreement && asked.side === 'ours' && { agreement }),
      },
    };
  }

  /** The window of the question is here, from now on; else what to answer. */
  async #enter(peer: StationName, sequence: bigint): Promise<SettlementContent | undefined> {
    const { store, clock } = this.#context;
    for (let tries = 1; ; tries++) {
      const last = await lastWindow(store, peer);
      switch (windowStep(last, sequence)) {
        case 'use':
          return undefined;
        case 'join':
          await store.joinWindow(peer, sequence, clock.nowMs());
          return undefined;
        case 'finish-first':
          if (last === undefined || tries > 1) return declined('unsettled-window');
          await this.#askingBack.finish(peer, last.sequence);
          break;
        case 'out-of-sequence':
          return declined('out-of-sequence');
      }
    }
  }

  #sign(question: SettlementWord, nonce: Uint8Array, content: SettlementContent): Uint8Array {
    const { station, network, documentKey, primitives } = this.#context;
    const inReplyTo = settlementWord.digest(primitives, question.bodyBytes);
    const { from: to } = question.body;
    const body = { ...headNow, network, from: station, to, nonce, inReplyTo, content };
    return settlementWord.sign(body, documentKey).bytes;
  }
}

function existing({ sequence }: ClaimRow): Judgement {
  return { word: 'exists', window: sequence };
}

function declined(reason: ContentOf<'declined'>['reason']): SettlementContent {
  return { kind: 'declined', content: { reason } };
}
