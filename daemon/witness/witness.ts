/**
 * This station as its neighbours' witness (S6): it cosigns a checkpoint that begins with the last
 * one that it cosigned, remembers it durably before it says so, and keeps what contradicts it.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import { TokenBuckets } from '../relay/token-buckets.ts';
import type { WitnessStore } from '../store/witness-store.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
  type CheckpointBody,
  type Cosignature,
  type CosignedCheckpoint,
  type ShownCheckpoint,
} from '../wire/checkpoint.ts';
import { judgeCheckpoint } from './checkpoint-judgement.ts';

export interface WitnessOptions {
  readonly station: StationName;
  readonly network: string;
  readonly documentKey: SigningKey;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly links: Pick<Links, 'tell'>;
  readonly directory: Pick<Directory, 'keysAt'>;
  readonly store: Pick<WitnessStore, 'witnessed' | 'putWitnessed' | 'twoLogs' | 'putTwoLogs'>;
  /** A line for the operator's log. */
  readonly onRefused: (peer: StationName, detail: string) => void;
}

/** Of one neighbour; a diligent one asks once a minute. */
const askedPerHour = 1_200;

export class Witness {
  readonly #options: WitnessOptions;
  readonly #last = new Map<StationName, CosignedCheckpoint>();
  readonly #contradicting = new Set<StationName>();
  readonly #asked: TokenBuckets;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#asked = new TokenBuckets(askedPerHour, options.clock);
  }

  /** Call before the links listen. */
  async start(): Promise<void> {
    const { store } = this.#options;
    for (const { peer, checkpoint, cosignature } of await store.witnessed()) {
      this.#last.set(peer, {
        checkpoint: checkpointKind.decode(checkpoint),
        cosignature: cosignatureKind.decode(cosignature),
      });
    }
    for (const { station } of await store.twoLogs()) this.#contradicting.add(station);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  async idle(): Promise<void> {
    await this.#working;
  }

  /** Stations that signed checkpoints which do not go together. */
  get contradicting(): readonly StationName[] {
    return [...this.#contradicting];
  }

  /** Of each neighbour, how much of its log was cosigned last. */
  get sizes(): ReadonlyMap<StationName, bigint> {
    return new Map([...this.#last].map(([peer, { checkpoint }]) => [peer, checkpoint.body.size]));
  }

  linkUp(peer: StationName): void {
    this.#showLast(peer);
  }

  /** One after the other: of two that contradict each other only one may be cosigned. */
  told(peer: StationName, shown: ShownCheckpoint): Promise<void> {
    const done = this.#working.then(() => this.#judge(peer, shown));
    this.#working = done.catch(() => undefined);
    return done;
  }

  async #judge(peer: StationName, shown: ShownCheckpoint): Promise<void> {
    const { primitives, directory, onRefused } = this.#options;
    if (this.#closed || this.#asked.emptyUntilMs(peer) !== undefined) return;
    this.#asked.take(peer);
    const { checkpoint } = shown;
    const keys = directory.keysAt(peer, 'station-document', checkpoint.body.time);
    // Its announcement comes soon, and it asks again.
    if (keys.length === 0) return;
    const fault =
      this.#notAbout(peer, checkpoint.body) ??
      (keys.some((one) => checkpointKind.verify(checkpoint, one)) ? undefined : 'its signature');
    if (fault !== undefined) {
      onRefused(peer, `checkpoint: ${fault}`);
      return;
    }
    const last = this.#last.get(peer);
    const judgement = judgeCheckpoint(primitives, last?.checkpoint.body, shown);
    if (judgement.outcome === 'cosign') await this.#cosign(peer, shown);
    else if (judgement.outcome === 'two-logs') await this.#keep(peer, shown, judgement.detail);
    this.#showLast(peer);
  }

  #notAbout(peer: StationName, { station, network }: CheckpointBody): string | undefined {
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
    });
    this.#last.set(peer, { checkpoint, cosignature: signed });
  }

  async #keep(peer: StationName, { checkpoint }: ShownCheckpoint, detail: string): Promise<void> {
    const last = this.#last.get(peer);
    if (last === undefined) return;
    const cosigned = last.checkpoint.bytes;
    await this.#options.store.putTwoLogs({ station: peer, cosigned, shown: checkpoint.bytes });
    this.#contradicting.add(peer);
    this.#options.onRefused(peer, `checkpoint, kept as evidence: ${detail}`);
  }

  #showLast(peer: StationName): void {
    const last = this.#last.get(peer);
    if (last !== undefined) this.#options.links.tell(peer, { kind: 'cosigned', content: last });
  }
}
