import type { Terminal } from '../../../driver/cli/terminal.ts';

/** What a person would see, and type. */
export class TestTerminal implements Terminal {
  readonly interactive: boolean;
  readonly out: string[] = [];
  readonly notes: string[] = [];
  readonly questions: string[] = [];
  readonly #answers: string[];

  constructor(...answers: string[]) {
    this.interactive = answers.length > 0;
    this.#answers = answers;
  }

  print(text: string): void {
    this.out.push(text);
  }
  printBytes(bytes: Uint8Array): void {
    this.out.push(new TextDecoder().decode(bytes));
  }
  note(text: string): void {
    this.notes.push(text);
  }
  async askSecret(question: string): Promise<string> {
    this.questions.push(question);
    return this.#answers.shift() ?? '';
  }
  async confirm(question: string): Promise<boolean> {
    this.questions.push(question);
    return this.#answers.shift() === 'y';
  }
  progressBar() {
    return { update: () => undefined, stop: () => undefined };
  }
}
