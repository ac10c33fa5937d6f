/** The witnessed log of a station, and what its operator reads of it. */
import { isoTime } from '../../applet-spec/iso-time.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import type { Store } from '../store/store.ts';
import { WitnessedLog } from '../witness/witnessed-log.ts';
import type { StationConfig } from './config.ts';
import type { Identity } from './identity.ts';
import type { PartSeams } from './station.ts';

/** What an operator can do about it. */
export const rolledBackAdvice =
  'the database is older than what neighbours witnessed: put the newest copy of it in its place ' +
  '(`keytolld restore`), or, where there is none, run `keytolld recover`. Until then no payment ' +
  'is taken';

export function witnessedLogOf(
  config: StationConfig,
  { primitives, clock, log }: PartSeams,
  given: {
    readonly identity: Identity;
    readonly store: Store;
    readonly links: Links;
    readonly directory: Directory;
  },
): WitnessedLog {
  const { identity, store, links, directory } = given;
  const witnessedLog: WitnessedLog = new WitnessedLog({
    station: config.name,
    network: config.network,
    documentKey: identity.documentKey,
    primitives,
    clock,
    links,
    directory,
    store,
    everySeconds: config.witness['checkpoint-seconds'],
    onRefused: (peer, detail) => {
      log.warn({ peer, detail }, 'what a neighbour told was refused');
    },
    onRolledBack: () => {
      const { witness, cosigned, present } = witnessedLog.standing.rolledBack ?? {};
      const sizes = { cosigned: String(cosigned), present: String(present) };
      log.error({ witness, ...sizes }, rolledBackAdvice);
    },
    onFault: (error) => {
      log.error({ err: error }, 'a fault; no checkpoint was signed or compared');
    },
  });
  return witnessedLog;
}

/** Leaves of a log that its station has declared lost. */
export interface LossStatus {
  readonly station: string;
  readonly declared: string;
  /** Leaves that had been witnessed, and of which the log goes on. */
  readonly lost: string;
  readonly kept: string;
}

/** How far this station's log is witnessed; numbers of leaves. */
export interface LogStatus {
  /** In the last checkpoint that was signed. */
  readonly signed: string;
  /** In what each neighbour cosigned last. */
  readonly cosigned: readonly { readonly witness: string; readonly leaves: string }[];
  /** Stations that signed checkpoints which do not go together. */
  readonly contradicting: readonly string[];
  /** Neighbours that do not show what others cosigned to be of the log cosigned here. */
  readonly unproven: readonly { readonly station: string; readonly since: string }[];
  /** Losses that were declared, this station's own and its neighbours', the last of each. */
  readonly losses: readonly LossStatus[];
  /** This station has lost records; what to do. */
  readonly rolledBack?: { readonly witness: string; readonly advice: string };
}

export function logStatus({ sequencer, witness, standing }: WitnessedLog): LogStatus {
  const { rolledBack } = standing;
  return {
    signed: String(sequencer.lastSize),
    cosigned: [...sequencer.cosigned].map(([name, leaves]) => ({
      witness: name,
      leaves: String(leaves),
    })),
    contradicting: witness.contradicting,
    unproven: witness.unproven.map(({ station, sinceMs }) => ({
      station,
      since: new Date(sinceMs).toISOString(),
    })),
    losses: [...(standing.declared ? [standing.declared] : []), ...witness.declared.values()].map(
      ({ body: { station, time, lost, kept } }) => ({
        station,
        declared: isoTime(time),
        lost: String(lost.size),
        kept: String(kept.size),
      }),
    ),
    ...(rolledBack && { rolledBack: { witness: rolledBack.witness, advice: rolledBackAdvice } }),
  };
}
