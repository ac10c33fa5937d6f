/** One neighbour: who dials, when, and which connection counts. */
import type { StationName, Suite } from '../../applet-spec/names.ts';
import type { KeyReservation, Reservoir } from '../qkd/reservoir.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import { signalForMany } from '../signal-for-many.ts';
import type { SocketFactory } from '../socket.ts';
import { answerLink } from './answer-link.ts';
import { ConnectionPace } from './connection-pace.ts';
import { dialLink } from './dial-link.ts';
import { distrusted, type Established, type HandshakeTerms } from './handshake-talk.ts';
import type { RekeyLimits } from './key-life.ts';
import { asLinkError, LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';
import type { MadeRecord, StoredRecord } from './link-record.ts';
import { LinkSession } from './link-session.ts';
import type { LinkListener, LinkStatus, OutboxRecord, Unprotected } from './links.ts';
import { MessagePipe } from './message-pipe.ts';
import { paymentWants, protectRecords } from './record-cover.ts';
import { RowMemory } from './row-memory.ts';
import { TrafficSupply } from './traffic-supply.ts';

/** A neighbour as it is configured. */
export interface NeighbourLink extends RekeyLimits {
  readonly name: StationName;
  /** Where it listens; without one, it dials. */
  readonly url?: string;
  /** 32 bytes, the same at both ends. */
  readonly authenticationKey: Uint8Array;
  readonly suite: Suite;
  readonly reservoir: Reservoir;
}

export interface LinkLog {
  /** What the operator should know of a link; `peer` is an address while it is a stranger's. */
  link(
    level: 'info' | 'warn',
    peer: string,
    message: string,
    detail?: Readonly<Record<string, string>>,
  ): void;
}

export interface NeighbourSeams extends Omit<
  HandshakeTerms,
  'peer' | 'suite' | 'authenticationKey' | 'reservoir' | 'supply'
> {
  readonly sockets: SocketFactory;
  readonly log: LinkLog;
}

export class Neighbour {
  readonly name: StationName;
  readonly #link: NeighbourLink;
  readonly #seams: NeighbourSeams;
  readonly #terms: HandshakeTerms;
  readonly #supply: TrafficSupply;
  readonly #memory = new RowMemory();
  readonly #pace: ConnectionPace;
  /** Records made here that were not sent yet: their keys were never named. */
  readonly #unsent = new WeakMap<Uint8Array, StoredRecord>();
  readonly #closing = signalForMany();
  #listener: LinkListener | undefined;
  #session: LinkSession | undefined;
  /** Our own connection, from the hello on; and the peer's, once it has proved itself. */
  #outgoing: MessagePipe | undefined;
  #incoming: MessagePipe | undefined;
  #dialling: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #changedMs: number;
  #detail: string | undefined;

  constructor(link: NeighbourLink, seams: NeighbourSeams) {
    this.name = link.name;
    this.#link = link;
    this.#seams = seams;
    this.#changedMs = seams.clock.nowMs();
    this.#pace = new ConnectionPace(link.name, seams);
    const { reservoir } = link;
    const { signal } = this.#closing;
    const onFault = (error: unknown): void => {
      this.#note(asLinkError(error));
    };
    this.#supply = new TrafficSupply({ reservoir, clock: seams.clock, signal, onFault });
    this.#terms = {
      ...seams,
      peer: link.name,
      suite: link.suite,
      authenticationKey: link.authenticationKey,
      reservoir,
      supply: this.#supply,
    };
  }

  start(listener: LinkListener): void {
    this.#listener = listener;
    this.#dial();
  }

  get started(): boolean {
    return this.#listener !== undefined;
  }

  status(): LinkStatus {
    const { name, suite, reservoir } = this.#link;
    const starvation = reservoir.starvation();
    const trouble = this.#session?.trouble();
    const missing = starvation?.missingBits ?? (trouble === undefined ? 0 : 256);
    const keys = reservoir.balance();
    const waiting = starvation && { waiting: starvation.waiting };
    const { aheadBits } = reservoir;
    const stock = { missingBits: BigInt(missing), aheadBits, keys, ...waiting };
    const head = { peer: name, suite, ...stock } as const;
    if (starvation !== undefined || trouble !== undefined) {
      const sinceMs = Math.min(starvation?.sinceMs ?? Infinity, trouble?.sinceMs ?? Infinity);
      const detail = trouble?.detail ?? starvation?.reason ?? '';
      return { ...head, state: 'waiting-for-keys', sinceMs, detail };
    }
    const sinceMs = this.#changedMs;
    if (this.#session !== undefined) return { ...head, state: 'up', sinceMs };
    const connecting = this.#outgoing !== undefined || this.#incoming !== undefined;
    const detail = this.#detail ?? (this.#link.url === undefined ? 'it has not connected' : '');
    const state = connecting ? 'connecting' : 'down';
    return { ...head, state, sinceMs, ...(detail !== '' && { detail }) };
  }

  async protect(items: readonly Unprotected[], signal?: AbortSignal): Promise<Uint8Array[]> {
    const records = await this.#protect(items, signal);
    // Under `aes` no key was drawn for them, and a look at the bytes says it all.
    if (this.#link.suite !== 'aes') for (const made of records) this.#unsent.set(made.stored, made);
    return records.map(({ stored }) => stored);
  }

  async reserve(messageBytes: number, signal?: AbortSignal): Promise<KeyReservation | undefined> {
    const { suite, reservoir } = this.#link;
    const wants = paymentWants(suite, messageBytes);
    if (wants.length === 0) return undefined;
    return this.#patiently(signal, (either) => reservoir.reserve(wants, either));
  }

  async #protect(
    items: readonly Unprotected[],
    signal: AbortSignal | undefined,
  ): Promise<MadeRecord[]> {
    const { primitives } = this.#seams;
    const { suite, reservoir } = this.#link;
    const by = { primitives, suite, reservoir };
    // It draws no keys: there is nothing to wait for.
    if (suite === 'aes') return protectRecords(by, items, this.#closing.signal);
    return this.#patiently(signal, (either) => protectRecords(by, items, either));
  }

  /** Until the signal, or the end of this link. */
  async #patiently<T>(
    signal: AbortSignal | undefined,
    work: (either: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const closing = this.#closing.signal;
    const either = new AbortController();
    const giveUp = (): void => {
      either.abort();
    };
    // Not AbortSignal.any: on Node 20 the older signal keeps a trace of each that is made of it.
    const signals = signal === undefined ? [closing] : [closing, signal];
    for (const one of signals) one.addEventListener('abort', giveUp, { once: true });
    if (signals.some(({ aborted }) => aborted)) giveUp();
    try {
      return await work(either.signal);
    } catch (cause) {
      if (!(cause instanceof QkdError) || cause.code !== 'aborted') throw cause;
      const detail = `the link to ${this.name} had no QKD keys for as long as was waited`;
      throw new LinkError('aborted', detail, { cause });
    } finally {
      for (const one of signals) one.removeEventListener('abort', giveUp);
    }
  }

  send(records: readonly OutboxRecord[]): boolean {
    return this.#session?.send(records) ?? false;
  }

  tell(message: WireMessage): boolean {
    return this.#session?.tell(wireMessage.encode(message)) ?? false;
  }

  /** Of rows that came over any connection to this neighbour. */
  confirm(rowIds: readonly bigint[]): void {
    this.#memory.confirmed(rowIds);
    this.#session?.confirm(rowIds);
  }

  /** A hello that says it is this neighbour's. Rejects with LinkError where nothing came of it. */
  async answer(pipe: MessagePipe, hello: Uint8Array, authenticated: () => void): Promise<void> {
    const gate = {
      objection: () => this.#pace.objection(),
      yields: () => this.#outgoing !== undefined && this.#seams.station < this.name,
      authenticated: () => {
        authenticated();
        this.#pace.answered();
        this.#takeSeat(pipe);
      },
    };
    const { signal } = this.#closing;
    try {
      const established = await answerLink(this.#terms, pipe, hello, gate, signal);
      this.#adopt(established);
    } catch (error) {
      const fault = asLinkError(error);
      pipe.close('the handshake failed', fault);
      // Who has not proved itself may be anybody, while the link is up.
      const isOfLink = fault.code !== 'not-authenticated' && this.#session === undefined;
      const isNews = isOfLink && !this.#pace.distrusts;
      if (isNews) this.#note(fault);
      this.#distrustAfter(fault);
      throw fault;
    } finally {
      if (this.#incoming === pipe) {
        this.#incoming = undefined;
        if (this.#session === undefined) this.#retry();
      }
    }
  }

  /** Ends the link where the certificate that it was made under is revoked by now. */
  recheck(): void {
    const session = this.#session;
    const why = session && this.#revocationOf(session.certificate);
    if (why !== undefined) session?.end(why);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#cancelRetry?.();
    this.#pace.close();
    const bye = new LinkError('aborted', 'the station stops');
    this.#outgoing?.close(bye.message, bye);
    this.#incoming?.close(bye.message, bye);
    this.#session?.end(bye);
    this.#supply.close();
    await this.#dialling;
  }

  /** A connection that has proved itself takes the place of any other. */
  #takeSeat(pipe: MessagePipe): void {
    const replaced = new LinkError('closed', `${this.name} has connected anew`);
    this.#incoming?.close(replaced.message, replaced);
    this.#incoming = pipe;
    this.#outgoing?.close(replaced.message, replaced);
    this.#session?.end(replaced);
  }

  #dial(): void {
    const { url } = this.#link;
    const busy = this.#session ?? this.#incoming ?? this.#dialling;
    if (url === undefined || busy !== undefined || this.#closing.signal.aborted) return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#dialling = this.#dialOnce(url)
      .catch((error: unknown) => {
        const fault = asLinkError(error);
        this.#note(fault);
        this.#distrustAfter(fault);
      })
      .finally(() => {
        this.#dialling = undefined;
        if (this.#session === undefined) this.#retry();
      });
  }

  async #dialOnce(url: string): Promise<void> {
    const { clock, sockets } = this.#seams;
    const { signal } = this.#closing;
    if (!(await this.#supply.ready())) throw new LinkError('no-keys', 'no QKD keys');
    const socket = await sockets
      .connect(url, linkLimits.frameBytes, signal)
      .catch((cause: unknown) => Promise.reject(unreachable(url, cause)));
    const pipe = new MessagePipe(socket, clock);
    // It may have connected by itself meanwhile.
    if (this.#incoming !== undefined || this.#session !== undefined || signal.aborted) {
      pipe.close('no longer needed');
      return;
    }
    this.#outgoing = pipe;
    try {
      this.#adopt(await dialLink(this.#terms, pipe, signal));
    } catch (error) {
      const fault = asLinkError(error);
      pipe.close('the handshake failed', fault);
      throw fault;
    } finally {
      this.#outgoing = undefined;
    }
  }

  #adopt(link: Established): void {
    const { primitives, clock, log } = this.#seams;
    const { suite, reservoir } = this.#link;
    if (link.pipe.ended || this.#closing.signal.aborted) {
      throw new LinkError('closed', 'the connection ended');
    }
    const revoked = this.#revocationOf(link.certificate);
    if (revoked !== undefined) throw revoked;
    this.#session?.end(new LinkError('closed', `${this.name} has connected anew`));
    const sinceMs = clock.nowMs();
    const session: LinkSession = new LinkSession({
      ...{ peer: this.name, link, suite, reservoir, primitives, clock, rekey: this.#link },
      ...{ supply: this.#supply, memory: this.#memory },
      protect: (items, signal) => this.#protect(items, signal),
      unsent: (record) => {
        const made = this.#unsent.get(record);
        this.#unsent.delete(record);
        return made;
      },
      received: (records) => this.#listener?.received(this.name, records),
      confirmed: (rowIds) => this.#listener?.confirmed(this.name, rowIds),
      told: (message) => {
        this.#told(message);
      },
      notUnderstood: (rows) => this.#listener?.notUnderstood(this.name, rows),
      misunderstood: (rowIds) => {
        log.link('warn', this.name, 'understands not', { rows: rowIds.join(' ') });
      },
      ended: (why) => {
        this.#sessionEnded(session, why, sinceMs);
      },
    });
    this.#session = session;
    this.#changedMs = sinceMs;
    this.#detail = undefined;
    log.link('info', this.name, 'the link is up', { suite, version: `${link.version}` });
    this.#listener?.linkUp(this.name);
    session.start();
  }

  #sessionEnded(session: LinkSession, why: LinkError, sinceMs: number): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#pace.lasted(this.#seams.clock.nowMs() - sinceMs);
    this.#detail = undefined;
    this.#note(why);
    this.#listener?.linkDown(this.name);
    if (this.#incoming === undefined) this.#retry();
  }

  #revocationOf(certificate: Uint8Array): LinkError | undefined {
    const { name } = this;
    const check = this.#seams.trust.check(certificate, 'station-document', name, 'any');
    return !check.ok && check.reason === 'revoked' ? distrusted(name, check) : undefined;
  }

  /** After a handshake that failed; after a link that was ended it may come back at once. */
  #distrustAfter({ code }: LinkError): void {
    if (code === 'certificate-refused' && !this.#closing.signal.aborted) this.#pace.distrust();
  }

  #told(bytes: Uint8Array): void {
    let message: WireMessage;
    try {
      message = wireMessage.decode(bytes);
    } catch (error) {
      const detail = error instanceof Error ? error.message : '';
      this.#seams.log.link('warn', this.name, 'told what nobody understands', { detail });
      return;
    }
    this.#listener?.told(this.name, message);
  }

  /** For the status, and once for the log: the same trouble again is no news. */
  #note(fault: LinkError): void {
    if (this.#closing.signal.aborted || fault.code === 'yielded') return;
    if (this.#session === undefined) this.#changedMs = this.#changed(fault.message);
    if (this.#detail === fault.message) return;
    this.#detail = fault.message;
    const level = fault.code === 'closed' ? 'info' : 'warn';
    this.#seams.log.link(level, this.name, 'the link is down', {
      code: fault.code,
      why: fault.message,
    });
  }

  #changed(detail: string): number {
    return this.#detail === detail ? this.#changedMs : this.#seams.clock.nowMs();
  }

  #retry(): void {
    if (this.#link.url === undefined || this.#cancelRetry !== undefined) return;
    if (this.#closing.signal.aborted) return;
    this.#cancelRetry = this.#seams.clock.after(this.#pace.nextPauseMs(), () => {
      this.#cancelRetry = undefined;
      this.#dial();
    });
  }
}

function unreachable(url: string, cause: unknown): LinkError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new LinkError('closed', `${url} cannot be reached: ${detail}`, { cause });
}
