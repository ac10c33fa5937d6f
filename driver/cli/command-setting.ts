import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { AgentClient } from '../agent/agent-client.ts';
import { ErrandError } from '../agent/errand-error.ts';
import type {
  ErrandName,
  ErrandParams,
  ErrandProgress,
  ErrandResult,
  ErrandRunner,
} from '../agent/errands.ts';
import { Host } from '../agent/host.ts';
import { HostRunner } from '../agent/host-runner.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import type { Reader } from '../reader/connection.ts';
import { openReader } from '../reader/open-reader.ts';
import { wholeReaderSpec } from '../reader/reader-spec.ts';
import { Wallet } from '../wallet/wallet.ts';
import { certificateWords } from './certificate-words.ts';
import { renewalWords } from './renewal-words.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** The options that every command has. */
export interface CommonOptions {
  readonly wallet?: string;
  readonly reader?: string;
  readonly pin?: string;
  readonly pinFile?: string;
  readonly json?: boolean;
  readonly renewDays?: number;
}

/**
 * What one command works with: its wallet's agent where one runs, else a host of its own, opened
 * when it is first needed and closed at the command's end.
 */
export class CommandSetting {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly walletFolder: string;
  readonly #options: CommonOptions;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #closing: (() => void | Promise<void>)[] = [];
  #runner: Promise<ErrandRunner> | undefined;

  constructor(options: CommonOptions, terminal: Terminal, environment: NodeJS.ProcessEnv) {
    this.terminal = terminal;
    this.json = options.json ?? false;
    this.#options = options;
    this.#environment = environment;
    const folder = options.wallet ?? this.#variable('KEYTOLL_WALLET');
    this.walletFolder = folder === undefined ? join(homedir(), '.keytoll') : resolve(folder);
  }

  /** From --reader or KEYTOLL_READER. */
  get givenReader(): string | undefined {
    return this.#options.reader ?? this.#variable('KEYTOLL_READER');
  }

  /** The one that this command would open. Throws ReaderError bad-spec. */
  get reader(): string {
    return wholeReaderSpec(this.givenReader ?? 'pcsc');
  }

  /** One errand; asks for the PIN only when it turns out to be needed. */
  async run<N extends ErrandName>(
    name: N,
    params: ErrandParams<N>,
    onProgress?: (progress: ErrandProgress) => void,
  ): Promise<ErrandResult<N>> {
    const given = this.givenPin();
    this.#runner ??= this.#openRunner(name);
    const runner = await this.#runner;
    const progress = onProgress === undefined ? {} : { onProgress };
    try {
      return await runner.run(name, params, {
        ...progress,
        ...(given !== undefined && { pin: given }),
      });
    } catch (error) {
      if (!(error instanceof ErrandError) || error.code !== 'pin-needed') throw error;
      const pin = await this.askSecret('PIN of the card', '--pin, --pin-file or KEYTOLL_PIN');
      return runner.run(name, params, { ...progress, pin });
    }
  }

  /** From --pin, --pin-file or KEYTOLL_PIN; throws UsageError for a file that cannot be read. */
  givenPin(): string | undefined {
    const { pin, pinFile } = this.#options;
    if (pin !== undefined) return pin;
    if (pinFile !== undefined) return readTextFile(pinFile, 'the PIN').replace(/[\r\n]+$/, '');
    return this.#variable('KEYTOLL_PIN');
  }

  /** From KEYTOLL_PUK. */
  givenPuk(): string | undefined {
    return this.#variable('KEYTOLL_PUK');
  }

  /** On a terminal; elsewhere a UsageError says which flag to use. */
  async askSecret(question: string, flags: string): Promise<string> {
    if (this.terminal.interactive) return this.terminal.askSecret(question);
    throw new UsageError(`${question} is needed and this is no terminal: use ${flags}`);
  }

  /** The same twice: nobody sees what is typed, and a PUK mistyped here is lost for good. */
  async askNewSecret(question: string, flags: string): Promise<string> {
    const secret = await this.askSecret(question, flags);
    if ((await this.askSecret(`${question}, again`, flags)) === secret) return secret;
    throw new UsageError(`${question}: the two are not the same; nothing was changed`);
  }

  /** The result: one JSON object with --json, else `words`. */
  print(result: object, words: () => string): void {
    this.terminal.print(this.json ? JSON.stringify(result) : words());
  }

  /**
   * A host of this process, whether or not an agent runs. `made`: with a wallet that is made where
   * there is none; other commands leave a folder that they were given by mistake as it is.
   */
  async openHost(made: boolean): Promise<Host> {
    const { walletFolder: folder } = this;
    const wallet = made ? Wallet.open(folder) : Wallet.openExisting(folder);
    this.#closing.push(() => {
      wallet.close();
    });
    const reader = await this.openReader();
    const host = new Host({
      wallet,
      reader,
      clock: systemClock,
      entropy: systemEntropy,
      primitives: noblePrimitives,
      ...(this.#options.renewDays !== undefined && { renewDays: this.#options.renewDays }),
    });
    this.#closing.push(() => host.close());
    return host;
  }

  /** Closed at the command's end. */
  async openReader(spec = this.reader): Promise<Reader> {
    const reader = await openReader(spec, systemClock);
    this.#closing.push(() => reader.close());
    return reader;
  }

  /** In the reverse order of opening. */
  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  /** One that is empty is as good as one that is not set. */
  #variable(name: string): string | undefined {
    const value = this.#environment[name];
    return value === '' ? undefined : value;
  }

  async #openRunner(name: ErrandName): Promise<ErrandRunner> {
    const agent = await AgentClient.connect(this.walletFolder);
    if (agent !== undefined) {
      this.#closing.push(() => agent.close());
      if (this.#options.reader !== undefined && this.reader !== agent.reader) {
        throw new UsageError(
          `an agent serves this wallet with the card in ${agent.reader}: leave --reader out to ` +
            'use that one, or end the agent first',
        );
      }
      return agent;
    }
    const host = await this.openHost(name === 'card-init');
    host.watch((event) => {
      // These two say it themselves.
      const isTold = name === 'connect' || name === 'balance';
      const words =
        event.kind === 'certificate-ends'
          ? isTold
            ? undefined
            : certificateWords(event.certificate)
          : renewalWords(event);
      if (words !== undefined) this.terminal.note(words);
    });
    return new HostRunner(host);
  }
}

export function readTextFile(path: string, what: string): string {
  return new TextDecoder().decode(readBytesFile(path, what));
}

export function readBytesFile(path: string, what: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'unreadable';
    throw new UsageError(`${what} cannot be read from ${path}: ${detail}`);
  }
}
