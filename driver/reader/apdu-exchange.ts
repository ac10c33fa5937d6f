import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import {
  decodeCommand,
  decodeResponse,
  encodeCommand,
  encodeResponse,
  SHORT_DATA_MOST,
  SHORT_NE_MOST,
} from '../../applet-spec/apdu.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { CardConnection, ConnectionEnd } from './connection.ts';
import { notRun, outcomeUnknown, ReaderError } from './reader-error.ts';
import { SilenceWatch } from './silence-watch.ts';
import { WholeApdu } from './whole-apdu.ts';

export interface ApduExchangeOptions {
  readonly clock: Clock;
  /**
   * The longest silence of a card at work on one APDU; making a key pair takes seconds. Default 30
   * s.
   */
  readonly silenceMs?: number;
  /**
   * The longest time for one whole command, whatever signs of life the card gives. Default 5 min.
   */
  readonly commandMs?: number;
  /** Commands that may wait while one runs. Default 64. */
  readonly waitingMost?: number;
}

/**
 * Whole commands to a card, one after another: any length up to 65,535 bytes of data, sent as the
 * card's capabilities allow, with its whole response back. A command is never repeated once it may
 * have run: when its answer is lost the promise rejects with ReaderError `outcome-unknown` and the
 * connection is over.
 */
export class ApduExchange {
  readonly reader: string;
  readonly atr: Uint8Array;
  /** As the connection's, but a card that fell silent is `mute`. Settles once, never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  readonly #connection: CardConnection;
  readonly #waitingMost: number;
  readonly #whole: WholeApdu;
  readonly #silence: SilenceWatch;
  readonly #alive: () => void;
  #running = false;
  readonly #waiting: (() => void)[] = [];
  #mute: ConnectionEnd | undefined;

  constructor(connection: CardConnection, options: ApduExchangeOptions) {
    const { clock, silenceMs = 30_000, commandMs = 300_000, waitingMost = 64 } = options;
    this.reader = connection.reader;
    this.atr = connection.atr;
    this.closed = connection.closed.then((end) => this.#mute ?? end);
    this.#connection = connection;
    this.#waitingMost = waitingMost;
    this.#silence = new SilenceWatch(clock, { silenceMs, commandMs }, (ms) => {
      this.#mute = { reason: 'mute', detail: `the card was silent for ${ms} ms` };
      void connection.close();
    });
    this.#alive = () => {
      this.#silence.alive();
    };
    this.#whole = new WholeApdu(async (apdu) => {
      const answer = await connection.transmit(apdu, this.#alive);
      this.#alive();
      return answer;
    }, connection);
  }

  /** The response of whatever status. Throws ReaderError. */
  async transmit(command: CommandApdu): Promise<ResponseApdu> {
    const near = this.#connection.transmitWhole?.bind(this.#connection);
    if (near === undefined) return this.#inTurn(() => this.#whole.run(command));
    const bytes = encodeCommand(command, fitsShort(command) ? 'short' : 'extended');
    return decodeResponse(await this.#inTurn(() => near(bytes, this.#alive)));
  }

  /**
   * A whole APDU of either length form that somebody else made, such as a station's wrapped
   * command, and its whole response. Throws ApduError for bytes that are no command APDU; nothing
   * is sent then.
   */
  async transmitWhole(whole: Uint8Array): Promise<Uint8Array> {
    return encodeResponse(await this.transmit(decodeCommand(whole)));
  }

  /**
   * Ends the connection at once: the command that runs becomes `outcome-unknown`, the others do not
   * run.
   */
  close(): Promise<void> {
    return this.#connection.close();
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (!this.#running) return this.#watched(run);
    if (this.#waiting.length >= this.#waitingMost) {
      const message = `${this.reader}: ${this.#waitingMost} commands wait already`;
      return Promise.reject(new ReaderError('queue-full', message, { reader: this.reader }));
    }
    return new Promise((resolve) => {
      // A command's failure is its caller's; the next one finds out for itself what it means.
      this.#waiting.push(() => {
        resolve(this.#watched(run));
      });
    });
  }

  async #watched<T>(run: () => Promise<T>): Promise<T> {
    this.#running = true;
    try {
      if (this.#mute !== undefined) throw notRun(this.reader, this.#mute);
      this.#silence.begin();
      return await run();
    } catch (error) {
      throw this.#blameSilence(error);
    } finally {
      this.#silence.end();
      this.#running = false;
      this.#waiting.shift()?.();
    }
  }

  /**
   * Closing the connection under a silent card ends its command as `closed`; the reason was the
   * silence.
   */
  #blameSilence(error: unknown): unknown {
    if (this.#mute === undefined || !(error instanceof ReaderError)) return error;
    if (error.end?.reason !== 'closed') return error;
    const blame = error.code === 'outcome-unknown' ? outcomeUnknown : notRun;
    return blame(this.reader, this.#mute, error);
  }
}

function fitsShort({ data, ne }: CommandApdu): boolean {
  return data.length <= SHORT_DATA_MOST && (ne ?? 0) <= SHORT_NE_MOST;
}
