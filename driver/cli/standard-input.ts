import { PEER_PLAINTEXT_BYTES_MOST } from '../../applet-spec/peer-message.ts';
import { UsageError } from './usage-error.ts';

/** Twice the longest message, so that base64 of it fits. */
const inputBytesMost = 2 * PEER_PLAINTEXT_BYTES_MOST;

/** All of standard input. */
export async function readStandardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) process.stderr.write('Type the message, then Ctrl-D.\n');
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('standard input is not binary');
    length += chunk.length;
    if (length > inputBytesMost) throw new UsageError('the message is too long');
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
