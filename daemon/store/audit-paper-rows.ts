import type { AuditedCard, AuditedCrl, AuditPaperStore } from './audit-store.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf } from './row-values.ts';
import type { StoreParts } from './store-parts.ts';

/** What only an audit reads (S6) of cards and papers; no key of a card is opened. */
export class AuditPaperRows implements AuditPaperStore {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareAuditPapers>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareAuditPapers(parts.database);
  }

  readonly auditedCards: AuditPaperStore['auditedCards'] = () =>
    this.#parts.database.read(() => this.#sql.cards.all());

  readonly auditedCrl: AuditPaperStore['auditedCrl'] = () =>
    this.#parts.database.read(() => {
      const row = this.#sql.crl.get();
      return row && { number: row.number, bytes: bytesOf(row.bytes) };
    });

  readonly auditedOwnAnnouncement: AuditPaperStore['auditedOwnAnnouncement'] = (name) =>
    this.#parts.database.read(() => {
      const row = this.#sql.own.get(name);
      return row && { bytes: bytesOf(row.bytes), isKept: row.used === 1n };
    });
}

function prepareAuditPapers(database: SqliteDatabase) {
  return {
    cards: database.prepare<[], AuditedCard>('SELECT user, state FROM card ORDER BY user, number'),
    crl: database.prepare<[], AuditedCrl>('SELECT number, bytes FROM crl'),
    own: database.prepare<[Uint8Array], { readonly bytes: Uint8Array; readonly used: bigint }>(
      'SELECT bytes, used FROM own_announcement WHERE name = ?',
    ),
  };
}
