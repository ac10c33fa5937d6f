/**
 * Checkpoints against the log made again (I34): what this station signed and what neighbours
 * cosigned of it must be in the log; what neighbours signed must go together.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Signed, SignedKind } from '../../applet-spec/signed-object.ts';
import type { RecoveryStore, StoredDeclaration } from '../store/recovery-store.ts';
import { declaration as declarationKind, type Declaration } from '../wire/declaration.ts';
import type { StoredCosigned, WitnessStore } from '../store/witness-store.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
  comparePlaces,
  placeOf,
  type Checkpoint,
  type CheckpointBody,
} from '../wire/checkpoint.ts';
import { contradictionOf } from '../witness/checkpoint-judgement.ts';
import type { Finding } from './finding.ts';
import type { StationKeys } from './station-keys.ts';

export interface CheckpointAuditOptions {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly keys: StationKeys;
  readonly store: Pick<WitnessStore, 'checkpoints' | 'cosigned' | 'witnessed' | 'twoLogs'> &
    Pick<RecoveryStore, 'declarations'>;
}

/** A station's own word that leaves of its log are lost: no contradiction, and never forgotten. */
export interface DeclaredLoss {
  readonly station: StationName;
  readonly generation: bigint;
  /** Leaves that had been witnessed, and of which the log goes on. */
  readonly lost: bigint;
  readonly kept: bigint;
  /** Unix seconds. */
  readonly time: bigint;
}

/** A signed checkpoint of this station, waiting for the log to have its size. */
interface Expected {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly what: string;
}

export class CheckpointAudit {
  readonly findings: Finding[] = [];
  readonly #options: CheckpointAuditOptions;
  readonly losses: DeclaredLoss[] = [];
  readonly #declared: Declaration[] = [];
  #expected: Expected[] = [];

  constructor(options: CheckpointAuditOptions) {
    this.#options = options;
  }

  /** Before the log is read. */
  async start(): Promise<void> {
    await this.expect(-(2n ** 63n), 0n);
    for (const one of await this.#options.store.declarations()) this.#declaration(one);
    for (const one of await this.#options.store.cosigned()) this.#ownCosigned(one);
  }

  /** Before leaves behind `after`, up to `last`, are told: our own checkpoints among them. */
  async expect(after: bigint, last: bigint): Promise<void> {
    for (const { size, bytes } of await this.#options.store.checkpoints(after, last)) {
      const { station } = this.#options;
      this.#expect(this.#verified(bytes, station), `the checkpoint over ${size} leaves`, size);
    }
  }

  /** The log has so many leaves now. */
  at(size: bigint, root: () => Uint8Array): void {
    const here = this.#expected.filter((one) => one.size === size);
    if (here.length === 0) return;
    this.#expected = this.#expected.filter((one) => one.size !== size);
    for (const { what, root: signed } of here) {
      if (equalBytes(signed, root())) continue;
      this.#find('checkpoint-differs', `${what} is of another log than this one`);
    }
  }

  /** The log ends here. */
  async finish(size: bigint): Promise<void> {
    const beyond = 2n ** 63n - 1n;
    await this.expect(size, beyond);
    for (const { what, size: signed } of this.#expected) {
      if (signed === 0n) continue;
      this.#find('log-cut-short', `${what}: the log has ${size} leaves, ${signed} were signed`);
    }
    for (const one of await this.#options.store.witnessed()) this.#witnessed(one);
    for (const { station, cosigned, shown } of await this.#options.store.twoLogs()) {
      const [first, second] = [cosigned, shown].map((bytes) => this.#verified(bytes, station));
      if (typeof first !== 'object' || typeof second !== 'object') continue;
      const detail = contradictionOf(first.body, second.body);
      if (detail !== undefined) this.#find('two-logs', `${station} signed ${detail}`, station);
    }
  }

  #declaration({ station, bytes, accepted, held }: StoredDeclaration): void {
    const found = this.#signed(declarationKind, bytes, station);
    if (typeof found === 'string') {
      this.#find('checkpoint-invalid', `what ${station} declared lost: ${found}`, station);
      return;
    }
    const { generation, lost, kept, time } = found.body;
    const first = this.#declared.find(
      ({ body }) => body.station === station && body.generation === generation,
    );
    const before = held && this.#verified(held.checkpoint, station);
    const isOther =
      typeof before === 'object' &&
      comparePlaces(placeOf(before.body), lost) === 0 &&
      !equalBytes(before.body.root, lost.root);
    if (accepted) {
      this.#declared.push(found);
      this.losses.push({ station, generation, lost: lost.size, kept: kept.size, time });
    } else if (first !== undefined) {
      const detail = `${station} declared a loss twice, as generation ${generation} of its log`;
      this.#find('two-logs', detail, station);
    } else if (isOther) {
      const detail = `${station} gave up another log of ${lost.size} leaves than it had shown`;
      this.#find('two-logs', detail, station);
    }
  }

  /** Our own word that this checkpoint is of leaves that are lost. */
  #isDeclaredLost({ body }: Checkpoint): boolean {
    const place = placeOf(body);
    return this.#declared.some(({ body: { station, generation, lost } }) => {
      if (station !== body.station || generation <= place.generation) return false;
      const order = comparePlaces(place, lost);
      return order < 0 || (order === 0 && equalBytes(body.root, lost.root));
    });
  }

  #ownCosigned({ peer, size, checkpoint, cosignature }: StoredCosigned): void {
    const { station } = this.#options;
    const found = this.#verified(checkpoint, station);
    const what = `what ${peer} cosigned`;
    // Our own signature is enough to show what we had.
    const isLost = typeof found !== 'string' && this.#isDeclaredLost(found);
    if (!isLost) this.#expect(found, what, size);
    if (typeof found === 'string') return;
    const fault = this.#cosignatureFault(found, cosignature, peer, station);
    if (fault !== undefined) this.#find('checkpoint-invalid', `${what}: ${fault}`);
  }

  #witnessed({ peer, size, generation = 0n, checkpoint, cosignature }: StoredCosigned): void {
    const found = this.#verified(checkpoint, peer);
    const { station } = this.#options;
    const isInPlace =
      typeof found === 'string' || comparePlaces(placeOf(found.body), { generation, size }) === 0;
    // What keeps this station from ever cosigning an earlier one.
    const place = isInPlace
      ? undefined
      : `it is stored as over ${size} leaves of generation ${generation}`;
    const fault =
      typeof found === 'string'
        ? found
        : (place ?? this.#cosignatureFault(found, cosignature, station, peer));
    if (fault === undefined) return;
    this.#find('checkpoint-invalid', `what was cosigned for ${peer}: ${fault}`);
  }

  #expect(found: Checkpoint | string, what: string, size: bigint): void {
    if (typeof found === 'string') {
      this.#find('checkpoint-invalid', `${what}: ${found}`);
    } else if (found.body.size !== size) {
      this.#find('checkpoint-invalid', `${what}: it is stored as over ${size} leaves`);
    } else {
      this.#expected.push({ size, root: found.body.root, what });
    }
  }

  /** The checkpoint, or in words why it is none of this station. */
  #verified(bytes: Uint8Array, station: StationName): Checkpoint | string {
    return this.#signed(checkpointKind, bytes, station);
  }

  #signed<T extends Pick<CheckpointBody, 'station' | 'network' | 'time'>>(
    kind: SignedKind<T>,
    bytes: Uint8Array,
    station: StationName,
  ): Signed<T> | string {
    try {
      const found = kind.decode(bytes);
      const { body } = found;
      if (body.station !== station) return `it is of ${body.station}`;
      if (body.network !== this.#options.network) return `it is of network ${body.network}`;
      const keys = this.#options.keys.documentKeys(station, body.time);
      const holds = keys.some((one) => kind.verify(found, one));
      return holds ? found : `the signature of ${station} does not verify`;
    } catch {
      return 'it does not decode';
    }
  }

  #cosignatureFault(
    { bodyBytes }: Checkpoint,
    bytes: Uint8Array,
    witness: StationName,
    station: StationName,
  ): string | undefined {
    const { primitives, keys } = this.#options;
    try {
      const found = cosignatureKind.decode(bytes);
      const { body } = found;
      const digest = checkpointKind.digest(primitives, bodyBytes);
      const isOfIt =
        body.witness === witness && body.station === station && equalBytes(body.checkpoint, digest);
      if (!isOfIt) return 'its cosignature is of another checkpoint';
      return keys.documentKeys(witness, body.time).some((one) => cosignatureKind.verify(found, one))
        ? undefined
        : 'its cosignature does not verify';
    } catch {
      return 'its cosignature does not decode';
    }
  }

  #find(code: Finding['code'], detail: string, party?: StationName): void {
    this.findings.push({ code, detail, party: party ?? this.#options.station });
  }
}
