/** Books that have lost records, and what they are rebuilt with. */
import { headNow, type StationName } from '../../../applet-spec/names.ts';
import type { LinkStatus } from '../../../daemon/link/links.ts';
import type { TakingContext } from '../../../daemon/recovery/records-taken.ts';
import { Recovery } from '../../../daemon/recovery/recovery.ts';
import { Positions } from '../../../daemon/relay/positions.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import type { Answer, HeldRecord } from '../../../daemon/wire/wire-message.ts';
import { network, primitives } from '../network/network-room.ts';
import type { Changes, TollRoom } from '../relay/toll-room.ts';
import type { TollStation } from '../relay/toll-station.ts';

/** A payment as every station on its way holds it. */
export async function shownBy(
  room: TollRoom,
  changes: Changes = {},
): Promise<HeldRecord & { readonly arriving: ArrivingPayment }> {
  const arriving = await room.arriving('q2', changes);
  const { payment, admission } = arriving;
  if (admission === undefined) throw new Error('nobody admitted it');
  return { payment, admission, arriving };
}

export function takingContextOf(
  room: TollRoom,
  station: TollStation,
  complaints: string[] = [],
): TakingContext {
  return {
    station: room.stations[station.place].name,
    network,
    primitives,
    root: room.trust.root,
    directory: room.directory,
    isLeftOut: () => false,
    store: station.store,
    clock: room.room.clock,
    positions: new Positions(station.store, { limit: 1n, peers: new Map() }),
    log: {
      payment: () => undefined,
      notice: (_level, _paymentId, message, detail) =>
        complaints.push([message, ...Object.values(detail)].join(': ')),
      peer: () => undefined,
      fault: (error) => {
        throw error;
      },
    },
    takeReceipt: (receipt, from) => station.toll.takeShownReceipt(receipt, from),
    passBack: (previous, receipt) => station.toll.passBack(previous, receipt),
  };
}

/** Of books that q2 saw longer; with the one neighbour that is asked. */
export function recoveryWith(
  room: TollRoom,
  station: TollStation,
  given: {
    readonly peer?: StationName;
    /** Nobody has told how far the log was witnessed. */
    readonly isUntold?: boolean;
    readonly answer?: Answer | (() => Answer);
    readonly directory?: TakingContext['directory'];
    readonly lossDeclared?: () => Promise<void>;
    readonly onWhole?: () => Promise<void>;
    readonly onProgress?: (message: string, detail?: Readonly<Record<string, string>>) => void;
  },
): Recovery {
  const nothing = () => Promise.resolve();
  const { peer, answer, directory, lossDeclared = nothing, onWhole = nothing } = given;
  const { name, documentKey } = room.stations[station.place];
  const answered = () =>
    (typeof answer === 'function' ? answer() : answer) ?? ({ kind: 'no-answer' } as const);
  const furthest = { size: 9n, root: new Uint8Array(32), time: room.now, station: name };
  return new Recovery({
    ...takingContextOf(room, station),
    ...(directory && { directory }),
    documentKey,
    links: {
      peers: peer === undefined ? [] : [peer],
      status: () => ({ state: 'up' }) as LinkStatus,
    },
    questions: () => ({ ask: () => Promise.resolve(answered()) }),
    witnessedLog: {
      standing: {
        rolledBack: { witness: room.stations.q2.name, cosigned: 9n, present: 0n },
        furthest: given.isUntold === true ? undefined : { ...headNow, network, ...furthest },
        generation: 0n,
      },
      sequencer: { idle: nothing, lossDeclared },
    },
    onDoubt: () => station.toll.doubt(),
    onWhole,
    onProgress: given.onProgress ?? (() => undefined),
    onFault: (error) => {
      throw error;
    },
  });
}
