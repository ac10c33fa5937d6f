/** What every connection at the desk shares. */
import type { Certificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Currency, StationName, UserName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import type { Batch } from '../batch.ts';
import type { CoinMint } from '../coin-mint.ts';
import type { TokenBuckets } from '../token-buckets.ts';
import type { Log } from '../station/log.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { Store } from '../store/store.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import type { DeskRefusal, Toll } from './desk-seams.ts';

/** Certifies a user's key at enrolment: the CA's desk, here or elsewhere. */
export type CertifyUser = (user: UserName, publicKey: Uint8Array) => Promise<Uint8Array>;

/** Which cards may be enrolled: what they must prove of the key that they made. */
export interface AttestationPolicy {
  /** Roots of the makers whose cards are believed. */
  readonly makers: readonly Certificate[];
  /** Without it, cards that cannot attest or are of other makers are enrolled too. */
  readonly required: boolean;
}

export interface DeskContext {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  /** 65 bytes: cards check receipts and refusals of this station with it. */
  readonly documentKey: Uint8Array;
  /** DER: hosts check them against the pinned root themselves. */
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
  /** Used before, the newest first. */
  readonly formerCertificates: readonly Uint8Array[];
  /** This and former ones, for cards that are told what one of those signed. */
  readonly documentKeys: readonly VerifyingKey[];
  readonly crl: () => Uint8Array | undefined;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly mint: CoinMint;
  /** Why coins made now would be good for nothing; undefined where they are. */
  readonly coinObjection: () => string | undefined;
  readonly store: Store;
  /** Payments whose card has the verdict, to be marked so together. */
  readonly concluding: Batch<Uint8Array, true>;
  readonly toll: Toll;
  readonly standing: Pick<LogStanding, 'refusal' | 'rolledBack' | 'declared'>;
  /** Without room, no coins are made. */
  readonly room: Pick<DiskRoom, 'refusal'>;
  /** How often a card is looked for among all whose handle is not known. */
  readonly searches: TokenBuckets;
  /** Absent where the CA's desk is not at hand: cards cannot be enrolled then. */
  readonly certifyUser: CertifyUser | undefined;
  readonly attestation: AttestationPolicy;
  readonly log: Log;
}

/**
 * What a station answers whose books were rolled back (failure 39): of what it changed at a card
 * the newest copy of its database would know nothing.
 */
export function booksClosed({
  standing,
}: {
  readonly standing: Pick<LogStanding, 'refusal'>;
}): DeskRefusal | undefined {
  const why = standing.refusal;
  if (why === undefined) return undefined;
  return { outcome: 'refused', code: 'rolled-back', message: `${why} Nothing was changed.` };
}
