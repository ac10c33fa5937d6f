import { SingleBar } from 'cli-progress';
import type { ErrandProgress } from '../agent/errands.ts';

/**
 * What commands say to people and programs: results on standard output, all else on standard error.
 */
export interface Terminal {
  readonly interactive: boolean;
  print(text: string): void;
  printBytes(bytes: Uint8Array): void;
  note(text: string): void;
  askSecret(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
  progressBar(what: string): ProgressBar;
}

export interface ProgressBar {
  update(progress: ErrandProgress): void;
  stop(): void;
}

export const processTerminal: Terminal = {
  get interactive() {
    return process.stdin.isTTY && process.stderr.isTTY;
  },
  print: (text) => {
    process.stdout.write(`${text}\n`);
  },
  printBytes: (bytes) => {
    process.stdout.write(bytes);
    // A terminal's next line begins at its start; a pipe gets the bytes and no more.
    if (process.stdout.isTTY && bytes.at(-1) !== 0x0a) process.stdout.write('\n');
  },
  note: (text) => {
    process.stderr.write(`${text}\n`);
  },
  async askSecret(question) {
    const { password } = await prompts();
    const output = { output: process.stderr, clearPromptOnDone: true };
    return password({ message: question, mask: '*' }, output);
  },
  async confirm(question) {
    const { confirm } = await prompts();
    return confirm({ message: question, default: false }, { output: process.stderr });
  },
  progressBar: (what) => {
    if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
    const bar = new SingleBar({
      format: `${what} [{bar}] {value}/{total}`,
      stream: process.stderr,
      // A command that is ended by a signal must not leave a terminal without cursor or wrapping.
      hideCursor: false,
      linewrap: true,
      clearOnComplete: true,
    });
    let started = false;
    return {
      update: ({ loaded, of }) => {
        if (!started) bar.start(of, loaded);
        else bar.update(loaded);
        started = true;
      },
      stop: () => {
        bar.stop();
      },
    };
  },
};

/** They take a tenth of a second to load, and few commands ask anything. */
function prompts() {
  return import('@inquirer/prompts');
}
