import { concatBytes } from '../../applet-spec/bytes.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { requireLength } from '../../applet-spec/primitive-input.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { CertificateRows } from './certificate-rows.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf, bytesOrNone, present } from './row-values.ts';
import type { SealedPlace } from './sealing.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { CardRecord, CardStore } from './store.ts';

const cardKeyBytes = 32;

/** Cards, with the keys that they share with this station, sealed. */
export class CardRows implements CardStore {
  readonly #parts: StoreParts;
  readonly #certificates: CertificateRows;
  readonly #sql: ReturnType<typeof prepareCards>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#certificates = new CertificateRows(parts);
    this.#sql = prepareCards(parts.database);
  }

  readonly putCard: CardStore['putCard'] = (card) =>
    this.#parts.database.write(() => {
      const { nextKeys, nextKeyVersion } = card;
      if ((nextKeys === undefined) !== (nextKeyVersion === undefined)) {
        throw new StoreError('defect', 'next card keys and their version come together');
      }
      this.#sql.put.run({
        serial: card.serial,
        user: card.user,
        state: card.state,
        keyVersion: card.keyVersion,
        keys: this.#seal(card.serial, 'present', card.keyVersion, card.keys),
        nextKeyVersion: nextKeyVersion ?? null,
        nextKeys:
          nextKeys && nextKeyVersion !== undefined
            ? this.#seal(card.serial, 'next', nextKeyVersion, nextKeys)
            : null,
        handle: card.handle ?? null,
        nextHandle: card.nextHandle ?? null,
        attestedBy: card.attestedBy ?? null,
        paymentLimit: card.paymentLimit,
        dayLimit: card.dayLimit,
      });
    });

  readonly putStationKey: CardStore['putStationKey'] = (serial, stationKey) =>
    this.#parts.database.write(() => {
      this.#sql.putStationKey.run(stationKey ?? null, serial);
    });

  readonly cardByIdentifier: CardStore['cardByIdentifier'] = (identifier) =>
    this.#parts.database.read(() =>
      this.#record(this.#sql.byIdentifier.get(identifier, identifier, identifier)),
    );

  readonly cardOf: CardStore['cardOf'] = (user) =>
    this.#parts.database.read(() => this.#record(this.#sql.ofUser.get(user)));

  readonly cards: CardStore['cards'] = (after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.behind
        .all(after ?? new Uint8Array(0), limit)
        .flatMap((row) => this.#record(row) ?? []),
    );

  readonly enrolCard: CardStore['enrolCard'] = (serial, certificate) =>
    this.#parts.database.write(() => {
      const card = this.#sql.byIdentifier.get(serial, serial, serial);
      if (card === undefined) throw new StoreError('unknown', 'no card of this serial number');
      if (card.state === 'frozen') throw new StoreError('wrong-state', 'the card is frozen');
      const hash = this.#certificates.put(certificate);
      this.#sql.nameCertificate.run(hash, card.user);
      this.#sql.enrol.run(card.number);
    });

  #record(row: CardRow | undefined): CardRecord | undefined {
    if (row === undefined) return undefined;
    const { next_keys: nextSealed, next_key_version: nextVersion } = row;
    const serial = bytesOf(row.serial);
    const keyVersion = Number(row.key_version);
    return {
      serial,
      user: row.user,
      state: row.state,
      keyVersion,
      keys: this.#open(serial, 'present', keyVersion, row.keys),
      ...(nextSealed !== null &&
        nextVersion !== null && {
          nextKeyVersion: Number(nextVersion),
          nextKeys: this.#open(serial, 'next', Number(nextVersion), nextSealed),
        }),
      ...present('handle', bytesOrNone(row.handle)),
      ...present('nextHandle', bytesOrNone(row.next_handle)),
      ...present('attestedBy', bytesOrNone(row.attested_by)),
      ...present('stationKey', bytesOrNone(row.station_key)),
      paymentLimit: row.payment_limit,
      dayLimit: row.day_limit,
    };
  }

  #seal(serial: Uint8Array, state: string, version: number, keys: CardKeys): Uint8Array {
    const parts = [keys.enc, keys.mac, keys.dek, keys.hostLink];
    for (const part of parts) requireLength(part, cardKeyBytes, 'a card key');
    return this.#parts.sealer.seal(placeOf(serial, state, version), concatBytes(...parts));
  }

  #open(serial: Uint8Array, state: string, version: number, sealed: Uint8Array): CardKeys {
    const keys = this.#parts.sealer.open(placeOf(serial, state, version), sealed);
    const part = (index: number): Uint8Array =>
      keys.slice(index * cardKeyBytes, (index + 1) * cardKeyBytes);
    return { enc: part(0), mac: part(1), dek: part(2), hostLink: part(3) };
  }
}

function placeOf(serial: Uint8Array, state: string, version: number): SealedPlace {
  return { table: 'card', row: serial, version, state };
}

interface CardRow {
  readonly number: bigint;
  readonly serial: Uint8Array;
  readonly user: UserName;
  readonly state: CardRecord['state'];
  readonly key_version: bigint;
  readonly keys: Uint8Array;
  readonly next_key_version: bigint | null;
  readonly next_keys: Uint8Array | null;
  readonly handle: Uint8Array | null;
  readonly next_handle: Uint8Array | null;
  readonly attested_by: Uint8Array | null;
  readonly station_key: Uint8Array | null;
  readonly payment_limit: bigint;
  readonly day_limit: bigint;
}

interface CardValues {
  readonly serial: Uint8Array;
  readonly user: string;
  readonly state: string;
  readonly keyVersion: number;
  readonly keys: Uint8Array;
  readonly nextKeyVersion: number | null;
  readonly nextKeys: Uint8Array | null;
  readonly handle: Uint8Array | null;
  readonly nextHandle: Uint8Array | null;
  readonly attestedBy: Uint8Array | null;
  readonly paymentLimit: bigint;
  readonly dayLimit: bigint;
}

function prepareCards(database: SqliteDatabase) {
  return {
    put: database.prepare<[CardValues]>(
      `INSERT INTO card (serial, user, state, key_version, keys, next_key_version, next_keys,
         handle, next_handle, attested_by, payment_limit, day_limit)
       VALUES (@serial, @user, @state, @keyVersion, @keys, @nextKeyVersion, @nextKeys,
         @handle, @nextHandle, @attestedBy, @paymentLimit, @dayLimit)
       ON CONFLICT (serial) DO UPDATE SET user = excluded.user,
         state = CASE WHEN state = 'frozen' THEN state ELSE excluded.state END,
         key_version = excluded.key_version, keys = excluded.keys,
         next_key_version = excluded.next_key_version, next_keys = excluded.next_keys,
         handle = excluded.handle, next_handle = excluded.next_handle,
         attested_by = excluded.attested_by,
         payment_limit = excluded.payment_limit, day_limit = excluded.day_limit`,
    ),
    putStationKey: database.prepare<[Uint8Array | null, Uint8Array]>(
      'UPDATE card SET station_key = ? WHERE serial = ?',
    ),
    byIdentifier: database.prepare<[Uint8Array, Uint8Array, Uint8Array], CardRow>(
      'SELECT * FROM card WHERE serial = ? OR handle = ? OR next_handle = ? LIMIT 1',
    ),
    behind: database.prepare<[Uint8Array, number], CardRow>(
      'SELECT * FROM card WHERE serial > ? ORDER BY serial LIMIT ?',
    ),
    /** The one in use, or the newest where none is. */
    ofUser: database.prepare<[string], CardRow>(
      `SELECT * FROM card WHERE user = ?
       ORDER BY state = 'frozen', number DESC LIMIT 1`,
    ),
    nameCertificate: database.prepare<[Uint8Array, string]>(
      'UPDATE user SET certificate_hash = ? WHERE name = ?',
    ),
    enrol: database.prepare<[bigint]>("UPDATE card SET state = 'enrolled' WHERE number = ?"),
  };
}
