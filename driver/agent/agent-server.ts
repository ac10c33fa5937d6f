import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  agentProtocol,
  agentRequest,
  agentRequestBytesMost,
  agentSocketPath,
  readLines,
  sendLine,
} from './agent-messages.ts';
import { toErrandError } from './errand-error.ts';
import { HostError } from './host-error.ts';
import type { HostRunner } from './host-runner.ts';
import { WalletError } from '../wallet/wallet-error.ts';
import { holdFile } from '../wallet/wallet-file.ts';
import { socketPathFault } from '../socket-path.ts';

/** Requests of one command that may run at once. */
const requestsMost = 16;

type Held = ReturnType<typeof holdFile>;

/** The agent's end of the socket: runs what commands ask, on the host that the agent holds. */
export class AgentServer {
  readonly path: string;
  readonly #server: Server;
  readonly #held: Held;
  readonly #clients = new Set<Socket>();

  private constructor(path: string, server: Server, held: Held) {
    this.path = path;
    this.#server = server;
    this.#held = held;
  }

  /**
   * `reader`: which one the host has, so that no command takes it for another. Throws HostError
   * `agent-running` where another agent serves the wallet, `agent-unreachable`.
   */
  static async listen(
    walletFolder: string,
    runner: HostRunner,
    reader: string,
  ): Promise<AgentServer> {
    const path = agentSocketPath(walletFolder);
    const fault = socketPathFault(path);
    if (fault !== undefined) {
      const words = `${fault}: choose a wallet folder with a shorter path`;
      throw new HostError('agent-unreachable', words);
    }
    const held = holdWallet(walletFolder);
    try {
      // What is there is left over from an agent that was killed.
      rmSync(path, { force: true });
      const server = createServer();
      const agent = new AgentServer(path, server, held);
      server.on('connection', (socket) => {
        agent.#serve(socket, runner, reader);
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) => {
          reject(new HostError('agent-unreachable', `${path}: ${error.message}`));
        });
        server.listen(path, resolve);
      });
      chmodSync(path, 0o600);
      return agent;
    } catch (error) {
      held.release();
      throw error;
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const client of this.#clients) client.destroy();
    await closed;
    this.#held.release();
  }

  #serve(socket: Socket, runner: HostRunner, reader: string): void {
    this.#clients.add(socket);
    let running = 0;
    socket.on('close', () => {
      this.#clients.delete(socket);
    });
    socket.on('error', () => {
      socket.destroy();
    });
    sendLine(socket, { keytollAgent: agentProtocol, reader });
    readLines(socket, agentRequestBytesMost, (line) => {
      const { id, errand, params, pin } = agentRequest.parse(line);
      if (running >= requestsMost) throw new HostError('agent-unreachable', 'too many requests');
      running += 1;
      const onProgress = (progress: unknown): void => {
        sendLine(socket, { id, progress });
      };
      runner
        .runUnchecked(errand, params, { onProgress, ...(pin !== undefined && { pin }) })
        .then((result) => {
          sendLine(socket, { id, result });
        })
        .catch((error: unknown) => {
          sendLine(socket, { id, failure: toErrandError(error).failure });
        })
        .finally(() => {
          running -= 1;
        });
    });
  }
}

/** For one agent of all that are started, also in one instant. Throws HostError. */
function holdWallet(walletFolder: string): Held {
  try {
    return holdFile(join(walletFolder, 'agent.lock'));
  } catch (error) {
    if (!(error instanceof WalletError)) throw error;
    if (error.code !== 'wallet-busy') throw new HostError('agent-unreachable', error.message);
    throw new HostError('agent-running', `an agent serves ${walletFolder} already`);
  }
}
