/**
 * What two stations say to each other about money (S5): the octets inside questions and answers of
 * kind `settlement`. Every word is signed by its speaker, since stations between the two carry it.
 * A question names a nonce that its receiver gave last, so each is worked on at most once, however
 * often or late it comes; an answer names the question.
 */
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import {
  hash,
  money,
  networkName,
  shortId,
  signedHead,
  stationName,
  type StationName,
} from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { admission, receipt } from '../../applet-spec/receipt.ts';
import { signedKind, type Signed } from '../../applet-spec/signed-object.ts';
import {
  choice,
  element,
  listOf,
  nothing,
  octets,
  oneOf,
  oneOfGrowing,
  optional,
  small,
  struct,
  uint,
  type Static,
} from '../../applet-spec/tlv.ts';

/** At most 900 bytes each, so that a page of them fits one question. */
export const claimsMost = 64;

const total = struct({ count: element(0x80, uint(8)), amount: element(0x81, money) });

/**
 * One line of one bill, with its evidence: the issuer's own admission and the last station's
 * receipt. The payment itself stays at home: who issued the coin has it, or owes nothing.
 */
const claim = struct({
  paymentId: element(0x80, hash),
  /** The line's place on the bill, from 0. */
  line: element(0x81, small(limits.routeStationsMost - 1)),
  amount: element(0x82, money),
  admission,
  receipt: optional(receipt),
});
export type Claim = Static<typeof claim>;

export const judgementCodes = {
  /** Taken into the window of the question. */
  accepted: 1,
  /** Taken before; `window` says into which. */
  exists: 2,
  'unknown-payment': 3,
  'foreign-issuer': 4,
  'bad-admission': 5,
  'no-receipt': 6,
  'bad-receipt': 7,
  'not-delivered': 8,
  'other-line': 9,
  'wrong-amount': 10,
  /** Nothing is wrong with it: it belongs to the next window. */
  'window-closed': 11,
} as const;
export type JudgementWord = keyof typeof judgementCodes;

const judgement = struct({
  word: element(0x80, oneOf(judgementCodes)),
  /** The window that holds it; zero where none does. */
  window: element(0x81, uint(8)),
});
export type Judgement = Static<typeof judgement>;

const windowStates = { open: 1, closed: 2, agreed: 3, paid: 4 } as const;

export const declineCodes = {
  'stale-nonce': 1,
  'out-of-sequence': 2,
  'unsettled-window': 3,
} as const;

const sequence = element(0x80, uint(8));
const totals = { sequence, ours: element(0xa1, total), theirs: element(0xa2, total) } as const;

/** As the asker calls them. */
const recalledSides = { ours: 1, theirs: 2 } as const;
/** Claims of one answer. */
export const recalledMost = 512;
/** A word about totals is short; one that was recalled itself lists claims too. */
const agreementBytesMost = 40_000;

const content = choice({
  // Questions
  /** Asks for a nonce, which ends the life of every question before. */
  greeting: element(0x61, nothing),
  claims: element(
    0x62,
    struct({ sequence, claims: element(0xa1, listOf(element(0xa0, claim), 1, claimsMost)) }),
  ),
  /** Claim now, if you have claims: the window is about to be closed. */
  invitation: element(0x63, struct({ sequence })),
  /** The asker has closed the window with these totals. */
  closing: element(0x64, struct(totals)),
  /**
   * What did this window hold? Asked by a station that has lost its records, of its own claims and
   * of the peer's, page by page.
   */
  recall: element(
    0x65,
    struct({
      sequence,
      side: element(0x81, oneOf(recalledSides)),
      /** The payment of the last claim of the page before. */
      after: optional(element(0x82, hash)),
    }),
  ),
  // Answers
  /** The last window of the pair here; sequence zero where there was none. */
  standing: element(0x71, struct({ sequence, state: element(0x81, oneOf(windowStates)) })),
  judged: element(
    0x72,
    struct({ judgements: element(0xa0, listOf(element(0xa0, judgement), 1, claimsMost)) }),
  ),
  invited: element(0x73, nothing),
  /** The window is closed here with these totals, which mirror the asker's. */
  closed: element(0x74, struct(totals)),
  /** They do not mirror the asker's. */
  differing: element(0x75, struct(totals)),
  declined: element(0x76, struct({ reason: element(0x80, oneOfGrowing(declineCodes)) })),
  recalled: element(
    0x77,
    struct({
      ...totals,
      state: element(0x83, oneOf(windowStates)),
      /** Payments of the claims asked for. */
      claims: element(0xa4, listOf(element(0x80, hash), 0, recalledMost)),
      /** 1 where there are more behind the last. */
      more: element(0x85, small(1)),
      /** With the asker's claims: its own word for the totals, where it had given one. */
      agreement: optional(element(0x86, octets(1, agreementBytesMost))),
    }),
  ),
});
export type SettlementContent = Static<typeof content>;
export type ContentOf<K extends SettlementContent['kind']> = Extract<
  SettlementContent,
  { readonly kind: K }
>['content'];
export type Totals = ContentOf<'closed'>;

const wordBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  from: element(0x83, stationName),
  to: element(0x84, stationName),
  /**
   * In a question the one that the receiver gave last; in an answer the one for the next question.
   */
  nonce: element(0x85, shortId),
  /** In an answer: SHA-256(label ‖ question). */
  inReplyTo: optional(element(0x86, hash)),
  content: element(0xa7, content),
});
export type SettlementWordBody = Static<typeof wordBody>;
export type SettlementWord = Signed<SettlementWordBody>;

/** Signed with the speaker's document key. */
export const settlementWord = signedKind('settlement word', 0xeb, labels.settlement, wordBody);

/** SHA-256(label ‖ payment ID ‖ claimant): one claim has one ID for ever (failure 27). */
export function redemptionIdOf(
  primitives: Primitives,
  paymentId: Uint8Array,
  claimant: StationName,
): Uint8Array {
  return primitives.sha256(labels.redemption, paymentId, toUtf8(claimant));
}
