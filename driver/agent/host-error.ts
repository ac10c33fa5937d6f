export type HostErrorCode =
  /** The errand needs the card's PIN and none was given. */
  | 'pin-needed'
  /** The card has no PUK yet, and none was given. */
  | 'puk-needed'
  /** The card has no user yet. */
  | 'card-not-enrolled'
  /** The card in the reader belongs to another user or station than the wallet. */
  | 'card-of-another'
  /** No coin of the card has exactly the total. */
  | 'no-matching-coin'
  /** The coins on the card do not add up to what is asked of them. */
  | 'coins-too-few'
  /** The card has no room for the coins that are ordered. */
  | 'card-full'
  /** The quote asks more than whoever pays allows. */
  | 'too-dear'
  | 'quote-unknown'
  | 'quote-expired'
  /** The station's clock and this machine's differ by more than a quote lasts. */
  | 'clock-wrong'
  | 'key-unknown'
  /** There is a key with that peer, but no verdict yet. */
  | 'key-provisional'
  /** Not a message of ours, or damaged, or not for this key. */
  | 'message-invalid'
  /** Its end is missing; the whole of it opens as ever. */
  | 'message-cut-short'
  | 'message-replayed'
  | 'message-too-long'
  /** A refusal of the station's: `deskCode` in the message. */
  | 'desk-refused'
  /** An agent already serves this wallet. */
  | 'agent-running'
  /** The agent's socket cannot be made, or its other end is not as expected. */
  | 'agent-unreachable'
  | 'bad-params'
  | 'closed';

/**
 * Business refusals, as opposed to faults: nothing was lost, and a repeat as it stands is
 * pointless.
 */
const refusals: ReadonlySet<HostErrorCode> = new Set([
  'card-not-enrolled',
  'card-of-another',
  'no-matching-coin',
  'coins-too-few',
  'card-full',
  'too-dear',
  'quote-unknown',
  'quote-expired',
  'key-unknown',
  'key-provisional',
  'message-invalid',
  'message-cut-short',
  'message-replayed',
  'message-too-long',
  'desk-refused',
]);

/** Why an errand of the user's ended without result. */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: HostErrorCode;
  readonly refusal: boolean;
  readonly retryable: boolean;
  /** The desk's code, where the desk refused. */
  readonly deskCode: string | undefined;

  constructor(code: HostErrorCode, message: string, deskCode?: string) {
    super(message);
    this.code = code;
    this.refusal = refusals.has(code);
    this.retryable = code === 'pin-needed';
    this.deskCode = deskCode;
  }
}
