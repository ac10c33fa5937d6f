import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { ApduTransport } from './apdu-transport.ts';
import { Applet } from './applet.ts';
import { atrOf, type ApduProfile } from './atr.ts';
import { PowerLostError } from './card-error.ts';
import { CardMemory } from './card-memory.ts';
import type { Storage } from './storage.ts';

export interface CardOptions {
  readonly storage: Storage;
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
  /** Default: what the card was made with. */
  readonly apduProfile?: ApduProfile;
  /** How long each APDU takes, in milliseconds; default 0, answered at once. */
  readonly latencyMs?: number;
}

/** A whole card of software: the applet, its memory, and the contacts that a reader touches. */
export class Card implements SoftwareCard {
  readonly atr: Uint8Array;
  readonly #applet: Applet;
  readonly #transport: ApduTransport;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  #powered = false;
  /** Ends the wait of the command that runs. */
  #interrupt: (() => void) | undefined;

  /** Throws CardFileError, TlvError: what the storage holds is no card. */
  constructor(options: CardOptions) {
    const { storage, primitives, entropy, clock } = options;
    const memory = new CardMemory(storage);
    const profile = options.apduProfile ?? memory.state.apduProfile;
    this.atr = atrOf(profile);
    this.#applet = new Applet({ memory, primitives, entropy });
    this.#transport = new ApduTransport(profile, (command) => this.#applet.process(command));
    this.#clock = clock;
    this.#latencyMs = options.latencyMs ?? 0;
  }

  powerOn(): void {
    this.reset();
    this.#powered = true;
  }

  powerOff(): void {
    this.#powered = false;
    this.#forget();
  }

  reset(): void {
    this.#forget();
  }

  /**
   * Rejects with PowerLostError where the power goes before the answer; it may have taken effect.
   */
  async process(command: Uint8Array): Promise<Uint8Array> {
    if (!this.#powered) throw new PowerLostError();
    if (this.#latencyMs > 0) await this.#pause();
    try {
      return this.#transport.exchange(command);
    } catch (error) {
      this.powerOff();
      throw error;
    }
  }

  /** The card thinks first, so a power cut during the pause comes before any effect. */
  #pause(): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(this.#latencyMs, () => {
        this.#interrupt = undefined;
        resolve();
      });
      this.#interrupt = () => {
        cancel();
        reject(new PowerLostError());
      };
    });
  }

  #forget(): void {
    this.#interrupt?.();
    this.#interrupt = undefined;
    this.#transport.reset();
    this.#applet.reset();
  }
}
