/** Users' certificates, each kept once, sealed, by its hash (design §4). */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Statement } from './connection.ts';
import type { SqliteDatabase } from './database.ts';
import type { Sealer, SealedPlace } from './sealing.ts';

/** Payers of the last minutes, some 700 bytes each. */
const rememberedMost = 4_096;

export class CertificateRows {
  readonly #primitives: Primitives;
  readonly #sealer: Sealer;
  readonly #known: Statement<[Uint8Array], { readonly known: bigint }>;
  readonly #insert: Statement<[Uint8Array, Uint8Array]>;
  readonly #sealed: Statement<[Uint8Array], { readonly sealed: Uint8Array }>;
  /** Opened ones by hash: certificates come again with every payment, and opening costs a key. */
  readonly #opened = new Map<string, Uint8Array>();

  constructor(parts: {
    readonly database: SqliteDatabase;
    readonly primitives: Primitives;
    readonly sealer: Sealer;
  }) {
    this.#primitives = parts.primitives;
    this.#sealer = parts.sealer;
    const { database } = parts;
    this.#known = database.prepare('SELECT 1 AS known FROM certificate WHERE hash = ?');
    this.#insert = database.prepare('INSERT INTO certificate (hash, sealed) VALUES (?, ?)');
    this.#sealed = database.prepare('SELECT sealed FROM certificate WHERE hash = ?');
    database.afterRollback(() => {
      this.#opened.clear();
    });
  }

  /** Inside a transaction; returns the SHA-256. */
  put(certificate: Uint8Array): Uint8Array {
    const hash = this.#primitives.sha256(certificate);
    if (this.#opened.has(toLatin1(hash))) return hash;
    if (this.#known.get(hash) === undefined) {
      this.#insert.run(hash, this.#sealer.seal(placeOf(hash), certificate));
    }
    this.#remember(hash, certificate);
    return hash;
  }

  get(hash: Uint8Array): Uint8Array | undefined {
    const known = this.#opened.get(toLatin1(hash));
    if (known !== undefined) return known.slice();
    const row = this.#sealed.get(hash);
    if (row === undefined) return undefined;
    const certificate = this.#sealer.open(placeOf(hash), row.sealed);
    this.#remember(hash, certificate);
    return certificate;
  }

  #remember(hash: Uint8Array, certificate: Uint8Array): void {
    if (this.#opened.size >= rememberedMost) this.#opened.clear();
    this.#opened.set(toLatin1(hash), certificate.slice());
  }
}

function placeOf(hash: Uint8Array): SealedPlace {
  return { table: 'certificate', row: hash, version: 1, state: 'kept' };
}
