/**
 * S6 for the operator: the audit over a copy of the station's own store, whether or not it runs.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { auditStation, type AuditReport } from '../audit/audit.ts';
import type { Item, ItemFilter } from '../audit/itemised-bill.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { KeptList } from '../store/book-store.ts';
import { copyDatabase, walBytes } from '../store/database.ts';
import { freeBytesOf } from '../store/disk-room.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile } from './key-files.ts';
import { namedFiles, readCertificates, type SigningKind } from './signing-files.ts';
import { StationError } from './station-error.ts';
import { openStationStore, stationDatabase } from './station-store.ts';

/** What whoever audits wants to see of it, besides the report. */
export interface AuditWish {
  readonly filter: ItemFilter;
  readonly onItem: (item: Item) => void;
  readonly onList?: (list: KeptList) => void;
}

/**
 * The copy is one moment of the store, made in one read, so that a running station neither waits
 * nor is seen half way; it holds what the store holds, sealed alike, and goes when the audit ends.
 */
export async function auditOwnStore(
  config: StationConfig,
  options: AuditWish & { readonly entropy: Entropy },
): Promise<AuditReport> {
  const database = stationDatabase(config);
  if (!existsSync(database)) {
    throw new StationError('command-failed', `there is no database ${database} to audit`);
  }
  await requireRoom(config, database);
  const copy = folderForCopy(config.path(config.data));
  const { folder } = copy;
  try {
    const file = join(folder, 'station.sqlite');
    copyDatabase(database, file);
    const store = await openStationStore(config, options.entropy, { file });
    try {
      return await auditStation({
        station: config.name,
        network: config.network,
        currency: config.currency,
        primitives: opensslPrimitives,
        root: parseCertificate(readCertificateFile('CERTIFICATE', config.path(config.ca.root))),
        ownCertificates: [...certificatesOf(config, 'coin'), ...certificatesOf(config, 'document')],
        store,
        filter: options.filter,
        onItem: options.onItem,
        ...(options.onList && { onList: options.onList }),
      });
    } finally {
      await store.close();
    }
  } finally {
    copy.remove();
  }
}

/** Of the file system that payments under way come to their end on. Throws StationError. */
async function requireRoom(config: StationConfig, database: string): Promise<void> {
  const needed = statSync(database).size + walBytes(database);
  const data = config.path(config.data);
  const reserve = config.disk['reserve-megabytes'] * bytesInMegabyte;
  const free = await freeBytesOf(data);
  if (free - needed >= reserve) return;
  throw new StationError(
    'command-failed',
    `an audit works on a copy of the database, of ${megabytes(needed)} MB; ${data} has ` +
      `${megabytes(free)} MB free, of which ${megabytes(reserve)} MB are set apart ([disk]): ` +
      'make room',
  );
}

const bytesInMegabyte = 2 ** 20;

function megabytes(bytes: number): string {
  return String(Math.ceil(bytes / bytesInMegabyte));
}

/** Gone when it is removed, or when the program ends by itself or by a signal that it heeds. */
function folderForCopy(data: string): { readonly folder: string; readonly remove: () => void } {
  removeAbandoned(data);
  let folder: string;
  try {
    folder = mkdtempSync(join(data, `audit-${process.pid}-`));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const words = `an audit works on a copy of the database, and has no place for it: ${detail}`;
    throw new StationError('command-failed', words, { cause: error });
  }
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', remove);
  return { folder, remove };
}

/** Copies of audits that were killed: their names say whose they were. */
function removeAbandoned(data: string): void {
  for (const name of readdirSync(data)) {
    const pid = Number(/^audit-(\d+)-/.exec(name)?.[1] ?? process.pid);
    if (!runs(pid)) rmSync(join(data, name), { recursive: true, force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function certificatesOf(config: StationConfig, kind: SigningKind): readonly Uint8Array[] {
  const found = readCertificates(config, kind);
  if (found.length > 0) return found.map(({ certificate }) => certificate.der);
  const { certificate } = namedFiles(config, kind);
  throw new StationError('certificate-not-valid', `${certificate} is not there`);
}
