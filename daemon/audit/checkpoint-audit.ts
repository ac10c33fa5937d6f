/**
 * Checkpoints against the log made again (I34): what this station signed and what neighbours
 * cosigned of it must be in the log; what neighbours signed must go together.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { StoredCosigned, WitnessStore } from '../store/witness-store.ts';
import {
  checkpoint as checkpointKind,
  cosignature as cosignatureKind,
  type Checkpoint,
} from '../wire/checkpoint.ts';
import { contradictionOf } from '../witness/checkpoint-judgement.ts';
import type { Finding } from './finding.ts';
import type { StationKeys } from './station-keys.ts';

export interface CheckpointAuditOptions {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly keys: StationKeys;
  readonly store: Pick<WitnessStore, 'checkpoints' | 'cosigned' | 'witnessed' | 'twoLogs'>;
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
  #expected: Expected[] = [];

  constructor(options: CheckpointAuditOptions) {
    this.#options = options;
  }

  /** Before the log is read. */
  async start(): Promise<void> {
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

  #ownCosigned({ peer, size, checkpoint, cosignature }: StoredCosigned): void {
    const { station } = this.#options;
    const found = this.#verified(checkpoint, station);
    const what = `what ${peer} cosigned`;
    // Our own signature is enough to show what we had.
    this.#expect(found, what, size);
    if (typeof found === 'string') return;
    const fault = this.#cosignatureFault(found, cosignature, peer, station);
    if (fault !== undefined) this.#find('checkpoint-invalid', `${what}: ${fault}`);
  }

  #witnessed({ peer, checkpoint, cosignature }: StoredCosigned): void {
    const found = this.#verified(checkpoint, peer);
    const { station } = this.#options;
    const fault =
      typeof found === 'string' ? found : this.#cosignatureFault(found, cosignature, station, peer);
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
    try {
      const found = checkpointKind.decode(bytes);
      const { body } = found;
      if (body.station !== station) return `it is of ${body.station}`;
      if (body.network !== this.#options.network) return `it is of network ${body.network}`;
      const keys = this.#options.keys.documentKeys(station, body.time);
      const holds = keys.some((one) => checkpointKind.verify(found, one));
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
