/**
 * S5: settling with every peer that we owe or that owes us, on a schedule or when the operator
 * asks. Claims go into numbered windows per pair; a window is netted, agreed by both ends and paid
 * once.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { SettlementAnswerer } from './settlement-answerer.ts';
import { SettlementAsker, type PeerOutcome } from './settlement-asker.ts';
import type { SettlementContext } from './settlement-context.ts';
import { WindowBooks } from './window-books.ts';

export class Settlement {
  readonly #context: SettlementContext;
  readonly #books: WindowBooks;
  readonly #answerer: SettlementAnswerer;
  /** Conversations of our own, one a peer. */
  readonly #asking = new Map<StationName, Promise<PeerOutcome>>();
  #cancel: () => void = () => undefined;
  readonly #stopping = new AbortController();

  constructor(given: SettlementContext) {
    const context = { ...given, ask: interruptible(given.ask, this.#stopping.signal) };
    this.#context = context;
    this.#books = new WindowBooks(context);
    this.#answerer = new SettlementAnswerer(context, this.#books, {
      claimInto: (peer, sequence) => this.#askBack(peer, (asker) => asker.claimInto(sequence)),
      finish: (peer, sequence) => this.#askBack(peer, (asker) => asker.finish(sequence)),
    });
  }

  /** Books what the last stop left agreed and unpaid, and sets the schedule going. */
  async start(): Promise<void> {
    await this.#books.resume();
    this.#schedule();
  }

  /** Waits until nothing is under way; the store may be closed then. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#cancel();
    await Promise.allSettled(this.#asking.values());
    await this.#answerer.idle();
  }

  /**
   * With one peer, or with all that are owed or owe anything. Rejects only for faults of our own.
   */
  async settle(only?: StationName): Promise<readonly PeerOutcome[]> {
    const peers = only === undefined ? await this.#peersDue() : [only];
    return Promise.all(peers.map((peer) => this.#settleWith(peer)));
  }

  /** The answer to a question of kind `settlement`; undefined where it is not to be answered. */
  answer(question: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#stopping.signal.aborted
      ? Promise.resolve(undefined)
      : this.#answerer.answer(question);
  }

  async #peersDue(): Promise<StationName[]> {
    const positions = await this.#context.store.positions();
    return positions
      .filter(({ payable, receivable }) => payable !== 0n || receivable !== 0n)
      .map(({ peer }) => peer);
  }

  /** Whoever asks while a run is under way gets that run's outcome. */
  #settleWith(peer: StationName): Promise<PeerOutcome> {
    return this.#asking.get(peer) ?? this.#ask(peer, (asker) => asker.run());
  }

  /** Two conversations with one peer would only void each other's nonces. */
  async #askBack(
    peer: StationName,
    work: (asker: SettlementAsker) => Promise<PeerOutcome>,
  ): Promise<void> {
    if (!this.#asking.has(peer) && !this.#stopping.signal.aborted) await this.#ask(peer, work);
  }

  #ask(
    peer: StationName,
    work: (asker: SettlementAsker) => Promise<PeerOutcome>,
  ): Promise<PeerOutcome> {
    const asker = new SettlementAsker(this.#context, this.#books, peer);
    const running = work(asker).finally(() => {
      this.#asking.delete(peer);
    });
    this.#asking.set(peer, running);
    return running;
  }

  #schedule(): void {
    const { everySeconds } = this.#context.terms;
    if (everySeconds === 0 || this.#stopping.signal.aborted) return;
    this.#cancel = this.#context.clock.after(everySeconds * 1_000, () => {
      this.settle()
        .catch(this.#context.log.fault)
        .finally(() => {
          this.#schedule();
        });
    });
  }
}

/** A station that is stopping waits for nobody's answer. */
function interruptible(
  ask: SettlementContext['ask'],
  stopping: AbortSignal,
): SettlementContext['ask'] {
  return (route, question, timeoutMs) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        resolve({ kind: 'no-answer' });
      };
      if (stopping.aborted) {
        stop();
        return;
      }
      stopping.addEventListener('abort', stop, { once: true });
      ask(route, question, timeoutMs)
        .then(resolve, reject)
        .finally(() => {
          stopping.removeEventListener('abort', stop);
        });
    });
}
