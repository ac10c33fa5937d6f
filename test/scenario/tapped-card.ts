import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { commands, type CommandName } from '../../applet-spec/commands.ts';

/** `instead`: the card does not see the command. `after`: it has carried it out. */
export type ForgedMoment = 'instead' | 'after';

interface Forgery {
  readonly command: CommandName;
  readonly sw: number;
  readonly moment: ForgedMoment;
}

/** A card with somebody looking on, who may act between a command and its answer. */
export class TappedCard implements SoftwareCard {
  #card: SoftwareCard;
  readonly #acts = new Map<CommandName, () => Promise<void>>();
  #forgery: Forgery | undefined;

  constructor(card: SoftwareCard) {
    this.#card = card;
  }

  get atr(): Uint8Array {
    return this.#card.atr;
  }

  becomes(card: SoftwareCard): void {
    this.#card.powerOff();
    this.#card = card;
  }

  /**
   * The next time that the card has carried out this command, and before anybody sees its answer.
   */
  afterNext(command: CommandName, act: () => Promise<void>): void {
    this.#acts.set(command, act);
  }

  /** The next time that this command is sent, its answer is this status word and nothing else. */
  forgeNext(command: CommandName, sw: number, moment: ForgedMoment): void {
    this.#forgery = { command, sw, moment };
  }

  /** Whether what was to be forged has been. */
  get forged(): boolean {
    return this.#forgery === undefined;
  }

  powerOn(): void {
    this.#card.powerOn();
  }

  powerOff(): void {
    this.#card.powerOff();
  }

  reset(): void {
    this.#card.reset();
  }

  async process(command: Uint8Array): Promise<Uint8Array> {
    const forgery = this.#forgery;
    if (forgery !== undefined && isOf(forgery.command, command)) {
      this.#forgery = undefined;
      if (forgery.moment === 'after') await this.#card.process(command);
      return Uint8Array.of(forgery.sw >> 8, forgery.sw & 0xff);
    }
    const answer = await this.#card.process(command);
    const [done] = [...this.#acts].filter(([name]) => isOf(name, command));
    if (done !== undefined) {
      const [name, act] = done;
      this.#acts.delete(name);
      await act();
    }
    return answer;
  }
}

/** In the clear or wrapped, and the last piece where it is chained (ISO/IEC 7816-4 §5.4.1). */
function isOf(name: CommandName, [cla = 0, ins]: Uint8Array): boolean {
  const { cla: plain, ins: wanted } = commands[name];
  return ins === wanted && (cla | 0x04) === (plain | 0x04);
}
