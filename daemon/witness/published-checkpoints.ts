/**
 * What witnesses tell everybody of each other's neighbours (failure 29): the newest checkpoint that
 * any of them cosigned, of each station, flooded. Whoever meets two that do not go together keeps
 * both; a neighbour asks for the proof that what it cosigned and what another did are one log.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import { TokenBuckets } from '../token-buckets.ts';
import {
  checkpoint as checkpointKind,
  comparePlaces,
  cosignature as cosignatureKind,
  placeOf,
  type Checkpoint,
  type CosignedCheckpoint,
  type ShownCheckpoint,
  type TwoLogsProof,
} from '../wire/checkpoint.ts';
import { contradictionOf } from './checkpoint-judgement.ts';
import { isConsistent } from './log-tree.ts';

export interface PublishedOptions {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly links: Pick<Links, 'peers' | 'status' | 'tell'>;
  readonly directory: Pick<Directory, 'keysAt'>;
  readonly onRefused: (peer: StationName, detail: string) => void;
}

/** What this station itself has cosigned, and where evidence goes. */
export interface OwnWitness {
  last(station: StationName): CosignedCheckpoint | undefined;
  /** Two of one station that do not go together, or were not shown to. */
  keep(station: StationName, one: Checkpoint, other: Checkpoint, detail: string): Promise<void>;
}

/** A station that has not shown yet that two of its checkpoints are of one log. */
export interface Unproven {
  readonly station: StationName;
  readonly sinceMs: number;
}

interface Open {
  readonly checkpoint: Checkpoint;
  readonly sinceMs: number;
  asked: number;
}

/** As many as a directory has. */
const stationsMost = 1_024;
/** Looked at closely, of one neighbour; of one station that many are passed on. */
const heardPerHour = 60_000;
const passedOnPerHour = 240;
/** Asked so often without an answer, a station is named to the operator. */
const askedInVain = 3;

export class PublishedCheckpoints {
  readonly #options: PublishedOptions;
  readonly #own: OwnWitness;
  /** The newest of each station, this one's own word included; never of this station. */
  readonly #heard = new Map<StationName, CosignedCheckpoint>();
  /** Of neighbours: what others cosigned that is not known to be of the log cosigned here. */
  readonly #open = new Map<StationName, Open>();
  /** Of stations that signed two logs, one proof each. */
  readonly #proofs = new Map<StationName, TwoLogsProof>();
  readonly #newLinks = new Set<StationName>();
  readonly #looks: TokenBuckets;
  readonly #pace: TokenBuckets;

  constructor(options: PublishedOptions, own: OwnWitness) {
    this.#options = options;
    this.#own = own;
    this.#looks = new TokenBuckets(heardPerHour, options.clock);
    this.#pace = new TokenBuckets(passedOnPerHour, options.clock);
  }

  get unproven(): readonly Unproven[] {
    return [...this.#open]
      .filter(([, { asked }]) => asked >= askedInVain)
      .map(([station, { sinceMs }]) => ({ station, sinceMs }));
  }

  /** What was cosigned before the last stop: it is told on every new link. */
  recall(station: StationName, cosigned: CosignedCheckpoint): void {
    this.#heard.set(station, cosigned);
  }

  /** At once, and again when announcements have come: before, a new station believes nobody. */
  linkUp(peer: StationName): void {
    this.#newLinks.add(peer);
    this.#tellAll(peer);
  }

  #tellAll(peer: StationName): void {
    const { links } = this.#options;
    for (const content of this.#heard.values()) links.tell(peer, { kind: 'published', content });
    for (const content of this.#proofs.values()) links.tell(peer, { kind: 'twoLogs', content });
  }

  /** Kept here, or before the last stop; what anybody can check, everybody hears once. */
  kept(station: StationName, one: Checkpoint, other: Checkpoint): void {
    if (this.#proofs.has(station) || contradictionOf(one.body, other.body) === undefined) return;
    const content = { checkpoints: [one, other] };
    this.#proofs.set(station, content);
    const { links } = this.#options;
    for (const peer of links.peers) links.tell(peer, { kind: 'twoLogs', content });
  }

  /** A neighbour passes on that a station signed two logs. */
  async toldTwoLogs(peer: StationName, { checkpoints }: TwoLogsProof): Promise<void> {
    const [one, other] = checkpoints;
    if (one === undefined || other === undefined) return;
    const { station } = one.body;
    if (this.#proofs.has(station) || !this.#mayLook(peer, station)) return;
    const fault = this.#proofFault(one, other);
    if (fault === 'not known yet') return;
    if (fault === undefined) {
      const detail = contradictionOf(one.body, other.body) ?? '';
      await this.#own.keep(station, one, other, detail);
    } else this.#options.onRefused(peer, `two logs of ${station}: ${fault}`);
  }

  /** This station has cosigned it: others hear so, unless they know it. */
  cosigned(station: StationName, cosigned: CosignedCheckpoint): void {
    const place = placeOf(cosigned.checkpoint.body);
    const open = this.#open.get(station);
    if (open && comparePlaces(placeOf(open.checkpoint.body), place) === 0) {
      this.#open.delete(station);
    }
    const heard = this.#heard.get(station)?.checkpoint;
    if (heard === undefined || this.#isNews(cosigned.checkpoint)) {
      this.#pass(station, cosigned, station);
    } else if (!this.#open.has(station)) this.#compareLater(station, heard);
  }

  /** Why a checkpoint that is to be cosigned cannot be of the log that others cosigned. */
  contradictionTo({ body }: Checkpoint): readonly [Checkpoint, string] | undefined {
    const heard = this.#heard.get(body.station)?.checkpoint;
    const detail = heard && contradictionOf(heard.body, body);
    return heard && detail !== undefined ? [heard, detail] : undefined;
  }

  /** A neighbour passes on what somebody cosigned of another station. */
  async told(peer: StationName, cosigned: CosignedCheckpoint): Promise<void> {
    const { checkpoint } = cosigned;
    const { station } = checkpoint.body;
    const other = this.#contradicted(checkpoint);
    const isEvidence = other !== undefined && !this.#proofs.has(station);
    const isNews = this.#isNews(checkpoint);
    if ((!isEvidence && !isNews) || !this.#mayLook(peer, station)) return;
    const fault = this.#faultOf(cosigned);
    if (fault === 'not known yet') return;
    if (fault !== undefined) {
      this.#options.onRefused(peer, `published checkpoint of ${station}: ${fault}`);
      return;
    }
    this.#pace.take(station);
    if (isEvidence) await this.#own.keep(station, other[0], checkpoint, other[1]);
    if (!isNews) return;
    this.#pass(station, cosigned, peer);
    this.#compareLater(station, checkpoint);
  }

  /** The proof that was asked for; whether it was one. */
  async proves(peer: StationName, shown: ShownCheckpoint): Promise<boolean> {
    const open = this.#open.get(peer)?.checkpoint;
    const last = this.#own.last(peer)?.checkpoint;
    const isAnswer =
      open !== undefined &&
      last !== undefined &&
      equalBytes(shown.checkpoint.bytes, last.bytes) &&
      placeOf(open.body).generation === placeOf(last.body).generation &&
      open.body.size < last.body.size &&
      shown.since === open.body.size;
    if (!isAnswer) return false;
    this.#open.delete(peer);
    if (!isConsistent(this.#options.primitives, open.body, last.body, shown.proof)) {
      const sizes = `its ${last.body.size} leaves were not shown to begin with the`;
      const detail = `${sizes} ${open.body.size} that others cosigned`;
      await this.#own.keep(peer, open, last, detail);
    }
    return true;
  }

  /** What the last round has not brought by itself is asked for. */
  round(): void {
    for (const peer of this.#newLinks) this.#tellAll(peer);
    this.#newLinks.clear();
    this.#ask();
  }

  #ask(): void {
    const { links } = this.#options;
    for (const [peer, open] of this.#open) {
      const last = this.#own.last(peer)?.checkpoint;
      const generation = last && placeOf(last.body).generation;
      const place = placeOf(open.checkpoint.body);
      if (last === undefined || generation === undefined || place.generation < generation) {
        // Of a log that was given up: its declaration tells.
        this.#open.delete(peer);
        continue;
      }
      if (links.status(peer)?.state !== 'up') continue;
      const isLonger = comparePlaces(place, placeOf(last.body)) > 0;
      const content = isLonger
        ? { checkpoint: open.checkpoint, since: last.body.size }
        : { checkpoint: last, since: open.checkpoint.body.size };
      links.tell(peer, { kind: 'prove', content });
      open.asked++;
      if (open.asked !== askedInVain) continue;
      const sizes = `${last.body.size} leaves cosigned here and ${place.size} elsewhere`;
      this.#options.onRefused(peer, `checkpoint: it does not show ${sizes} to be of one log`);
    }
  }

  /** What is known of this station and contradicts it, and why. */
  #contradicted({ body }: Checkpoint): readonly [Checkpoint, string] | undefined {
    for (const known of [this.#own.last(body.station), this.#heard.get(body.station)]) {
      const detail = known && contradictionOf(known.checkpoint.body, body);
      if (known !== undefined && detail !== undefined) return [known.checkpoint, detail];
    }
    return undefined;
  }

  #isNews({ body }: Checkpoint): boolean {
    const known = this.#heard.get(body.station);
    if (known === undefined) return this.#heard.size < stationsMost;
    return comparePlaces(placeOf(body), placeOf(known.checkpoint.body)) > 0;
  }

  #mayLook(peer: StationName, station: StationName): boolean {
    if (this.#looks.emptyUntilMs(peer) !== undefined) return false;
    this.#looks.take(peer);
    return this.#pace.emptyUntilMs(station) === undefined;
  }

  #pass(station: StationName, content: CosignedCheckpoint, except: StationName): void {
    this.#heard.set(station, content);
    const { links } = this.#options;
    for (const peer of links.peers) {
      if (peer !== except) links.tell(peer, { kind: 'published', content });
    }
  }

  #compareLater(station: StationName, checkpoint: Checkpoint): void {
    const last = this.#own.last(station)?.checkpoint;
    if (last === undefined || !this.#options.links.peers.includes(station)) return;
    if (comparePlaces(placeOf(checkpoint.body), placeOf(last.body)) === 0) {
      this.#open.delete(station);
      return;
    }
    const { sinceMs, asked } = this.#open.get(station) ?? {
      sinceMs: this.#options.clock.nowMs(),
      asked: 0,
    };
    this.#open.set(station, { checkpoint, sinceMs, asked });
  }

  #faultOf({ checkpoint, cosignature }: CosignedCheckpoint): string | undefined {
    const { network, primitives, directory } = this.#options;
    const { body } = checkpoint;
    const word = cosignature.body;
    if (body.network !== network || word.network !== network) return 'it is of another network';
    const digest = checkpointKind.digest(primitives, checkpoint.bodyBytes);
    const isOfIt = word.station === body.station && equalBytes(word.checkpoint, digest);
    if (!isOfIt || word.witness === body.station) return 'nobody cosigned it';
    const witnessKeys = directory.keysAt(word.witness, 'station-document', word.time);
    if (witnessKeys.length === 0) return 'not known yet';
    const fault = this.#signatureFault(checkpoint);
    if (fault !== undefined) return fault;
    return witnessKeys.some((one) => cosignatureKind.verify(cosignature, one))
      ? undefined
      : 'its cosignature does not verify';
  }

  #proofFault(one: Checkpoint, other: Checkpoint): string | undefined {
    const { network } = this.#options;
    if (one.body.station !== other.body.station) return 'they are of two stations';
    if ([one, other].some(({ body }) => body.network !== network))
      return 'it is of another network';
    if (contradictionOf(one.body, other.body) === undefined) return 'they may be of one';
    return this.#signatureFault(one) ?? this.#signatureFault(other);
  }

  #signatureFault(found: Checkpoint): string | undefined {
    const { station, time } = found.body;
    const keys = this.#options.directory.keysAt(station, 'station-document', time);
    if (keys.length === 0) return 'not known yet';
    return keys.some((one) => checkpointKind.verify(found, one)) ? undefined : 'its signature';
  }
}
