/** The certificates by which a host checks what its own station signed, now and before. */
import type { DeskMessage } from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { DeskContext } from './desk-context.ts';
import type { DeskRefusal } from './desk-seams.ts';

export function stationPapers(
  context: Pick<
    DeskContext,
    'station' | 'coinCertificate' | 'documentCertificate' | 'formerCertificates' | 'crl'
  >,
  requestId: bigint,
): DeskMessage | DeskRefusal {
  const { station, coinCertificate, documentCertificate } = context;
  const crl = context.crl();
  if (crl === undefined) {
    const message = `${station} has no CRL; its operator loads one.`;
    return { outcome: 'refused', code: 'certificate-not-valid', message };
  }
  const formerCertificates = context.formerCertificates.slice(0, limits.formerCertificates);
  return {
    kind: 'station',
    content: {
      requestId,
      coinCertificate,
      documentCertificate,
      crl,
      ...(formerCertificates.length > 0 && { formerCertificates }),
    },
  };
}
