/** The station's database, as `station.toml` names it; for the daemon and for the operator's commands. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { openSqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import type { StationConfig } from './config.ts';
import { readSymmetricKey } from './key-files.ts';

/** `file` is another one than the station's own, such as a copy. */
export function openStationStore(
  config: StationConfig,
  entropy: Entropy,
  file: string = stationDatabase(config),
): Promise<Store> {
  mkdirSync(config.path(config.data), { recursive: true, mode: 0o700 });
  return openSqliteStore({
    file,
    stationKey: readSymmetricKey(config.path(config.keys.storage)),
    station: config.name,
    currency: config.currency,
    primitives: opensslPrimitives,
    entropy,
  });
}

export function stationDatabase(config: StationConfig): string {
  return join(config.path(config.data), 'station.sqlite');
}
