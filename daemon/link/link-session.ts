/** One established connection to a neighbour, from its first frame of traffic to its end. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName, Suite } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Reservoir } from '../qkd/reservoir.ts';
import { signalForMany } from '../signal-for-many.ts';
import type { SocketListener } from '../socket.ts';
import { trafficKey } from './frame-cipher.ts';
import { decodeFrame, frameItem, type FrameItem } from './frame-item.ts';
import { certificateRefused, otherDirection, type Established } from './handshake-talk.ts';
import { InboundRows, type ArrivedRow } from './inbound-rows.ts';
import { KeyLife, type RekeyLimits } from './key-life.ts';
import { asLinkError, LinkError } from './link-error.ts';
import { linkLimits, linkTimes } from './link-limits.ts';
import type { StoredRecord } from './link-record.ts';
import type { FailedRow, InboundRecord, OutboxRecord, Unprotected } from './links.ts';
import { OutgoingRows } from './outgoing-rows.ts';
import { claimPatiently } from './patient-claim.ts';
import type { RowMemory } from './row-memory.ts';
import { SendQueue } from './send-queue.ts';
import type { TrafficSupply } from './traffic-supply.ts';

export interface SessionOptions {
  readonly peer: StationName;
  readonly link: Established;
  readonly suite: Suite;
  readonly rekey: RekeyLimits;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly reservoir: Pick<
    Reservoir,
    'claimEach' | 'fetches' | 'answers' | 'giveUp' | 'reportMissed' | 'reportFetched'
  >;
  readonly supply: TrafficSupply;
  readonly memory: RowMemory;
  readonly protect: (
    items: readonly Unprotected[],
    signal: AbortSignal,
  ) => Promise<readonly StoredRecord[]>;
  /** What `record` holds, where this program made it and it goes out for the first time. */
  readonly unsent: (record: Uint8Array) => StoredRecord | undefined;
  readonly received: (records: readonly InboundRecord[]) => void;
  readonly confirmed: (rowIds: readonly bigint[]) => void;
  readonly told: (message: Uint8Array) => void;
  /** Rows of the peer's; and rows of ours, by the peer. */
  readonly notUnderstood: (rows: readonly FailedRow[]) => void;
  readonly misunderstood: (rowIds: readonly bigint[]) => void;
  /** Once. `closed` is an ordinary end, `aborted` our own; anything else is a fault to report. */
  readonly ended: (why: LinkError) => void;
}

/** Why a session carries no traffic at present. */
export interface SessionTrouble {
  readonly sinceMs: number;
  readonly detail: string;
}

export class LinkSession implements SocketListener {
  readonly #options: SessionOptions;
  readonly #queue = new SendQueue();
  readonly #abort = signalForMany();
  readonly #life: KeyLife;
  readonly #inbound: InboundRows;
  readonly #outgoing: OutgoingRows;
  #confirmations: bigint[] = [];
  #flushDue = false;
  #cancelPause: (() => void) | undefined;
  #peerEpoch = 1;
  #fetchingKey = false;
  #claimTrouble: SessionTrouble | undefined;
  #ended = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { link, suite, reservoir, primitives, clock, memory } = options;
    const { signal } = this.#abort;
    const fault = (error: unknown): void => {
      if (!signal.aborted) this.end(asLinkError(error));
    };
    const flush = (): void => {
      this.#schedule();
    };
    this.#life = new KeyLife({
      ...options.rekey,
      ...{ sealer: link.sealer, greeting: link.greeting, direction: link.sends },
      ...{ supply: options.supply, reservoir, primitives, clock, signal, fault },
      announce: (epoch, keyIds) => {
        this.#own({ kind: 'rekey', content: { epoch, keyIds } });
      },
      renewed: flush,
    });
    this.#outgoing = new OutgoingRows({
      ...{ suite, queue: this.#queue, reservoir, unsent: options.unsent, flush, fault },
      protect: (items) => options.protect(items, signal),
    });
    this.#inbound = new InboundRows({
      ...{ suite, reservoir, primitives, clock, memory, signal, fault },
      received: options.received,
      confirmAgain: (rowIds) => {
        this.confirm(rowIds);
      },
      unreadable: (why, rowIds) => {
        this.#own({ kind: 'unreadable', content: { why, rowIds } });
      },
      notUnderstood: (rows) => {
        options.notUnderstood(rows);
        this.#own({ kind: 'notUnderstood', content: rows.map(({ rowId }) => rowId) });
      },
      onWaiting: (why) => {
        this.#waiting(why);
      },
    });
  }

  /** DER: what the peer has signed the handshake under. */
  get certificate(): Uint8Array {
    return this.#options.link.certificate;
  }

  /** Takes over what arrives. */
  start(): void {
    this.#options.link.pipe.handOver(this);
  }

  /** undefined where traffic flows. */
  trouble(): SessionTrouble | undefined {
    const sinceMs = this.#life.stalledSinceMs;
    if (sinceMs === undefined) return this.#claimTrouble;
    const waitedMs = Math.abs(this.#options.clock.nowMs() - sinceMs);
    if (waitedMs < linkTimes.stallGraceMs) return this.#claimTrouble;
    return { sinceMs, detail: 'traffic waits for a fresh QKD key' };
  }

  send(records: readonly OutboxRecord[]): boolean {
    return !this.#ended && this.#outgoing.send(records);
  }

  tell(message: Uint8Array): boolean {
    if (this.#ended || message.length > linkLimits.toldBytes) return false;
    const queued = this.#queue.addTold(frameItem.encode({ kind: 'told', content: message }));
    if (queued) this.#schedule();
    return queued;
  }

  confirm(rowIds: readonly bigint[]): void {
    if (this.#ended) return;
    this.#confirmations.push(...rowIds);
    if (this.#confirmations.length > linkLimits.pendingConfirmations) {
      this.end(new LinkError('peer-out-of-bounds', 'the peer takes no confirmations off us'));
      return;
    }
    this.#schedule();
  }

  /** Ends the connection; says `bye` first where the peer broke no rule of the link. */
  end(why: LinkError): void {
    if (this.#ended) return;
    this.#ended = true;
    const { pipe, sealer, opener } = this.#options.link;
    this.#abort.abort();
    const farewell = farewellOf(why, this.#options.peer);
    if (farewell !== undefined) {
      const bye = { kind: 'bye', content: { why: farewell } } as const;
      pipe.send(sealer.seal(frameItem.encode(bye)));
      pipe.close(farewell);
    } else {
      pipe.socket.destroy();
    }
    this.#cancelPause?.();
    this.#life.close();
    this.#outgoing.clear();
    this.#queue.clear();
    sealer.close();
    opener.close();
    this.#options.ended(why);
  }

  message(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      const items = decodeFrame(this.#options.link.opener.open(bytes));
      const rows: ArrivedRow[] = [];
      for (const item of items) {
        if (item.kind === 'row') rows.push(item.content);
        else this.#heard(item);
        // A list of revoked certificates may have named the one that tells it.
        if (this.#abort.signal.aborted) return;
      }
      if (rows.length > 0) this.#inbound.take(rows);
    } catch (error) {
      this.end(asLinkError(error));
    }
  }

  closed(reason: string): void {
    this.end(new LinkError('closed', reason));
  }

  #heard(item: Exclude<FrameItem, { kind: 'row' }>): void {
    switch (item.kind) {
      case 'told':
        this.#options.told(item.content);
        return;
      case 'confirmed':
        this.#outgoing.confirmed(item.content);
        this.#options.confirmed(item.content);
        return;
      case 'unreadable':
        this.#outgoing.unreadable(item.content.why, item.content.rowIds);
        return;
      case 'notUnderstood':
        this.#options.misunderstood(item.content);
        return;
      case 'rekey':
        this.#peerRekeys(item.content.epoch, item.content.keyIds);
        return;
      case 'rekeyed':
        this.#life.rekeyed(item.content.epoch);
        return;
      case 'rekeyFailed':
        this.#life.rekeyFailed(item.content.epoch);
        return;
      case 'bye':
        throw new LinkError('closed', `the peer says: ${item.content.why}`);
      case 'proof':
        throw new LinkError('peer-out-of-bounds', 'a second proof');
    }
  }

  #peerRekeys(epoch: number, keyIds: readonly string[]): void {
    if (this.#fetchingKey || epoch <= this.#peerEpoch) {
      throw new LinkError('peer-out-of-bounds', 'a traffic key out of turn');
    }
    this.#peerEpoch = epoch;
    this.#fetchingKey = true;
    this.#fetchKey(epoch, keyIds)
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.end(asLinkError(error));
      })
      .finally(() => {
        this.#fetchingKey = false;
      });
  }

  async #fetchKey(epoch: number, keyIds: readonly string[]): Promise<void> {
    const { link, primitives, reservoir, clock } = this.#options;
    const { signal } = this.#abort;
    const taken = await claimPatiently(
      {
        ...{ reservoir, clock, signal },
        onWaiting: (why) => {
          this.#waiting(why);
        },
      },
      [[{ purpose: 'traffic', bits: 256, keyIds }]],
    );
    if (signal.aborted) return;
    const [own] = typeof taken === 'string' ? [taken] : taken;
    const bits = typeof own === 'string' ? undefined : own?.[0]?.bits;
    this.#fetchingKey = false;
    if (bits === undefined) {
      this.#own({ kind: 'rekeyFailed', content: { epoch } });
      return;
    }
    const direction = otherDirection[link.sends];
    const bound = { greeting: link.greeting, direction, epoch };
    link.opener.add(epoch, trafficKey(primitives, bits, bound));
    this.#own({ kind: 'rekeyed', content: { epoch } });
  }

  #waiting(why: string | undefined): void {
    const sinceMs = this.#claimTrouble?.sinceMs ?? this.#options.clock.nowMs();
    this.#claimTrouble = why === undefined ? undefined : { sinceMs, detail: why };
  }

  #own(item: FrameItem): void {
    if (this.#queue.addOwn(frameItem.encode(item))) this.#schedule();
    else this.end(new LinkError('peer-out-of-bounds', 'the peer takes nothing off us'));
  }

  /** What is queued in one turn of the loop goes out together (design §9). */
  #schedule(): void {
    if (this.#flushDue || this.#ended || this.#cancelPause !== undefined) return;
    this.#flushDue = true;
    setImmediate(() => {
      this.#flushDue = false;
      if (this.#ended) return;
      try {
        this.#flush();
      } catch (error) {
        this.end(asLinkError(error));
      }
    });
  }

  #flush(): void {
    const { link, clock } = this.#options;
    const { socket } = link.pipe;
    for (;;) {
      if (socket.bufferedBytes > linkLimits.socketBytes) {
        this.#cancelPause = clock.after(linkLimits.socketPauseMs, () => {
          this.#cancelPause = undefined;
          this.#schedule();
        });
        return;
      }
      this.#queueConfirmations();
      const frame = this.#queue.nextFrame(this.#life.trafficLeft);
      if (frame === undefined) break;
      const sealed = link.sealer.seal(frame.plaintext);
      link.pipe.send(sealed);
      this.#life.spent(frame.traffic, sealed.length);
    }
    if (this.#queue.hasTraffic) this.#life.stalled();
  }

  /** Only once they can go: those that wait are counted. */
  #queueConfirmations(): void {
    while (this.#confirmations.length > 0) {
      const content = this.#confirmations.slice(0, linkLimits.itemRowIds);
      if (!this.#queue.addOwn(frameItem.encode({ kind: 'confirmed', content }))) return;
      this.#confirmations.splice(0, linkLimits.itemRowIds);
    }
  }
}

function farewellOf({ code, message }: LinkError, peer: StationName): string | undefined {
  if (code === 'certificate-refused') return certificateRefused(peer);
  return code === 'aborted' ? message : undefined;
}
