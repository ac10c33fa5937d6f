/**
 * Windows of a time that these books have lost, as the peer has them (failure 37): a claim is in
 * one window for ever, so what was claimed and paid then must not be claimed or paid again (I5).
 * Totals count only under this station's own earlier word, and claims only as its own books bear
 * them out.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import type { ClaimSide, NewClaim } from '../store/settlement-store.ts';
import type { PaymentRow } from '../store/store.ts';
import type { SettlementContext } from './settlement-context.ts';
import { SettlementError } from './settlement-error.ts';
import {
  redemptionIdOf,
  settlementWord,
  type ContentOf,
  type SettlementWord,
} from './settlement-messages.ts';
import type { SettlementTalk } from './settlement-talk.ts';
import { lastWindow, type WindowBooks } from './window-books.ts';
import { mirrored } from './window-steps.ts';

type Recalled = ContentOf<'recalled'>;
interface RecalledWord {
  readonly content: Recalled;
  readonly word: SettlementWord;
}

/**
 * Up to the peer's last window; which were recalled. Rejects with SettlementError where the two do
 * not agree: nothing is claimed or paid then, and the operators have to look.
 */
export async function recallWindows(
  context: SettlementContext,
  books: WindowBooks,
  talk: SettlementTalk,
  peersLast: bigint,
): Promise<readonly bigint[]> {
  const last = await lastWindow(context.store, talk.peer);
  const isOpen = last?.state === 'open' || last?.state === 'closed';
  const recalled: bigint[] = [];
  for (
    let sequence = (last?.sequence ?? 0n) + (isOpen ? 0n : 1n);
    sequence <= peersLast;
    sequence++
  ) {
    if (sequence === 0n) continue;
    await new WindowRecall(context, books, talk, sequence).run(sequence === peersLast);
    recalled.push(sequence);
  }
  return recalled;
}

class WindowRecall {
  readonly #context: SettlementContext;
  readonly #books: WindowBooks;
  readonly #talk: SettlementTalk;
  readonly #sequence: bigint;

  constructor(
    context: SettlementContext,
    books: WindowBooks,
    talk: SettlementTalk,
    sequence: bigint,
  ) {
    this.#context = context;
    this.#books = books;
    this.#talk = talk;
    this.#sequence = sequence;
  }

  /** `isLast`: of the peer's windows, of which only the last is not agreed. */
  async run(isLast: boolean): Promise<void> {
    const { store, clock, log } = this.#context;
    const { peer } = this.#talk;
    const sequence = this.#sequence;
    const joined = await store.joinWindow(peer, sequence, clock.nowMs());
    if (joined === 'out-of-sequence') throw this.#differs('the window before is still open here');
    const { agreement } = (await this.#recall('ours')).content;
    const { content, word } = await this.#recall('theirs');
    const isUnsettled = content.state === 'open' || content.state === 'closed';
    if (isUnsettled && !isLast) throw this.#differs(`it is ${content.state}, and others follow it`);
    if (content.state === 'open') return;
    await store.closeWindow(peer, sequence);
    if (content.state === 'closed') return;
    this.#requireOwnWord(content, agreement);
    if (!(await this.#books.agree(peer, content, word))) {
      throw this.#differs('its claims do not sum to the totals that were agreed');
    }
    const window = await store.window(peer, sequence);
    if (content.state === 'paid' && window !== undefined) await this.#books.paidBefore(window);
    log.peer('info', peer, 'a settlement window is recalled', { window: `${sequence}` });
  }

  /**
   * All claims of one side into the window here; what the peer says of it as a whole. Each is told
   * once, and all of them are in these books, so a peer cannot go on for ever.
   */
  async #recall(side: ClaimSide): Promise<RecalledWord> {
    const sequence = this.#sequence;
    const told = new Set<string>();
    for (let after: Uint8Array | undefined; ;) {
      const asked = { sequence, side, ...(after && { after }) };
      const answer = await this.#talk.ask({ kind: 'recall', content: asked }, ['recalled']);
      const { content, word } = answer;
      if (content.sequence !== sequence) throw this.#differs('the answer is about another');
      for (const claim of content.claims.map(toHex)) {
        if (told.has(claim)) throw this.#differs(`the peer tells of payment ${claim} again`);
        told.add(claim);
      }
      await this.#put(side, content.claims);
      after = content.claims.at(-1);
      if (content.more === 0) return { content, word };
      if (after === undefined) throw this.#differs('the peer has more claims and tells of none');
    }
  }

  async #put(side: ClaimSide, paymentIds: readonly Uint8Array[]): Promise<void> {
    const { store, primitives, station } = this.#context;
    const { peer } = this.#talk;
    const claimant = side === 'ours' ? station : peer;
    const rows = await store.payments(paymentIds);
    const claims = paymentIds.map((paymentId, i): NewClaim => ({
      redemptionId: redemptionIdOf(primitives, paymentId, claimant),
      paymentId,
      amount: feeOf(rows[i], claimant),
    }));
    const outcomes = await store.putClaims(side, peer, this.#sequence, claims);
    for (const [i, outcome] of outcomes.entries()) {
      const isHere = outcome.outcome === 'exists' && outcome.claim.sequence === this.#sequence;
      if (outcome.outcome === 'created' || isHere) continue;
      const paymentId = toHex(paymentIds[i] ?? new Uint8Array(0));
      const why = outcome.outcome === 'exists' ? 'in another window' : outcome.outcome;
      throw this.#differs(`it holds payment ${paymentId}, which is ${why} here`);
    }
  }

  /** The totals are those that this station itself had signed. */
  #requireOwnWord({ ours, theirs }: Recalled, agreement: Uint8Array | undefined): void {
    const { station, network, ownKeys } = this.#context;
    const { peer } = this.#talk;
    try {
      const { body, ...own } = settlementWord.decode(agreement ?? new Uint8Array(0));
      const { content } = body;
      const isTotals =
        content.kind === 'closing' || content.kind === 'closed' || content.kind === 'recalled';
      const holds =
        body.from === station &&
        body.to === peer &&
        body.network === network &&
        isTotals &&
        content.content.sequence === this.#sequence &&
        mirrored({ ours, theirs }, content.content) &&
        ownKeys.some((one) => settlementWord.verify({ body, ...own }, one));
      if (holds) return;
    } catch {
      // Told like any other word that is not ours.
    }
    throw this.#differs('the peer shows no word of ours for its totals');
  }

  #differs(why: string): SettlementError {
    return new SettlementError(
      'totals-differ',
      `window ${this.#sequence} of the lost time cannot be recalled: ${why}`,
    );
  }
}

/** Zero for a payment that is not here, or not on its bill: the store says which. */
function feeOf(row: PaymentRow | undefined, claimant: StationName): bigint {
  if (row === undefined) return 0n;
  const { bill } = paymentCodec.decode(row.payment).quote;
  return bill.find(({ station }) => station === claimant)?.fee ?? 0n;
}
