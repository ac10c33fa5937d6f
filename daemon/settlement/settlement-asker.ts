/**
 * Settling with one peer, from the side that begins: claims into the pair's window, the peer
 * invited to do the same, the window closed, compared and agreed. Every step is durable before the
 * next, and taking any of them again changes nothing, so a run that broke off is simply run again.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import { admission as admissionKind, receipt as receiptKind } from '../../applet-spec/receipt.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { SettlementWindow } from '../store/settlement-store.ts';
import type { PaymentRow } from '../store/store.ts';
import type { SettlementContext } from './settlement-context.ts';
import { SettlementError } from './settlement-error.ts';
import {
  claimsMost,
  redemptionIdOf,
  type Claim,
  type Judgement,
  type JudgementWord,
} from './settlement-messages.ts';
import { SettlementTalk } from './settlement-talk.ts';
import { lastWindow, type WindowBooks } from './window-books.ts';
import { recallWindows } from './window-recall.ts';
import { isEmpty } from './window-steps.ts';

export interface RefusedClaim {
  readonly paymentId: Uint8Array;
  readonly why: JudgementWord | 'unreadable';
}

/** What one run came to with one peer. */
export interface PeerOutcome {
  readonly peer: StationName;
  /** Claims newly taken by the peer, and those that it refused. */
  readonly claimed: { readonly count: bigint; readonly amount: bigint };
  readonly refused: readonly RefusedClaim[];
  /** The windows that this run worked on, as they stand now. */
  readonly windows: readonly SettlementWindow[];
  /** Why it stopped before its end. */
  readonly problem?: string;
}

/** Later claims than these wait for the next run: a peer that keeps on earning must not keep us. */
const windowsMost = 4;

export class SettlementAsker {
  readonly #context: SettlementContext;
  readonly #books: WindowBooks;
  readonly #peer: StationName;
  readonly #talk: SettlementTalk;
  readonly #refused = new Map<string, RefusedClaim>();
  readonly #deferred = new Set<string>();
  readonly #touched = new Set<bigint>();
  #count = 0n;
  #amount = 0n;

  constructor(context: SettlementContext, books: WindowBooks, peer: StationName) {
    this.#context = context;
    this.#books = books;
    this.#peer = peer;
    this.#talk = new SettlementTalk(context, peer);
  }

  /** Everything that can be settled now. Never rejects for what the peer did or did not do. */
  async run(): Promise<PeerOutcome> {
    return this.#concluded(async () => {
      const { rolledBack, declared } = this.#context.standing;
      if (rolledBack !== undefined) {
        const { witness } = rolledBack;
        const words = `records that ${witness} witnessed are lost; nothing is settled without them`;
        throw new SettlementError('books-lost', words);
      }
      const standing = await this.#talk.greet();
      if (declared !== undefined) await this.#recall(standing.sequence);
      for (let windows = 0; windows < windowsMost; windows++) {
        if (!(await this.#settleWindow()) && !(await this.#isBehind(standing))) return;
      }
    });
  }

  /** Windows of a time that these books have lost. */
  async #recall(last: bigint): Promise<void> {
    const recalled = await recallWindows(this.#context, this.#books, this.#talk, last);
    for (const sequence of recalled) this.#touched.add(sequence);
  }

  /**
   * Only claims into a window that the peer is about to close; the peer asks for the rest. Where
   * that window is not open here, the peer has lost it: it is claimed again as it was.
   */
  async claimInto(sequence: bigint): Promise<PeerOutcome> {
    return this.#concluded(async () => {
      const window = await this.#context.store.window(this.#peer, sequence);
      if (window !== undefined && window.state !== 'open') {
        await this.#talk.greet();
        await this.#claimAgain(sequence);
        return;
      }
      const [first] = await this.#context.store.unclaimed(this.#peer, 1);
      if (first === undefined) return;
      await this.#talk.greet();
      await this.#claimAll(sequence);
    });
  }

  /** Only the answer to a closing that we lost. */
  async finish(sequence: bigint): Promise<PeerOutcome> {
    return this.#concluded(async () => {
      await this.#talk.greet();
      await this.#close(sequence);
    });
  }

  /** False where there was nothing to close. */
  async #settleWindow(): Promise<boolean> {
    const { store, clock } = this.#context;
    const last = await lastWindow(store, this.#peer);
    const window =
      last?.state === 'open' || last?.state === 'closed'
        ? last
        : await store.openWindow(this.#peer, clock.nowMs());
    const { sequence } = window;
    this.#deferred.clear();
    if (window.state === 'open') {
      await this.#claimAll(sequence);
      await this.#talk.ask({ kind: 'invitation', content: { sequence } }, ['invited']);
      const now = await store.window(this.#peer, sequence);
      if (now === undefined || isEmpty(now)) return false;
    }
    await this.#close(sequence);
    return this.#deferred.size > 0;
  }

  /** The peer has windows that these books have lost, and this one is settled again. */
  async #isBehind({ sequence }: { readonly sequence: bigint }): Promise<boolean> {
    const last = await lastWindow(this.#context.store, this.#peer);
    return last !== undefined && last.state !== 'open' && last.sequence < sequence;
  }

  async #claimAgain(sequence: bigint): Promise<void> {
    const { store } = this.#context;
    for (let after: Uint8Array | undefined; ;) {
      const claimed = await store.claims('ours', this.#peer, sequence, after, claimsMost);
      const rows = await store.payments(claimed.map(({ paymentId }) => paymentId));
      const claims = rows.flatMap((row) => (row === undefined ? [] : this.#claimsOf(row)));
      if (claims.length > 0) await this.#claimPage(sequence, claims);
      after = claimed.at(-1)?.redemptionId;
      if (after === undefined || claimed.length < claimsMost) return;
    }
  }

  /**
   * Every claim that no window holds yet; the oldest first, each asked about once and read once,
   * however many a peer refuses. Only while the window is open here: what a peer took into a window
   * that we have closed, we could never record as ours.
   */
  async #claimAll(sequence: bigint): Promise<void> {
    const { store } = this.#context;
    let after: Uint8Array | undefined;
    while ((await store.window(this.#peer, sequence))?.state === 'open') {
      const rows: readonly PaymentRow[] = await store.unclaimed(this.#peer, claimsMost, after);
      after = rows.at(-1)?.paymentId;
      if (after === undefined) return;
      const claims = rows
        .filter(({ paymentId }) => !this.#refused.has(toHex(paymentId)))
        .flatMap((row) => this.#claimsOf(row));
      if (claims.length > 0) await this.#claimPage(sequence, claims);
    }
  }

  async #claimPage(
    sequence: bigint,
    claims: readonly { readonly row: PaymentRow; readonly claim: Claim }[],
  ): Promise<void> {
    const { store, primitives, station } = this.#context;
    const answer = await this.#talk.ask(
      { kind: 'claims', content: { sequence, claims: claims.map(({ claim }) => claim) } },
      ['judged'],
    );
    const { judgements } = answer.content;
    if (judgements.length !== claims.length) {
      throw new SettlementError('bad-answer', `${this.#peer} judged another number of claims`);
    }
    const taken = claims.filter(({ row }, i) => this.#judged(row, judgements[i], sequence));
    const outcomes = await store.putClaims(
      'ours',
      this.#peer,
      sequence,
      taken.map(({ claim: { paymentId, amount } }) => ({
        redemptionId: redemptionIdOf(primitives, paymentId, station),
        paymentId,
        amount,
      })),
    );
    this.#touched.add(sequence);
    taken.forEach(({ row, claim }, i) => {
      const outcome = outcomes[i]?.outcome;
      if (outcome === 'created') {
        this.#count += 1n;
        this.#amount += claim.amount;
      } else if (outcome !== 'exists') {
        // Our window closed under us: the peer holds the claim, and the next run compares again.
        this.#deferred.add(toHex(row.paymentId));
      }
    });
  }

  /** Whether the peer holds the claim in this window. */
  #judged(row: PaymentRow, judgement: Judgement | undefined, sequence: bigint): boolean {
    const { word, window } = judgement ?? { word: 'unknown-payment', window: 0n };
    if (word === 'accepted' || (word === 'exists' && window === sequence)) return true;
    // In a window behind this one: these books have lost it, and come to it again.
    const isLater = word === 'exists' && window > sequence;
    if (word === 'window-closed' || isLater) this.#deferred.add(toHex(row.paymentId));
    else this.#refuse(row.paymentId, word);
    return false;
  }

  #refuse(paymentId: Uint8Array, why: RefusedClaim['why']): void {
    this.#refused.set(toHex(paymentId), { paymentId, why });
    this.#context.log.peer('warn', this.#peer, 'a claim was refused', {
      paymentId: toHex(paymentId),
      why,
    });
  }

  #claimsOf(row: PaymentRow): readonly { readonly row: PaymentRow; readonly claim: Claim }[] {
    const claim = this.#claimOf(row);
    return claim === undefined ? [] : [{ row, claim }];
  }

  #claimOf(row: PaymentRow): Claim | undefined {
    try {
      const { bill } = paymentCodec.decode(row.payment).quote;
      const line = bill.findIndex(({ station }) => station === this.#context.station);
      if (row.admission === undefined || row.receipt === undefined) {
        throw new RangeError('a delivered payment lacks its evidence');
      }
      return {
        paymentId: row.paymentId,
        line,
        amount: row.fee,
        admission: admissionKind.decode(row.admission),
        receipt: receiptKind.decode(row.receipt),
      };
    } catch {
      // One damaged payment must not hold up the others; the audit names it.
      this.#refuse(row.paymentId, 'unreadable');
      return undefined;
    }
  }

  async #close(sequence: bigint): Promise<void> {
    const { store } = this.#context;
    await store.closeWindow(this.#peer, sequence);
    const window = await store.window(this.#peer, sequence);
    if (window === undefined) throw new RangeError(`no window ${sequence} to close`);
    this.#touched.add(sequence);
    const { ours, theirs } = window;
    const answer = await this.#talk.ask({ kind: 'closing', content: { sequence, ours, theirs } }, [
      'closed',
      'differing',
    ]);
    const agreed =
      answer.kind === 'closed' &&
      answer.content.sequence === sequence &&
      (await this.#books.agree(this.#peer, answer.content, answer.word));
    if (agreed) return;
    const { ours: said, theirs: saidTheirs } = answer.content;
    throw new SettlementError(
      'totals-differ',
      `window ${sequence}: we say ours ${words(ours)}, theirs ${words(theirs)}; ` +
        `${this.#peer} says ours ${words(saidTheirs)}, its own ${words(said)}`,
    );
  }

  async #concluded(work: () => Promise<void>): Promise<PeerOutcome> {
    let problem: string | undefined;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SettlementError)) throw error;
      problem = error.message;
      this.#context.log.peer('warn', this.#peer, 'settling came to a halt', { problem });
    }
    const windows: SettlementWindow[] = [];
    for (const sequence of [...this.#touched].sort(bySize)) {
      const window = await this.#context.store.window(this.#peer, sequence);
      if (window !== undefined && !isEmpty(window)) windows.push(window);
    }
    return {
      peer: this.#peer,
      claimed: { count: this.#count, amount: this.#amount },
      refused: [...this.#refused.values()],
      windows,
      ...(problem !== undefined && { problem }),
    };
  }
}

function words({ count, amount }: { readonly count: bigint; readonly amount: bigint }): string {
  return `${amount} in ${count} claims`;
}

function bySize(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
