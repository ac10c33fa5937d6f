/** A user's certificate near its end: the card gets another one while it is at its desk. */
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';

/** As long before its end as a host tells its user of it. */
const renewedWithinSeconds = 30n * 86_400n;

/** Unix seconds, the last second included. */
export function certificateEnd(certificate: Uint8Array): bigint {
  return parseCertificate(certificate).notAfter;
}

/** Also one that has ended. */
export function isNearItsEnd(certificate: Uint8Array, clock: Pick<Clock, 'nowMs'>): boolean {
  return certificateEnd(certificate) - nowSeconds(clock) < renewedWithinSeconds;
}

export function hasEnded(certificate: Uint8Array, clock: Pick<Clock, 'nowMs'>): boolean {
  return certificateEnd(certificate) < nowSeconds(clock);
}

function nowSeconds(clock: Pick<Clock, 'nowMs'>): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1_000));
}
