import { connect, type Socket } from 'node:net';
import type { Clock } from '../../applet-spec/clock.ts';
import { systemClock } from '../clock.ts';
import {
  agentGreeting,
  agentReply,
  agentReplyBytesMost,
  agentSocketPath,
  readLines,
  sendRequest,
} from './agent-messages.ts';
import { ErrandError, toErrandError } from './errand-error.ts';
import {
  errandSchemas,
  type ErrandName,
  type ErrandParams,
  type ErrandProgress,
  type ErrandResult,
  type ErrandRunner,
} from './errands.ts';
import { HostError } from './host-error.ts';

/** An agent greets at once, and one that another program keeps from its wallet within seconds. */
const greetingMs = 10_000;

interface Waiting {
  readonly name: ErrandName;
  readonly onProgress: (progress: ErrandProgress) => void;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ErrandError) => void;
}

/** A command's end of the agent's socket. */
export class AgentClient implements ErrandRunner {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #reader = '';
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The agent's, as `wholeReaderSpec` gives it. */
  get reader(): string {
    return this.#reader;
  }

  /**
   * undefined where no agent serves the wallet. Throws ErrandError for one that is of another
   * version, or does not greet.
   */
  static async connect(
    walletFolder: string,
    clock: Clock = systemClock,
  ): Promise<AgentClient | undefined> {
    const socket = connect(agentSocketPath(walletFolder));
    const client = new AgentClient(socket);
    return new Promise((resolve, reject) => {
      let greeted = false;
      const giveUp = (detail: string): void => {
        reject(toErrandError(new HostError('agent-unreachable', detail)));
        socket.destroy();
      };
      const cancel = clock.after(greetingMs, () => {
        const words = 'does not answer; where it was suspended (Ctrl-Z), `fg` wakes it';
        giveUp(`the agent that serves ${walletFolder} ${words}`);
      });
      socket.on('error', () => {
        socket.destroy();
      });
      socket.on('close', () => {
        cancel();
        client.#end();
        resolve(undefined);
      });
      readLines(socket, agentReplyBytesMost, (line) => {
        if (greeted) {
          client.#take(line);
          return;
        }
        greeted = true;
        cancel();
        const greeting = agentGreeting.safeParse(line);
        if (greeting.success) {
          client.#reader = greeting.data.reader;
          resolve(client);
          return;
        }
        giveUp(
          'the running agent is of another version of this program: end it, and start it anew',
        );
      });
    });
  }

  async run<N extends ErrandName>(
    name: N,
    params: ErrandParams<N>,
    options: {
      readonly pin?: string;
      readonly onProgress?: (progress: ErrandProgress) => void;
    } = {},
  ): Promise<ErrandResult<N>> {
    const id = this.#nextId++;
    const { pin, onProgress = () => undefined } = options;
    const result = await new Promise((resolve, reject) => {
      const request = { id, errand: name, params, ...(pin !== undefined && { pin }) };
      this.#waiting.set(id, { name, onProgress, resolve, reject });
      if (this.#socket.destroyed) this.#end();
      else sendRequest(this.#socket, request);
    }).catch((error: unknown) => {
      this.#waiting.delete(id);
      throw toErrandError(error);
    });
    const read = errandSchemas[name].result.safeParse(result);
    if (read.success) return read.data;
    throw toErrandError(new HostError('agent-unreachable', 'the agent answered out of place'));
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  #take(line: unknown): void {
    const reply = agentReply.parse(line);
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if ('progress' in reply) {
      waiting.onProgress(reply.progress);
      return;
    }
    this.#waiting.delete(reply.id);
    if ('failure' in reply) waiting.reject(new ErrandError(reply.failure));
    else waiting.resolve(reply.result);
  }

  #end(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { name, reject } of waiting) {
      const outcome = changing.has(name) ? 'unknown' : 'fault';
      const message = `the agent ended before "${name}" was done`;
      reject(new ErrandError({ outcome, code: 'agent-ended', message }));
    }
  }
}

/** Cut short, these may have been carried out all the same. */
const changing: ReadonlySet<ErrandName> = new Set([
  'card-init',
  'pin-change',
  'pin-unblock',
  'puk-change',
  'buy',
  'exchange',
  'refund',
  'renew',
  'pay',
  'erase-key',
  // What was opened once is not opened again.
  'receive',
]);
