/**
 * The station's database, as `station.toml` names it; for the daemon and for the operator's
 * commands.
 */
import { join } from 'node:path';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { openSqliteStore, type SqliteStoreOptions } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import type { StationConfig } from './config.ts';
import { readSymmetricKey } from './key-files.ts';
import { makeFolder } from './made-folder.ts';

export interface StationStoreOptions {
  /** Another one than the station's own, such as a copy. */
  readonly file?: string;
  /** `worker` for a daemon that stays; see `SqliteStoreOptions`. */
  readonly checkpoints?: SqliteStoreOptions['checkpoints'];
  readonly onBroken?: SqliteStoreOptions['onBroken'];
}

export function openStationStore(
  config: StationConfig,
  entropy: Entropy,
  { file, checkpoints, onBroken }: StationStoreOptions = {},
): Promise<Store> {
  makeFolder(config.path(config.data), 0o700);
  return openSqliteStore({
    file: file ?? stationDatabase(config),
    stationKey: readSymmetricKey(config.path(config.keys.storage)),
    station: config.name,
    currency: config.currency,
    network: config.network,
    primitives: opensslPrimitives,
    entropy,
    ...(checkpoints !== undefined && { checkpoints }),
    ...(onBroken !== undefined && { onBroken }),
  });
}

export function stationDatabase(config: StationConfig): string {
  return join(config.path(config.data), 'station.sqlite');
}
