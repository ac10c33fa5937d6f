/**
 * Rebuilding the books of a station that has lost records (failures 37 to 39): begun by its
 * operator, since the newest copy of the database is always the better answer. Every neighbour is
 * asked, page by page, for the payments between the two; when all have told, the loss is declared
 * and payments are taken again. Every step is durable before the next, and can be taken again.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import { headNow, type StationName } from '../../applet-spec/names.ts';
import type { SigningKey } from '../../applet-spec/primitives.ts';
import type { Links } from '../link/links.ts';
import type { Questions } from '../network/questions.ts';
import type { RecoveryPeer, RecoveryRow } from '../store/recovery-store.ts';
import type { Store } from '../store/store.ts';
import { placeOf } from '../wire/checkpoint.ts';
import { declaration as declarationKind } from '../wire/declaration.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import type { Sequencer } from '../witness/sequencer.ts';
import { RecoveryError } from './recovery-error.ts';
import { takeRecords, type TakingContext } from './records-taken.ts';

export interface RecoveryOptions extends Omit<TakingContext, 'isLeftOut'> {
  readonly documentKey: SigningKey;
  readonly links: Pick<Links, 'peers' | 'status'>;
  readonly questions: () => Pick<Questions, 'ask'>;
  readonly witnessedLog: {
    readonly standing: Pick<LogStanding, 'rolledBack' | 'furthest' | 'generation'>;
    readonly sequencer: Pick<Sequencer, 'idle' | 'lossDeclared'>;
  };
  readonly store: Store;
  readonly clock: Clock;
  /** Before they are whole: what the lost ones may have decided is not decided anew. */
  readonly onDoubt: () => Promise<void>;
  /** The books are whole again: what is open in them is taken up. */
  readonly onWhole: () => Promise<void>;
  /** A line for the operator's log. */
  readonly onProgress: (message: string, detail?: Readonly<Record<string, string>>) => void;
  readonly onFault: (error: unknown) => void;
}

/** Why a neighbour that is asked has not told all yet. */
export type RecoveryWait =
  /** It is not connected, or it does not say anything within half a minute. */
  | { readonly why: 'no-link' | 'no-answer' }
  /** It shows nothing while its own books are not whole. */
  | { readonly why: 'lost-records' }
  /** Its pages do not come to an end. */
  | { readonly why: 'no-end' }
  /** What it shows was signed by a station of which nothing is known. */
  | { readonly why: 'unknown-signer'; readonly station: StationName };

const againMs = 5_000;
const answerTimeoutMs = 30_000;
/** What every store holds: a signed 64-bit integer. */
const numbersMost = 2n ** 63n - 1n;

export class Recovery {
  readonly #options: RecoveryOptions;
  #state: RecoveryRow | undefined;
  /** Stations that signed what neighbours show, and that nothing is known of. */
  readonly #unknown = new Set<StationName>();
  readonly #waits = new Map<StationName, RecoveryWait>();
  #cancelTimer: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #asking = false;
  #closed = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Goes on where the last stop left it. */
  async start(): Promise<void> {
    await this.#read();
    if (this.#state?.state === 'rebuilding') this.#goOn();
  }

  /** Waits until nothing is under way; the questions must have been closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#working;
  }

  /** The one under way, or the last one. */
  get state(): RecoveryRow | undefined {
    return this.#state;
  }

  /** Why a neighbour has not told all yet, as far as it has been asked since the start. */
  get waits(): ReadonlyMap<StationName, RecoveryWait> {
    return this.#waits;
  }

  /**
   * The operator's deliberate act. `leaveOut`: neighbours that are gone and will not tell, and
   * stations that are gone and whose word nobody else can vouch for.
   * `sinceSeconds`: by default everything is asked for, which is always right.
   */
  async begin(wish: {
    readonly sinceSeconds?: bigint;
    readonly leaveOut?: readonly StationName[];
  }): Promise<RecoveryRow> {
    const { store, links, witnessedLog, clock, onProgress } = this.#options;
    const { leaveOut = [] } = wish;
    const sinceSeconds = this.#sinceOf(wish);
    const asked = this.#state?.peers ?? [];
    const known = new Set([...links.peers, ...asked.map(({ peer }) => peer), ...this.#unknown]);
    const stranger = leaveOut.find((name) => !known.has(name));
    if (stranger !== undefined) {
      throw new RecoveryError('no-neighbour', `${stranger} is no neighbour of this station`);
    }
    if (this.#state?.state !== 'rebuilding') {
      if (witnessedLog.standing.rolledBack === undefined) {
        throw new RecoveryError(
          'nothing-lost',
          'no neighbour that has spoken has witnessed more than these books hold; nothing is done',
        );
      }
      const size = await store.logSize();
      const kept = { size, root: await store.logRoot(size) };
      const nowMs = clock.nowMs();
      await store.beginRecovery({ kept, sinceSeconds, peers: links.peers, nowMs });
      onProgress('the books are being rebuilt from neighbours', { leaves: `${size}` });
    }
    for (const peer of leaveOut) await store.leaveOut(peer);
    const state = await this.#read();
    if (state === undefined) throw new RangeError('a recovery that was begun is not there');
    this.#goOn();
    return state;
  }

  /** From when on neighbours are asked; the one that is under way goes on as it was begun. */
  #sinceOf({ sinceSeconds }: { readonly sinceSeconds?: bigint }): bigint {
    const before = this.#state?.state === 'rebuilding' ? this.#state.sinceSeconds : undefined;
    if (sinceSeconds === undefined) return before ?? 0n;
    if (before !== undefined && sinceSeconds !== before) {
      throw new RecoveryError(
        'under-way',
        `neighbours are being asked for what they have since ${isoTime(before)}, and that cannot ` +
          'be changed any more; it goes on without a time',
      );
    }
    if (1_000 * Number(sinceSeconds) > this.#options.clock.nowMs()) {
      throw new RecoveryError(
        'time-to-come',
        `${isoTime(sinceSeconds)} is still to come: neighbours would show nothing, and all that ` +
          'is lost would be given up; name when the copy was made, or no time for everything',
      );
    }
    return sinceSeconds;
  }

  async #read(): Promise<RecoveryRow | undefined> {
    this.#state = await this.#options.store.recovery();
    return this.#state;
  }

  #goOn(): void {
    if (this.#closed || this.#asking) return;
    this.#cancelTimer();
    this.#asking = true;
    this.#working = this.#once()
      .catch(this.#options.onFault)
      .finally(() => {
        this.#asking = false;
        if (this.#closed || this.#state?.state !== 'rebuilding') return;
        this.#cancelTimer = this.#options.clock.after(againMs, () => {
          this.#goOn();
        });
      });
  }

  async #once(): Promise<void> {
    const state = await this.#read();
    if (state?.state !== 'rebuilding') return;
    const waiting = state.peers.filter((one) => one.state === 'asking');
    await Promise.all(
      waiting.map(async (one) => {
        const wait = await this.#askAll(one, state.sinceSeconds);
        if (wait === undefined) this.#waits.delete(one.peer);
        else this.#waits.set(one.peer, wait);
      }),
    );
    const now = await this.#read();
    const isWhole = now?.peers.every((one) => one.state !== 'asking') === true;
    if (isWhole && now.state === 'rebuilding' && !this.#closed) await this.#finish(now);
  }

  /** Pages of one neighbour until it has told all, or why it has to be asked again later. */
  async #askAll({ peer, cursor }: RecoveryPeer, since: bigint): Promise<RecoveryWait | undefined> {
    const { links, questions, station, store, onProgress } = this.#options;
    for (let after = cursor; !this.#closed;) {
      if (links.status(peer)?.state !== 'up') return { why: 'no-link' };
      const question = { kind: 'records', content: { since, after } } as const;
      const asked = await questions().ask([station, peer], question, answerTimeoutMs);
      if (asked.kind === 'unreachable') return { why: 'no-link' };
      if (asked.kind === 'declined' && asked.content.reason === 'rolled-back') {
        return { why: 'lost-records' };
      }
      if (asked.kind !== 'records') return { why: 'no-answer' };
      const { records, next, more } = asked.content;
      const isLast = more === 0;
      // A neighbour that does not come forward would keep us for ever; no store numbers more.
      if ((!isLast && next <= after) || next > numbersMost) return { why: 'no-end' };
      const context = { ...this.#options, isLeftOut: (one: StationName) => this.#isLeftOut(one) };
      const taken = await takeRecords(context, peer, records);
      if (taken.outcome === 'later') {
        const { station: unknown } = taken;
        this.#unknown.add(unknown);
        const why = `${unknown} has not announced itself; leave it out where it is gone for good`;
        onProgress('what a neighbour shows is taken later', { peer, why });
        return { why: 'unknown-signer', station: unknown };
      }
      const { counts, trouble } = taken;
      const page = {
        peer,
        cursor: next,
        isLast,
        counts,
        ...(trouble !== undefined && { trouble }),
      };
      await store.takePage(page);
      await this.#read();
      // Whoever has one page more for ever is left out between two.
      if (isLast || this.#isLeftOut(peer)) return undefined;
      after = next;
    }
    return undefined;
  }

  #isLeftOut(station: StationName): boolean {
    const asked = this.#state?.peers ?? [];
    return asked.some(({ peer, state }) => peer === station && state === 'left-out');
  }

  /** What neighbours witnessed is given up by our own signature, and the books are whole. */
  async #finish({ kept }: RecoveryRow): Promise<void> {
    const { store, network, station, clock, documentKey, witnessedLog } = this.#options;
    const { standing, sequencer } = witnessedLog;
    // What neighbours showed before they told of their payments.
    await sequencer.idle();
    const { furthest } = standing;
    // Where nobody has told since the last stop, it is what was left: a witness of more objects.
    const place = furthest ? placeOf(furthest) : { ...kept, generation: standing.generation };
    const before = standing.generation > place.generation ? standing.generation : place.generation;
    const generation = before + 1n;
    const nowMs = clock.nowMs();
    const time = BigInt(Math.floor(nowMs / 1_000));
    const lost = { ...place, root: furthest?.root ?? kept.root };
    const body = { ...headNow, network, station, generation, lost, kept, time };
    const { bytes } = declarationKind.sign(body, documentKey);
    await store.finishRecovery({ declaration: { station, generation, bytes }, nowMs });
    await this.#read();
    await this.#options.onDoubt();
    await sequencer.lossDeclared();
    this.#options.onProgress('the books are rebuilt, and the loss is declared', {
      generation: `${generation}`,
      lost: `${place.size}`,
      kept: `${kept.size}`,
    });
    await this.#options.onWhole();
  }
}
