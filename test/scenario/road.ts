import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { Suite } from '../../applet-spec/names.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../../daemon/ca/certificate-authority.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { makeSymmetricKey } from '../../daemon/station/key-files.ts';
import type { PaymentRow, PaymentState } from '../../daemon/store/store.ts';
import type { CardEquipper } from '../../emulator/card/card-maker.ts';
import type { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import type { Needle } from '../../emulator/demo/recorder-needles.ts';
import { blindSpots, searchRecordings, type Finding } from '../../emulator/demo/recorder-search.ts';
import { WireRecorder } from '../../emulator/demo/recorder.ts';
import { initDevices } from '../../emulator/qkd/device-files.ts';
import { startQkdEmulator, type RunningQkdEmulator } from '../../emulator/qkd/qkd-emulator.ts';
import { eventually, type Sight } from './eventually.ts';
import { MemoryDevicePair } from './memory-device.ts';
import { pcscdSlot } from './card-slot.ts';
import { RoadClock } from './road-clock.ts';
import {
  edgesOf,
  feeOf,
  linkName,
  roadNetwork,
  stationNames,
  stationToml,
  type DeviceAccess,
  type Edge,
  type PlannedNeighbour,
  type Topology,
} from './road-plan.ts';
import { isHeard, RoadStation, usableLinks } from './road-station.ts';
import { homeOf, RoadUser, type RoadUserSeams } from './road-user.ts';
import { RoadWire } from './road-wire.ts';
import { expectSoundBooks } from './sound-books.ts';

export interface RoadOptions extends Pick<RoadUserSeams, 'cardProfile' | 'renewDays'> {
  /** Default 3. */
  readonly stations?: number;
  /** Default `chain`. */
  readonly topology?: Topology;
  /** Default `otp-secret` everywhere. */
  readonly suite?: (from: string, to: string) => Suite;
  /** Default: alice at the first station and bob at the last. */
  readonly users?: readonly string[];
  /** `memory` (default): devices without wires. `etsi-014`: key managers over mutual TLS. */
  readonly devices?: 'memory' | 'etsi-014';
  /** What QKD devices in memory make; default random. */
  readonly qkdBits?: Entropy;
  /**
   * `wired`: cards reach their readers over a wire with a recorder on it. A pcscd: the first two
   * users' cards are in its readers, with the recorder before them. Default: no wire.
   */
  readonly cards?: 'wired' | PrivatePcscd;
  /** Wraps the cryptography of stations, cards and hosts alike. */
  readonly primitives?: (sound: Primitives) => Primitives;
  /** QKD bits that each end of a link holds ahead of need; default as stations are configured. */
  readonly stockBits?: number;
  /** More of every station.toml, such as `[quotes]`. */
  readonly more?: string;
}

/**
 * A whole toll road in this process: stations on loopback with real WebSockets and real databases
 * in a temporary folder, a CA, QKD devices, users with emulated cards.
 */
export class Road {
  readonly clock = new RoadClock();
  readonly recorder = new WireRecorder();
  readonly folder = mkdtempSync(join(tmpdir(), 'keytoll-road-'));
  readonly edges: readonly Edge[];
  readonly stations: RoadStation[] = [];
  readonly users: RoadUser[] = [];
  readonly #options: RoadOptions;
  readonly #devices = new Map<string, MemoryDevicePair>();
  readonly #fibres = new Map<string, RoadWire>();
  readonly #keyManagers = new Map<string, RunningQkdEmulator>();
  #ca: CertificateAuthority | undefined;
  #slotsTaken = 0;

  private constructor(options: RoadOptions) {
    this.#options = options;
    const { stations = 3, topology = 'chain', suite = () => 'otp-secret' } = options;
    this.edges = edgesOf(stationNames(stations), topology, suite);
  }

  /** All stations run, know each other, and every user is at the desk. */
  static async open(options: RoadOptions = {}): Promise<Road> {
    const road = new Road(options);
    try {
      await road.#build();
      return road;
    } catch (error) {
      await road.close();
      throw error;
    }
  }

  get ca(): CertificateAuthority {
    if (this.#ca === undefined) throw new Error('the road has no CA yet');
    return this.#ca;
  }

  station(name: string): RoadStation {
    const found = this.stations.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no station ${name}`);
    return found;
  }

  get last(): RoadStation {
    return this.station(`q${this.stations.length}`);
  }

  user(name: string): RoadUser {
    const found = this.users.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no user ${name}`);
    return found;
  }

  get alice(): RoadUser {
    return this.user('alice@q1');
  }

  get bob(): RoadUser {
    return this.user(`bob@${this.last.name}`);
  }

  device(a: string, b: string): MemoryDevicePair {
    const pair = this.#devices.get(linkName(a, b));
    if (pair === undefined) throw new Error(`no device in memory between ${a} and ${b}`);
    return pair;
  }

  /** What the classical channel of one link runs over. */
  fibre(a: string, b: string): RoadWire {
    const wire = this.#fibres.get(linkName(a, b));
    if (wire === undefined) throw new Error(`no link between ${a} and ${b}`);
    return wire;
  }

  /** An excavator: neither messages nor keys get through. */
  async cutFibre(a: string, b: string): Promise<void> {
    this.device(a, b).keysLeft = 0;
    await this.fibre(a, b).cut();
  }

  async mendFibre(a: string, b: string): Promise<void> {
    this.device(a, b).keysLeft = Number.POSITIVE_INFINITY;
    await this.fibre(a, b).mend();
    this.clock.moveOn(60);
  }

  /** The user's card is at the desk of its station. */
  atDesk(user: RoadUser): Promise<boolean> {
    return this.eventually(`${user.name} is at the desk`, () => {
      const { station } = user;
      if (station.deskPort === undefined) return undefined;
      return station.running.status().usersAtDesk.includes(user.name);
    });
  }

  /**
   * The check value of the active key that both users' cards have for a payment, once they have it.
   */
  async sharedCheck(paymentId: string, a = this.alice, b = this.bob): Promise<string> {
    const [checkA, checkB] = await Promise.all(
      [a, b].map((user) =>
        this.eventually(`the key of ${user.name} is active`, () => user.keyCheck(paymentId)),
      ),
    );
    if (checkA === undefined || checkA !== checkB) throw new Error(`${checkA} is not ${checkB}`);
    return checkA;
  }

  /** What a station's store says of a payment, once it says that. */
  payment(station: string, paymentId: string, state: PaymentState): Promise<PaymentRow> {
    return this.eventually(`${station} has the payment as ${state}`, async () => {
      const row = await this.station(station).payment(paymentId);
      return row?.state === state ? row : undefined;
    });
  }

  /** The sum of the fees of these stations, or of all. */
  price(names: readonly string[] = this.stations.map(({ name }) => name)): bigint {
    const all = stationNames(this.stations.length);
    return names.reduce((sum, name) => sum + feeOf(all.indexOf(name)), 0n);
  }

  /** A further user, who is not at the desk yet. */
  async join(name: string, maker?: CardEquipper): Promise<RoadUser> {
    const { cards, cardProfile, primitives = asTheyAre, renewDays } = this.#options;
    const recorder = cards === undefined ? {} : { recorder: this.recorder };
    const pcscd = typeof cards === 'object' ? { pcscd: pcscdSlot(cards, this.#slotsTaken++) } : {};
    const user = await RoadUser.join(name, this.station(homeOf(name)), join(this.folder, name), {
      clock: this.clock,
      primitives: primitives(noblePrimitives),
      ...(cardProfile !== undefined && { cardProfile }),
      ...recorder,
      ...pcscd,
      ...(maker !== undefined && { maker }),
      ...(renewDays !== undefined && { renewDays }),
    });
    this.users.push(user);
    return user;
  }

  async enrol(name: string): Promise<RoadUser> {
    const user = await this.join(name);
    await user.enrol(this.ca.root);
    return user;
  }

  /** Every running station knows all links that join running stations as up and with keys. */
  async ready(): Promise<void> {
    const running = this.stations.filter((one) => one.deskPort !== undefined);
    const names = new Set(running.map(({ name }) => name));
    const links = this.edges.filter(({ from, to }) => names.has(from) && names.has(to));
    const ends = links.flatMap(({ from, to }) => [`${from}→${to}`, `${to}→${from}`]);
    const tellers = new Set(links.flatMap(({ from, to }) => [from, to]));
    await this.eventually('all stations know all links as up', () => {
      const knowing = running.every((station) => {
        const known = new Set(usableLinks(station));
        // A link that was cut and is not announced so yet: its own stations know better.
        const own = station.running.status().links.filter(({ peer }) => names.has(peer));
        return ends.every((end) => known.has(end)) && own.every(({ state }) => state === 'up');
      });
      return knowing && [...tellers].every((name) => isHeard(this.station(name), running));
    });
  }

  eventually<T>(what: string, look: () => Sight<T> | Promise<Sight<T>>): Promise<T> {
    return eventually(what, look, { explain: () => this.complaints().join('\n') });
  }

  /** What stations warned of, for whoever has to find out why. */
  complaints(): string[] {
    return this.stations.flatMap(({ log }) => log.complaints.slice(-20));
  }

  /** Certificates and secrets of all users, as their cards hold them now. */
  get needles(): Needle[] {
    return this.users.flatMap((user) => user.needles);
  }

  /**
   * Where any of them stands readable on any wire. Throws where a wire could not be looked into.
   */
  leaks(needles: readonly Needle[] = this.needles): Finding[] {
    const { recordings } = this.recorder;
    const [blind] = blindSpots(recordings);
    if (blind !== undefined) throw new Error(`${blind.stream}: ${blind.reason}`);
    return searchRecordings(recordings, needles);
  }

  async close(): Promise<void> {
    await Promise.all(this.users.map((user) => user.close()));
    await Promise.all(this.stations.map((station) => station.stop()));
    await Promise.all([...this.#keyManagers.values()].map((kme) => kme.close()));
    await this.recorder.close();
    rmSync(this.folder, { recursive: true, force: true });
    // Whatever has an alarm set keeps a process from ending.
    await eventually('everything has stopped', () => this.clock.alarms === 0, { mostMs: 5_000 });
  }

  async #build(): Promise<void> {
    const { clock, folder } = this;
    const { stations = 3, users } = this.#options;
    const names = stationNames(stations);
    this.#ca = await CertificateAuthority.init(join(folder, 'ca'), {
      clock,
      entropy: systemEntropy,
      name: `${roadNetwork} root`,
    });
    for (const name of names) await this.#addStation(name);
    const devices = await Promise.all(this.edges.map((edge) => this.#layFibre(edge)));
    for (const edge of this.edges) await this.#layWire(edge);
    const planned = this.edges.map((edge, i) => this.#planLink(edge, devices[i] ?? {}));
    for (const [i, station] of this.stations.entries()) {
      const neighbours = planned.flatMap((ends) => ends.filter(({ at }) => at === station.name));
      const { name } = station;
      const { more = '' } = this.#options;
      const caFolder = join(folder, 'ca');
      const toml = stationToml({ name, fee: feeOf(i), caFolder, neighbours, more });
      writeFileSync(join(station.folder, 'station.toml'), toml);
    }
    // The one that listens first, so that the one that dials is heard at once.
    for (const station of [...this.stations].reverse()) await station.start();
    const wanted = users ?? [`alice@q1`, `bob@q${stations}`];
    await Promise.all(wanted.map((name) => this.enrol(name)));
    await this.ready();
  }

  async #addStation(name: string): Promise<void> {
    const folder = join(this.folder, name);
    await RoadStation.prepare(folder, name, join(this.folder, 'ca'));
    const { primitives = asTheyAre, devices = 'memory' } = this.#options;
    const desk = await RoadWire.lay(
      this.recorder,
      'host-station',
      `desk of ${name}`,
      () => this.station(name).deskPort,
    );
    const links = await RoadWire.lay(
      this.recorder,
      'station-station',
      `links of ${name}`,
      () => this.station(name).linksPort,
    );
    const seams = {
      clock: this.clock,
      primitives: primitives(opensslPrimitives),
      ...(devices === 'memory' && {
        keySource: (neighbour: { readonly name: string }) =>
          this.#pairOf(linkName(name, neighbour.name)).end(name),
      }),
    };
    this.stations.push(new RoadStation({ name, folder, seams }, { desk, links }));
  }

  #pairOf(link: string): MemoryDevicePair {
    const pair = this.#devices.get(link) ?? new MemoryDevicePair(this.#options.qkdBits);
    this.#devices.set(link, pair);
    return pair;
  }

  async #layWire({ from, to }: Edge): Promise<void> {
    const wire = await RoadWire.lay(
      this.recorder,
      'station-station',
      `link of ${from} to ${to}`,
      () => this.station(to).linksPort,
    );
    this.#fibres.set(linkName(from, to), wire);
    this.station(to).arriving.push(wire);
  }

  /** The QKD devices of one link; by station, how each is reached. */
  async #layFibre({ from, to }: Edge): Promise<Readonly<Record<string, DeviceAccess>>> {
    const dir = join(this.folder, `qkd-${linkName(from, to)}`);
    if (this.#options.devices !== 'etsi-014') return {};
    const seams = { clock: this.clock, entropy: systemEntropy };
    await initDevices(dir, { saes: [from, to], ...seams });
    const kme = await startQkdEmulator({ dir, ...seams });
    this.#keyManagers.set(linkName(from, to), kme);
    const access = (sae: string): DeviceAccess => ({
      url: kme.kmeFor(sae).url,
      ca: join(dir, 'ca.crt.pem'),
      certificate: join(dir, `sae-${sae}.crt.pem`),
      privateKey: join(dir, `sae-${sae}.key.pem`),
    });
    return { [from]: access(from), [to]: access(to) };
  }

  #planLink(
    edge: Edge,
    devices: Readonly<Record<string, DeviceAccess>>,
  ): readonly (PlannedNeighbour & { readonly at: string })[] {
    const { from, to } = edge;
    const folder = join(this.folder, 'links');
    mkdirSync(folder, { recursive: true });
    const linkKey = join(folder, `${linkName(from, to)}.key`);
    makeSymmetricKey(linkKey, systemEntropy);
    const noDevice = { url: 'https://127.0.0.1:1', ca: '-', certificate: '-', privateKey: '-' };
    const { stockBits } = this.#options;
    const common = { edge, linkKey, ...(stockBits !== undefined && { stockBits }) };
    const { url } = this.fibre(from, to);
    return [
      { ...common, at: from, url, device: devices[from] ?? noDevice },
      { ...common, at: to, device: devices[to] ?? noDevice },
    ];
  }
}

function asTheyAre(sound: Primitives): Primitives {
  return sound;
}

/**
 * A story on a road of its own, which is gone when it ends. However it went, every station's audit
 * finds nothing (I36: no false alarm).
 */
export function onRoad(
  options: RoadOptions,
  story: (road: Road) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const road = await Road.open(options);
    try {
      await story(road);
      await expectSoundBooks(road.stations);
    } finally {
      await road.close();
    }
  };
}
