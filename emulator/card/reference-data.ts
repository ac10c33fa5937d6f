/**
 * PIN and PUK (ISO/IEC 7816-4 §11.6: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER). A try is
 * paid for durably before the values are compared, so that cutting the power never gives one back.
 */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { changeReference, pinReference, pukReference } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { wrongReference } from '../../applet-spec/status-words.ts';
import {
  answer,
  requireDataLength,
  requireParameters,
  statusWord,
  type CardContext,
} from './card-context.ts';

type Reference = 'pin' | 'puk';

/**
 * VERIFY. Without data it only tells: 9000 where verified, else 63Cx, 6983 or 6984. The PUK opens
 * nothing: its host learns that it is right, whole, before it is joined with a new value.
 */
export function verify(card: CardContext, command: CommandApdu): ResponseApdu {
  const { session } = card;
  const reference = referenceOf(command.p2);
  requireParameters(command, 0x00, command.p2);
  const isPin = reference === 'pin';
  if (command.data.length === 0) {
    return isPin && session.pinVerified ? answer() : standing(card, reference);
  }
  requireReferenceLength(command.data);
  const { left, rest } = present(card, reference, command.data);
  if (rest?.length !== 0) {
    // The right one with something behind it is a wrong one.
    if (isPin) forgetPin(card);
    return wrong(left);
  }
  restore(card, reference);
  if (isPin) session.pinVerified = true;
  return answer();
}

/** CHANGE REFERENCE DATA: P1 01 sets what is not set yet, P1 00 takes old ‖ new. */
export function changeReferenceData(card: CardContext, command: CommandApdu): ResponseApdu {
  const reference = referenceOf(command.p2);
  const { data, p1 } = command;
  if (p1 === changeReference.first) {
    requireReferenceLength(data);
    if (card.memory.state[reference] !== undefined) {
      throw statusWord('conditions-of-use-not-satisfied');
    }
    card.memory.commit({ [reference]: data });
    return answer();
  }
  if (p1 !== changeReference.exchange) throw statusWord('incorrect-parameters');
  requireDataLength(command, 2 * limits.pinBytesLeast, 2 * limits.pinBytesMost);
  const { left, rest } = present(card, reference, data);
  if (rest === undefined) return wrong(left);
  restore(card, reference);
  requireReferenceLength(rest);
  card.memory.commit({ [reference]: rest });
  return answer();
}

/** RESET RETRY COUNTER: PUK ‖ new PIN. The new PIN is set, not verified. */
export function resetRetryCounter(card: CardContext, command: CommandApdu): ResponseApdu {
  requireParameters(command, 0x00, pinReference);
  requireDataLength(command, 2 * limits.pinBytesLeast, 2 * limits.pinBytesMost);
  if (card.memory.state.pin === undefined) throw statusWord('reference-data-not-usable');
  const { left, rest } = present(card, 'puk', command.data);
  if (rest === undefined) return wrong(left);
  restore(card, 'puk');
  requireReferenceLength(rest);
  forgetPin(card);
  card.memory.commit({ pin: rest, pinTries: limits.pinTries });
  return answer();
}

/**
 * Compares the start of `presented` with the reference; `rest` is what follows it, undefined where
 * it is wrong. The card splits old from new by the length that it knows (ISO/IEC 7816-4 §11.6.7).
 */
function present(
  card: CardContext,
  reference: Reference,
  presented: Uint8Array,
): { readonly left: number; readonly rest: Uint8Array | undefined } {
  const stored = card.memory.state[reference];
  if (stored === undefined) throw statusWord('reference-data-not-usable');
  const before = triesOf(card, reference);
  if (before === 0) throw statusWord('authentication-blocked');
  const left = before - 1;
  setTries(card, reference, left);
  const match = equalBytes(stored, presented.subarray(0, stored.length));
  if (!match && reference === 'pin') forgetPin(card);
  return { left, rest: match ? presented.slice(stored.length) : undefined };
}

function restore(card: CardContext, reference: Reference): void {
  setTries(card, reference, reference === 'pin' ? limits.pinTries : limits.pukTries);
}

function setTries({ memory }: CardContext, reference: Reference, tries: number): void {
  memory.commit(reference === 'pin' ? { pinTries: tries } : { pukTries: tries });
}

function triesOf({ memory }: CardContext, reference: Reference): number {
  return reference === 'pin' ? memory.state.pinTries : memory.state.pukTries;
}

function forgetPin({ session }: CardContext): void {
  session.pinVerified = false;
  session.authorisation = undefined;
}

function standing(card: CardContext, reference: Reference): ResponseApdu {
  const tries = triesOf(card, reference);
  if (card.memory.state[reference] === undefined) throw statusWord('reference-data-not-usable');
  if (tries === 0) throw statusWord('authentication-blocked');
  return wrong(tries);
}

function wrong(tries: number): ResponseApdu {
  return { data: new Uint8Array(0), sw: wrongReference(tries) };
}

function referenceOf(p2: number): Reference {
  if (p2 === pinReference) return 'pin';
  if (p2 === pukReference) return 'puk';
  throw statusWord('incorrect-parameters');
}

function requireReferenceLength(value: Uint8Array): void {
  if (value.length < limits.pinBytesLeast || value.length > limits.pinBytesMost) {
    throw statusWord('wrong-length');
  }
}
