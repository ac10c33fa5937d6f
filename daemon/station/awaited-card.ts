/** A card as its maker delivered it, which is to be enrolled when it comes to the desk. */
import type { CardDelivery } from '../../applet-spec/card-delivery.ts';
import type { UserName } from '../../applet-spec/names.ts';
import type { CardRecord, CardStore } from '../store/store.ts';
import { StationError } from './station-error.ts';

/**
 * Enrolled; or its certificate was being renewed, which a stop has cut off: only a card that was
 * enrolled has been given a handle.
 */
export function isInUse({ state, handle }: Pick<CardRecord, 'state' | 'handle'>): boolean {
  return state === 'enrolled' || (state === 'awaiting-enrolment' && handle !== undefined);
}

/** Throws StationError `exists` for one that is in use, or was. */
export function requireNew(known: CardRecord | undefined): void {
  if (known === undefined) return;
  if (isInUse(known)) throw new StationError('exists', 'this card is enrolled already');
  if (known.state === 'frozen') {
    throw new StationError('exists', 'another card has taken the place of this one for good');
  }
}

/**
 * Again and again, until it is enrolled: an enrolment that was cut off may have given it keys of
 * the station's, and only their one copy here opens it then. The limits of now get into its
 * profile.
 */
export async function awaitCard(
  store: Pick<CardStore, 'cardByIdentifier' | 'putCard' | 'putStationKey'>,
  user: UserName,
  { serial, keyVersion, keys }: CardDelivery,
  limits: Pick<CardRecord, 'paymentLimit' | 'dayLimit'>,
): Promise<void> {
  const known = await store.cardByIdentifier(serial);
  requireNew(known);
  const hasOwnKeys = known !== undefined && known.keyVersion !== keyVersion;
  const opensIt = hasOwnKeys ? {} : { keyVersion, keys };
  const card = { state: 'awaiting-enrolment', keyVersion, keys, ...known, ...opensIt } as const;
  await store.putStationKey(serial, undefined);
  await store.putCard({ ...card, serial, user, ...limits });
}
