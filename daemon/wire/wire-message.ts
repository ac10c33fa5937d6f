/**
 * What stations say to each other inside a link. `payment`, `receipt` and `refusal` travel as rows
 * of the sender's outbox and are confirmed once durable; the others are told once and may be lost.
 * A coin secret is never part of a message: the link carries it beside the payment, as its suite
 * asks.
 */
import { limits } from '../../applet-spec/limits.ts';
import { seconds, shortId, stationName, suite, userName } from '../../applet-spec/names.ts';
import { payment } from '../../applet-spec/payment.ts';
import { acceptance } from '../../applet-spec/quote.ts';
import { admission, reason, receipt, refusal } from '../../applet-spec/receipt.ts';
import {
  choice,
  element,
  listOf,
  octets,
  optional,
  small,
  struct,
  text,
  uint,
  type Static,
} from '../../applet-spec/tlv.ts';
import { announcement } from './announcement.ts';
import { cosignedCheckpoint, provenCheckpoint, shownCheckpoint, twoLogs } from './checkpoint.ts';
import { declaration } from './declaration.ts';
import { inquiry } from './inquiry.ts';

/** Stations from the asking to the asked one; `position` is the index of the receiver. */
const routeHead = {
  correlation: element(0x80, shortId),
  route: element(
    0xa1,
    listOf(element(0x80, stationName), limits.routeStationsLeast, limits.routeStationsMost),
  ),
  position: element(0x82, small(limits.routeStationsMost - 1)),
} as const;

export const question = choice({
  /** S21: is this payee connected and willing? */
  acceptance: element(
    0x61,
    struct({
      payer: element(0x80, userName),
      payee: element(0x81, userName),
      time: element(0x82, seconds),
      minimumSuite: element(0x83, suite),
    }),
  ),
  /**
   * What became of this payment? A last station that has not decided decides `undelivered`. The
   * payment shows who issued its coin, also where it never came.
   */
  verdict: element(0x62, struct({ inquiry, payment })),
  /** S5: claims, as the settlement layer encodes them. */
  settlement: element(0x63, octets(1, 65_000)),
  /**
   * What do you hold of the payments between us? A neighbour asks that has lost records of its own
   * (failures 37, 38), page by page.
   */
  records: element(
    0x64,
    struct({
      /** Stored or decided at this time or later, by the clock of who is asked. */
      since: element(0x80, seconds),
      /** As `next` of the answer before; zero at first. */
      after: element(0x81, uint(8)),
    }),
  ),
});
export type Question = Static<typeof question>;

/** Records of one answer; as a rule its bytes bound it first. */
export const recordsMost = 32;

/** A payment that went over the link, certificate included, and how it ended if it has. */
const heldRecord = struct({ payment, admission, receipt: optional(receipt) });
export type HeldRecord = Static<typeof heldRecord>;

export const answer = choice({
  accepted: element(0x61, struct({ acceptance })),
  declined: element(
    0x62,
    struct({
      reason: element(0x80, reason),
      message: element(0x81, text(limits.messageBytes)),
      /** Where a station on the way says it: another route may serve. */
      station: optional(element(0x82, stationName)),
    }),
  ),
  verdict: element(0x63, struct({ receipt })),
  settlement: element(0x64, octets(1, 65_000)),
  /** A station on the way could not pass the question on. */
  unreachable: element(0x65, struct({ station: element(0x80, stationName) })),
  records: element(
    0x66,
    struct({
      records: element(0xa1, listOf(element(0xa0, heldRecord), 0, recordsMost)),
      next: element(0x82, uint(8)),
      /** 1 where there may be more behind `next`. */
      more: element(0x83, small(1)),
    }),
  ),
});
export type Answer = Static<typeof answer>;

export const wireMessage = choice({
  payment: element(0x61, struct({ payment, admission })),
  receipt: element(0x62, struct({ receipt })),
  /** A relay's advice that it will not carry the payment; goes back towards the issuer. */
  refusal: element(0x63, struct({ refusal })),
  announcement: element(0x64, struct({ announcement })),
  crl: element(0x65, octets(1, limits.crlBytes)),
  question: element(0x66, struct({ ...routeHead, question: element(0xa3, octets(1, 65_400)) })),
  answer: element(0x67, struct({ ...routeHead, answer: element(0xa3, octets(1, 65_400)) })),
  /**
   * On a new link: the highest sequence known of each station, so that the peer sends what is
   * newer.
   */
  known: element(
    0x68,
    struct({
      crlNumber: element(0x80, uint(8)),
      stations: element(
        0xa1,
        listOf(
          element(
            0xa0,
            struct({ station: element(0x80, stationName), sequence: element(0x81, uint(8)) }),
          ),
          0,
          1_024,
        ),
      ),
    }),
  ),
  /** S6: the sender's log has grown; the neighbour checks it against what it cosigned before. */
  checkpoint: element(0x69, shownCheckpoint),
  /** The answer; and on a new link the last that was cosigned of the receiver's log. */
  cosigned: element(0x6a, cosignedCheckpoint),
  /** Leaves of the sender's log are lost: before any checkpoint of its new generation. */
  declaration: element(0x6b, struct({ declaration })),
  /** How far somebody's log had grown when a neighbour of its station cosigned it; flooded. */
  published: element(0x6c, cosignedCheckpoint),
  /** Asks its station to show that a checkpoint begins with another; answered by `checkpoint`. */
  prove: element(0x6d, provenCheckpoint),
  /** A station signed two logs; flooded once. */
  twoLogs: element(0x6e, twoLogs),
});
export type WireMessage = Static<typeof wireMessage>;
