/**
 * What commands and the agent say to each other over the Unix socket in the wallet's folder: one
 * JSON object a line. The agent greets first. Only the wallet's owner can open the socket (mode
 * 0600).
 */
import type { Socket } from 'node:net';
import { z } from 'zod';
import { errandFailure, errandProgress } from './errands.ts';
import { HostError } from './host-error.ts';

/**
 * Raised with every change of an errand's words: an old agent and a new command refuse each other.
 */
export const agentProtocol = 6;
/** One line of a command's; the longest holds a message between users in base64. */
export const agentRequestBytesMost = 8 * 1024 * 1024;
/** One line of the agent's: all payments of a wallet, some 1,000 bytes each. */
export const agentReplyBytesMost = 256 * 1024 * 1024;

export const agentGreeting = z.object({
  keytollAgent: z.literal(agentProtocol),
  /** As `wholeReaderSpec` gives it. */
  reader: z.string(),
});

export const agentRequest = z.object({
  id: z.int().min(0),
  errand: z.string().max(64),
  params: z.unknown(),
  /** As it was given: the card's session says what is wrong with its length. */
  pin: z.string().optional(),
});

export const agentReply = z.union([
  z.object({ id: z.int(), progress: errandProgress }),
  z.object({ id: z.int(), failure: errandFailure }),
  z.object({ id: z.int(), result: z.unknown() }),
]);

export function agentSocketPath(walletFolder: string): string {
  return `${walletFolder}/agent.sock`;
}

export function sendLine(socket: Socket, message: unknown): void {
  writeLine(socket, JSON.stringify(message));
}

/** Throws HostError `message-too-long` for what no agent reads. */
export function sendRequest(socket: Socket, request: z.input<typeof agentRequest>): void {
  const line = JSON.stringify(request);
  if (Buffer.byteLength(line) > agentRequestBytesMost) {
    throw new HostError('message-too-long', 'this is longer than any message between users');
  }
  writeLine(socket, line);
}

function writeLine(socket: Socket, line: string): void {
  if (!socket.destroyed) socket.write(`${line}\n`);
}

/** Calls `onLine` for each whole line. A line without end, or of no JSON, ends the connection. */
export function readLines(
  socket: Socket,
  bytesMost: number,
  onLine: (message: unknown) => void,
): void {
  let parts: Buffer[] = [];
  let length = 0;
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk;
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      parts.push(rest.subarray(0, end));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      length = 0;
      rest = rest.subarray(end + 1);
      try {
        onLine(JSON.parse(line));
      } catch {
        socket.destroy(new HostError('agent-unreachable', 'a line that is no message'));
        return;
      }
    }
    parts.push(rest);
    length += rest.length;
    if (length > bytesMost) {
      socket.destroy(new HostError('agent-unreachable', 'a message that does not end'));
    }
  });
}
