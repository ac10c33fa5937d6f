import type { StationName } from '../../applet-spec/names.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf } from './row-values.ts';
import type { StoreParts } from './store-parts.ts';
import type { StoredCheckpoint, StoredCosigned, WitnessStore } from './witness-store.ts';

/** Nobody fills a disk with contradictions. */
const twoLogsMost = 16;

export class WitnessRows implements WitnessStore {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareWitness>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareWitness(parts.database);
  }

  readonly putCheckpoint: WitnessStore['putCheckpoint'] = ({ size, bytes }) =>
    this.#parts.database.write(() => {
      this.#sql.insertCheckpoint.run(size, bytes);
    });

  readonly lastCheckpoint: WitnessStore['lastCheckpoint'] = () =>
    this.#parts.database.read(() => {
      const row = this.#sql.lastCheckpoint.get();
      return row && checkpointOf(row);
    });

  readonly checkpoints: WitnessStore['checkpoints'] = (after, upTo) =>
    this.#parts.database.read(() => this.#sql.checkpoints.all(after, upTo).map(checkpointOf));

  readonly putCosigned: WitnessStore['putCosigned'] = (cosigned) =>
    this.#parts.database.write(() => {
      const { peer, size, checkpoint, cosignature } = cosigned;
      this.#sql.putCosigned.run(peer, size, checkpoint, cosignature);
    });

  readonly cosigned: WitnessStore['cosigned'] = () =>
    this.#parts.database.read(() => this.#sql.cosigned.all().map(cosignedOf));

  readonly putWitnessed: WitnessStore['putWitnessed'] = (witnessed) =>
    this.#parts.database.write(() => {
      const { peer, size, checkpoint, cosignature, generation = 0n } = witnessed;
      this.#sql.putWitnessed.run(peer, size, checkpoint, cosignature, generation);
    });

  readonly witnessed: WitnessStore['witnessed'] = () =>
    this.#parts.database.read(() =>
      this.#sql.witnessed.all().map(({ generation, ...row }) => ({
        ...cosignedOf(row),
        ...(generation !== undefined && generation !== 0n && { generation }),
      })),
    );

  readonly putTwoLogs: WitnessStore['putTwoLogs'] = ({ station, cosigned, shown }) =>
    this.#parts.database.write(() => {
      if ((this.#sql.countTwoLogs.get(station)?.count ?? 0n) >= BigInt(twoLogsMost)) return;
      const digest = this.#parts.primitives.sha256(cosigned, shown);
      this.#sql.putTwoLogs.run(station, digest, cosigned, shown);
    });

  readonly twoLogs: WitnessStore['twoLogs'] = () =>
    this.#parts.database.read(() =>
      this.#sql.twoLogs.all().map(({ station, cosigned, shown }) => ({
        station,
        cosigned: bytesOf(cosigned),
        shown: bytesOf(shown),
      })),
    );
}

function checkpointOf({ size, bytes }: StoredCheckpoint): StoredCheckpoint {
  return { size, bytes: bytesOf(bytes) };
}

function cosignedOf({ peer, size, checkpoint, cosignature }: StoredCosigned): StoredCosigned {
  return { peer, size, checkpoint: bytesOf(checkpoint), cosignature: bytesOf(cosignature) };
}

interface TwoLogsRow {
  readonly station: StationName;
  readonly cosigned: Uint8Array;
  readonly shown: Uint8Array;
}

function prepareWitness(database: SqliteDatabase) {
  return {
    insertCheckpoint: database.prepare<[bigint, Uint8Array]>(
      'INSERT INTO checkpoint (size, bytes) VALUES (?, ?)',
    ),
    lastCheckpoint: database.prepare<[], StoredCheckpoint>(
      'SELECT size, bytes FROM checkpoint ORDER BY size DESC LIMIT 1',
    ),
    checkpoints: database.prepare<[bigint, bigint], StoredCheckpoint>(
      'SELECT size, bytes FROM checkpoint WHERE size > ? AND size <= ? ORDER BY size',
    ),
    putCosigned: database.prepare<[string, bigint, Uint8Array, Uint8Array]>(
      `INSERT INTO cosigned (witness, size, checkpoint, cosignature) VALUES (?, ?, ?, ?)
       ON CONFLICT (witness) DO UPDATE SET size = excluded.size,
         checkpoint = excluded.checkpoint, cosignature = excluded.cosignature`,
    ),
    cosigned: database.prepare<[], StoredCosigned>(
      `SELECT witness AS peer, size, checkpoint, cosignature FROM cosigned ORDER BY witness`,
    ),
    putWitnessed: database.prepare<[string, bigint, Uint8Array, Uint8Array, bigint]>(
      `INSERT INTO witnessed (station, size, checkpoint, cosignature, generation)
       VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (station) DO UPDATE SET size = excluded.size, generation = excluded.generation,
         checkpoint = excluded.checkpoint, cosignature = excluded.cosignature`,
    ),
    witnessed: database.prepare<[], StoredCosigned>(
      `SELECT station AS peer, size, checkpoint, cosignature, generation FROM witnessed
       ORDER BY station`,
    ),
    countTwoLogs: database.prepare<[string], { readonly count: bigint }>(
      'SELECT count(*) AS count FROM two_logs WHERE station = ?',
    ),
    putTwoLogs: database.prepare<[string, Uint8Array, Uint8Array, Uint8Array]>(
      `INSERT INTO two_logs (station, digest, cosigned, shown) VALUES (?, ?, ?, ?)
       ON CONFLICT (digest) DO NOTHING`,
    ),
    twoLogs: database.prepare<[], TwoLogsRow>(
      'SELECT station, cosigned, shown FROM two_logs ORDER BY number',
    ),
  };
}
