/** The QKD device beside the station, one reservoir for each neighbour. */
import type { Clock } from '../../applet-spec/clock.ts';
import { keptBits } from '../network/announced-links.ts';
import { DeviceCredentials } from '../qkd/device-credentials.ts';
import { Etsi014Client } from '../qkd/etsi-014-client.ts';
import { Etsi014Transport } from '../qkd/etsi-014-transport.ts';
import type { KeyLedger } from '../qkd/key-ledger.ts';
import type { KeySource } from '../qkd/key-source.ts';
import { Reservoir } from '../qkd/reservoir.ts';
import type { NeighbourConfig, StationConfig } from './config.ts';
import type { Log } from './log.ts';

export interface KeySupplySeams {
  readonly clock: Clock;
  readonly ledger: KeyLedger;
  readonly log: Log;
  /** The link starves, or has keys again. */
  readonly onKeysChanged?: () => void;
  /** The device itself; by default the key manager that the configuration names. */
  readonly keySource?: (neighbour: NeighbourConfig) => KeySource;
}

/** Throws QkdError where the credentials cannot be used; the device itself may be away. */
export function openKeySupply(
  config: StationConfig,
  neighbour: NeighbourConfig,
  seams: KeySupplySeams,
): Reservoir {
  const { qkd, name: peer } = neighbour;
  const { clock, ledger, log } = seams;
  return new Reservoir({
    peer,
    source: seams.keySource?.(neighbour) ?? openDevice(config, neighbour, seams),
    ledger,
    clock,
    keySizeBits: qkd['key-bits'],
    capacityBits: qkd['stock-bits'],
    keptBits: keptBits(neighbour.suite, qkd['stock-bits']),
    onStarvation: (starvation) => {
      if (starvation === undefined) log.info({ peer }, 'QKD keys arrive again');
      else log.warn({ peer, ...starvation }, 'the link waits for QKD keys');
      seams.onKeysChanged?.();
    },
    onError: (error) => {
      // Given up by us: the station stops.
      if (error.code === 'aborted') return;
      log.warn({ peer, err: error }, 'the QKD device failed');
    },
  });
}

/** ETSI GS QKD 014 over mutual TLS. */
function openDevice(
  config: StationConfig,
  { qkd, name: peer }: NeighbourConfig,
  { clock, log }: KeySupplySeams,
): KeySource {
  const credentials = new DeviceCredentials(
    {
      caFile: config.path(qkd.ca),
      certificateFile: config.path(qkd.certificate),
      privateKeyFile: config.path(qkd['private-key']),
    },
    {
      clock,
      onReloadFailure: (error) => {
        log.warn({ peer, err: error }, 'changed QKD credentials cannot be used; the old ones stay');
      },
    },
  );
  const transport = new Etsi014Transport({
    url: qkd.url,
    credentials,
    clock,
    timeoutMs: qkd['timeout-seconds'] * 1000,
    maxConnections: qkd.connections,
    ...((qkd.names ?? qkd.fingerprints) && {
      identity: {
        ...(qkd.names && { names: qkd.names }),
        ...(qkd.fingerprints && { fingerprints: qkd.fingerprints }),
      },
    }),
  });
  return new Etsi014Client({
    transport,
    clock,
    peerSaeId: qkd['peer-sae'],
    form: qkd.form,
    extensionMandatory: qkd['extension-mandatory'],
    extensionOptional: qkd['extension-optional'],
  });
}
