/**
 * Rows of the outbox whose seals do not open, on a disk that lost something. Each is told of once,
 * and nothing is lost with it: a receipt is made anew from the one that is stored, advice is only
 * advice, and a payment stays where it is until its issuer has asked the last station (failure 16).
 */
import type { StationName } from '../../applet-spec/names.ts';
import { receipt as receiptKind } from '../../applet-spec/receipt.ts';
import type { OutboxRow } from '../store/store.ts';
import type { TollContext } from './toll-context.ts';
import type { Verdicts } from './verdicts.ts';

/** How many payments to a neighbour cannot be sent, as their rows are damaged. */
export interface DamagedPayments {
  readonly peer: StationName;
  readonly payments: number;
}

export class DamagedRows {
  readonly #context: TollContext;
  readonly #verdicts: Pick<Verdicts, 'passBack'>;
  #mending: Promise<void> = Promise.resolve();

  constructor(context: TollContext, verdicts: Pick<Verdicts, 'passBack'>) {
    this.#context = context;
    this.#verdicts = verdicts;
    context.outbox.onDamaged((peer, rows) => {
      this.#mending = this.#mending.then(() => this.#found(peer, rows));
    });
  }

  async idle(): Promise<void> {
    await this.#mending;
  }

  async payments(): Promise<readonly DamagedPayments[]> {
    const counts = new Map<StationName, number>();
    for (const { peer, carries } of await this.#context.outbox.damaged()) {
      if (carries === 'payment') counts.set(peer, (counts.get(peer) ?? 0) + 1);
    }
    return [...counts].map(([peer, payments]) => ({ peer, payments }));
  }

  async #found(peer: StationName, rows: readonly OutboxRow[]): Promise<void> {
    const { log, stopping } = this.#context;
    for (const row of rows) {
      // The next start finds it again.
      if (stopping.aborted) return;
      await this.#mend(peer, row).catch(log.fault);
    }
  }

  async #mend(peer: StationName, { rowId, carries, paymentId }: OutboxRow): Promise<void> {
    const { store, log } = this.#context;
    const tell = (words: string): void => {
      log.payment('warn', paymentId, words, { peer, row: String(rowId) });
    };
    if (carries === 'payment') {
      tell('its record for the next station is damaged and cannot be sent');
      return;
    }
    const [row] = await store.payments([paymentId]);
    const receipt = row?.receipt ?? (await store.tombstone(paymentId));
    if (receipt !== undefined) await this.#verdicts.passBack(peer, receiptKind.decode(receipt));
    await store.confirmOutbox(peer, [rowId]);
    tell(receipt === undefined ? 'damaged advice is dropped' : 'a damaged receipt is sent anew');
  }
}
