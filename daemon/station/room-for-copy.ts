import { statSync } from 'node:fs';
import { walBytes } from '../store/connection.ts';
import { freeBytesOf } from '../store/disk-room.ts';
import type { StationConfig } from './config.ts';
import { StationError } from './station-error.ts';
import { stationDatabase } from './station-store.ts';

const bytesInMegabyte = 2 ** 20;

/**
 * Where the copy would lie on the file system that payments under way come to their end on, what is
 * set apart for those stays (failure 40). `what` needs it, in words. Throws StationError.
 */
export async function requireRoomForCopy(
  config: StationConfig,
  folder: string,
  what: string,
): Promise<void> {
  const database = stationDatabase(config);
  const needed = statSync(database).size + walBytes(database);
  const isShared = statSync(folder).dev === statSync(config.path(config.data)).dev;
  const reserve = isShared ? config.disk['reserve-megabytes'] * bytesInMegabyte : 0;
  const free = await freeBytesOf(folder);
  if (free - needed >= reserve) return;
  const apart = isShared ? `, of which ${megabytes(reserve)} MB are set apart ([disk])` : '';
  throw new StationError(
    'command-failed',
    `${what}, of ${megabytes(needed)} MB; ${folder} has ${megabytes(free)} MB free${apart}: ` +
      'make room',
  );
}

function megabytes(bytes: number): string {
  return String(Math.ceil(bytes / bytesInMegabyte));
}
