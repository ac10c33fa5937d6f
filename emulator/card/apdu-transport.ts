import {
  decodeCommand,
  encodeResponse,
  SHORT_DATA_MOST,
  type CommandApdu,
  type ResponseApdu,
} from '../../applet-spec/apdu.ts';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import { joinChain, portionResponse, type CommandChain } from '../../applet-spec/apdu-chaining.ts';
import { commands } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import type { ApduProfile } from './atr.ts';
import { classRefusal } from './command-class.ts';

export type RunCommand = (command: CommandApdu) => ResponseApdu;

const nothing = new Uint8Array(0);

/**
 * From APDU bytes to whole commands and back, within the limits of the card's profile: length
 * forms, command chaining and response chaining (ISO/IEC 7816-4 §5.1), T=0's one length byte
 * (ISO/IEC 7816-3 §12.2).
 */
export class ApduTransport {
  readonly #profile: ApduProfile;
  readonly #run: RunCommand;
  #chain: CommandChain | undefined;
  #rest: ResponseApdu | undefined;

  constructor(profile: ApduProfile, run: RunCommand) {
    this.#profile = profile;
    this.#run = run;
  }

  reset(): void {
    this.#chain = undefined;
    this.#rest = undefined;
  }

  exchange(bytes: Uint8Array): Uint8Array {
    return encodeResponse(this.#answer(bytes));
  }

  #answer(bytes: Uint8Array): ResponseApdu {
    const command = this.#decode(bytes);
    if (command === undefined) return status('wrong-length');
    const refusedClass = classRefusal(command.cla);
    if (refusedClass !== undefined) return { data: nothing, sw: refusedClass };
    // Inside a chain it is another command like any other.
    if (isGetResponse(command) && this.#chain === undefined) return this.#getResponse(command);
    // What was not fetched by now is not wanted (ISO/IEC 7816-4 §5.1.3).
    this.#rest = undefined;
    const step = joinChain(this.#chain, command, limits.apduBytes);
    this.#chain = step.kind === 'more' ? step.chain : undefined;
    if (step.kind === 'refused') return { data: nothing, sw: step.sw };
    if (step.kind === 'more') return { data: nothing, sw: statusWords.done };
    return this.#portion(this.#run(step.command), command);
  }

  #decode(bytes: Uint8Array): CommandApdu | undefined {
    if (this.#profile !== 't1-extended' && isExtended(bytes)) return undefined;
    try {
      return decodeCommand(bytes);
    } catch (error) {
      if (error instanceof ApduError) return undefined;
      throw error;
    }
  }

  #getResponse({ p1, p2, ne, data }: CommandApdu): ResponseApdu {
    const rest = this.#rest;
    if (p1 !== 0 || p2 !== 0) return status('incorrect-parameters');
    if (data.length > 0 || ne === undefined) return status('wrong-length');
    if (rest === undefined) return status('conditions-of-use-not-satisfied');
    // §5.6: asked for more than there is, a card says how much there is and keeps it.
    if (ne > rest.data.length && rest.data.length <= SHORT_DATA_MOST && this.#profile === 't0') {
      return { data: nothing, sw: 0x6c00 | rest.data.length };
    }
    return this.#keep(rest, ne);
  }

  /** T=0 carries either data or Le, so an answer to data always waits for GET RESPONSE. */
  #portion(whole: ResponseApdu, { ne, data }: CommandApdu): ResponseApdu {
    const room = this.#profile === 't0' && data.length > 0 ? 0 : (ne ?? 0);
    return this.#keep(whole, room);
  }

  #keep(whole: ResponseApdu, room: number): ResponseApdu {
    const { response, rest } = portionResponse(whole, room);
    this.#rest = rest;
    return response;
  }
}

/** Of more than five bytes with a zero where the short Lc would be (ISO/IEC 7816-4 §5.2). */
function isExtended(bytes: Uint8Array): boolean {
  return bytes.length > 5 && bytes[4] === 0;
}

function isGetResponse({ cla, ins }: CommandApdu): boolean {
  return cla === commands.getResponse.cla && ins === commands.getResponse.ins;
}

function status(name: keyof typeof statusWords): ResponseApdu {
  return { data: nothing, sw: statusWords[name] };
}
