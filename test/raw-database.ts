/** A database file in the hands of whoever has SQLite: thieves, saboteurs, and those who look. */
import Database from 'better-sqlite3';

export type RawDatabase = Database.Database;

/** As in `daemon/store/connection.ts`, and for its reason. */
const kept: object[] = [];

export function rawDatabase(file: string, options?: Database.Options): RawDatabase {
  const database = new Database(file, options);
  const prepare = database.prepare.bind(database);
  kept.push(database);
  return Object.assign(database, {
    prepare: (sql: string) => {
      const statement = prepare(sql);
      kept.push(statement);
      return statement;
    },
    pragma: (source: string, { simple = false }: Database.PragmaOptions = {}) => {
      const statement = database.prepare(`PRAGMA ${source}`);
      if (!statement.reader) return statement.run();
      return simple ? statement.pluck().get() : statement.all();
    },
  });
}
