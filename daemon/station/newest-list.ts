/**
 * The newest list of revoked certificates on this machine. The operator's file may be old:
 * neighbours flood newer lists and the CA's folder makes them, and what a station learns it keeps
 * in its store.
 */
import { existsSync } from 'node:fs';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { Trust } from '../network/trust.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { Store } from '../store/store.ts';
import type { StationConfig } from './config.ts';
import { openTrust } from './identity.ts';
import { openStationStore, stationDatabase } from './station-store.ts';

export interface ListSeams {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** The CA's list, made anew where it is half through its time; undefined with the CA elsewhere. */
export async function listOfCa(
  config: StationConfig,
  seams: ListSeams,
): Promise<Uint8Array | undefined> {
  const { folder } = config.ca;
  if (folder === undefined) return undefined;
  return (await CertificateAuthority.open(config.path(folder), seams)).freshCrl();
}

export async function learnStoredList(trust: Trust, store: Pick<Store, 'crl'>): Promise<void> {
  const stored = await store.crl();
  if (stored !== undefined) trust.learnCrl(stored);
}

/** For the operator's commands, whether or not the station runs. Throws StationError, CaError. */
export async function openNewestTrust(config: StationConfig, seams: ListSeams): Promise<Trust> {
  const trust = openTrust(config, { primitives: opensslPrimitives, clock: seams.clock });
  const ofCa = await listOfCa(config, seams);
  if (ofCa !== undefined) trust.learnCrl(ofCa);
  if (!existsSync(stationDatabase(config))) return trust;
  const store = await openStationStore(config, seams.entropy);
  try {
    await learnStoredList(trust, store);
  } finally {
    await store.close();
  }
  return trust;
}
