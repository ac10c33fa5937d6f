import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { Suite } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../../daemon/ca/certificate-authority.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { makeSymmetricKey } from '../../daemon/station/key-files.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { feeOf, roadNetwork, stationNames, stationToml } from '../scenario/road-plan.ts';
import { RoadStation } from '../scenario/road-station.ts';
import { homeOf, RoadUser } from '../scenario/road-user.ts';
import { OneTimeKeys } from './one-time-keys.ts';
import { SimClock } from './sim-clock.ts';
import { SimFibre } from './sim-fibre.ts';
import { SimSockets } from './sim-sockets.ts';

export interface SimPlan {
  readonly cables: readonly (readonly [from: string, to: string, suite: Suite])[];
  /** What an end of a link draws ahead. */
  readonly stockBits: number;
}

/** A ring of five with a chord: two ways or more between any two stations. */
const ring: SimPlan = {
  cables: [
    ['q1', 'q2', 'otp-secret'],
    ['q2', 'q3', 'otp-secret'],
    ['q3', 'q4', 'aes'],
    ['q4', 'q5', 'otp-secret'],
    ['q1', 'q5', 'aes'],
    ['q2', 'q5', 'otp-secret'],
  ],
  // Eight payments' worth.
  stockBits: 4_096,
};
const people = ['alice@q1', 'bob@q3', 'carol@q4', 'dan@q5', 'eve@q2', 'fay@q3'];
const stationCount = 5;
const terms = '[quotes]\ndelivery-seconds = 120\n[settlement]\nevery-seconds = 600';
export const paidIn = 100_000n;

/**
 * Stations, cards and hosts as they are, in one process and in virtual time: only clock, sockets,
 * entropy and QKD devices stand in.
 */
export class SimNetwork {
  readonly clock = new SimClock();
  readonly sockets = new SimSockets(this.clock);
  readonly fibres: readonly SimFibre[];
  readonly #stockBits: number;
  readonly stations: RoadStation[] = [];
  readonly users: RoadUser[] = [];
  readonly oneTimeKeys = new OneTimeKeys();
  readonly #seed: string;
  readonly #folder = mkdtempSync(join(memoryOrDisk(), 'keytoll-simulation-'));

  private constructor(seed: string, plan: SimPlan) {
    this.#seed = seed;
    this.#stockBits = plan.stockBits;
    this.fibres = plan.cables.map(([from, to, suite]) => {
      const entropy = seededEntropy(`${seed} ${from}–${to}`);
      return new SimFibre({ from, to, suite }, entropy, this.sockets);
    });
  }

  static async open(seed: string, plan = ring): Promise<SimNetwork> {
    const network = new SimNetwork(seed, plan);
    try {
      await network.clock.until(network.#build());
      await network.clock.until(network.#enrolAll());
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  station(name: string): RoadStation {
    const found = this.stations.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no station ${name}`);
    return found;
  }

  /** What stations warned of, newest last. */
  complaints(): string[] {
    return this.stations.flatMap(({ log }) => log.complaints.slice(-10));
  }

  async close(): Promise<void> {
    const ended = Promise.all([
      ...this.users.map((user) => user.close()),
      ...this.stations.map((station) => station.stop()),
    ]);
    await this.clock.until(ended);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    const caFolder = join(this.#folder, 'ca');
    const seams = { clock: this.clock, entropy: seededEntropy(`${this.#seed} CA`) };
    await CertificateAuthority.init(caFolder, { ...seams, name: `${roadNetwork} root` });
    for (const name of stationNames(stationCount)) await this.#addStation(name, caFolder);
    for (const station of [...this.stations].reverse()) await station.start();
  }

  async #addStation(name: string, caFolder: string): Promise<void> {
    const folder = join(this.#folder, name);
    await RoadStation.prepare(folder, name, caFolder, this.clock);
    const place = stationNames(stationCount).indexOf(name);
    const neighbours = this.fibres.flatMap(({ edge }) => {
      if (edge.from !== name && edge.to !== name) return [];
      const device = { url: 'https://127.0.0.1:1', ca: '-', certificate: '-', privateKey: '-' };
      const planned = { edge, linkKey: this.#linkKey(edge), device, stockBits: this.#stockBits };
      return [edge.from === name ? { ...planned, url: `ws://${edge.to}-links:1` } : planned];
    });
    const toml = stationToml({ name, fee: feeOf(place), caFolder, neighbours, more: terms });
    writeFileSync(
      join(folder, 'station.toml'),
      toml
        .replace('desk = { listen = "127.0.0.1:0" }', `desk = { listen = "${name}-desk:1" }`)
        .replace('links = { listen = "127.0.0.1:0" }', `links = { listen = "${name}-links:1" }`),
    );
    const nothing = { cut: () => Promise.resolve(), mend: () => Promise.resolve() };
    const wire = (door: string) => ({ url: `ws://${name}-${door}:1`, ...nothing });
    const seams = {
      clock: this.clock,
      primitives: this.oneTimeKeys.watching(stationPrimitives),
      entropy: seededEntropy(`${this.#seed} ${name}`),
      sockets: this.sockets.of(name),
      keySource: (neighbour: { readonly name: string }) =>
        this.#fibre(name, neighbour.name).devices.end(name),
    };
    const wires = { desk: wire('desk'), links: wire('links') };
    this.stations.push(new RoadStation({ name, folder, seams }, wires));
  }

  async #enrolAll(): Promise<void> {
    for (const name of people) {
      const station = this.station(homeOf(name));
      const user = await RoadUser.join(name, station, join(this.#folder, name), {
        clock: this.clock,
        primitives: hostPrimitives,
        entropy: seededEntropy(`${this.#seed} ${name}`),
        deskSocket: (url) => this.sockets.desk(url, name),
      });
      this.users.push(user);
      const root = await CertificateAuthority.open(join(this.#folder, 'ca'), {
        clock: this.clock,
        entropy: seededEntropy(`${this.#seed} CA`),
      });
      await user.enrol(root.root);
      await station.topUp(name, paidIn);
      await user.buy([9n, 30], [1n, 60]);
    }
    // From here on nobody needs the CA, and no file of it is looked at.
    for (const station of this.stations) {
      await station.stop();
      station.configure((toml) => toml.replace(/, folder = "[^"]*"/, ''));
      await station.start();
    }
  }

  #fibre(a: string, b: string): SimFibre {
    const found = this.fibres.find(({ edge }) =>
      [edge.from, edge.to].every((end) => end === a || end === b),
    );
    if (found === undefined) throw new Error(`no fibre between ${a} and ${b}`);
    return found;
  }

  #linkKey({ from, to }: { readonly from: string; readonly to: string }): string {
    const folder = join(this.#folder, 'links');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${from}-${to}.key`);
    if (!this.#keyFiles.has(file)) makeSymmetricKey(file, seededEntropy(`${this.#seed} ${file}`));
    this.#keyFiles.add(file);
    return file;
  }

  readonly #keyFiles = new Set<string>();
}

/** Disks are not what is simulated: memory where the system offers it as files. */
function memoryOrDisk(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

/** OpenSSL verifies; signatures are RFC 6979's, so that a seed gives the same bytes each time. */
const stationPrimitives: Primitives = {
  ...opensslPrimitives,
  signingKey: (privateKey) => noblePrimitives.signingKey(privateKey),
};
const hostPrimitives = stationPrimitives;
