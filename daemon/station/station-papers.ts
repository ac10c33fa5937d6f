/** A new station's certificates, where the CA's folder is on the same machine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { readPublicKeyFile } from '../ca/p256-key-file.ts';

/** Throws CaError where there is none. */
export function openCa(
  caFolder: string,
  seams: { readonly clock: Clock; readonly entropy: Entropy },
): Promise<CertificateAuthority> {
  return CertificateAuthority.open(caFolder, seams);
}

/**
 * Certifies the keys of a folder that `initStationFolder` made; adds root and CRL. Throws CaError.
 */
export async function certifyStation(
  folder: string,
  station: StationName,
  caFolder: string,
  seams: { readonly clock: Clock; readonly entropy: Entropy },
): Promise<void> {
  const authority = await openCa(caFolder, seams);
  const put = (name: string, der: Uint8Array): void => {
    writeFileSync(join(folder, 'certificates', `${name}.der`), der);
  };
  put('root', authority.root);
  put('crl', await authority.freshCrl());
  for (const kind of ['coin', 'document'] as const) {
    const publicKey = readPublicKeyFile(
      new Uint8Array(readFileSync(join(folder, 'keys', `${kind}.pem.pub`))),
    );
    put(kind, await authority.issue({ role: `station-${kind}`, name: station, publicKey }));
  }
}
