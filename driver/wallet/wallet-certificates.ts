import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { WalletFile } from './wallet-file.ts';
import { blobOf, textOf, wordOf } from './wallet-row.ts';

const roles = ['station-coin', 'station-document'] as const;
export type StationRole = (typeof roles)[number];

export interface StationCertificate {
  /** As the wallet wrote it down; the certificate itself says whose it is. */
  readonly station: string;
  readonly role: StationRole;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** Certificates of stations that were good when they were shown, for audits long after (S6). */
export class WalletCertificates {
  readonly #file: WalletFile;
  readonly #primitives: Primitives;

  constructor(file: WalletFile, primitives: Primitives) {
    this.#file = file;
    this.#primitives = primitives;
  }

  keep(station: StationName, role: StationRole, certificate: Uint8Array): void {
    this.#file.run(
      `insert into station_certificates (hash, station, role, certificate) values (?, ?, ?, ?)
       on conflict (hash) do nothing`,
      this.#primitives.sha256(certificate),
      station,
      role,
      certificate,
    );
  }

  all(): readonly StationCertificate[] {
    return this.#file
      .all('select station, role, certificate from station_certificates order by hash')
      .map((row) => ({
        station: textOf(row, 'station'),
        role: wordOf(row, 'role', roles),
        certificate: blobOf(row, 'certificate'),
      }));
  }
}
