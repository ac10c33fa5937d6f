import { fromHex, toUtf8 } from '../../applet-spec/bytes.ts';
import type { KeyLedger } from '../qkd/key-ledger.ts';
import type { Statement } from './connection.ts';
import type { SqliteDatabase } from './database.ts';
import type { Store } from './store.ts';

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** QKD key IDs that were used: each once, for ever (design §4). */
export class KeyUseRows implements KeyLedger, Pick<Store, 'usedKeys'> {
  readonly #database: SqliteDatabase;
  readonly #insert: Statement<[Uint8Array, string, string, string]>;
  readonly #count: Statement<[], { readonly count: bigint }>;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO key_use (key_id, peer, direction, purpose) VALUES (?, ?, ?, ?)
       ON CONFLICT (key_id) DO NOTHING`,
    );
    this.#count = database.prepare('SELECT count(*) AS count FROM key_use');
  }

  readonly recordUse: KeyLedger['recordUse'] = (uses) =>
    this.#database.write(() =>
      uses.map(({ keyId, peer, direction, purpose }) =>
        this.#insert.run(keyIdBytes(keyId), peer, direction, purpose).changes === 1
          ? 'recorded'
          : 'already-used',
      ),
    );

  readonly usedKeys: Store['usedKeys'] = () =>
    this.#database.read(() => Number(this.#count.get()?.count ?? 0n));
}

/** A UUID as its 16 bytes; the text of whatever else a device uses. One ID has one form. */
function keyIdBytes(keyId: string): Uint8Array {
  const lower = keyId.toLowerCase();
  return uuidPattern.test(lower) ? fromHex(lower.replaceAll('-', '')) : toUtf8(keyId);
}
