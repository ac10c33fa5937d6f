import type { Administered } from '../../../daemon/station/admin-socket.ts';
import type { StationStatus } from '../../../daemon/station/station-status.ts';

/** What the admin socket asks of a station that has nothing to do. */
export function runningStation(signsWith: StationStatus['signsWith']): Administered {
  return {
    status: () => ({
      station: 'q1',
      network: 'test',
      currency: 'EUR',
      uptimeSeconds: 1,
      usersAtDesk: [],
      crl: undefined,
      signsWith,
      disk: { freeBytes: 5 * 2 ** 30, reserveBytes: 2 ** 28, isShort: false },
      expiries: [],
      links: [],
      log: { signed: '0', cosigned: [], contradicting: [], unproven: [], losses: [] },
      refused: [],
      stations: [],
    }),
    positions: () => Promise.resolve([]),
    doubtful: () => Promise.resolve({ payments: 0, payees: [] }),
    damaged: () => Promise.resolve([]),
    quarantine: () => Promise.resolve([]),
    retryQuarantined: () => Promise.resolve({ outcome: 'unknown' }),
    settle: () => Promise.resolve({ station: 'q1', currency: 'EUR', peers: [] }),
    recover: () =>
      Promise.resolve({ state: 'rebuilding', begun: 'now', kept: '7', neighbours: [] }),
    endFrozen: () => Promise.resolve([]),
  };
}
