/**
 * What an operator asks a running station. Sums and names only; nothing of a single user's
 * payments.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { isoTime, isoTimeOfMs } from '../../applet-spec/iso-time.ts';
import type { Desk } from '../desk/desk.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { Position } from '../store/settlement-store.ts';
import type { Trust } from '../network/trust.ts';
import type { FailureBudgets } from '../relay/failure-budgets.ts';
import type { WitnessedLog } from '../witness/witnessed-log.ts';
import type { StationConfig } from './config.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { recoveryStatus, type RecoveryStatus } from './recovery-part.ts';
import { expiriesOf, type Expiry } from './expiries.ts';
import type { Identity } from './identity.ts';
import { lastAuditOf, type LastAudit } from './last-audit.ts';
import type { SigningKind } from './signing-files.ts';
import { logStatus, type LogStatus } from './witness-part.ts';

/** Names that a status tells; there may be thousands. */
const refusedMost = 100;

/** Of whom no payment is taken before a time: too many were not delivered. */
export interface RefusedStatus {
  readonly who: string;
  readonly perHour: number;
  readonly until: string;
}

export interface DiskStatus {
  /** Undefined where it cannot be measured. */
  readonly freeBytes: number | undefined;
  /** Where less is free, nothing new is begun. */
  readonly reserveBytes: number;
  readonly isShort: boolean;
}

export interface StationStatus {
  readonly station: string;
  readonly network: string;
  readonly currency: string;
  readonly uptimeSeconds: number;
  readonly usersAtDesk: readonly string[];
  readonly crl: { readonly number: string; readonly nextUpdate: string } | undefined;
  /** Serial numbers, in hexadecimal, of the certificates whose keys it signs with until it ends. */
  readonly signsWith: Readonly<Record<SigningKind, string>>;
  /** What this station runs on that ends. */
  readonly expiries: readonly Expiry[];
  readonly links: readonly {
    readonly peer: string;
    readonly suite: string;
    readonly state: string;
    readonly since: string;
    readonly detail?: string;
    readonly missingBits: string;
    /** How many keys for the link itself, words and payments wait for the QKD device. */
    readonly waiting?: Readonly<Record<'link' | 'word' | 'payment', number>>;
    readonly availableBits: string;
    /** Of these what payments leave for words and the link itself. */
    readonly keptBits: string;
    /** Set apart for payments that are being admitted. */
    readonly reservedBits: string;
    /** Their use is being recorded, or they are fetched for a use that is not complete. */
    readonly heldBits: string;
    /** Since the station started, like `lostBits`. */
    readonly spentBits: string;
    readonly lostBits: string;
  }[];
  readonly disk: DiskStatus;
  /** The last one, by itself or by its operator. */
  readonly audit?: LastAudit;
  readonly refused: readonly RefusedStatus[];
  readonly log: LogStatus;
  /** Of lost books from neighbours: the one under way, or the last one. */
  readonly recovery?: RecoveryStatus;
  readonly stations: readonly {
    readonly station: string;
    readonly fee: string;
    readonly currency: string;
    readonly sequence: string;
    /** When it announced this, and how long that serves new quotes. */
    readonly announced: string;
    readonly expires: string;
    readonly links: readonly {
      readonly neighbour: string;
      readonly suite: string;
      readonly state: string;
      readonly up: boolean;
      readonly since: string;
      readonly availableBits: string;
      readonly missingBits: string;
    }[];
  }[];
}

/** How far a station is trusted that issues coins which this one carries; in minor units. */
export interface PositionStatus {
  readonly peer: string;
  /** Our lines on its payments without verdict. */
  readonly open: string;
  /** Earned, and not paid yet. */
  readonly unpaid: string;
  /** What both together are kept within. */
  readonly limit: string;
}

export function positionStatus({ peer, inFlight, receivable }: Position, limit: bigint) {
  return {
    peer,
    open: String(inFlight),
    unpaid: String(receivable),
    limit: String(limit),
  } satisfies PositionStatus;
}

function diskStatus({ freeBytes, reserveBytes, refusal }: DiskRoom): DiskStatus {
  return { freeBytes, reserveBytes, isShort: refusal !== undefined };
}

export function stationStatus(parts: {
  readonly config: StationConfig;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly links: Links;
  readonly directory: Directory;
  readonly desk: Desk;
  readonly trust: Trust;
  readonly failures: FailureBudgets;
  readonly witnessedLog: WitnessedLog;
  readonly recovery: Pick<Recovery, 'state' | 'waits'>;
  readonly identity: Identity;
  readonly room: DiskRoom;
}): StationStatus {
  const { config, clock, startedMs, links, directory, desk, failures, room } = parts;
  const { crl } = parts.trust;
  const { state: rebuilt, waits } = parts.recovery;
  const audit = lastAuditOf(config);
  return {
    station: config.name,
    network: config.network,
    currency: config.currency,
    uptimeSeconds: Math.floor((clock.nowMs() - startedMs) / 1000),
    usersAtDesk: desk.present,
    crl: crl && { number: String(crl.number), nextUpdate: isoTime(crl.nextUpdate) },
    signsWith: signsWith(parts.identity),
    expiries: expiriesOf(parts),
    links: links.peers.flatMap((peer) => {
      const status = links.status(peer);
      if (status === undefined) return [];
      const { suite, state, sinceMs, detail, missingBits, waiting, keys } = status;
      return [
        {
          peer,
          suite,
          state,
          since: isoTimeOfMs(sinceMs),
          ...(detail !== undefined && { detail }),
          missingBits: String(missingBits),
          ...(waiting && { waiting }),
          availableBits: String(keys.available),
          keptBits: String(keys.kept),
          reservedBits: String(keys.reserved),
          heldBits: String(keys.held),
          spentBits: String(keys.spent),
          lostBits: String(keys.lost),
        },
      ];
    }),
    disk: diskStatus(room),
    ...(audit && { audit }),
    refused: failures.allSpent.slice(0, refusedMost).map(({ who, perHour, untilMs }) => ({
      who,
      perHour,
      until: isoTimeOfMs(untilMs),
    })),
    log: logStatus(parts.witnessedLog),
    ...(rebuilt && { recovery: recoveryStatus(rebuilt, waits) }),
    stations: announced(directory),
  };
}

function announced(directory: Directory): StationStatus['stations'] {
  return directory.entries.map(({ station, announcement: { body } }) => ({
    station,
    fee: String(body.fee),
    currency: body.currency,
    sequence: String(body.sequence),
    announced: isoTime(body.time),
    expires: isoTime(body.expiry),
    links: body.links.map(({ neighbour, suite, state, since, availableBits, missingBits }) => ({
      neighbour,
      suite,
      state,
      up: state === 'up',
      since: isoTime(since),
      availableBits: String(availableBits),
      missingBits: String(missingBits),
    })),
  }));
}

function signsWith(identity: Identity): StationStatus['signsWith'] {
  return {
    coin: serialOf(identity.coinCertificate),
    document: serialOf(identity.documentCertificate),
  };
}

function serialOf(certificate: Uint8Array): string {
  return toHex(parseCertificate(certificate).serialNumber);
}
