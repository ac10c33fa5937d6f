/** How the stand-in desk behaves: as a desk should, until a test says otherwise. */
import type { WebSocket } from 'ws';
import type {
  DeskMessage,
  DeskRefusalCode,
  HostMessage,
} from '../../../applet-spec/desk-messages.ts';
import type { StationName } from '../../../applet-spec/names.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import type { AcceptanceBody, QuoteBody } from '../../../applet-spec/quote.ts';
import { alice, coinKey, euro, network, q1, q1Key, type Issued } from './stand-in-papers.ts';

export type Request = Exclude<HostMessage, { kind: 'hello' | 'answer' | 'bye' }>;
export type RequestKind = Request['kind'];

/** What a test changes about the desk's behaviour. */
export interface Script {
  fees: readonly [bigint, bigint];
  quoteChanges: {
    readonly quote?: Partial<QuoteBody>;
    readonly acceptance?: Partial<AcceptanceBody>;
  };
  /** What Q1 signs coins with. */
  coinKey: SigningKey;
  readonly refuse: Map<RequestKind, { readonly code: DeskRefusalCode; readonly message: string }>;
  /** The connection ends when such a request comes: after it was carried out, or before. */
  readonly cut: Map<RequestKind, 'before' | 'after'>;
  /** No verdict is told unasked. */
  silent: boolean;
  verdict: 'delivered' | 'undelivered';
  /** What the desk says in place of each message. */
  says: (message: DeskMessage) => DeskMessage;
  /** What becomes of a sealed record on its way to the host. */
  onTheWay: (record: Uint8Array) => Uint8Array;
  /** In the place of the whole protocol. */
  instead: ((socket: WebSocket) => void) | undefined;
  /** As the station calls itself. */
  name: StationName;
}

export function newScript(): Script {
  return {
    fees: [20n, 10n],
    quoteChanges: {},
    coinKey,
    refuse: new Map(),
    cut: new Map(),
    silent: false,
    verdict: 'delivered',
    says: (message) => message,
    onTheWay: (record) => record,
    instead: undefined,
    name: q1,
  };
}

export function aliceProfile() {
  return {
    user: alice,
    homeStation: q1,
    network,
    currency: euro,
    homeStationKey: q1Key.publicKey,
    paymentLimit: 1_000n,
    dayLimit: 5_000n,
  };
}

/** Of the only user. */
export function accountOf(desk: {
  readonly balance: bigint;
  readonly coins: ReadonlyMap<string, Issued>;
}) {
  return {
    user: alice,
    station: q1,
    network,
    currency: euro,
    balance: desk.balance,
    coinsOutstanding: BigInt(desk.coins.size),
    valueOutstanding: [...desk.coins.values()].reduce((sum, one) => sum + one.loaded.value, 0n),
  };
}
