import type { CommandApdu, LengthForm, ResponseApdu } from '../../applet-spec/apdu.ts';
import {
  decodeCommand,
  decodeResponse,
  encodeCommand,
  encodeResponse,
  EXTENDED_NE_MOST,
  SHORT_DATA_MOST,
  SHORT_NE_MOST,
} from '../../applet-spec/apdu.ts';
import { followUp, splitChain } from '../../applet-spec/apdu-chaining.ts';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import { concatBytes } from '../../applet-spec/bytes.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { parseAtr } from './atr.ts';
import type { ApduLimits } from './connection.ts';
import { notRun, outcomeUnknown, ReaderError } from './reader-error.ts';

/** What the exchange needs to know of the path and the card. */
export interface ApduPath {
  readonly reader: string;
  readonly atr: Uint8Array;
  readonly limits: ApduLimits;
  readonly protocol?: 'T=0' | 'T=1';
}

type Transmit = (command: Uint8Array) => Promise<Uint8Array>;

/** One extended APDU, or a chain of short ones. */
type LongShape = 'extended' | 'chained';

/** The header of an extended APDU with data: CLA INS P1 P2, 00 Lc Lc … Le Le. */
const EXTENDED_OVERHEAD = 9;

/**
 * A whole command in, its whole response out, by whatever APDUs the card understands: the one place
 * that chains, asks for the rest of a response and corrects a length. It repeats a command only
 * where ISO/IEC 7816-4 §5.6 says that the card did not run it: 6700 (wrong length), 6883/6884/6E00
 * on the first piece of a chain, and 6Cxx (wrong Le). One command at a time; the caller queues.
 */
export class WholeApdu {
  readonly #transmit: Transmit;
  readonly #path: ApduPath;
  readonly #shortLe: boolean;
  readonly #extendedPossible: boolean;
  /** How long commands travel: announced by the ATR, corrected by what the card then refuses. */
  #longShape: LongShape;
  /**
   * The long shape has worked, so that a later 6700 is about the command and not about the shape.
   */
  #proven = false;

  constructor(transmit: Transmit, path: ApduPath) {
    this.#transmit = transmit;
    this.#path = path;
    const atr = parseAtr(path.atr);
    const protocol = path.protocol ?? (atr?.protocols[0] === 0 ? 'T=0' : 'T=1');
    // T=0 has no Le beside data (ISO/IEC 7816-3 §12.2.4): the card answers 61xx instead.
    this.#shortLe = protocol !== 'T=0';
    const announced = atr?.capabilities?.extendedLength;
    this.#extendedPossible = protocol !== 'T=0' && announced !== false;
    // A reader may choke on an extended APDU, so a card that says nothing gets chains first.
    this.#longShape = this.#extendedPossible && announced === true ? 'extended' : 'chained';
  }

  async run(command: CommandApdu): Promise<ResponseApdu> {
    return this.#corrected(command, await this.#runInSomeShape(command));
  }

  /**
   * The same in bytes, of either length form. What fits one short APDU travels as it stands, and so
   * does its answer: on the way of nearly every command, taking apart and putting together costs
   * more than all else here. Throws ApduError for what is no command.
   */
  async runBytes(bytes: Uint8Array): Promise<Uint8Array> {
    if (!this.#fitsAsItStands(bytes)) return encodeResponse(await this.run(decodeCommand(bytes)));
    const answer = await this.#transmit(bytes);
    const sw1 = answer[answer.length - 2];
    if (sw1 !== undefined && sw1 !== 0x61 && sw1 !== 0x6c) return answer;
    const command = decodeCommand(bytes);
    const whole = await this.#collect(command, this.#decoded(answer));
    return encodeResponse(await this.#corrected(command, whole));
  }

  /** A short form without mistakes, which the path takes with its Le. */
  #fitsAsItStands(bytes: Uint8Array): boolean {
    if (bytes.length === 4 || bytes.length === 5) return true;
    const lc = bytes[4] ?? 0;
    return lc !== 0 && (bytes.length === 5 + lc || (this.#shortLe && bytes.length === 6 + lc));
  }

  /** The command again with the Le that the card asks for, where it asks (6Cxx). */
  async #corrected(command: CommandApdu, answer: ResponseApdu): Promise<ResponseApdu> {
    const rightNe = (answer.sw & 0xff) === 0 ? SHORT_NE_MOST : answer.sw & 0xff;
    const wrongNe = answer.sw >> 8 === 0x6c && command.ne !== undefined && command.ne !== rightNe;
    if (!wrongNe || answer.data.length > 0) return answer;
    return this.#runInSomeShape({ ...command, ne: rightNe });
  }

  async #runInSomeShape(command: CommandApdu): Promise<ResponseApdu> {
    const shape = this.#shapeFor(command);
    if (shape === 'short') return this.#runShort([command]);
    const answer = await this.#runLong(command, shape);
    const other = this.#otherShape(command, shape, answer);
    if (other === undefined) {
      if (answer.sw === statusWords.done) this.#proven = true;
      return answer;
    }
    const second = await this.#runLong(command, other);
    if (refusesShape(other, second.sw) || second.sw === answer.sw) return answer;
    this.#longShape = other;
    this.#proven = second.sw === statusWords.done;
    return second;
  }

  #shapeFor({ data, ne }: CommandApdu): 'short' | LongShape {
    if (data.length > SHORT_DATA_MOST) {
      return this.#longShape === 'extended' && this.#carries(data) ? 'extended' : 'chained';
    }
    // A short Le of 00 also fetches a longer answer, by 61xx, where extended length is not to be
    // had.
    return (ne ?? 0) > SHORT_NE_MOST && this.#longShape === 'extended' ? 'extended' : 'short';
  }

  /** The shape to try next where the card, which did not run the command, refused this one. */
  #otherShape(
    { data }: CommandApdu,
    shape: LongShape,
    { sw }: ResponseApdu,
  ): LongShape | undefined {
    if (this.#proven || !refusesShape(shape, sw)) return undefined;
    if (shape === 'extended') return 'chained';
    return this.#extendedPossible && this.#carries(data) ? 'extended' : undefined;
  }

  #carries(data: Uint8Array): boolean {
    return data.length + EXTENDED_OVERHEAD <= this.#path.limits.commandBytes;
  }

  #runLong(command: CommandApdu, shape: LongShape): Promise<ResponseApdu> {
    if (shape === 'extended') return this.#runExtended(command);
    return this.#runShort(splitChain(command, SHORT_DATA_MOST));
  }

  async #runExtended(command: CommandApdu): Promise<ResponseApdu> {
    const neMost = Math.min(EXTENDED_NE_MOST, this.#path.limits.responseBytes - 2);
    const bounded = boundNe(command, neMost);
    return this.#collect(bounded, await this.#send(bounded, 'extended'));
  }

  async #runShort(pieces: readonly CommandApdu[]): Promise<ResponseApdu> {
    for (const piece of pieces.slice(0, -1)) {
      const answer = await this.#sendPiece(piece);
      // Any other word ends the chain, whose last piece the card has not seen.
      if (answer.sw !== statusWords.done) return answer;
    }
    const [last] = pieces.slice(-1);
    if (last === undefined) throw new RangeError('an empty chain');
    const bounded = boundNe(last, SHORT_NE_MOST);
    const sent = this.#shortLe || last.data.length === 0 ? bounded : withoutNe(bounded);
    return this.#collect(bounded, await this.#send(sent, 'short'));
  }

  /** A piece before the last: whatever becomes of it, the command as a whole has not run. */
  async #sendPiece(piece: CommandApdu): Promise<ResponseApdu> {
    try {
      return await this.#send(piece, 'short');
    } catch (error) {
      if (error instanceof ReaderError && error.code === 'outcome-unknown' && error.end) {
        throw notRun(this.#path.reader, error.end, error);
      }
      throw error;
    }
  }

  /** Response chaining, ISO/IEC 7816-4 §5.1.3. From here on the command has run. */
  async #collect(sent: CommandApdu, first: ResponseApdu): Promise<ResponseApdu> {
    if (first.sw >> 8 !== 0x61) return first;
    const parts = [first.data];
    let length = first.data.length;
    let answer = first;
    while (answer.sw >> 8 === 0x61) {
      const getResponse = followUp(sent, answer);
      if (getResponse === undefined) break;
      answer = await this.#getResponse(getResponse);
      length += answer.data.length;
      const stuck = answer.data.length === 0 && answer.sw >> 8 === 0x61;
      if (stuck || length > EXTENDED_NE_MOST || !carriesData(answer.sw)) {
        throw this.#lostAnswer(answer.sw);
      }
      parts.push(answer.data);
    }
    return { data: concatBytes(...parts), sw: answer.sw };
  }

  /** That a GET RESPONSE has not run says nothing of the command whose answer it fetches. */
  async #getResponse(command: CommandApdu): Promise<ResponseApdu> {
    try {
      const answer = await this.#send(command, 'short');
      if (answer.sw >> 8 !== 0x6c || answer.data.length > 0) return answer;
      return await this.#send(followUp(command, answer) ?? command, 'short');
    } catch (error) {
      if (!(error instanceof ReaderError) || error.end === undefined) throw error;
      throw outcomeUnknown(this.#path.reader, error.end, error);
    }
  }

  #lostAnswer(sw: number): ReaderError {
    const digits = sw.toString(16).toUpperCase().padStart(4, '0');
    const { reader } = this.#path;
    const message = `${reader}: ${digits} in place of the rest of an answer; the command has run`;
    return new ReaderError('outcome-unknown', message, { reader, sw });
  }

  async #send(command: CommandApdu, form: LengthForm): Promise<ResponseApdu> {
    return this.#decoded(await this.#transmit(encodeCommand(command, form)));
  }

  #decoded(answer: Uint8Array): ResponseApdu {
    try {
      return decodeResponse(answer);
    } catch (cause) {
      if (!(cause instanceof ApduError)) throw cause;
      const { reader } = this.#path;
      const message = `${reader}: an answer without a status word; the command may have run`;
      throw new ReaderError('outcome-unknown', message, { reader, cause });
    }
  }
}

/** Words with which a card turns down the way a command came and not the command (§5.6). */
function refusesShape(shape: LongShape, sw: number): boolean {
  if (sw === statusWords['wrong-length']) return true;
  return (
    shape === 'chained' &&
    (sw === statusWords['chaining-not-supported'] ||
      sw === statusWords['last-command-of-chain-expected'] ||
      sw === statusWords['class-not-supported'])
  );
}

/** Normal endings and warnings may come with data; an error never does. */
function carriesData(sw: number): boolean {
  const sw1 = sw >> 8;
  return sw === statusWords.done || sw1 === 0x61 || sw1 === 0x62 || sw1 === 0x63;
}

function boundNe(command: CommandApdu, most: number): CommandApdu {
  return command.ne === undefined ? command : { ...command, ne: Math.min(command.ne, most) };
}

function withoutNe({ cla, ins, p1, p2, data }: CommandApdu): CommandApdu {
  return { cla, ins, p1, p2, data };
}
