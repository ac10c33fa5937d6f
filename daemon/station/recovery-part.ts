/** The rebuilding of lost books at a station, and what its operator reads of it. */
import type { StationName } from '../../applet-spec/names.ts';
import type { Directory } from '../network/directory.ts';
import type { Questions } from '../network/questions.ts';
import type { Trust } from '../network/trust.ts';
import type { Links } from '../link/links.ts';
import { Recovery, type RecoveryWait } from '../recovery/recovery.ts';
import type { Positions } from '../relay/positions.ts';
import type { TollLog } from '../relay/toll-context.ts';
import type { TollRoad } from '../relay/toll-road.ts';
import type { Settlement } from '../settlement/settlement.ts';
import type { RecoveryPeer, RecoveryRow, RecoveryStore } from '../store/recovery-store.ts';
import type { Store } from '../store/store.ts';
import type { WitnessedLog } from '../witness/witnessed-log.ts';
import type { StationConfig } from './config.ts';
import type { Identity } from './identity.ts';
import type { PartSeams } from './station.ts';

/** What the operator asks for. */
export interface RecoveryWish {
  readonly sinceSeconds?: bigint;
  readonly leaveOut?: readonly StationName[];
}

export function recoveryOf(
  config: StationConfig,
  { primitives, clock, log }: PartSeams,
  given: {
    readonly identity: Identity;
    readonly trust: Trust;
    readonly store: Store;
    readonly links: Links;
    readonly directory: Directory;
    readonly positions: Positions;
    readonly witnessedLog: WitnessedLog;
  },
  tollLog: TollLog,
  later: {
    readonly questions: () => Questions;
    readonly tollRoad: () => TollRoad;
    readonly settlement: () => Settlement;
  },
): Recovery {
  const { identity, trust, ...parts } = given;
  return new Recovery({
    ...parts,
    station: config.name,
    network: config.network,
    documentKey: identity.documentKey,
    root: trust.root,
    primitives,
    clock,
    log: tollLog,
    questions: later.questions,
    takeReceipt: (receipt, from) => later.tollRoad().takeShownReceipt(receipt, from),
    passBack: (previous, receipt) => later.tollRoad().passBack(previous, receipt),
    onDoubt: () => later.tollRoad().doubt(),
    onWhole: async () => {
      await later.tollRoad().start();
      // Windows of the lost time are recalled first.
      await later.settlement().settle();
    },
    onProgress: (message, detail = {}) => {
      log.warn(detail, message);
    },
    onFault: (error) => {
      log.error({ err: error }, 'a fault; the books are rebuilt further in a moment');
    },
  });
}

/** Payments that only the cards of their payees can tell of; sums and names only. */
export interface DoubtfulStatus {
  readonly payments: number;
  /** Those with most first. */
  readonly payees: readonly { readonly payee: string; readonly payments: number }[];
}

/** Names that a status tells; there may be thousands. */
const payeesMost = 100;

export async function doubtfulStatus(
  store: Pick<RecoveryStore, 'doubtfulPayees'>,
): Promise<DoubtfulStatus> {
  const payees = [...(await store.doubtfulPayees())].sort((a, b) => b.payments - a.payments);
  return {
    payments: payees.reduce((sum, { payments }) => sum + payments, 0),
    payees: payees.slice(0, payeesMost),
  };
}

/** Sums and names only. */
export interface RecoveryStatus {
  readonly state: 'rebuilding' | 'done';
  readonly begun: string;
  readonly done?: string;
  /** Leaves of the log as it was left. */
  readonly kept: string;
  readonly neighbours: readonly {
    readonly neighbour: string;
    readonly state: RecoveryPeer['state'];
    readonly shown: number;
    readonly restored: number;
    readonly verdicts: number;
    readonly refused: number;
    readonly contradictions: number;
    readonly trouble?: string;
    /** Why it has not told all yet. */
    readonly waits?: RecoveryWait;
  }[];
}

export function recoveryStatus(
  { state, begunMs, doneMs, kept, peers }: RecoveryRow,
  waits: Recovery['waits'],
) {
  return {
    state,
    begun: new Date(begunMs).toISOString(),
    ...(doneMs !== undefined && { done: new Date(doneMs).toISOString() }),
    kept: String(kept.size),
    neighbours: peers.map(({ peer, cursor: _own, ...rest }) => {
      const wait = rest.state === 'asking' ? waits.get(peer) : undefined;
      return { neighbour: peer, ...rest, ...(wait && { waits: wait }) };
    }),
  } satisfies RecoveryStatus;
}
