import { CertificateError } from '../../applet-spec/certificate-error.ts';
import type { DeskRefusalCode } from '../../applet-spec/desk-messages.ts';
import { RecordError } from '../../applet-spec/record-error.ts';
import { CardError, type CardErrorCode } from '../card/card-error.ts';
import { DeskError } from '../desk/desk-error.ts';
import { ReaderError } from '../reader/reader-error.ts';
import { WalletError } from '../wallet/wallet-error.ts';
import type { ErrandFailure } from './errands.ts';
import { HostError } from './host-error.ts';

/** An errand's end without result, in the form that crosses the agent's socket. */
export class ErrandError extends Error {
  override readonly name = 'ErrandError';
  readonly code: string;
  readonly outcome: ErrandFailure['outcome'];
  readonly triesLeft: number | undefined;
  readonly retryable = false;

  constructor(failure: ErrandFailure, cause?: unknown) {
    super(failure.message, cause === undefined ? undefined : { cause });
    this.code = failure.code;
    this.outcome = failure.outcome;
    this.triesLeft = failure.triesLeft;
  }

  get failure(): ErrandFailure {
    const { outcome, code, message, triesLeft } = this;
    return { outcome, code, message, ...(triesLeft !== undefined && { triesLeft }) };
  }
}

const cardRefusals: ReadonlySet<CardErrorCode> = new Set([
  'pin-wrong',
  'puk-wrong',
  'pin-blocked',
  'puk-blocked',
  'pin-not-set',
  'reference-set-already',
  'applet-not-found',
]);

/** What a desk ends a visit for that the next visit may do without. */
const passing: ReadonlySet<DeskRefusalCode> = new Set([
  'stopping',
  'overloaded',
  'outcome-unknown',
  'card-fault',
]);

/** Every error that an errand may end with. What is none of ours is a defect, and says so. */
export function toErrandError(error: unknown): ErrandError {
  if (error instanceof ErrandError) return error;
  return new ErrandError(failureOf(error), error);
}

/**
 * A fault after something was carried out, or may have been: its words, and an outcome that nobody
 * takes for “nothing happened”.
 */
export function toUnknownOutcome(error: unknown, whatIs: string): ErrandError {
  const { failure } = toErrandError(error);
  const message = `${whatIs.replace(/[.\s]+$/, '')}, but ${failure.message}`;
  return new ErrandError({ ...failure, outcome: 'unknown', message }, error);
}

/**
 * Of several orders one after another some were carried out and one was not, or may not have been:
 * `partly-done`, and never a refusal, of which nothing would have happened.
 */
export function toPartlyDone(error: unknown, done: string, missing: string): ErrandError {
  const { failure } = toErrandError(error);
  const isKnown = failure.outcome !== 'unknown';
  const not = isKnown ? missing : `${missing}, as far as is known`;
  const message = `${done}; ${not}: ${failure.message}`;
  const code = isKnown ? 'partly-done' : failure.code;
  return new ErrandError({ ...failure, outcome: 'unknown', code, message }, error);
}

/** The same failure, with what was done before it. */
export function withWordsBefore(error: unknown, words: string): ErrandError {
  const { failure } = toErrandError(error);
  return new ErrandError({ ...failure, message: `${words}: ${failure.message}` }, error);
}

function failureOf(error: unknown): ErrandFailure {
  if (error instanceof HostError) {
    const { code, message, refusal, deskCode } = error;
    const usage = ['pin-needed', 'puk-needed', 'bad-params'].includes(code);
    return {
      outcome: usage ? 'usage' : refusal ? 'refused' : 'fault',
      code: deskCode ?? code,
      message,
    };
  }
  if (error instanceof CardError) {
    const { code, message, triesLeft } = error;
    const usage = code === 'reference-length';
    const outcome = usage ? 'usage' : cardRefusals.has(code) ? 'refused' : 'fault';
    return { outcome, code, message, ...(triesLeft !== undefined && { triesLeft }) };
  }
  if (error instanceof DeskError) {
    const { code, message, deskCode } = error;
    if (code === 'outcome-unknown') return { outcome: 'unknown', code, message };
    const refused = code === 'desk-ended' && deskCode !== undefined && !passing.has(deskCode);
    return { outcome: refused ? 'refused' : 'fault', code: deskCode ?? code, message };
  }
  if (error instanceof ReaderError) {
    const { code, message } = error;
    if (code === 'bad-spec') return { outcome: 'usage', code, message };
    return { outcome: code === 'outcome-unknown' ? 'unknown' : 'fault', code, message };
  }
  if (
    error instanceof WalletError ||
    error instanceof CertificateError ||
    error instanceof RecordError
  ) {
    return { outcome: 'fault', code: error.code, message: error.message };
  }
  const message = error instanceof Error ? error.message : 'unknown fault';
  return { outcome: 'fault', code: 'internal', message: `a defect of this program: ${message}` };
}
