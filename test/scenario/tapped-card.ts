import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { commands, type CommandName } from '../../applet-spec/commands.ts';

/** A card with somebody looking on, who may act between a command and its answer. */
export class TappedCard implements SoftwareCard {
  #card: SoftwareCard;
  readonly #acts = new Map<number, () => Promise<void>>();

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
    this.#acts.set(commands[command].ins, act);
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
    const answer = await this.#card.process(command);
    const [cla = 0, ins = 0] = command;
    const act = this.#acts.get(ins);
    // ISO/IEC 7816-4 §5.4.1: of a chain, the last piece is the command.
    if (act !== undefined && (cla & 0x10) === 0) {
      this.#acts.delete(ins);
      await act();
    }
    return answer;
  }
}
