import { counted } from '../../applet-spec/counted.ts';
import { warnedWithinDays, type CertificateEnd } from '../agent/certificate-end.ts';

/** What a person is told of a certificate near its end; undefined where it is not. */
export function certificateWords(certificate: CertificateEnd | undefined): string | undefined {
  if (certificate === undefined || certificate.daysLeft >= warnedWithinDays) return undefined;
  const { ends, daysLeft } = certificate;
  const day = ends.slice(0, 10);
  const when =
    daysLeft < 0 ? `has ended, on ${day}` : `ends in ${counted(daysLeft, 'day')}, on ${day}`;
  return (
    `The certificate on your card ${when}: without another one no key is paid for or received. ` +
    'Your station has not renewed it as you connected; tell its operator.'
  );
}
