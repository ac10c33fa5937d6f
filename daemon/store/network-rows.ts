import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { NetworkStore } from './book-store.ts';

interface Bytes {
  readonly bytes: Uint8Array;
}

/** Announcements, of which the newest stays, and revocation lists. */
export class NetworkRows implements NetworkStore {
  readonly #database: SqliteDatabase;
  readonly #primitives: Primitives;
  readonly #sql: ReturnType<typeof prepareNetwork>;

  constructor(database: SqliteDatabase, primitives: Primitives) {
    this.#database = database;
    this.#primitives = primitives;
    this.#sql = prepareNetwork(database);
  }

  readonly putAnnouncement: NetworkStore['putAnnouncement'] = (station, sequence, bytes) =>
    this.#database.write(() => {
      this.#sql.put.run(station, sequence, bytes);
    });

  readonly announcements: NetworkStore['announcements'] = () =>
    this.#database.read(() => this.#sql.all.all().map(({ bytes }) => bytesOf(bytes)));

  readonly putOwnAnnouncement: NetworkStore['putOwnAnnouncement'] = ({
    name,
    sequence,
    time,
    bytes,
  }) =>
    this.#database.write(() => {
      this.#sql.putOwn.run(name, sequence, time, bytes);
    });

  readonly ownAnnouncement: NetworkStore['ownAnnouncement'] = (name) =>
    this.#database.read(() => {
      const row = this.#sql.own.get(name);
      return row && bytesOf(row.bytes);
    });

  readonly useOwnAnnouncement: NetworkStore['useOwnAnnouncement'] = (name) =>
    this.#database.write(() => {
      this.#sql.useOwn.run(name);
      const row = this.#sql.own.get(name);
      return row && bytesOf(row.bytes);
    });

  readonly dropOwnAnnouncements: NetworkStore['dropOwnAnnouncements'] = (before, limit) =>
    this.#database.write(() => this.#sql.dropOwn.run(before, limit).changes);

  readonly nextSequence: NetworkStore['nextSequence'] = (after = 0n) =>
    this.#database.write(() => {
      const row = this.#sql.nextSequence.get({ after });
      if (row === undefined) throw new StoreError('defect', 'a counter gave no number');
      return row.value;
    });

  readonly putStationCertificates: NetworkStore['putStationCertificates'] = (certificates) =>
    this.#database.write(() => {
      for (const { station, certificate } of certificates) {
        this.#sql.putCertificate.run(this.#primitives.sha256(certificate), station, certificate);
      }
    });

  readonly stationCertificates: NetworkStore['stationCertificates'] = () =>
    this.#database.read(() =>
      this.#sql.certificates.all().map(({ station, certificate }) => ({
        station,
        certificate: bytesOf(certificate),
      })),
    );

  readonly putCrl: NetworkStore['putCrl'] = (number, bytes, nowMs) =>
    this.#database.write(() => {
      this.#sql.putCrl.run(number, bytes);
      const newest = this.#sql.crl.get();
      if (newest === undefined || !equalBytes(newest.bytes, bytes)) return;
      this.#sql.keepList.run(this.#primitives.sha256(bytes), nowMs, bytes);
    });

  readonly crl: NetworkStore['crl'] = () =>
    this.#database.read(() => {
      const row = this.#sql.crl.get();
      return row && bytesOf(row.bytes);
    });

  readonly keptLists: NetworkStore['keptLists'] = (after, limit) =>
    this.#database.read(() =>
      this.#sql.keptLists.all(after, limit).map(({ number, digest, since_ms, bytes }) => ({
        number,
        digest: bytesOf(digest),
        sinceMs: Number(since_ms),
        bytes: bytesOf(bytes),
      })),
    );
}

function prepareNetwork(database: SqliteDatabase) {
  return {
    put: database.prepare<[string, bigint, Uint8Array]>(
      `INSERT INTO announcement (station, sequence, bytes) VALUES (?, ?, ?)
       ON CONFLICT (station) DO UPDATE SET sequence = excluded.sequence, bytes = excluded.bytes
       WHERE excluded.sequence > announcement.sequence`,
    ),
    all: database.prepare<[], Bytes>('SELECT bytes FROM announcement ORDER BY station'),
    putOwn: database.prepare<[Uint8Array, bigint, bigint, Uint8Array]>(
      `INSERT INTO own_announcement (name, sequence, time, bytes, used) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (name) DO NOTHING`,
    ),
    useOwn: database.prepare<[Uint8Array]>(
      'UPDATE own_announcement SET used = 1 WHERE name = ? AND used = 0',
    ),
    dropOwn: database.prepare<[bigint, number]>(
      `DELETE FROM own_announcement WHERE rowid IN
       (SELECT rowid FROM own_announcement WHERE used = 0 AND time < ? LIMIT ?)`,
    ),
    own: database.prepare<[Uint8Array], Bytes>('SELECT bytes FROM own_announcement WHERE name = ?'),
    nextSequence: database.prepare<[{ readonly after: bigint }], { readonly value: bigint }>(
      `INSERT INTO counter (name, value) VALUES ('announcement', :after + 1)
       ON CONFLICT (name) DO UPDATE SET value = max(value, :after) + 1 RETURNING value`,
    ),
    putCertificate: database.prepare<[Uint8Array, string, Uint8Array]>(
      `INSERT INTO station_certificate (hash, station, certificate) VALUES (?, ?, ?)
       ON CONFLICT (hash) DO NOTHING`,
    ),
    certificates: database.prepare<
      [],
      { readonly station: StationName; readonly certificate: Uint8Array }
    >('SELECT station, certificate FROM station_certificate ORDER BY number'),
    putCrl: database.prepare<[bigint, Uint8Array]>(
      `INSERT INTO crl (single, number, bytes) VALUES (1, ?, ?)
       ON CONFLICT (single) DO UPDATE SET number = excluded.number, bytes = excluded.bytes
       WHERE excluded.number > crl.number`,
    ),
    crl: database.prepare<[], Bytes>('SELECT bytes FROM crl'),
    keepList: database.prepare<[Uint8Array, number, Uint8Array]>(
      `INSERT INTO revocation_list (digest, since_ms, bytes) VALUES (?, ?, ?)
       ON CONFLICT (digest) DO NOTHING`,
    ),
    keptLists: database.prepare<
      [bigint, number],
      Bytes & {
        readonly number: bigint;
        readonly digest: Uint8Array;
        readonly since_ms: bigint;
      }
    >('SELECT * FROM revocation_list WHERE number > ? ORDER BY number LIMIT ?'),
  };
}
