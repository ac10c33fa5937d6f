import { mkdirSync } from 'node:fs';
import type { Clock } from '../../applet-spec/clock.ts';
import { homeStation, toUserName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { Host, type HostEvent, type HostOptions } from '../../driver/agent/host.ts';
import { HostRunner } from '../../driver/agent/host-runner.ts';
import { keepConnected, type KeptConnection } from '../../driver/agent/keep-connected.ts';
import type { ErrandName, ErrandParams, ErrandResult } from '../../driver/agent/errands.ts';
import { keepRenewing } from '../../driver/agent/renewal.ts';
import { systemEntropy } from '../../driver/entropy.ts';
import type { Reader } from '../../driver/reader/connection.ts';
import { Wallet } from '../../driver/wallet/wallet.ts';
import type { ApduProfile } from '../../emulator/card/atr.ts';
import { Card } from '../../emulator/card/card.ts';
import { makeCard, type CardEquipper } from '../../emulator/card/card-maker.ts';
import {
  decodeCardState,
  encodeCardState,
  type CardState,
} from '../../emulator/card/card-state.ts';
import { FaultyCard } from '../../emulator/card/scripted-faults.ts';
import { MemoryStorage } from '../../emulator/card/storage.ts';
import { cardNeedles } from '../../emulator/demo/card-needles.ts';
import type { Needle } from '../../emulator/demo/recorder-needles.ts';
import { insertCard, type CardSlot, type CardSlotSeams } from './card-slot.ts';
import { roadCurrency } from './road-plan.ts';
import type { RoadStation } from './road-station.ts';
import { TappedCard } from './tapped-card.ts';

export const pin = '482615';
export const puk = '90374518';

export interface RoadUserSeams extends CardSlotSeams {
  readonly clock: Clock;
  readonly primitives: Primitives;
  /** Default: T=1 with extended length. */
  readonly cardProfile?: ApduProfile;
  /** Default: the machine's own. */
  readonly entropy?: Entropy;
  /** Default: a WebSocket. */
  readonly deskSocket?: HostOptions['deskSocket'];
  /** Who made the card; without one it has no device key. */
  readonly maker?: CardEquipper;
  /** As `keytoll --renew-days` says. */
  readonly renewDays?: number;
}

/** A user's machine: a card in a reader, a wallet on disk, and a host as the agent runs it. */
export class RoadUser {
  readonly name: string;
  readonly station: RoadStation;
  readonly card: TappedCard;
  /** What befalls the card before anybody can look on; not for one that `forge` put in. */
  readonly faults: FaultyCard;
  readonly reader: Reader;
  host: Host;
  readonly #seams: RoadUserSeams;
  readonly #storage: MemoryStorage;
  readonly #walletFolder: string;
  readonly #slot: CardSlot;
  #wallet: Wallet;
  #runner: HostRunner;
  #kept: KeptConnection | undefined;
  #renewing: KeptConnection | undefined;

  private constructor(
    who: { readonly name: string; readonly station: RoadStation; readonly folder: string },
    seams: RoadUserSeams,
    own: {
      readonly storage: MemoryStorage;
      readonly card: TappedCard;
      readonly faults: FaultyCard;
      readonly slot: CardSlot;
    },
  ) {
    this.name = who.name;
    this.station = who.station;
    this.#seams = seams;
    this.#storage = own.storage;
    this.card = own.card;
    this.faults = own.faults;
    this.reader = own.slot.reader;
    this.#slot = own.slot;
    this.#walletFolder = who.folder;
    this.#wallet = Wallet.open(who.folder, seams.primitives);
    this.host = this.#newHost();
    this.#runner = new HostRunner(this.host);
  }

  /** A new card, which its station's operator has registered; not enrolled yet. */
  static async join(
    name: string,
    station: RoadStation,
    folder: string,
    seams: RoadUserSeams,
  ): Promise<RoadUser> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { cardProfile = 't1-extended', clock, entropy = systemEntropy, maker } = seams;
    const { image, delivery } = makeCard(entropy, cardProfile, maker);
    const storage = new MemoryStorage(image);
    const faults = new FaultyCard(cardOf(storage, seams), clock);
    const card = new TappedCard(faults);
    const user = toUserName(name);
    await station.withStore(async (store) => {
      await store.addUser(user, roadCurrency);
      await store.putCard({
        ...delivery,
        user,
        state: 'awaiting-enrolment',
        paymentLimit: 100_000n,
        dayLimit: 1_000_000n,
      });
    });
    const slot = await insertCard(card, name, folder, seams);
    return new RoadUser({ name, station, folder }, seams, { storage, card, faults, slot });
  }

  /** PIN, key pair and certificate, as `keytoll card init` does it; the link is open afterwards. */
  async enrol(rootCertificate: Uint8Array, options: { readonly pin?: string } = {}): Promise<void> {
    const params = {
      newPin: pin,
      newPuk: puk,
      stationUrl: this.station.deskWire.url,
      rootCertificate: Buffer.from(rootCertificate).toString('base64'),
    };
    await this.run('card-init', params, options);
    this.stayConnected();
  }

  /** What the agent does: comes back whenever card or station were away. */
  stayConnected(): void {
    this.#renewing ??= keepRenewing(this.host);
    this.#kept ??= keepConnected(this.host);
  }

  run<N extends ErrandName>(
    name: N,
    params: ErrandParams<N>,
    options: { readonly pin?: string } = {},
  ): Promise<ErrandResult<N>> {
    return this.#runner.run(name, params, options);
  }

  buy(...lines: readonly (readonly [value: bigint, count: number])[]) {
    return this.run('buy', {
      lines: lines.map(([value, count]) => ({ value: value.toString(), count })),
    });
  }

  quote(payee: string, wish: Partial<Omit<ErrandParams<'quote'>, 'payee'>> = {}) {
    const user = toUserName(payee);
    return this.run('quote', { minimumSuite: 'aes', avoid: [], ...wish, payee: user });
  }

  pay(quoteId: string, wish: { readonly exchange?: boolean; readonly waitMs?: number } = {}) {
    const { exchange = false, waitMs = 600_000 } = wish;
    return this.run('pay', { quoteId, exchange, waitMs });
  }

  /** S22 to S39 in one go. */
  async share(payee: string) {
    return this.pay((await this.quote(payee)).quoteId);
  }

  async says(peer: string, words: string): Promise<string> {
    const plaintext = Buffer.from(words).toString('base64');
    return (await this.run('send', { to: { peer: toUserName(peer) }, plaintext })).message;
  }

  async hears(message: string): Promise<string> {
    const { plaintext } = await this.run('receive', { message });
    return Buffer.from(plaintext, 'base64').toString();
  }

  /** Check value of the active key of a payment, as the card derives it. */
  async keyCheck(paymentId: string): Promise<string | undefined> {
    const { keys } = await this.run('keys', {});
    return keys.find((one) => one.paymentId === paymentId && one.state === 'active')?.check;
  }

  /** The next event of this kind, from now on. */
  next<K extends HostEvent['kind']>(kind: K): Promise<Extract<HostEvent, { kind: K }>> {
    return new Promise((resolve) => {
      const forget = this.host.watch((event) => {
        if (!isOf(event, kind)) return;
        forget();
        resolve(event);
      });
    });
  }

  /** The agent ends; card and wallet stay as they are. */
  async leave(): Promise<void> {
    this.#kept?.stop();
    this.#kept = undefined;
    this.#renewing?.stop();
    this.#renewing = undefined;
    await this.host.close();
    this.#wallet.close();
  }

  /** The agent is started again, without the PIN: nothing is connected yet. */
  startAgain(): void {
    this.#wallet = Wallet.open(this.#walletFolder, this.#seams.primitives);
    this.host = this.#newHost();
    this.#runner = new HostRunner(this.host);
  }

  /** The agent is started again, and has connected. */
  async comeBack(): Promise<void> {
    this.startAgain();
    this.host.givePin(pin);
    const connected = this.next('connected');
    this.stayConnected();
    await connected;
  }

  /** What the wallet holds. */
  withWallet<T>(look: (wallet: Wallet) => T): T {
    return look(this.#wallet);
  }

  /** Out of the reader, as by hand. */
  pullCard(): Promise<void> {
    return this.#slot.pullOut();
  }

  insertCard(): void {
    this.#slot.putIn();
  }

  /** All that the card's memory holds, as only its emulator can tell. */
  get cardState(): CardState {
    return decodeCardState(this.#storage.load());
  }

  /**
   * The card is out of its reader, and another memory is put into it: a forger's work, or a clone.
   */
  async forge(memory: CardState): Promise<void> {
    await this.leave();
    this.#storage.commit(encodeCardState(memory));
    this.card.becomes(cardOf(this.#storage, this.#seams));
    await this.comeBack();
  }

  /** What nobody may see in clear, of what the card holds now. */
  get needles(): Needle[] {
    return cardNeedles(this.name, this.#storage.load());
  }

  async close(): Promise<void> {
    await this.leave();
    await this.#slot.pullOut();
    await this.reader.close();
  }

  #newHost(): Host {
    const { clock, primitives, entropy = systemEntropy, deskSocket, renewDays } = this.#seams;
    return new Host({
      ...(deskSocket && { deskSocket }),
      ...(renewDays !== undefined && { renewDays }),
      wallet: this.#wallet,
      reader: this.reader,
      clock,
      entropy,
      primitives,
    });
  }
}

function cardOf(
  storage: MemoryStorage,
  { clock, primitives, entropy = systemEntropy }: RoadUserSeams,
): Card {
  return new Card({ storage, primitives, entropy, clock });
}

function isOf<K extends HostEvent['kind']>(
  event: HostEvent,
  kind: K,
): event is Extract<HostEvent, { kind: K }> {
  return event.kind === kind;
}

export function homeOf(user: string): string {
  return homeStation(toUserName(user));
}
