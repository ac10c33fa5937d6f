import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { decodeCommand, encodeResponse } from '../../applet-spec/apdu.ts';
import type { CommandChain } from '../../applet-spec/apdu-chaining.ts';
import { joinChain, portionResponse } from '../../applet-spec/apdu-chaining.ts';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import { uintToBytes } from '../../applet-spec/bytes.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';

export type EchoProfile = 't1-extended' | 't1-short' | 't0';

export const echoInstructions = {
  /** Answers its data field. */
  echo: 0x01,
  /** Answers P1 P2 bytes. */
  produce: 0x02,
  /** Answers P1 bytes to Ne = P1 only, and 6Cxx to any other Ne. */
  exact: 0x03,
  /** Answers how many commands were run since the card was made, this one left out: four bytes. */
  count: 0x04,
  /** Never answers. */
  mute: 0x05,
  /** Answers how often the card was powered on or reset: four bytes. */
  power: 0x06,
  /** Says that more is to come and then refuses to give it. */
  swallow: 0x07,
} as const;

export interface EchoCardOptions {
  readonly profile?: EchoProfile;
  /** What the ATR says is possible, where that is not the truth. */
  readonly announced?: EchoProfile | 'nothing';
}

/** The smallest card that shows what a connection does: it echoes, counts, and can fall silent. */
export class EchoCard implements SoftwareCard {
  readonly atr: Uint8Array;
  readonly profile: EchoProfile;
  /** Every APDU that came, as it came. */
  readonly received: Uint8Array[] = [];
  executed = 0;
  poweredOn = 0;
  #chain: CommandChain | undefined;
  #rest: ResponseApdu | undefined;
  #onReceived: (() => void)[] = [];

  constructor(options: EchoCardOptions = {}) {
    this.profile = options.profile ?? 't1-extended';
    this.atr = atrOf(options.announced ?? this.profile);
  }

  powerOn(): void {
    this.poweredOn += 1;
    this.#forget();
  }

  powerOff(): void {
    this.#forget();
  }

  reset(): void {
    this.powerOn();
  }

  /** Resolves when the next APDU has come. */
  nextApdu(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReceived.push(resolve);
    });
  }

  process(apdu: Uint8Array): Promise<Uint8Array> {
    this.received.push(apdu);
    const listeners = this.#onReceived;
    this.#onReceived = [];
    for (const listener of listeners) listener();
    const answer = this.#answer(apdu);
    return answer === 'mute'
      ? new Promise(() => undefined)
      : Promise.resolve(encodeResponse(answer));
  }

  #forget(): void {
    this.#chain = undefined;
    this.#rest = undefined;
  }

  #answer(apdu: Uint8Array): ResponseApdu | 'mute' {
    const command = this.#decode(apdu);
    if (command === undefined) return status(statusWords['wrong-length']);
    const rest = this.#rest;
    this.#rest = undefined;
    if (command.ins === 0xc0) return this.#portion(rest ?? status(0x6985), command.ne ?? 256);
    const step = joinChain(this.#chain, command, 65_535);
    this.#chain = undefined;
    switch (step.kind) {
      case 'refused':
        return status(step.sw);
      case 'more':
        this.#chain = step.chain;
        return status(statusWords.done);
      case 'complete':
        return this.#execute(step.command);
    }
  }

  #execute(command: CommandApdu): ResponseApdu | 'mute' {
    const { ins, p1, p2, data } = command;
    const ne = command.ne ?? 0;
    if (ins === echoInstructions.exact && ne !== p1) return status(0x6c00 | p1);
    this.executed += 1;
    switch (ins) {
      case echoInstructions.echo:
        return this.#portion({ data, sw: statusWords.done }, ne);
      case echoInstructions.produce:
      case echoInstructions.exact: {
        const length = ins === echoInstructions.exact ? p1 : (p1 << 8) | p2;
        const bytes = Uint8Array.from({ length }, (_, i) => i & 0xff);
        return this.#portion({ data: bytes, sw: statusWords.done }, ne);
      }
      case echoInstructions.count:
        return { data: uintToBytes(BigInt(this.executed - 1), 4), sw: statusWords.done };
      case echoInstructions.power:
        return { data: uintToBytes(BigInt(this.poweredOn), 4), sw: statusWords.done };
      case echoInstructions.mute:
        return 'mute';
      case echoInstructions.swallow:
        return status(0x6110);
      default:
        return status(statusWords['instruction-not-supported']);
    }
  }

  #portion(whole: ResponseApdu, ne: number): ResponseApdu {
    const { response, rest } = portionResponse(whole, ne);
    this.#rest = rest;
    return response;
  }

  #decode(apdu: Uint8Array): CommandApdu | undefined {
    try {
      const command = decodeCommand(apdu);
      const extended = apdu.length > 5 && apdu[4] === 0;
      if (extended && this.profile !== 't1-extended') return undefined;
      // On T=0 a command with data has no Le.
      if (this.profile === 't0' && command.data.length > 0 && command.ne !== undefined) {
        return undefined;
      }
      return command;
    } catch (error) {
      if (error instanceof ApduError) return undefined;
      throw error;
    }
  }
}

function status(sw: number): ResponseApdu {
  return { data: new Uint8Array(0), sw };
}

/** Historical bytes 80, then COMPACT-TLV 73 with the third software function table. */
function atrOf(announced: EchoProfile | 'nothing'): Uint8Array {
  if (announced === 't0') return Uint8Array.of(0x3b, 0x05, 0x80, 0x73, 0x00, 0x00, 0x80);
  const historical = {
    nothing: [],
    't1-short': [0x80, 0x73, 0, 0, 0x80],
    't1-extended': [0x80, 0x73, 0, 0, 0xc0],
  }[announced];
  const body = [0x80 | historical.length, 0x01, ...historical];
  return Uint8Array.of(
    0x3b,
    ...body,
    body.reduce((sum, byte) => sum ^ byte, 0),
  );
}
