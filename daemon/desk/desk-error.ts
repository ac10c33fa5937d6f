import { toUtf8 } from '../../applet-spec/bytes.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { DeskRefusalCode } from '../../applet-spec/desk-messages.ts';

/** A message cut to what the protocol carries. */
export function fitting(message: string): string {
  let end = message.length;
  while (toUtf8(message.slice(0, end)).length > limits.messageBytes) end--;
  return message.slice(0, end);
}

/** What ends a connection at the desk; the code and message are told to the host. */
export class DeskError extends Error {
  override readonly name = 'DeskError';
  readonly code: DeskRefusalCode;
  readonly retryable: boolean;

  constructor(code: DeskRefusalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = code === 'stopping' || code === 'overloaded';
  }
}
