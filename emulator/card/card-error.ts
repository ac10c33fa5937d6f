export type CardFileErrorCode =
  /** There is no such file, or it cannot be opened. */
  | 'card-file-unreadable'
  /** `card make` never overwrites: a card is not made twice. */
  | 'card-file-exists'
  /** The bytes are no card's state. */
  | 'card-file-damaged'
  /** Another process is this card at present. */
  | 'card-in-use'
  | 'card-file-unwritable'
  /** The folder of a card's maker is of something else, or cannot be written. */
  | 'maker-unusable';

/** What is wrong with the file that a card lives in; the message names the file and what to do. */
export class CardFileError extends Error {
  override readonly name = 'CardFileError';
  readonly code: CardFileErrorCode;
  readonly path: string;
  readonly retryable: boolean;

  constructor(code: CardFileErrorCode, path: string, detail: string, cause?: unknown) {
    super(`${path}: ${detail}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path;
    this.retryable = code === 'card-in-use';
  }
}

/** The card lost its power while it worked; whether the command took effect, its state tells. */
export class PowerLostError extends Error {
  override readonly name = 'PowerLostError';
  readonly code = 'power-lost';
  readonly retryable = false;

  constructor() {
    super('the card lost its power');
  }
}

/** How a command that was not carried out is answered, from wherever in the applet that shows. */
export class StatusWordError extends Error {
  override readonly name = 'StatusWordError';
  readonly code = 'status-word';
  readonly retryable = false;
  readonly sw: number;

  constructor(sw: number) {
    super(`status word ${sw.toString(16).toUpperCase()}`);
    this.sw = sw;
  }
}
