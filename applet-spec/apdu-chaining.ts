/**
 * Command chaining (ISO/IEC 7816-4 §5.1.1.1) and response chaining (§5.1.3, GET RESPONSE) as pure
 * functions: the host splits and collects, the card joins and portions.
 */
import type { CommandApdu, ResponseApdu } from './apdu.ts';
import { SHORT_DATA_MOST, SHORT_NE_MOST } from './apdu.ts';
import { concatBytes, equalBytes } from './bytes.ts';
import { statusWords } from './status-words.ts';

/** CLA bit 5: not the last command of its chain. */
export const CHAINING_BIT = 0x10;

/**
 * The command as a chain of pieces of at most `maxData` bytes; Ne travels on the last, cut to 256
 * in the short form (response chaining brings the rest).
 */
export function splitChain(command: CommandApdu, maxData = SHORT_DATA_MOST): CommandApdu[] {
  if (!Number.isInteger(maxData) || maxData < 1) throw new RangeError(`pieces of ${maxData} bytes`);
  if ((command.cla & CHAINING_BIT) !== 0) throw new RangeError('the command is in a chain already');
  const { cla, ins, p1, p2, data } = command;
  const pieces: CommandApdu[] = [];
  let offset = 0;
  for (; data.length - offset > maxData; offset += maxData) {
    const piece = data.slice(offset, offset + maxData);
    pieces.push({ cla: cla | CHAINING_BIT, ins, p1, p2, data: piece });
  }
  const ne = maxData > SHORT_DATA_MOST ? command.ne : shortNe(command.ne);
  pieces.push({ cla, ins, p1, p2, data: data.slice(offset), ...(ne === undefined ? {} : { ne }) });
  return pieces;
}

function shortNe(ne: number | undefined): number | undefined {
  return ne === undefined ? undefined : Math.min(ne, SHORT_NE_MOST);
}

/** What a card holds of an unfinished chain: the first piece's header and all data so far. */
export interface CommandChain {
  readonly header: Uint8Array;
  readonly data: Uint8Array;
}

export type ChainStep =
  /** Answer 9000 and wait for the next piece. */
  | { readonly kind: 'more'; readonly chain: CommandChain }
  | { readonly kind: 'complete'; readonly command: CommandApdu }
  /** Answer `sw`; the chain is dropped. */
  | { readonly kind: 'refused'; readonly sw: number };

/**
 * The card's side, one received command at a time. A command of another header inside a chain is
 * refused with 6883, more than `maxData` bytes in all with 6700.
 */
export function joinChain(
  chain: CommandChain | undefined,
  command: CommandApdu,
  maxData: number,
): ChainStep {
  const { ins, p1, p2 } = command;
  const cla = command.cla & ~CHAINING_BIT;
  const header = Uint8Array.of(cla, ins, p1, p2);
  if (chain !== undefined && !equalBytes(chain.header, header)) {
    return { kind: 'refused', sw: statusWords['last-command-of-chain-expected'] };
  }
  if ((chain?.data.length ?? 0) + command.data.length > maxData) {
    return { kind: 'refused', sw: statusWords['wrong-length'] };
  }
  const data = chain === undefined ? command.data : concatBytes(chain.data, command.data);
  if (command.cla !== cla) return { kind: 'more', chain: { header, data } };
  return { kind: 'complete', command: { ...command, data } };
}

/** What a card still has to send: the rest of the data, and the status word that ends it. */
export interface PortionedResponse {
  readonly response: ResponseApdu;
  /** Undefined once all is sent. */
  readonly rest: ResponseApdu | undefined;
}

/**
 * At most `ne` bytes of the answer; while more remains the status word is 61xx (xx = 00: 256 or
 * more).
 */
export function portionResponse(whole: ResponseApdu, ne: number): PortionedResponse {
  if (whole.data.length <= ne) return { response: whole, rest: undefined };
  const rest = { data: whole.data.slice(ne), sw: whole.sw };
  const available = rest.data.length >= SHORT_NE_MOST ? 0 : rest.data.length;
  return { response: { data: whole.data.slice(0, ne), sw: 0x6100 | available }, rest };
}

/**
 * The command that an answer calls for before it is whole: GET RESPONSE after 61xx, the same
 * command with the right Le after 6Cxx (§5.6), undefined when the answer is final. GET RESPONSE is
 * of the interindustry class, on the command's logical channel (0 to 3).
 */
export function followUp(sent: CommandApdu, answer: ResponseApdu): CommandApdu | undefined {
  const available = (answer.sw & 0xff) === 0 ? SHORT_NE_MOST : answer.sw & 0xff;
  switch (answer.sw >> 8) {
    case 0x61: {
      const data = new Uint8Array(0);
      return { cla: sent.cla & 0x03, ins: 0xc0, p1: 0, p2: 0, data, ne: available };
    }
    case 0x6c:
      return { ...sent, ne: available };
    default:
      return undefined;
  }
}
