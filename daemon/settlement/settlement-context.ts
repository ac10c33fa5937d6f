/** What the parts of settlement share: one object, made by the station, read only. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { Currency, StationName } from '../../applet-spec/names.ts';
import type {
  Entropy,
  Primitives,
  SigningKey,
  VerifyingKey,
} from '../../applet-spec/primitives.ts';
import type { Receipt } from '../../applet-spec/receipt.ts';
import type { Asked } from '../network/questions.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import type { ReceiptOutcome } from '../relay/verdicts.ts';
import type { PaymentStore } from '../store/store.ts';
import type { SettlementStore } from '../store/settlement-store.ts';
import type { Question } from '../wire/wire-message.ts';

export interface SettlementTerms {
  /** 0: only when the operator says so. */
  readonly everySeconds: number;
  /**
   * `on-agreement` books the transfer at once, `by-operator` when the operator names the bank's.
   */
  readonly pay: 'on-agreement' | 'by-operator';
}

export interface SettlementLog {
  /** What the operator should know of settling with one peer. */
  peer(
    level: 'info' | 'warn',
    peer: StationName,
    message: string,
    detail?: Readonly<Record<string, string>>,
  ): void;
  readonly fault: (error: unknown) => void;
}

export interface SettlementContext {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  readonly terms: SettlementTerms;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly documentKey: SigningKey;
  readonly store: SettlementStore & Pick<PaymentStore, 'payments' | 'putEvidence'>;
  /** From this station to the peer; undefined where none is known. */
  readonly routeTo: (peer: StationName) => readonly StationName[] | undefined;
  /** The document key of a peer's valid certificate. */
  readonly documentKeyOf: (peer: StationName) => VerifyingKey | undefined;
  readonly ask: (
    route: readonly StationName[],
    question: Question,
    timeoutMs: number,
  ) => Promise<Asked>;
  /** Books that were rebuilt after a loss may lack windows. */
  readonly standing: Pick<LogStanding, 'rolledBack' | 'declared'>;
  /** What may have signed a word of this station: its document key, and those before. */
  readonly ownKeys: readonly VerifyingKey[];
  /** A verdict that a claim brought before the network did; verified and made durable. */
  readonly takeReceipt: (receipt: Receipt) => Promise<ReceiptOutcome>;
  readonly log: SettlementLog;
}
