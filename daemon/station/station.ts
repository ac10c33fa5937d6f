/**
 * A running station: every part made once, joined, started in order and ended in the reverse order.
 */
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import type { Desk } from '../desk/desk.ts';
import { openLinks } from '../link/station-links.ts';
import type { Announcer } from '../network/announcer.ts';
import { Directory } from '../network/directory.ts';
import type { Trust } from '../network/trust.ts';
import type { KeySource } from '../qkd/key-source.ts';
import type { Reservoir } from '../qkd/reservoir.ts';
import type { DamagedPayments } from '../relay/damaged-rows.ts';
import type { RetryOutcome } from '../relay/quarantine.ts';
import type { TollRoad } from '../relay/toll-road.ts';
import { settlementReport, type SettlementReport } from '../settlement/settlement-report.ts';
import type { SocketFactory } from '../socket.ts';
import type { Positions } from '../relay/positions.ts';
import { DiskRoom, freeBytesOf } from '../store/disk-room.ts';
import type { QuarantineCount } from '../store/quarantine-store.ts';
import type { Store } from '../store/store.ts';
import type { NeighbourConfig, StationConfig } from './config.ts';
import { CrlFile } from './crl-file.ts';
import { watchExpiries } from './expiries.ts';
import { openIdentity, openTrust, type Identity } from './identity.ts';
import { readSymmetricKey } from './key-files.ts';
import { openKeySupply } from './key-supply.ts';
import { linkLog, PacedLog, type Logger } from './log.ts';
import { learnStoredList, listOfCa } from './newest-list.ts';
import { joinParts } from './parts.ts';
import {
  doubtfulStatus,
  recoveryStatus,
  type DoubtfulStatus,
  type RecoveryStatus,
  type RecoveryWish,
} from './recovery-part.ts';
import { StationError } from './station-error.ts';
import { SelfAudit, type RunAudit } from './self-audit.ts';
import { openStationStore } from './station-store.ts';
import type { SecretEntropy } from './secret-entropy.ts';
import { Upkeep } from './upkeep.ts';
import {
  positionStatus,
  stationStatus,
  type PositionStatus,
  type StationStatus,
} from './station-status.ts';

export interface StationSeams {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** For coin secrets. */
  readonly secretEntropy: SecretEntropy;
  readonly primitives: Primitives;
  readonly sockets: SocketFactory;
  readonly log: Logger;
  /** Other devices than the key managers that the configuration names. */
  readonly keySource?: (neighbour: NeighbourConfig) => KeySource;
  /** Where the database's log is written back; see `openStationStore`. */
  readonly checkpoints?: 'inline' | 'worker';
  /** How the station audits itself; without, it does not. */
  readonly audit?: RunAudit;
  /** On the disk of the database. Default: what the system says. */
  readonly freeBytes?: () => Promise<number>;
}

/** What the parts of a station are made with. */
export interface PartSeams extends Omit<StationSeams, 'log'> {
  readonly log: PacedLog;
}

export interface Station {
  readonly name: StationName;
  readonly deskPort: number;
  readonly linksPort: number | undefined;
  readonly status: () => StationStatus;
  /** With every station that this one is owed by, or owes. */
  readonly positions: () => Promise<readonly PositionStatus[]>;
  /** Payments that lost records may have decided, until their payees' cards have told. */
  readonly doubtful: () => Promise<DoubtfulStatus>;
  /** Payments that cannot be sent on, as the database has lost what was to be sent. */
  readonly damaged: () => Promise<readonly DamagedPayments[]>;
  /** Records of neighbours that could not be handled. */
  readonly quarantine: () => Promise<readonly QuarantineCount[]>;
  readonly retryQuarantined: (number: bigint) => Promise<RetryOutcome>;
  /** S5, now: with one peer, or with all that owe or are owed. */
  readonly settle: (peer?: StationName) => Promise<SettlementReport>;
  /** Rebuilds lost books from neighbours; asked again it tells how far it has come. */
  readonly recover: (wish: RecoveryWish) => Promise<RecoveryStatus>;
  /** As `Desk.endFrozen`. */
  readonly endFrozen: () => Promise<readonly UserName[]>;
  /**
   * Rejects with StoreError once the disk has failed or the database is damaged (failure 41): the
   * store takes and tells nothing more, and the process should end at once.
   */
  readonly broken: Promise<never>;
  /** Finishes what is under way, then closes every socket, timer and file. */
  close(): Promise<void>;
}

/** Rejects with StationError, QkdError or StoreError; everything opened so far is closed then. */
export async function runStation(config: StationConfig, seams: StationSeams): Promise<Station> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const log = new PacedLog(seams.log, seams.clock);
  closers.push(() => {
    log.close();
  });
  try {
    return await start(config, { ...seams, log }, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  config: StationConfig,
  seams: PartSeams,
  closers: (() => Promise<void> | void)[],
  close: () => Promise<void>,
): Promise<Station> {
  const { clock, log } = seams;
  const trust = openTrust(config, seams);
  const { broken, onBroken } = breaking();
  const store = await openStationStore(config, seams.entropy, {
    ...(seams.checkpoints !== undefined && { checkpoints: seams.checkpoints }),
    onBroken,
  });
  closers.push(() => store.close());
  const room = await openRoom(config, seams);
  closers.push(() => room.close());
  await learnStoredList(trust, store);
  await learnListOfCa(trust, config, seams);
  const identity = openIdentity(config, seams, trust);
  const joined: { announcer?: Announcer } = {};
  const onKeysChanged = (): void => joined.announcer?.keysChanged();
  const given = { trust, identity, store, closers, onKeysChanged };
  const { links, linksPort } = await startLinks(config, seams, given);
  const directory = new Directory({ ...seams, trust, network: config.network });
  const parts = joinParts(config, seams, { trust, identity, store, links, directory, room });
  const { announcer, tollRoad, desk, settlement, witnessedLog, recovery } = parts;
  joined.announcer = announcer;
  await announcer.start();
  closers.push(() => announcer.close());
  await witnessedLog.start();
  closers.push(() => witnessedLog.close());
  closers.push(() => recovery.close());
  await tollRoad.begin();
  await tollRoad.start();
  closers.push(() => tollRoad.close());
  await settlement.start();
  closers.push(() => settlement.close());
  closers.push(watchCrl(config, seams, announcer));
  const upkeep = new Upkeep({ store, clock, log, standing: witnessedLog.standing }, () => {
    desk.coinsExpired();
  });
  upkeep.start();
  closers.push(() => upkeep.close());
  closers.push(watchExpiries({ config, identity, trust, clock }, log));
  closers.push(auditDaily(config, seams, room));
  links.listen(tollRoad);
  await recovery.start();
  const deskPort = await desk.listen(seams.sockets, config.desk.listen);
  closers.push(() => closeDesk(desk, tollRoad));
  const startedMs = clock.nowMs();
  log.info({ deskPort, linksPort }, 'the station is running');
  return {
    name: config.name,
    deskPort,
    linksPort,
    status: () =>
      stationStatus({ ...parts, ...given, config, clock, startedMs, links, directory, room }),
    positions: () => positionStatuses(store, parts.positions),
    doubtful: () => doubtfulStatus(store),
    damaged: () => tollRoad.damaged(),
    quarantine: () => store.quarantineCounts(),
    retryQuarantined: (number) => tollRoad.retryQuarantined(number),
    settle: async (peer) =>
      settlementReport(config.name, config.currency, await settlement.settle(peer)),
    recover: async (wish) => recoveryStatus(await recovery.begin(wish), recovery.waits),
    endFrozen: () => desk.endFrozen(),
    broken,
    close,
  };
}

async function positionStatuses(
  store: Store,
  positions: Positions,
): Promise<readonly PositionStatus[]> {
  return (await store.positions()).map((one) => positionStatus(one, positions.limitOf(one.peer)));
}

function breaking(): {
  readonly broken: Promise<never>;
  readonly onBroken: (fault: Error) => void;
} {
  let onBroken: (fault: Error) => void = () => undefined;
  const broken = new Promise<never>((_, reject) => {
    onBroken = reject;
  });
  // Whoever runs a station asks for it; nobody has to.
  broken.catch(() => undefined);
  return { broken, onBroken };
}

async function openRoom(config: StationConfig, seams: PartSeams): Promise<DiskRoom> {
  const { clock, log } = seams;
  const data = config.path(config.data);
  const room = new DiskRoom({
    station: config.name,
    reserveBytes: config.disk['reserve-megabytes'] * 2 ** 20,
    freeBytes: seams.freeBytes ?? (() => freeBytesOf(data)),
    clock,
    onChange: (isShort, freeBytes) => {
      if (isShort) log.warn({ data, freeBytes }, 'the disk is almost full: nothing new is begun');
      else log.info({ data, freeBytes }, 'there is room on the disk again');
    },
    onFault: (error) => {
      log.warn({ data, err: error }, 'the room on the disk cannot be measured');
    },
  });
  await room.start();
  return room;
}

/** Returns what ends it. */
function auditDaily(config: StationConfig, seams: PartSeams, room: DiskRoom): () => Promise<void> {
  const { clock, log, audit: run } = seams;
  if (run === undefined) return () => Promise.resolve();
  const selfAudit = new SelfAudit({ config, clock, log, room, run });
  selfAudit.start();
  return () => selfAudit.close();
}

/** Nobody is at the desk any more: what they asked for waits for no keys and no answers. */
async function closeDesk(desk: Desk, tollRoad: TollRoad): Promise<void> {
  const closed = desk.close();
  tollRoad.stop();
  await closed;
}

async function startLinks(
  config: StationConfig,
  seams: PartSeams,
  {
    trust,
    identity,
    store,
    closers,
    onKeysChanged,
  }: {
    readonly trust: Trust;
    readonly identity: Identity;
    readonly store: Store;
    readonly closers: (() => Promise<void> | void)[];
    readonly onKeysChanged: () => void;
  },
) {
  const neighbours = config.neighbour.map((neighbour) => {
    const reservoir: Reservoir = openKeySupply(config, neighbour, {
      ...seams,
      ledger: store,
      onKeysChanged,
    });
    closers.push(() => reservoir.close());
    reservoir.start();
    return {
      name: neighbour.name,
      ...(neighbour.url !== undefined && { url: neighbour.url }),
      authenticationKey: readSymmetricKey(config.path(neighbour['authentication-key'])),
      suite: neighbour.suite,
      rekeyRecords: neighbour['rekey-records'],
      rekeyBytes: neighbour['rekey-megabytes'] * 2 ** 20,
      rekeySeconds: neighbour['rekey-seconds'],
      reservoir,
    };
  });
  const links = await openLinks({
    ...seams,
    station: config.name,
    network: config.network,
    documentKey: identity.documentKey,
    documentCertificate: identity.documentCertificate,
    trust,
    listen: config.links.listen,
    neighbours,
    log: linkLog(seams.log),
  });
  closers.push(() => links.close());
  trust.onNewerCrl(() => {
    links.recheck();
  });
  return { links, linksPort: links.port };
}

/** A folder that is away just now is looked for again while the station runs. */
async function learnListOfCa(trust: Trust, config: StationConfig, seams: PartSeams): Promise<void> {
  try {
    const list = await listOfCa(config, seams);
    if (list !== undefined) trust.learnCrl(list);
  } catch (error) {
    seams.log.warn({ folder: config.ca.folder, err: error }, 'the CA has given no list');
  }
}

/** Returns what ends it. */
function watchCrl(
  config: StationConfig,
  seams: PartSeams,
  announcer: Announcer,
): () => Promise<void> {
  const crlFile = new CrlFile(
    config.path(config.ca.crl),
    seams.clock,
    (der) => announcer.learnCrl(der),
    () => listOfCa(config, seams),
  );
  crlFile.start(seams.log);
  return () => crlFile.close();
}

/** What a Unix socket's path may be on Linux; beyond it the system cuts it off, silently. */
const socketPathBytesMost = 107;

/**
 * Where a running station answers `status`; beside its database. Throws StationError
 * `bad-configuration` where no socket can be.
 */
export function adminSocketOf(config: StationConfig): string {
  const path = join(config.path(config.data), 'admin.sock');
  if (Buffer.byteLength(path) <= socketPathBytesMost) return path;
  throw new StationError(
    'bad-configuration',
    `${path} is too long for a socket, of ${socketPathBytesMost} bytes at most: ` +
      'name a shorter folder in "data"',
  );
}
