/**
 * Signs how far this station's log has grown, now and then, and has its neighbours cosign it (S6).
 * What they show to have cosigned is held against the log: a station whose database was rolled back
 * hears so on its first link.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import { TokenBuckets } from '../token-buckets.ts';
import type { LogStore } from '../store/log-store.ts';
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
  type ProvenCheckpoint,
} from '../wire/checkpoint.ts';
import type { LogStanding } from './log-standing.ts';

export interface SequencerOptions {
  readonly station: StationName;
  readonly network: string;
  readonly documentKey: SigningKey;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly everySeconds: number;
  readonly links: Pick<Links, 'peers' | 'status' | 'tell'>;
  readonly directory: Pick<Directory, 'keysAt'>;
  readonly store: LogStore & WitnessStore & Pick<RecoveryStore, 'declarations' | 'recovery'>;
  readonly standing: LogStanding;
  readonly onRefused: (peer: StationName, detail: string) => void;
  /** The log is not what a neighbour cosigned: the operator must know. */
  readonly onRolledBack: () => void;
  readonly onFault: (error: unknown) => void;
}

/** Of one neighbour; each checkpoint brings one answer or two. */
const answersPerHour = 2_400;

export class Sequencer {
  readonly #options: SequencerOptions;
  /** How much of this log each neighbour cosigned last. */
  readonly #sizes = new Map<StationName, bigint>();
  /** Of which generation that was. */
  readonly #generations = new Map<StationName, bigint>();
  /** From and to which size each neighbour was last shown a proof. */
  readonly #shown = new Map<StationName, string>();
  readonly #answers: TokenBuckets;
  #last: Checkpoint | undefined;
  #cancelTimer: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#answers = new TokenBuckets(answersPerHour, options.clock);
  }

  /** Call before the links listen. */
  async start(): Promise<void> {
    const { store, standing } = this.#options;
    await standing.start();
    const last = await store.lastCheckpoint();
    this.#last = last && checkpointKind.decode(last.bytes);
    await this.#readCosigned();
    if (standing.rolledBack !== undefined) this.#options.onRolledBack();
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

  get lastSize(): bigint {
    return this.#last?.body.size ?? 0n;
  }

  /** Of each neighbour, how much of this log it cosigned last. */
  get cosigned(): ReadonlyMap<StationName, bigint> {
    return this.#sizes;
  }

  /** A neighbour's answer, or what it shows on a new link. */
  told(peer: StationName, cosigned: CosignedCheckpoint): Promise<void> {
    return this.#inTurn(() => this.#take(peer, cosigned));
  }

  /** A neighbour asks whether a checkpoint of ours begins with so many leaves that it knows of. */
  prove(peer: StationName, { checkpoint, since }: ProvenCheckpoint): Promise<void> {
    return this.#inTurn(async () => {
      if (!(await this.#isInLog(peer, checkpoint, peer))) return;
      const { links, store, standing } = this.#options;
      const { generation, size } = placeOf(checkpoint.body);
      if (generation !== standing.generation) return;
      this.#declare(peer);
      if (since > size) return;
      const proof = await store.logConsistency(since, size);
      links.tell(peer, { kind: 'checkpoint', content: { checkpoint, since, proof } });
    });
  }

  /** What somebody cosigned of this log, by whatever way it comes. */
  published(peer: StationName, { checkpoint, cosignature }: CosignedCheckpoint): Promise<void> {
    return this.compareOwn(peer, checkpoint, cosignature.body.witness);
  }

  /** Whether the log holds what is said to be of it: where it does not, records are lost. */
  compareOwn(peer: StationName, checkpoint: Checkpoint, witness = peer): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#last && equalBytes(this.#last.bytes, checkpoint.bytes)) return;
      await this.#isInLog(peer, checkpoint, witness);
    });
  }

  /** Once a loss is declared: neighbours hear so, and cosign what there is from now on. */
  lossDeclared(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#options.standing.start();
      await this.#readCosigned();
      await this.#tick();
    });
  }

  async #readCosigned(): Promise<void> {
    for (const { peer, checkpoint } of await this.#options.store.cosigned()) {
      this.#noted(peer, checkpointKind.decode(checkpoint).body);
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#cancelTimer = this.#options.clock.after(this.#options.everySeconds * 1_000, () => {
      this.#inTurn(() => this.#tick())
        .catch(this.#options.onFault)
        .finally(() => {
          this.#schedule();
        });
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#working.then(() => (this.#closed ? undefined : work()));
    this.#working = done.catch(() => undefined);
    return done;
  }

  async #tick(): Promise<void> {
    const { standing, links } = this.#options;
    // A second log under the same name would only be evidence against us.
    if (standing.rolledBack !== undefined) return;
    await this.#sign();
    this.#shown.clear();
    for (const peer of links.peers) this.#declare(peer);
    for (const peer of links.peers) await this.#show(peer);
  }

  async #sign(): Promise<void> {
    const { store, network, station, documentKey, standing } = this.#options;
    const size = await store.logSize();
    if (size <= this.lastSize) return;
    const { generation } = standing;
    const time = this.#nextTime();
    if (time === undefined) return;
    const root = await store.logRoot(size);
    const body = {
      ...headNow,
      network,
      station,
      size,
      root,
      time,
      ...(generation > 0n && { generation }),
    };
    const signed = checkpointKind.sign(body, documentKey);
    await store.putCheckpoint({ size, bytes: signed.bytes });
    this.#last = signed;
  }

  /**
   * Never before the last one, also where the clock was set back: a longer log of an earlier time
   * is proof of two logs. A time of which no certificate of ours is nobody believes: a clock that
   * ran years ahead signs nothing, and what it had signed holds nothing up.
   */
  #nextTime(): bigint | undefined {
    const { clock, directory, station } = this.#options;
    const isBelieved = (time: bigint) =>
      directory.keysAt(station, 'station-document', time).length > 0;
    const now = BigInt(Math.floor(clock.nowMs() / 1_000));
    const before = this.#last?.body.time ?? 0n;
    if (before > now && isBelieved(before)) return before;
    return isBelieved(now) ? now : undefined;
  }

  /** The last checkpoint, to a neighbour that has not cosigned it. */
  async #show(peer: StationName): Promise<void> {
    const { links, store, standing } = this.#options;
    const checkpoint = this.#last;
    const since = this.#sizes.get(peer) ?? 0n;
    if (checkpoint === undefined || since >= checkpoint.body.size) return;
    if (placeOf(checkpoint.body).generation !== standing.generation) return;
    const way = `${since} ${checkpoint.body.size}`;
    if (links.status(peer)?.state !== 'up' || this.#shown.get(peer) === way) return;
    this.#shown.set(peer, way);
    this.#declare(peer);
    const proof = await store.logConsistency(since, checkpoint.body.size);
    links.tell(peer, { kind: 'checkpoint', content: { checkpoint, since, proof } });
  }

  /** What is lost, to a neighbour that has not cosigned anything since; told again until then. */
  #declare(peer: StationName): void {
    const { links, standing } = this.#options;
    const { declared } = standing;
    if (declared === undefined || this.#generations.get(peer) === standing.generation) return;
    links.tell(peer, { kind: 'declaration', content: { declaration: declared } });
  }

  /** What a neighbour's next proof leads from. */
  #noted(peer: StationName, body: CheckpointBody): void {
    const { declared, generation } = this.#options.standing;
    const place = placeOf(body);
    const kept = declared?.body.kept.size ?? place.size;
    this.#generations.set(peer, place.generation);
    this.#sizes.set(peer, place.generation === generation ? place.size : kept);
  }

  /** Undefined where it is not looked at. Our own signature tells of our log, whoever shows it. */
  async #isInLog(
    peer: StationName,
    checkpoint: Checkpoint,
    witness: StationName,
  ): Promise<boolean | undefined> {
    const { standing, onRefused, onRolledBack } = this.#options;
    if (this.#answers.emptyUntilMs(peer) !== undefined) return undefined;
    this.#answers.take(peer);
    const notOurs = this.#notOurs(checkpoint);
    if (notOurs !== undefined) {
      onRefused(peer, `cosigned checkpoint: ${notOurs}`);
      return undefined;
    }
    const before = standing.rolledBack;
    const fits = await standing.compare(witness, checkpoint.body);
    if (!fits && before === undefined) onRolledBack();
    return fits;
  }

  async #take(peer: StationName, { checkpoint, cosignature }: CosignedCheckpoint): Promise<void> {
    const { standing, store, onRefused } = this.#options;
    const before = standing.rolledBack;
    const fits = await this.#isInLog(peer, checkpoint, peer);
    if (fits === undefined) return;
    const { size } = checkpoint.body;
    // What the log does not hold stays: an audit must find it.
    const { generation } = placeOf(checkpoint.body);
    const isKnown = fits
      ? this.#sizes.get(peer) === size && this.#generations.get(peer) === generation
      : before?.witness === peer;
    const fault = isKnown ? undefined : this.#cosignatureFault(peer, checkpoint, cosignature);
    if (fault !== undefined) {
      onRefused(peer, `cosigned checkpoint: ${fault}`);
      return;
    }
    const bytes = { checkpoint: checkpoint.bytes, cosignature: cosignature.bytes };
    if (!isKnown) await store.putCosigned({ peer, size, ...bytes });
    this.#noted(peer, checkpoint.body);
    if (fits) await this.#show(peer);
  }

  #notOurs(checkpoint: Checkpoint): string | undefined {
    const { station, network, documentKey, directory } = this.#options;
    const { body } = checkpoint;
    if (body.station !== station || body.network !== network) return 'it is not of this station';
    const isOurs =
      checkpointKind.verify(checkpoint, documentKey) ||
      directory
        .keysAt(station, 'station-document', body.time)
        .some((former) => checkpointKind.verify(checkpoint, former));
    return isOurs ? undefined : 'this station’s key did not sign it';
  }

  #cosignatureFault(
    peer: StationName,
    checkpoint: Checkpoint,
    cosignature: Cosignature,
  ): string | undefined {
    const { station, network, primitives, directory } = this.#options;
    const { body } = cosignature;
    if (body.witness !== peer || body.station !== station || body.network !== network) {
      return 'its cosignature is another’s';
    }
    const digest = checkpointKind.digest(primitives, checkpoint.bodyBytes);
    if (!equalBytes(body.checkpoint, digest)) return 'its cosignature is of another checkpoint';
    const keys = directory.keysAt(peer, 'station-document', body.time);
    if (keys.length === 0) return 'its signer is not known yet';
    return keys.some((one) => cosignatureKind.verify(cosignature, one))
      ? undefined
      : 'its cosignature does not verify';
  }
}
