import { describeStatusWord, statusWords, triesLeft } from '../../applet-spec/status-words.ts';

export type CardErrorCode =
  /** `triesLeft` tells how many more. */
  | 'pin-wrong'
  | 'puk-wrong'
  | 'pin-blocked'
  | 'puk-blocked'
  /** The card is new: no PIN or PUK has been set yet. */
  | 'pin-not-set'
  /** One is set already; it can be changed, not set again. */
  | 'reference-set-already'
  /** The command needs a verified PIN. */
  | 'pin-required'
  /** Not 4 to 16 bytes; the card was not asked. */
  | 'reference-length'
  /** SELECT found no Keytoll applet. */
  | 'applet-not-found'
  /** No station session, or not the life cycle, that the command needs. */
  | 'conditions-not-satisfied'
  /** No such peer key, or none in the state asked for. */
  | 'not-found'
  /** Any other status word. */
  | 'refused-by-card'
  /** 9000, but the data is not what the specification says. */
  | 'malformed-answer';

export interface CardErrorDetail {
  readonly statusWord?: number;
  readonly triesLeft?: number;
  readonly cause?: unknown;
}

/**
 * What a card answered other than done. The card has told its state: a repeat would change nothing.
 */
export class CardError extends Error {
  override readonly name = 'CardError';
  readonly code: CardErrorCode;
  readonly statusWord: number | undefined;
  readonly triesLeft: number | undefined;
  readonly retryable = false;

  constructor(code: CardErrorCode, message: string, detail: CardErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.statusWord = detail.statusWord;
    this.triesLeft = detail.triesLeft;
  }
}

/** What a status word means for the reference data (PIN or PUK) that a command presented. */
export function referenceError(statusWord: number, reference: 'PIN' | 'PUK'): CardError {
  const tries = triesLeft(statusWord);
  const short = reference === 'PIN' ? 'pin' : 'puk';
  if (tries === 0 || statusWord === statusWords['authentication-blocked']) {
    return new CardError(`${short}-blocked`, `the ${reference} is blocked`, {
      statusWord,
      triesLeft: 0,
    });
  }
  if (tries !== undefined) {
    const left = tries === 1 ? '1 try left' : `${tries} tries left`;
    return new CardError(`${short}-wrong`, `wrong ${reference}, ${left}`, {
      statusWord,
      triesLeft: tries,
    });
  }
  if (statusWord === statusWords['reference-data-not-usable']) {
    return new CardError('pin-not-set', `no ${reference} has been set on this card`, {
      statusWord,
    });
  }
  return statusError(statusWord, `${reference} command`);
}

/** The error of a status word other than 9000; `command` says which command, for the message. */
export function statusError(statusWord: number, command: string): CardError {
  switch (statusWord) {
    case statusWords['security-status-not-satisfied']:
      return new CardError('pin-required', `${command}: the card wants its PIN first`, {
        statusWord,
      });
    case statusWords['conditions-of-use-not-satisfied']:
      return new CardError(
        'conditions-not-satisfied',
        `${command}: the card is not in a state for it (${describeStatusWord(statusWord)})`,
        { statusWord },
      );
    case statusWords['reference-data-not-found']:
      return new CardError('not-found', `${command}: the card has no such object`, { statusWord });
    default:
      return new CardError(
        'refused-by-card',
        `${command}: the card answered ${describeStatusWord(statusWord)}`,
        { statusWord },
      );
  }
}
