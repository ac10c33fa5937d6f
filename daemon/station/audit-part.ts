/**
 * S6 for the operator: the audit over a copy of the station's own store, whether or not it runs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { auditStation, type AuditReport } from '../audit/audit.ts';
import type { Item, ItemFilter } from '../audit/itemised-bill.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { KeptList } from '../store/book-store.ts';
import { copyDatabase } from '../store/connection.ts';
import { folderForCopy } from './audit-copy.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile } from './key-files.ts';
import { requireRoomForCopy } from './room-for-copy.ts';
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
  const data = config.path(config.data);
  await requireRoomForCopy(config, data, 'an audit works on a copy of the database');
  const copy = folderForCopy(data);
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

function certificatesOf(config: StationConfig, kind: SigningKind): readonly Uint8Array[] {
  const found = readCertificates(config, kind);
  if (found.length > 0) return found.map(({ certificate }) => certificate.der);
  const { certificate } = namedFiles(config, kind);
  throw new StationError('certificate-not-valid', `${certificate} is not there`);
}
