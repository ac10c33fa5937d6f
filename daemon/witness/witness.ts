/**
 * This station as its neighbours' witness (S6): it cosigns a checkpoint that begins with the last
 * one that it cosigned, remembers it durably before it says so, and keeps what contradicts it.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { Primitives, SigningKey, VerifyingKey } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import { TokenBuckets } from '../token-buckets.ts';
import type { RecoveryStore } from '../store/recovery-store.ts';
import type { WitnessStore } from '../store/witness-store.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
  placeOf,
  type Checkpoint,
  type CheckpointBody,
  type Cosignature,
  type CosignedCheckpoint,
  type ShownCheckpoint,
  type TwoLogsProof,
} from '../wire/checkpoint.ts';
import { declaration as declarationKind, type Declaration } from '../wire/declaration.ts';
import { judgeCheckpoint } from './checkpoint-judgement.ts';
import { baseOf, judgeDeclaration } from './declaration-judgement.ts';
import { PublishedCheckpoints, type Unproven } from './published-checkpoints.ts';

export interface WitnessOptions {
  readonly station: StationName;
  readonly network: string;
  readonly documentKey: SigningKey;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly everySeconds: number;
  readonly links: Pick<Links, 'peers' | 'status' | 'tell'>;
  readonly directory: Pick<Directory, 'keysAt'>;
  readonly store: Pick<WitnessStore, 'witnessed' | 'putWitnessed' | 'twoLogs' | 'putTwoLogs'> &
    Pick<RecoveryStore, 'declarations' | 'putDeclaration'>;
  /** A line for the operator's log. */
  readonly onRefused: (peer: StationName, detail: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** Of one neighbour; a diligent one asks once a minute. */
const askedPerHour = 1_200;
/** Each is kept for ever; a neighbour that waits with one says it again each minute. */
const lossesPerHour = 4;

export class Witness {
  readonly #options: WitnessOptions;
  readonly #last = new Map<StationName, CosignedCheckpoint>();
  readonly #declared = new Map<StationName, Declaration>();
  readonly #contradicting = new Set<StationName>();
  readonly #asked: TokenBuckets;
  readonly #losses: TokenBuckets;
  readonly #published: PublishedCheckpoints;
  #cancelTimer: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#asked = new TokenBuckets(askedPerHour, options.clock);
    this.#losses = new TokenBuckets(lossesPerHour, options.clock);
    this.#published = new PublishedCheckpoints(options, {
      last: (station) => this.#last.get(station),
      keep: (station, one, other, detail) => this.#keep(station, one, other, detail),
    });
  }

  /** Call before the links listen. */
  async start(): Promise<void> {
    const { store } = this.#options;
    for (const { peer, checkpoint, cosignature } of await store.witnessed()) {
      const cosigned = {
        checkpoint: checkpointKind.decode(checkpoint),
        cosignature: cosignatureKind.decode(cosignature),
      };
      this.#last.set(peer, cosigned);
      this.#published.recall(peer, cosigned);
    }
    for (const { station, accepted, bytes } of await store.declarations()) {
      if (accepted) this.#declared.set(station, declarationKind.decode(bytes));
      else this.#contradicting.add(station);
    }
    for (const { station, cosigned, shown } of await store.twoLogs()) {
      this.#contradicting.add(station);
      const [one, other] = [cosigned, shown].map(checkpointIn);
      if (one !== undefined && other !== undefined) this.#published.kept(station, one, other);
    }
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.idle();
  }

  async idle(): Promise<void> {
    await this.#working;
  }

  /** Stations that signed checkpoints which do not go together. */
  get contradicting(): readonly StationName[] {
    return [...this.#contradicting];
  }

  /** Neighbours that have declared leaves of their logs lost, and their last word on it. */
  get declared(): ReadonlyMap<StationName, Declaration> {
    return new Map([...this.#declared].filter(([station]) => station !== this.#options.station));
  }

  /** Of each neighbour, how much of its log was cosigned last. */
  get sizes(): ReadonlyMap<StationName, bigint> {
    return new Map([...this.#last].map(([peer, { checkpoint }]) => [peer, checkpoint.body.size]));
  }

  /** Neighbours that do not show what others cosigned of them to be of the log cosigned here. */
  get unproven(): readonly Unproven[] {
    return this.#published.unproven;
  }

  linkUp(peer: StationName): void {
    this.#showLast(peer);
    this.#published.linkUp(peer);
  }

  /** One after the other: of two that contradict each other only one may be cosigned. */
  told(peer: StationName, shown: ShownCheckpoint): Promise<void> {
    return this.#inTurn(() => this.#judge(peer, shown));
  }

  /** A neighbour's word that leaves of its log are lost; kept whatever it is good for. */
  declares(peer: StationName, shown: Declaration): Promise<void> {
    return this.#inTurn(() => this.#judgeLoss(peer, shown));
  }

  /** What somebody cosigned of another station. */
  published(peer: StationName, cosigned: CosignedCheckpoint): Promise<void> {
    return this.#inTurn(() => this.#published.told(peer, cosigned));
  }

  /** Whose proof that a station signed two logs somebody passes on. */
  toldTwoLogs(peer: StationName, proof: TwoLogsProof): Promise<void> {
    return this.#inTurn(() => this.#published.toldTwoLogs(peer, proof));
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, everySeconds, onFault } = this.#options;
    this.#cancelTimer = clock.after(everySeconds * 1_000, () => {
      this.#inTurn(async () => {
        this.#published.round();
      }).catch(onFault);
      this.#schedule();
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => undefined);
    return done;
  }

  /** Its keys then; none where it asks too often, or is not known yet: then it asks again. */
  #keysOf(peer: StationName, atSeconds: bigint): readonly VerifyingKey[] {
    if (this.#closed || this.#asked.emptyUntilMs(peer) !== undefined) return [];
    this.#asked.take(peer);
    return this.#options.directory.keysAt(peer, 'station-document', atSeconds);
  }

  async #judge(peer: StationName, shown: ShownCheckpoint): Promise<void> {
    const { onRefused } = this.#options;
    const { checkpoint } = shown;
    const keys = this.#keysOf(peer, checkpoint.body.time);
    if (keys.length === 0) return;
    const fault =
      this.#notAbout(peer, checkpoint.body) ??
      (keys.some((one) => checkpointKind.verify(checkpoint, one)) ? undefined : 'its signature');
    if (fault !== undefined) {
      onRefused(peer, `checkpoint: ${fault}`);
      return;
    }
    const elsewhere = this.#published.contradictionTo(checkpoint);
    if (elsewhere !== undefined) await this.#keep(peer, elsewhere[0], checkpoint, elsewhere[1]);
    else if (!(await this.#published.proves(peer, shown))) await this.#judgeGrowth(peer, shown);
    this.#showLast(peer);
  }

  async #judgeGrowth(peer: StationName, shown: ShownCheckpoint): Promise<void> {
    const { primitives } = this.#options;
    const declared = this.#declared.get(peer)?.body;
    const base = baseOf(this.#last.get(peer)?.checkpoint.body, declared);
    const judgement = judgeCheckpoint(primitives, base, shown, declared?.generation);
    if (judgement.outcome === 'cosign') await this.#cosign(peer, shown);
    const last = this.#last.get(peer)?.checkpoint;
    if (judgement.outcome !== 'two-logs' || last === undefined) return;
    await this.#keep(peer, last, shown.checkpoint, judgement.detail);
  }

  async #judgeLoss(peer: StationName, shown: Declaration): Promise<void> {
    const { onRefused, store } = this.#options;
    const keys = this.#keysOf(peer, shown.body.time);
    if (keys.length === 0) return;
    const fault =
      this.#notAbout(peer, shown.body) ??
      (keys.some((one) => declarationKind.verify(shown, one)) ? undefined : 'its signature');
    if (fault !== undefined) {
      onRefused(peer, `declaration: ${fault}`);
      return;
    }
    const last = this.#last.get(peer);
    const known = this.#declared.get(peer)?.body;
    const judgement = judgeDeclaration(last?.checkpoint.body, known, shown.body);
    if (judgement.outcome === 'known') return;
    const { generation, lost, kept } = shown.body;
    const held = last && {
      held: { checkpoint: last.checkpoint.bytes, cosignature: last.cosignature.bytes },
    };
    const stored = { station: peer, generation, bytes: shown.bytes, ...held };
    if (judgement.outcome === 'accept') {
      if (this.#losses.emptyUntilMs(peer) !== undefined) return;
      this.#losses.take(peer);
      await store.putDeclaration({ ...stored, accepted: true });
      this.#declared.set(peer, shown);
      onRefused(peer, `leaves lost: of ${lost.size} it kept ${kept.size}, and says so`);
      return;
    }
    if (judgement.outcome === 'contradiction') {
      await store.putDeclaration({ ...stored, accepted: false });
      this.#contradicting.add(peer);
      onRefused(peer, `declaration, kept as evidence: ${judgement.detail}`);
    }
    this.#showLast(peer);
  }

  #notAbout(
    peer: StationName,
    { station, network }: Pick<CheckpointBody, 'station' | 'network'>,
  ): string | undefined {
    if (station !== peer) return `it is of ${station}`;
    return network === this.#options.network ? undefined : `it is of network ${network}`;
  }

  async #cosign(peer: StationName, { checkpoint }: ShownCheckpoint): Promise<void> {
    const { primitives, clock, network, station, documentKey, store } = this.#options;
    const signed: Cosignature = cosignatureKind.sign(
      {
        ...headNow,
        network,
        witness: station,
        station: peer,
        checkpoint: checkpointKind.digest(primitives, checkpoint.bodyBytes),
        time: BigInt(Math.floor(clock.nowMs() / 1_000)),
      },
      documentKey,
    );
    await store.putWitnessed({
      peer,
      size: checkpoint.body.size,
      checkpoint: checkpoint.bytes,
      cosignature: signed.bytes,
      generation: placeOf(checkpoint.body).generation,
    });
    const cosigned = { checkpoint, cosignature: signed };
    this.#last.set(peer, cosigned);
    this.#published.cosigned(peer, cosigned);
  }

  async #keep(
    station: StationName,
    one: Checkpoint,
    other: Checkpoint,
    detail: string,
  ): Promise<void> {
    await this.#options.store.putTwoLogs({ station, cosigned: one.bytes, shown: other.bytes });
    this.#contradicting.add(station);
    this.#options.onRefused(station, `checkpoint, kept as evidence: ${detail}`);
    this.#published.kept(station, one, other);
  }

  #showLast(peer: StationName): void {
    const last = this.#last.get(peer);
    if (last !== undefined) this.#options.links.tell(peer, { kind: 'cosigned', content: last });
  }
}

/** Undefined where the row was damaged: its audit tells, and nobody else has to hear. */
function checkpointIn(bytes: Uint8Array): Checkpoint | undefined {
  try {
    return checkpointKind.decode(bytes);
  } catch {
    return undefined;
  }
}
