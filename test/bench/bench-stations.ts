/** A row of real stations for a bench: a CA, folders, QKD emulators, and `keytolld` processes. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../applet-spec/bytes.ts';
import { toStationName, type Suite } from '../../applet-spec/names.ts';
import { CertificateAuthority } from '../../daemon/ca/certificate-authority.ts';
import { systemClock } from '../../daemon/clock.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { readStationConfig } from '../../daemon/station/config.ts';
import { readSigningKey } from '../../daemon/station/key-files.ts';
import { initStationFolder } from '../../daemon/station/station-folder.ts';
import { openStationStore } from '../../daemon/station/station-store.ts';
import type { Store } from '../../daemon/store/store.ts';
import {
  feeOf,
  roadCurrency,
  roadNetwork,
  stationNames,
  stationToml,
  type DeviceAccess,
  type Edge,
  type PlannedNeighbour,
} from '../scenario/road-plan.ts';
import { runProgram, startProgram, type BenchProgram } from './bench-program.ts';

const seams = { clock: systemClock, entropy: systemEntropy };
/** Quotes are obtained long before they are paid. */
const patientQuotes = '[quotes]\nvalid-seconds = 7200\ndelivery-seconds = 7200\n';

export interface BenchStation {
  readonly name: string;
  readonly folder: string;
  readonly config: string;
  readonly fee: bigint;
}

interface QkdLink {
  readonly edge: Edge;
  readonly folder: string;
  readonly urls: ReadonlyMap<string, string>;
}

export class BenchStations {
  readonly folder: string;
  readonly authority: CertificateAuthority;
  readonly stations: readonly BenchStation[];
  readonly #links: readonly QkdLink[];
  readonly #devices: readonly BenchProgram[];
  readonly #nodeArguments: readonly string[];
  #running: readonly BenchProgram[] = [];

  private constructor(
    folder: string,
    authority: CertificateAuthority,
    stations: readonly BenchStation[],
    qkd: { readonly links: readonly QkdLink[]; readonly devices: readonly BenchProgram[] },
    nodeArguments: readonly string[],
  ) {
    this.folder = folder;
    this.authority = authority;
    this.stations = stations;
    this.#links = qkd.links;
    this.#devices = qkd.devices;
    this.#nodeArguments = nodeArguments;
  }

  /**
   * Everything but the stations' processes. `nodeArguments` are for those, such as a profiler's.
   */
  static async make(
    folder: string,
    options: {
      readonly count: number;
      readonly suite: Suite;
      readonly nodeArguments: readonly string[];
    },
  ): Promise<BenchStations> {
    const { suite } = options;
    const names = stationNames(options.count);
    const caFolder = join(folder, 'ca');
    const authority = await CertificateAuthority.init(caFolder, { ...seams, name: 'bench root' });
    const crl = await authority.freshCrl();
    const stations: BenchStation[] = [];
    for (const [place, name] of names.entries()) {
      stations.push(await makeStation(join(folder, name), name, feeOf(place), authority, crl));
    }
    const edges = names.slice(1).map((to, i): Edge => ({ from: names[i] ?? '', to, suite }));
    const qkd = await Promise.all(edges.map((edge) => startDevices(folder, edge)));
    const links = qkd.map(({ link }) => link);
    const devices = qkd.map(({ device }) => device);
    return new BenchStations(
      folder,
      authority,
      stations,
      { links, devices },
      options.nodeArguments,
    );
  }

  get first(): BenchStation {
    return stationOf(this.stations.at(0));
  }

  get last(): BenchStation {
    return stationOf(this.stations.at(-1));
  }

  get processes(): readonly BenchProgram[] {
    return this.#running;
  }

  /** Starts the stations, each before the one that dials it; returns the desks' URLs by name. */
  async start(): Promise<ReadonlyMap<string, string>> {
    const desks = new Map<string, string>();
    const running: BenchProgram[] = [];
    let nextUrl: string | undefined;
    for (const station of [...this.stations].reverse()) {
      writeFileSync(station.config, this.#configOf(station, nextUrl));
      const logFile = join(station.folder, 'station.log');
      const args = ['run', '--config', station.config, '--ready-fd', '1'];
      const program = await startProgram('keytolld', args, {
        logFile,
        nodeArguments: this.#nodeArguments,
      });
      running.unshift(program);
      desks.set(station.name, `ws://127.0.0.1:${Number(program.ready['desk'])}`);
      nextUrl = `ws://127.0.0.1:${Number(program.ready['links'])}`;
    }
    this.#running = running;
    return desks;
  }

  /** Each station finishes what is under way; its database is closed then. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.end()));
    this.#running = [];
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.#devices.map((device) => device.end()));
    rmSync(this.folder, { recursive: true });
  }

  /** Of a station that does not run. */
  async withStore<T>(station: BenchStation, use: (store: Store) => Promise<T>): Promise<T> {
    const store = await openStationStore(readStationConfig(station.config), systemEntropy);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  /** The database's size, of a station that does not run. */
  databaseBytes(station: BenchStation): number {
    return statSync(join(station.folder, 'data', 'station.sqlite')).size;
  }

  #configOf({ name, fee }: BenchStation, nextUrl: string | undefined): string {
    return stationToml({
      name,
      fee,
      caFolder: join(this.folder, 'ca'),
      neighbours: this.#links.flatMap((link) => neighbourOf(name, link, nextUrl)),
      more: patientQuotes,
    });
  }
}

function stationOf(station: BenchStation | undefined): BenchStation {
  if (station === undefined) throw new RangeError('a row without stations');
  return station;
}

function neighbourOf(
  name: string,
  { edge, folder, urls }: QkdLink,
  nextUrl: string | undefined,
): PlannedNeighbour[] {
  const deviceUrl = urls.get(name);
  if (deviceUrl === undefined || (edge.from !== name && edge.to !== name)) return [];
  const device: DeviceAccess = {
    url: deviceUrl,
    ca: join(folder, 'ca.crt.pem'),
    certificate: join(folder, `sae-${name}.crt.pem`),
    privateKey: join(folder, `sae-${name}.key.pem`),
  };
  const dials = edge.from === name && nextUrl !== undefined;
  return [{ edge, linkKey: join(folder, 'link.key'), device, ...(dials && { url: nextUrl }) }];
}

async function makeStation(
  folder: string,
  name: string,
  fee: bigint,
  authority: CertificateAuthority,
  crl: Uint8Array,
): Promise<BenchStation> {
  const config = initStationFolder(folder, {
    station: toStationName(name),
    network: roadNetwork,
    currency: roadCurrency,
    entropy: systemEntropy,
  });
  for (const kind of ['coin', 'document'] as const) {
    const { publicKey } = readSigningKey(opensslPrimitives, join(folder, 'keys', `${kind}.pem`));
    const der = await authority.issue({ role: `station-${kind}`, name, publicKey });
    writeFileSync(join(folder, 'certificates', `${kind}.der`), der);
  }
  writeFileSync(join(folder, 'certificates', 'crl.der'), crl);
  return { name, folder, config, fee };
}

async function startDevices(
  root: string,
  edge: Edge,
): Promise<{ readonly link: QkdLink; readonly device: BenchProgram }> {
  const folder = join(root, `qkd-${edge.from}-${edge.to}`);
  const saes = ['--sae', edge.from, '--sae', edge.to];
  await runProgram('keytoll-emulator', ['qkd', 'init', folder, ...saes]);
  mkdirSync(folder, { recursive: true });
  const key = `${toHex(systemEntropy.randomBytes(32))}\n`;
  writeFileSync(join(folder, 'link.key'), key, { mode: 0o600 });
  const logFile = join(root, `qkd-${edge.from}-${edge.to}.log`);
  const device = await startProgram('keytoll-emulator', ['qkd', 'run', folder], { logFile });
  return { link: { edge, folder, urls: urlsOf(device.ready['kmes']) }, device };
}

/** `[{ id: "kme-q1", url }, …]`, by the name of the station that the key manager serves. */
function urlsOf(kmes: unknown): ReadonlyMap<string, string> {
  const urls = new Map<string, string>();
  const list: readonly unknown[] = Array.isArray(kmes) ? kmes : [];
  for (const kme of list) {
    if (typeof kme !== 'object' || kme === null || !('id' in kme) || !('url' in kme)) continue;
    const { id, url } = kme;
    if (typeof id === 'string' && typeof url === 'string') urls.set(id.replace(/^kme-/, ''), url);
  }
  return urls;
}
