/** A user's certificate near its end: the card gets another one while it is at its desk. */
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { UserName } from '../../applet-spec/names.ts';
import type { CardVisit } from './card-visit.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError } from './desk-error.ts';

/** As long before its end as a host tells its user of it. */
const renewedWithinSeconds = 30n * 86_400n;
/**
 * Of a shorter life, as where the CA's root ends with it, the last quarter: a new one is not near
 * its end at once.
 */
const renewedWithinShare = 4n;

/** Unix seconds, the last second included. */
export function certificateEnd(certificate: Uint8Array): bigint {
  return parseCertificate(certificate).notAfter;
}

/** Also one that has ended. */
export function isNearItsEnd(certificate: Uint8Array, clock: Pick<Clock, 'nowMs'>): boolean {
  const { notBefore, notAfter } = parseCertificate(certificate);
  const quarter = (notAfter - notBefore) / renewedWithinShare;
  const within = quarter < renewedWithinSeconds ? quarter : renewedWithinSeconds;
  return notAfter - nowSeconds(clock) < within;
}

/**
 * Once no payment by or to the user is open under it; after its end whatever is. Rejects with
 * DeskError `outcome-unknown` where the card may have one that the books do not name: its visit
 * ends, and the next one enrols it before it signs anything.
 */
export async function renewNearEnd(
  { store, clock, certifyUser, log, toll }: DeskContext,
  visit: Pick<CardVisit, 'inTurn' | 'enrol'>,
  user: UserName,
  certificate: Uint8Array,
): Promise<void> {
  if (!isNearItsEnd(certificate, clock)) return;
  if (certifyUser === undefined) {
    const ends = new Date(Number(certificateEnd(certificate)) * 1_000).toISOString();
    log.warn({ user, ends }, 'a user’s certificate ends, and no CA is at hand to renew it');
    return;
  }
  // Good for nothing afterwards.
  const isOpen = toll.awaits(user) || (await store.paying(user)).length > 0;
  if (isOpen && !hasEnded(certificate, clock)) return;
  const card = await store.cardOf(user);
  if (card === undefined) return;
  try {
    await visit.inTurn(() => visit.enrol(card));
  } catch (cause) {
    if ((await store.cardOf(user))?.state !== 'awaiting-enrolment') throw cause;
    const words = 'The card’s new certificate was not noted; connect again.';
    throw new DeskError('outcome-unknown', words, { cause });
  }
}

function hasEnded(certificate: Uint8Array, clock: Pick<Clock, 'nowMs'>): boolean {
  return certificateEnd(certificate) < nowSeconds(clock);
}

function nowSeconds(clock: Pick<Clock, 'nowMs'>): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1_000));
}
