/** Two neighbours with real papers and stores, and between them what a link tells. */
import { headNow } from '../../../applet-spec/names.ts';
import type { Checkpoint } from '../../../daemon/wire/checkpoint.ts';
import { checkpoint as checkpointKind } from '../../../daemon/wire/checkpoint.ts';
import { wireMessage, type WireMessage } from '../../../daemon/wire/wire-message.ts';
import { WitnessedLog } from '../../../daemon/witness/witnessed-log.ts';
import { toUserName } from '../../../applet-spec/names.ts';
import { network } from '../audit/toll-papers.ts';
import { primitives, TollRoom, type RoomStation } from '../audit/toll-room.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';

export const everySeconds = 60;

export interface Told {
  readonly from: string;
  readonly to: string;
  readonly message: WireMessage;
}

/** One station's part in the witnessing of logs. */
export class WitnessingStation {
  readonly complaints: string[] = [];
  readonly station: RoomStation;
  readonly clock: UnsteadyClock;
  readonly log: WitnessedLog;

  constructor(room: WitnessRoom, station: RoomStation) {
    this.station = station;
    this.clock = new UnsteadyClock(room.room.clock);
    this.log = new WitnessedLog({
      station: station.name,
      network,
      documentKey: station.documentKey,
      primitives,
      clock: this.clock,
      everySeconds,
      store: station.store,
      links: {
        peers: room.room.stations
          .map(({ name }) => name)
          .filter((name) => room.isJoined(name, station.name)),
        status: (peer) =>
          ({ state: room.cut.has(linkName(peer, station.name)) ? 'down' : 'up' }) as never,
        tell: (peer, message) => room.tell(station.name, peer, message),
      },
      directory: {
        keysAt: (name, _role, atSeconds) =>
          room.unknown.has(name) || atSeconds > room.certificatesEnd
            ? []
            : [room.room.station(name).documentKey],
      },
      onRefused: (peer, detail) => this.complaints.push(`${peer}: ${detail}`),
      onRolledBack: () => this.complaints.push('rolled back'),
      onFault: (error) => {
        throw error;
      },
    });
  }

  /** So many more leaves. */
  async grow(leaves: number): Promise<void> {
    const { name, store } = this.station;
    const user = toUserName(`alice@${name}`);
    const before = await store.logSize();
    const slips = Array.from({ length: leaves }, (_, i) => `slip ${before} ${i}`);
    await Promise.all(slips.map((slip) => store.topUp(user, 1n, slip, 0)));
  }
}

export class WitnessRoom {
  readonly room: TollRoom;
  readonly stations: Readonly<Record<'q1' | 'q2' | 'q3', WitnessingStation>>;
  /** Where there are more than three. */
  readonly more: readonly WitnessingStation[];
  /** Links between these pairs alone, such as `q1-q2`; all, where none is named. */
  readonly #joined: ReadonlySet<string>;
  /** Links that are down. */
  readonly cut = new Set<string>();
  /** Nothing that these say leaves them. */
  readonly silent = new Set<string>();
  /** Whose announcement has not come yet. */
  readonly unknown = new Set<string>();
  /** Unix seconds. */
  certificatesEnd = 2n ** 63n;
  /** Everything told, also what was lost. */
  readonly told: Told[] = [];
  /** Nothing arrives while it is true. */
  deaf = false;
  #arriving: Promise<void>[] = [];

  private constructor(room: TollRoom, joined: readonly string[]) {
    this.room = room;
    this.#joined = new Set(joined);
    const at = (name: string) => new WitnessingStation(this, room.station(name));
    this.stations = { q1: at('q1'), q2: at('q2'), q3: at('q3') };
    this.more = room.stations.slice(3).map(({ name }) => at(name));
  }

  static async open(
    options: { readonly stations?: number; readonly joined?: readonly string[] } = {},
  ): Promise<WitnessRoom> {
    const { stations = 3, joined = [] } = options;
    const fees = Array.from({ length: stations }, (_, i) => BigInt(stations + 2 - i));
    const witnessRoom = new WitnessRoom(await TollRoom.open(fees), joined);
    for (const { log } of witnessRoom.all) await log.start();
    return witnessRoom;
  }

  get all(): readonly WitnessingStation[] {
    return [...Object.values(this.stations), ...this.more];
  }

  isJoined(one: string, other: string): boolean {
    if (one === other) return false;
    return this.#joined.size === 0 || this.#joined.has(linkName(one, other));
  }

  at(name: string): WitnessingStation {
    const found = this.all.find(({ station }) => station.name === name);
    if (found === undefined) throw new Error(`no station ${name}`);
    return found;
  }

  /** A link that was down is up again. */
  mend(one: string, other: string): void {
    this.cut.delete(linkName(one, other));
    this.at(one).log.linkUp(this.at(other).station.name);
    this.at(other).log.linkUp(this.at(one).station.name);
  }

  async close(): Promise<void> {
    for (const { log } of this.all) await log.close();
    await this.room.close();
  }

  tell(from: string, to: string, message: WireMessage): boolean {
    if (this.silent.has(from) || this.cut.has(linkName(from, to))) return false;
    this.told.push({ from, to, message });
    if (!this.deaf) this.#arriving.push(this.arrive(from, to, message));
    return true;
  }

  /** Over the wire, whoever made it. */
  async arrive(from: string, to: string, message: WireMessage): Promise<void> {
    const receiver = this.all.find(({ station }) => station.name === to);
    const sender = this.room.station(from).name;
    await receiver?.log.told(sender, wireMessage.decode(wireMessage.encode(message)));
  }

  /** The time for checkpoints comes, and everything that follows has arrived. */
  async checkpoints(): Promise<void> {
    this.room.clock.advance(everySeconds * 1_000);
    await this.settled();
  }

  async settled(): Promise<void> {
    for (const { log } of this.all) await log.idle();
    while (this.#arriving.length > 0) {
      await Promise.all(this.#arriving.splice(0));
      for (const { log } of this.all) await log.idle();
    }
  }

  /** Signed with the station's own key, whatever its log holds. */
  signed(name: string, size: bigint, root: Uint8Array, timeSeconds = this.room.nowSeconds) {
    const { name: station, documentKey } = this.room.station(name);
    const body = { ...headNow, network, station, size, root, time: timeSeconds };
    return checkpointKind.sign(body, documentKey);
  }

  shown(checkpoint: Checkpoint, since: bigint, proof: readonly Uint8Array[]): WireMessage {
    return { kind: 'checkpoint', content: { checkpoint, since, proof } };
  }
}

/** By the names in their order: `q1-q2`. */
function linkName(one: string, other: string): string {
  return [one, other].sort().join('-');
}
