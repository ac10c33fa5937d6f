/** Stations with a link between them: virtual time, sockets in memory, devices that share keys. */
import { fromUtf8, toUtf8 } from '../../../applet-spec/bytes.ts';
import { toStationName, type StationName, type Suite } from '../../../applet-spec/names.ts';
import type { LinkVersions } from '../../../daemon/link/handshake-message.ts';
import type { StationTrust } from '../../../daemon/link/handshake-talk.ts';
import type {
  FailedRow,
  InboundRecord,
  LinkListener,
  OutboxRecord,
} from '../../../daemon/link/links.ts';
import type { LinkLog } from '../../../daemon/link/neighbour.ts';
import { openLinks, type StationLinks } from '../../../daemon/link/station-links.ts';
import type { Primitives } from '../../../applet-spec/primitives.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import { wireMessage, type WireMessage } from '../../../daemon/wire/wire-message.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { MemoryLedger, ScriptedSource } from '../qkd/key-fixtures.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';
import { MemoryNetwork } from './memory-sockets.ts';

export const primitives = opensslPrimitives;
const chance = seededEntropy('link room');
const sharedKey = chance.randomBytes(32);

export interface EndOptions {
  readonly peer?: string;
  readonly dials?: boolean;
  readonly suite?: Suite;
  readonly versions?: LinkVersions;
  readonly network?: string;
  readonly authenticationKey?: Uint8Array;
  readonly rekeyRecords?: number;
  readonly rekeyBytes?: number;
  readonly rekeySeconds?: number;
  /** Keys of 256 bits in the device. */
  readonly stock?: number;
  readonly capacityBits?: number;
  readonly ledger?: MemoryLedger;
  readonly source?: ScriptedSource;
  readonly trust?: StationTrust;
  readonly primitives?: Primitives;
}

export interface LogLine {
  readonly level: string;
  readonly peer: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, string>>;
}

/** One end of the link, and all that its links told it. */
export interface LinkEnd {
  readonly name: StationName;
  readonly peer: StationName;
  readonly links: StationLinks;
  readonly reservoir: Reservoir;
  readonly source: ScriptedSource;
  readonly ledger: MemoryLedger;
  readonly log: LogLine[];
  readonly rows: InboundRecord[];
  /** How many rows came at once. */
  readonly batches: number[];
  /** Rows that say nothing here. */
  readonly notUnderstood: FailedRow[];
  readonly confirmed: bigint[];
  readonly told: WireMessage[];
  readonly changes: string[];
  /** Rows that are not confirmed: sent, and sent again whenever the link comes up. */
  readonly outbox: Map<bigint, Uint8Array>;
  /** Whether what is received is confirmed, as the relay does once it is durable. */
  confirms: boolean;
  state(): string | undefined;
  close(): Promise<void>;
}

export class LinkRoom {
  readonly clock = new VirtualClock();
  /** By which the stations go: the same, unless somebody sets it. */
  readonly stationClock = new UnsteadyClock(this.clock);
  readonly network = new MemoryNetwork();
  /** What the devices share. */
  readonly handedOut = new Map<string, Uint8Array>();
  readonly #ends: LinkEnd[] = [];

  /** q1 dials q2; both are listening and started. */
  async pair(
    both: EndOptions = {},
    q1: EndOptions = {},
    q2: EndOptions = {},
  ): Promise<readonly [LinkEnd, LinkEnd]> {
    const listener = await this.open('q2', { peer: 'q1', dials: false, ...both, ...q2 });
    const dialler = await this.open('q1', { peer: 'q2', dials: true, ...both, ...q1 });
    return [dialler, listener];
  }

  /** The same, and both are up. */
  async linked(both?: EndOptions, q1?: EndOptions, q2?: EndOptions) {
    const ends = await this.pair(both, q1, q2);
    await until(() => ends.every((end) => end.state() === 'up'));
    return ends;
  }

  async open(station: string, options: EndOptions): Promise<LinkEnd> {
    const name = toStationName(station);
    const peer = toStationName(options.peer ?? 'q1');
    const { stationClock: clock } = this;
    const ledger = options.ledger ?? new MemoryLedger();
    const source = options.source ?? new ScriptedSource(options.stock ?? 1_000, this.handedOut);
    const reservoir = new Reservoir({
      ...{ peer, source, ledger, clock, capacityBits: options.capacityBits ?? 0 },
    });
    const log: LogLine[] = [];
    const heard = {
      rows: [],
      batches: [],
      notUnderstood: [],
      confirmed: [],
      told: [],
      changes: [],
    };
    const linkLog: LinkLog = {
      link: (level, about, message, detail = {}) =>
        log.push({ level, peer: about, message, detail }),
    };
    const links = await openLinks({
      ...{ station: name, clock, entropy: chance, log: linkLog },
      primitives: options.primitives ?? primitives,
      network: options.network ?? 'testnet',
      documentKey: documentKey(name),
      documentCertificate: toUtf8(`certificate of ${name}`),
      ...(options.versions && { versions: options.versions }),
      trust: options.trust ?? trustEverybody,
      sockets: this.network.of(name),
      listen: { host: 'memory', port: 1 },
      neighbours: [
        {
          ...{ name: peer, reservoir, suite: options.suite ?? 'otp-secret' },
          ...(options.dials === true && { url: `memory://${peer}` }),
          authenticationKey: options.authenticationKey ?? sharedKey,
          rekeyRecords: options.rekeyRecords ?? 1_000_000,
          rekeyBytes: options.rekeyBytes ?? 1_000_000_000,
          rekeySeconds: options.rekeySeconds ?? 1_000_000,
        },
      ],
    });
    const end: LinkEnd = {
      ...{ name, peer, links, reservoir, source, ledger, confirms: true },
      ...{ log, ...heard, outbox: new Map<bigint, Uint8Array>() },
      state: () => links.status(peer)?.state,
      close: async () => {
        await links.close();
        await reservoir.close();
      },
    };
    links.listen(listenerOf(end));
    this.#ends.push(end);
    return end;
  }

  /** Moves time on in small steps, and lets everything run between them. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(Math.min(500, left));
      await turns(30);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end.close()));
  }
}

function listenerOf(end: LinkEnd): LinkListener {
  return {
    linkUp: (peer) => {
      end.changes.push(`up ${peer}`);
      if (end.outbox.size > 0) end.links.send(peer, rowsOf(end));
    },
    linkDown: (peer) => end.changes.push(`down ${peer}`),
    received: (peer, records) => {
      end.rows.push(...records);
      end.batches.push(records.length);
      if (!end.confirms) return;
      const rowIds = records.map(({ rowId }) => rowId);
      end.links.confirm(peer, rowIds);
    },
    notUnderstood: (_peer, rows) => end.notUnderstood.push(...rows),
    confirmed: (_peer, rowIds) => {
      end.confirmed.push(...rowIds);
      for (const rowId of rowIds) end.outbox.delete(rowId);
    },
    told: (_peer, message) => end.told.push(message),
  };
}

function rowsOf(end: LinkEnd): OutboxRecord[] {
  return [...end.outbox].map(([rowId, record]) => ({ rowId, record: record.slice() }));
}

const documentKeys = new Map<string, ReturnType<typeof primitives.signingKey>>();

function documentKey(name: string) {
  const known = documentKeys.get(name);
  if (known !== undefined) return known;
  const drawn = primitives.signingKey(seededEntropy(`document of ${name}`).randomBytes(32));
  documentKeys.set(name, drawn);
  return drawn;
}

/** Believes `certificate of NAME`, for that name alone. */
export const trustEverybody: StationTrust = {
  check(der, role, name) {
    if (fromUtf8(der) !== `certificate of ${name}`) {
      return { ok: false, reason: 'wrong-name', detail: `${role} of another name` };
    }
    return { ok: true, publicKey: documentKey(name) };
  },
};

/** Turns of the loop until `isSo`; throws after many. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (isSo()) return;
    await turns(1);
  }
  throw new Error('it never came to be');
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A message that stands for any other: `size` bytes in all, told apart by `number`. */
export function messageOf(number: number, size = 64): Uint8Array {
  const content = new Uint8Array(size - (size > 259 ? 4 : 2)).fill(number & 0xff);
  new DataView(content.buffer).setUint32(0, number);
  return wireMessage.encode({ kind: 'crl', content });
}

/** The number of a message that `messageOf` made. */
export function numberOf({ message }: InboundRecord): number {
  if (message.kind !== 'crl') return -1;
  const { buffer, byteOffset } = message.content;
  return new DataView(buffer, byteOffset).getUint32(0);
}

export function secretOf(number: number): Uint8Array {
  return seededEntropy(`coin ${String(number)}`).randomBytes(32);
}

/** Protects payments `from` to `to`, both with it, as rows of these numbers. */
export async function payments(
  end: LinkEnd,
  from: number,
  to: number,
  size?: number,
): Promise<OutboxRecord[]> {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const records = await end.links.protect(
    end.peer,
    numbers.map((number) => ({ message: messageOf(number, size), secret: secretOf(number) })),
  );
  return records.map((record, i) => ({ rowId: BigInt(from + i), record }));
}

/** Commits payments to the outbox and sends them, as the relay does. */
export async function pay(end: LinkEnd, from: number, to: number, size?: number): Promise<boolean> {
  const rows = await payments(end, from, to, size);
  for (const { rowId, record } of rows) end.outbox.set(rowId, record);
  return end.links.send(end.peer, rows);
}
