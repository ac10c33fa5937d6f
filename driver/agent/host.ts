import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { limits } from '../../applet-spec/limits.ts';
import { CardError } from '../card/card-error.ts';
import { CardSession } from '../card/card-session.ts';
import { DeskError } from '../desk/desk-error.ts';
import { openDeskSocket, type DeskSocket } from '../desk/desk-socket.ts';
import { ApduExchange } from '../reader/apdu-exchange.ts';
import { connectCard } from '../reader/connect-card.ts';
import type { Reader } from '../reader/connection.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { CertificateEnd } from './certificate-end.ts';
import type { ErrandError } from './errand-error.ts';
import { HomeDesk } from './home-desk.ts';
import { HostError } from './host-error.ts';

export interface HostOptions {
  readonly wallet: Wallet;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly primitives: Primitives;
  /** How the station's desk is reached. Default `openDeskSocket`. */
  readonly deskSocket?: (url: string, clock: Clock) => Promise<DeskSocket>;
  /** How long an errand waits for a card to be inserted. Default 10 s. */
  readonly cardWaitMs?: number;
  /** Coins that end within so many days are exchanged unasked; 0: none are. Default 30. */
  readonly renewDays?: number;
}

export type HostEvent =
  | { readonly kind: 'connected'; readonly station: string; readonly user: string }
  | { readonly kind: 'disconnected'; readonly reason: DeskError }
  | { readonly kind: 'card-gone'; readonly detail: string }
  | {
      readonly kind: 'coins-loaded';
      readonly orderId: Uint8Array;
      readonly loaded: bigint;
      readonly of: bigint;
    }
  | {
      readonly kind: 'coins-renewed';
      readonly coins: number;
      readonly value: bigint;
      readonly currency: string;
    }
  | { readonly kind: 'renewal-failed'; readonly failure: ErrandError }
  | { readonly kind: 'certificate-ends'; readonly certificate: CertificateEnd }
  | { readonly kind: 'concluded'; readonly payment: WalletPayment };

/** A session and the connection that it lives on. */
interface ConnectedCard {
  readonly session: CardSession;
  readonly exchange: ApduExchange;
}

/**
 * The user's machine at work: one wallet, one card, one link to the station, each opened when it is
 * first needed and again when it is gone. The agent keeps one running; a command without an agent
 * makes its own.
 */
export class Host {
  readonly wallet: Wallet;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly primitives: Primitives;
  readonly deskSocket: (url: string, clock: Clock) => Promise<DeskSocket>;
  readonly renewDays: number;
  readonly #reader: Reader;
  readonly #cardWaitMs: number;
  readonly #listeners = new Set<(event: HostEvent) => void>();
  #pin: { readonly value: string; proven: boolean } | undefined;
  #card: Promise<ConnectedCard> | undefined;
  #desk: Promise<HomeDesk> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #verification: Promise<unknown> = Promise.resolve();
  readonly #ending = new AbortController();

  constructor(options: HostOptions) {
    this.wallet = options.wallet;
    this.clock = options.clock;
    this.entropy = options.entropy;
    this.primitives = options.primitives;
    this.deskSocket = options.deskSocket ?? openDeskSocket;
    this.#reader = options.reader;
    this.#cardWaitMs = options.cardWaitMs ?? 10_000;
    this.renewDays = options.renewDays ?? 30;
  }

  get readerName(): string {
    return this.#reader.name;
  }

  /** Aborted when `close` is called: whoever waits for something gives up then. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  get hasPin(): boolean {
    return this.#pin !== undefined;
  }

  /** Whether the PIN that is held was right when the card was last asked. */
  get hasProvenPin(): boolean {
    return this.#pin?.proven === true;
  }

  /** The card has taken this one for its own. */
  pinIsNow(pin: string): void {
    this.#pin = { value: pin, proven: true };
  }

  /** Held until it turns out wrong, so that a card inserted again needs no person. */
  givePin(pin: string): void {
    if (this.#pin?.value !== pin) this.#pin = { value: pin, proven: false };
  }

  /** A PIN that is known to be right is not given up for one that may be mistyped. */
  async withPin<T>(pin: string, work: () => T | Promise<T>): Promise<T> {
    const isGiven = !this.hasProvenPin;
    if (isGiven) this.givePin(pin);
    try {
      return await work();
    } catch (error) {
      // Told before anything is done: the one that was held is believed no more.
      if (isGiven || !(error instanceof HostError) || error.code !== 'pin-needed') throw error;
      this.givePin(pin);
      return work();
    }
  }

  watch(listener: (event: HostEvent) => void): () => void {
    const entry = (event: HostEvent): void => {
      listener(event);
    };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  tell(event: HostEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** The card in the reader, its applet selected. Throws ReaderError, CardError, HostError. */
  async card(): Promise<CardSession> {
    if (this.ending.aborted) throw new HostError('closed', 'the program is ending');
    this.#card ??= this.#keepCard();
    return (await this.#card).session;
  }

  /** The same with its PIN verified. HostError `pin-needed` asks for `givePin`. */
  async verifiedCard(): Promise<CardSession> {
    const session = await this.card();
    if (session.pinVerified) return session;
    // One after another: a wrong PIN costs one try, however many errands wait for it.
    const verified = this.#verification.then(() => this.#verify(session));
    this.#verification = verified.catch(() => undefined);
    await verified;
    return session;
  }

  async #verify(session: CardSession): Promise<void> {
    if (session.pinVerified) return;
    const pin = this.#pin;
    if (pin === undefined) throw new HostError('pin-needed', "the card's PIN is needed");
    if (pin.proven && (await session.applicationInfo()).pinTries < limits.pinTries) {
      // Somebody else's wrong tries, or another card: a person decides whether to spend one more.
      this.#pin = undefined;
      throw new HostError('pin-needed', "the card's PIN is needed again");
    }
    try {
      await session.verifyPin(pin.value);
      pin.proven = true;
    } catch (error) {
      if (error instanceof CardError) this.#pin = undefined;
      throw error;
    }
  }

  /** The link to the station, sealed, checked and caught up. Throws all that can go wrong. */
  async desk(): Promise<HomeDesk> {
    const card = await this.verifiedCard();
    this.#desk ??= this.#keepDesk(card);
    return this.#desk;
  }

  /** Ends the link to the station where there is one: the next errand opens another. */
  async hangUp(): Promise<void> {
    const desk = await this.#desk?.catch(() => undefined);
    desk?.close();
    await desk?.closed;
  }

  /** One after another: the card remembers one authorisation at a time (design §6.2). */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  /** Ends link and card connection; wallet and reader stay their owner's. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#pin = undefined;
    const [desk, card] = await Promise.allSettled([this.#desk, this.#card]);
    if (desk.status === 'fulfilled') desk.value?.close();
    if (card.status === 'fulfilled') await card.value?.exchange.close();
  }

  /** Remembered until it fails or ends, whichever comes first. */
  #keepCard(): Promise<ConnectedCard> {
    const pending = this.#connectCard();
    const forget = (): void => {
      if (this.#card === pending) this.#card = undefined;
    };
    pending.then(async ({ exchange }) => {
      const end = await exchange.closed;
      forget();
      // The station's session with the card went with the card's power.
      this.#endDesk(new DeskError('link-lost', `the card has gone: ${end.detail}`));
      this.tell({ kind: 'card-gone', detail: end.detail });
    }, forget);
    return pending;
  }

  async #connectCard(): Promise<ConnectedCard> {
    const connection = await connectCard(this.#reader, {
      clock: this.clock,
      mostMs: this.#cardWaitMs,
      signal: this.ending,
    });
    const exchange = new ApduExchange(connection, { clock: this.clock });
    try {
      return { session: await CardSession.open(exchange), exchange };
    } catch (error) {
      await exchange.close();
      throw error;
    }
  }

  #endDesk(reason: DeskError): void {
    this.#desk?.then(
      ({ link }) => {
        link.fail(reason);
      },
      () => undefined,
    );
  }

  #keepDesk(card: CardSession): Promise<HomeDesk> {
    const pending = HomeDesk.open(this, card);
    const forget = (): void => {
      if (this.#desk === pending) this.#desk = undefined;
    };
    pending.then(async ({ home, closed }) => {
      this.tell({ kind: 'connected', station: home.station, user: home.user });
      const reason = await closed;
      forget();
      this.tell({ kind: 'disconnected', reason });
    }, forget);
    return pending;
  }
}
