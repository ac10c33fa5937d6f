/** The desk of a station: listens for hosts, knows who is here, and is the toll's `Counter`. */
import { limits } from '../../applet-spec/limits.ts';
import { homeStation, type UserName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { Socket, SocketFactory, SocketServer } from '../socket.ts';
import type { DeskContext } from './desk-context.ts';
import { DeskError } from './desk-error.ts';
import type { Conclusion, Counter, HeldKey, OfferOutcome, Presence } from './desk-seams.ts';
import { HostConnection, notServed } from './host-connection.ts';
import { StrangerReports } from './stranger-reports.ts';
import { Visitor } from './visitor.ts';

/** A sealed record is a little longer than its message. */
const recordOverheadBytes = 64;

export class Desk implements Counter {
  readonly #context: DeskContext;
  readonly #visitors = new Map<UserName, { visitor: Visitor; host: HostConnection }>();
  readonly #hosts = new Map<HostConnection, Visitor>();
  /** Being taken in: not at the desk yet. */
  readonly #arriving = new Map<UserName, HostConnection>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #strangers: StrangerReports;
  #server: SocketServer | undefined;

  constructor(context: DeskContext) {
    this.#context = context;
    this.#strangers = new StrangerReports(context.clock);
  }

  async listen(
    sockets: SocketFactory,
    at: { readonly host: string; readonly port: number },
  ): Promise<number> {
    const messageBytesMost = limits.deskMessageBytes + recordOverheadBytes;
    this.#server = await sockets.listen({ ...at, messageBytesMost }, (socket) => {
      this.#track(this.#welcome(socket));
    });
    return this.#server.port;
  }

  async close(): Promise<void> {
    for (const host of this.#hosts.keys()) {
      host.end(new DeskError('stopping', 'The station is stopping; connect again in a while.'));
    }
    await this.#server?.close();
    await Promise.allSettled(this.#underWay);
  }

  /** Users at the desk now, for `status`. */
  get present(): readonly UserName[] {
    return [...this.#visitors.keys()];
  }

  async presence(user: UserName): Promise<Presence> {
    if (homeStation(user) !== this.#context.station) return { at: 'nowhere' };
    const record = await this.#context.store.user(user);
    if (record?.certificateHash === undefined) return { at: 'nowhere' };
    const here = this.#visitors.get(user);
    if (here === undefined) return { at: 'away' };
    const { card } = here.visitor;
    try {
      const freePeerKeys = await card.freePeerKeys();
      return { at: 'desk', certificateHash: record.certificateHash, freePeerKeys };
    } catch (error) {
      this.#context.log.info({ user, err: error }, 'a card did not say what it has room for');
      return { at: 'away' };
    }
  }

  isHere(user: UserName): boolean {
    return this.#visitors.has(user);
  }

  async offer(
    payee: UserName,
    payment: Payment,
    coinSecret: Uint8Array,
    isOpen: () => boolean,
  ): Promise<OfferOutcome> {
    const here = this.#visitors.get(payee);
    if (here === undefined) return { outcome: 'absent' };
    const { card } = here.visitor;
    try {
      // A card that was told the verdict first would keep the key for one for ever.
      const outcome = await card.inTurn(async (): Promise<OfferOutcome> =>
        isOpen() ? card.offer(payment, coinSecret) : { outcome: 'absent' },
      );
      if (outcome.outcome === 'unknown') {
        here.host.end(new DeskError('outcome-unknown', 'The card’s answer was not authentic.'));
      }
      return outcome;
    } catch (error) {
      this.#context.log.info({ user: payee, err: error }, 'an offer was cut off');
      return { outcome: 'unknown' };
    }
  }

  async hasKey(payee: UserName, paymentId: Uint8Array, isOpen: () => boolean): Promise<HeldKey> {
    const here = this.#visitors.get(payee);
    if (here === undefined) return { outcome: 'unknown' };
    const { card } = here.visitor;
    try {
      return await card.inTurn(async (): Promise<HeldKey> => {
        if (!isOpen()) return { outcome: 'unknown' };
        const { payment } = await card.journal({ paymentId });
        const isHeld = payment?.role === 'payee' && payment.state !== 'burned';
        return isHeld && payment.signature !== undefined
          ? { outcome: 'has', signature: payment.signature }
          : { outcome: 'has-not' };
      });
    } catch (error) {
      this.#leave(here.host, error);
      return { outcome: 'unknown' };
    }
  }

  concluded(user: UserName, conclusion: Conclusion): void {
    const here = this.#visitors.get(user);
    if (here === undefined) return;
    this.#track(this.#orLeave(here.host, here.visitor.conclude(conclusion)));
  }

  coinsWait(user: UserName): void {
    const here = this.#visitors.get(user);
    if (here === undefined) return;
    this.#track(this.#orLeave(here.host, here.visitor.loadWaiting()));
  }

  /** Coins have expired: cards that are here forget theirs now, others at their next visit. */
  coinsExpired(): void {
    for (const { visitor, host } of this.#visitors.values()) {
      this.#track(this.#orLeave(host, visitor.eraseExpired()));
    }
  }

  /**
   * Cards that the operator has given up leave at once; whose they were. Nothing is done with such
   * a card, nor booked of it, once this resolves.
   */
  async endFrozen(): Promise<readonly UserName[]> {
    const ended: UserName[] = [];
    for (const [host, visitor] of [...this.#hosts]) {
      if (await this.#endIfFrozen(host, visitor)) ended.push(visitor.user);
    }
    return ended;
  }

  async #welcome(socket: Socket): Promise<void> {
    let host: HostConnection;
    try {
      host = await HostConnection.greet(this.#context, socket, this.#strangers);
    } catch {
      return;
    }
    const visitor = new Visitor(this.#context, host);
    this.#hosts.set(host, visitor);
    host.listen({
      present: () => {
        this.#track(this.#arrive(visitor, host));
      },
      request: (message) => {
        if (message.kind === 'hello' || message.kind === 'answer' || message.kind === 'bye') return;
        this.#track(visitor.answer(message));
      },
      closed: () => {
        this.#hosts.delete(host);
        visitor.left();
        if (this.#visitors.get(visitor.user)?.host === host) this.#visitors.delete(visitor.user);
        this.#context.log.info({ user: visitor.user }, 'a user left the desk');
      },
    });
    // Frozen while it was greeted: whoever ended the visits of such cards did not see this one.
    await this.#endIfFrozen(host, visitor);
  }

  async #endIfFrozen(host: HostConnection, visitor: Visitor): Promise<boolean> {
    const card = await this.#context.store.cardByIdentifier(host.card.serial);
    if (card?.state !== 'frozen') return false;
    host.end(notServed());
    // A command that the card has answered is booked to its end.
    await visitor.card.inTurn(() => Promise.resolve());
    return true;
  }

  /** A user has one place at the desk: who comes later takes it. */
  async #arrive(visitor: Visitor, host: HostConnection): Promise<void> {
    const { user } = visitor;
    const moved = new DeskError('stopping', 'The card has come to the desk by another connection.');
    this.#visitors.get(user)?.host.end(moved);
    this.#arriving.get(user)?.end(moved);
    this.#arriving.set(user, host);
    await this.#orLeave(host, visitor.arrive());
    if (this.#arriving.get(user) === host) this.#arriving.delete(user);
    if (!this.#hosts.has(host)) return;
    this.#visitors.set(user, { visitor, host });
    this.#context.log.info({ user }, 'a user is at the desk');
    this.#context.toll.arrived(user);
    // Verdicts that came while the card was being taken in found nobody at the desk.
    await this.#orLeave(host, visitor.concludeRest());
  }

  async #orLeave(host: HostConnection, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#leave(host, error);
    }
  }

  #leave(host: HostConnection, error: unknown): void {
    this.#context.log.warn({ user: host.card.user, err: error }, 'a visit ended with a fault');
    host.end(
      error instanceof DeskError
        ? error
        : new DeskError('card-fault', 'The station failed; connect again.', { cause: error }),
    );
  }

  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#context.log.error({ err: error }, 'a fault at the desk');
      })
      .finally(() => {
        this.#underWay.delete(tracked);
      });
    this.#underWay.add(tracked);
  }
}
