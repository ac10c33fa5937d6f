/** The card makers that a station trusts: `[cards]` in its configuration. */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { AttestationPolicy } from '../desk/desk-context.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile } from './key-files.ts';
import { StationError } from './station-error.ts';

/** Throws StationError `certificate-not-valid`, naming the file. */
export function attestationPolicy(config: StationConfig): AttestationPolicy {
  const { 'maker-roots': files, attestation } = config.cards;
  const makers = files.map((name) => readMakerRoot(config.path(name)));
  const required = (attestation ?? (makers.length > 0 ? 'required' : 'optional')) === 'required';
  return { makers, required };
}

/**
 * The file in `cards.maker-roots` whose certificate has this SHA-256; undefined where the maker is
 * not trusted any more.
 */
export function makerName(config: StationConfig, sha256: Uint8Array): string | undefined {
  return config.cards['maker-roots'].find((name) => {
    const { der } = readMakerRoot(config.path(name));
    return equalBytes(opensslPrimitives.sha256(der), sha256);
  });
}

function readMakerRoot(file: string): AttestationPolicy['makers'][number] {
  const der = readCertificateFile('CERTIFICATE', file);
  try {
    const root = parseCertificate(der);
    if (root.isCa) return root;
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    const detail = `${file} is no certificate that this station reads: ${error.message}`;
    throw new StationError('certificate-not-valid', detail, { cause: error });
  }
  const detail = `${file} is not the root of a card maker: it is no CA's certificate`;
  throw new StationError('certificate-not-valid', detail);
}
