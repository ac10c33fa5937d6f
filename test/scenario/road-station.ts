import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { toStationName, toUserName } from '../../applet-spec/names.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { systemClock } from '../../daemon/clock.ts';
import type { AuditReport } from '../../daemon/audit/audit.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { trialBalance } from '../../daemon/ledger/trial-balance.ts';
import type { KeySource } from '../../daemon/qkd/key-source.ts';
import {
  readStationConfig,
  type NeighbourConfig,
  type StationConfig,
} from '../../daemon/station/config.ts';
import { auditOwnStore } from '../../daemon/station/audit-part.ts';
import { openSecretEntropy } from '../../daemon/station/secret-entropy.ts';
import { certify, newKey, renewal, type Wanted } from '../../daemon/station/key-rotation.ts';
import type { SigningKind } from '../../daemon/station/signing-files.ts';
import { initStationFolder } from '../../daemon/station/station-folder.ts';
import { certifyStation } from '../../daemon/station/station-papers.ts';
import { openStationStore } from '../../daemon/station/station-store.ts';
import { runStation, type Station } from '../../daemon/station/station.ts';
import type { PaymentRow, Store } from '../../daemon/store/store.ts';
import type { SocketFactory } from '../../daemon/socket.ts';
import { webSockets } from '../../daemon/web-socket.ts';
import { roadCurrency, roadNetwork } from './road-plan.ts';
import type { Wire } from './road-wire.ts';
import { StationLog } from './station-log.ts';

export interface RoadStationSeams {
  readonly clock: Clock & { moveOn(seconds: number): void };
  readonly primitives: Primitives;
  /** Default: the machine's own. */
  readonly entropy?: Entropy;
  /** Default: WebSockets. */
  readonly sockets?: SocketFactory;
  readonly keySource?: (neighbour: NeighbourConfig) => KeySource;
}

/** Longer than the pause before the first attempts to connect again: nobody waits for those. */
const pauseSeconds = 2;

/** What a station's books and store say, for a comparison before and after. */
export interface Books {
  readonly balances: Readonly<Record<string, bigint>>;
  readonly payments: number;
}

/** A station that a scenario starts and stops, always in the same folder. */
export class RoadStation {
  readonly name: string;
  readonly folder: string;
  readonly log: StationLog;
  /** What users and strangers connect to. */
  readonly deskWire: Wire;
  readonly linksWire: Wire;
  /** Those over which neighbours dial this station. */
  readonly arriving: Wire[] = [];
  /** On its disk; what a running station sees within five seconds. */
  freeBytes = 2 ** 40;
  readonly #seams: RoadStationSeams;
  #running: Station | undefined;

  constructor(
    at: { readonly name: string; readonly folder: string; readonly seams: RoadStationSeams },
    wires: { readonly desk: Wire; readonly links: Wire },
  ) {
    this.name = at.name;
    this.folder = at.folder;
    this.#seams = at.seams;
    this.deskWire = wires.desk;
    this.linksWire = wires.links;
    this.log = new StationLog(at.name);
  }

  /** Folder, keys and certificates: what `keytolld init --ca` makes. */
  static async prepare(
    folder: string,
    name: string,
    caFolder: string,
    clock: Clock = systemClock,
  ): Promise<void> {
    initStationFolder(folder, {
      station: toStationName(name),
      network: roadNetwork,
      currency: roadCurrency,
      entropy: systemEntropy,
    });
    const seams = { clock, entropy: systemEntropy };
    await certifyStation(folder, toStationName(name), caFolder, seams);
  }

  get config(): StationConfig {
    return readStationConfig(join(this.folder, 'station.toml'));
  }

  /** What the operator changes in station.toml; it counts from the next start on. */
  configure(change: (toml: string) => string): void {
    const file = join(this.folder, 'station.toml');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  }

  /** P-256 points of the station's certificates. */
  get publicKeys(): { readonly coin: Uint8Array; readonly document: Uint8Array } {
    const read = (kind: string): Uint8Array => {
      const der = readFileSync(join(this.folder, 'certificates', `${kind}.der`));
      return parseCertificate(new Uint8Array(der)).publicKey;
    };
    return { coin: read('coin'), document: read('document') };
  }

  get running(): Station {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`);
    return this.#running;
  }

  get deskPort(): number | undefined {
    return this.#running?.deskPort;
  }

  get linksPort(): number | undefined {
    return this.#running?.linksPort;
  }

  async start(): Promise<void> {
    const { config } = this;
    const { clock, entropy = systemEntropy, sockets = webSockets(clock) } = this.#seams;
    this.#running = await runStation(config, {
      ...this.#seams,
      entropy,
      secretEntropy: await openSecretEntropy(config, entropy, clock),
      sockets,
      log: this.log.log,
      freeBytes: () => Promise.resolve(this.freeBytes),
    });
    clock.moveOn(pauseSeconds);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.close();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** As `keytolld keys rotate` where the CA's desk is elsewhere. */
  makeKey(kind: SigningKind): Promise<Wanted> {
    return newKey(this.config, kind, this.#rotationSeams);
  }

  /** As `keytolld keys rotate`, while the station runs. */
  async placeKey(kind: SigningKind): Promise<Wanted> {
    const { config } = this;
    const wanted = await this.makeKey(kind);
    await certify(config, caFolderOf(config), wanted, this.#rotationSeams);
    return wanted;
  }

  /** The same, and a start. */
  async newKey(kind: SigningKind): Promise<void> {
    await this.placeKey(kind);
    await this.restart();
  }

  /** As `keytolld keys renew` and a start. */
  async renew(kind: SigningKind): Promise<void> {
    const { config } = this;
    const wanted = renewal(config, kind, this.#rotationSeams);
    await certify(config, caFolderOf(config), wanted, this.#rotationSeams);
    await this.restart();
  }

  get #rotationSeams() {
    return { clock: this.#seams.clock, entropy: systemEntropy };
  }

  /** No neighbour that dials reaches this station any more. */
  async cutOff(): Promise<void> {
    await Promise.all([this.linksWire, ...this.arriving].map((wire) => wire.cut()));
  }

  async joinAgain(): Promise<void> {
    await Promise.all([this.linksWire, ...this.arriving].map((wire) => wire.mend()));
    this.#seams.clock.moveOn(pauseSeconds);
  }

  /** As the operator's commands reach it, whether or not the station runs. */
  async withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const store = await openStationStore(this.config, systemEntropy);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  topUp(user: string, amount: bigint): Promise<unknown> {
    const nowMs = this.#seams.clock.nowMs();
    return this.withStore((store) => store.topUp(toUserName(user), amount, `cash ${nowMs}`, nowMs));
  }

  payment(paymentId: string): Promise<PaymentRow | undefined> {
    return this.withStore(async (store) => (await store.payments([fromHex(paymentId)]))[0]);
  }

  /** S6 over all that the station stores: nothing may be found, whatever it has been through. */
  async audit(): Promise<AuditReport> {
    return auditOwnStore(this.config, {
      entropy: systemEntropy,
      filter: {},
      onItem: () => undefined,
    });
  }

  /** Also checks that debits equal credits (I2). */
  books(): Promise<Books> {
    return this.withStore(async (store) => {
      const balances = await store.balances();
      if (trialBalance(balances) !== 0n)
        throw new Error(`the books of ${this.name} do not balance`);
      const payments = (await store.eachPayment(undefined, 10_000)).length;
      const moved = [...balances].filter(([, amount]) => amount !== 0n).sort();
      return { balances: Object.fromEntries(moved), payments };
    });
  }
}

function caFolderOf({ ca, path }: StationConfig): string {
  if (ca.folder === undefined) throw new Error('no CA at hand');
  return path(ca.folder);
}

/** The link's bits that a payment needs; below it routes avoid the link. */
const bitsAPayment = 512n;

/** Directed links that a station has heard of as up and with keys enough. */
export function usableLinks(station: RoadStation): string[] {
  return station.running
    .status()
    .stations.flatMap(({ station: from, links }) =>
      links
        .filter(({ up, availableBits }) => up && BigInt(availableBits) >= bitsAPayment)
        .map(({ neighbour }) => `${from}→${neighbour}`),
    );
}

/** Whether no announcement of it is on its way that says less of its links than an older one. */
export function isHeard(teller: RoadStation, hearers: Iterable<RoadStation>): boolean {
  const newest = sequenceAt(teller, teller.name);
  return [...hearers].every((hearer) => sequenceAt(hearer, teller.name) === newest);
}

function sequenceAt(hearer: RoadStation, name: string): string | undefined {
  return hearer.running.status().stations.find(({ station }) => station === name)?.sequence;
}
