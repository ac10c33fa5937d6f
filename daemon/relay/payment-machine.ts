/**
 * A payment's life at one station (design §7), as a pure function, total over role, state and
 * input. Relays never end a payment of their own accord (I29): only a receipt of the last station
 * does.
 */
import type { Reason, Verdict } from '../../applet-spec/receipt.ts';
import type { PaymentRole, PaymentState } from '../store/store.ts';

export type PaymentInput =
  /** The next station holds the payment durably. */
  | { readonly kind: 'handed-on' }
  /** A verified receipt of the last station, from either side. */
  | { readonly kind: 'receipt'; readonly verdict: Verdict }
  /** At the last station: a verdict of its own, shown to books that had lost it. */
  | { readonly kind: 'own-receipt'; readonly verdict: Verdict }
  /** A station further on will not carry it: advice. */
  | { readonly kind: 'advice' }
  /** The payee is at the desk. */
  | { readonly kind: 'payee-here' }
  /** The payee's card signed its acknowledgement. */
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'card-refused'; readonly reason: Reason }
  /** The issuer asks for a verdict, for a reason of its own or one that it was told. */
  | { readonly kind: 'asked'; readonly reason: Reason }
  /** By the last station's clock. */
  | { readonly kind: 'delivery-deadline' }
  /** By the issuer's clock: some time after the delivery deadline, still no verdict. */
  | { readonly kind: 'overdue' };

export type PaymentEffect =
  | { readonly kind: 'decide'; readonly verdict: 'delivered' }
  | { readonly kind: 'decide'; readonly verdict: 'undelivered'; readonly reason: Reason }
  /** Store the receipt and pass it towards the issuer; at the issuer, settle coin and card. */
  | { readonly kind: 'take-receipt' }
  | { readonly kind: 'offer' }
  | { readonly kind: 'ask-last-station' }
  | { readonly kind: 'answer-with-receipt' };

export type PaymentStep =
  | { readonly kind: 'next'; readonly state: PaymentState; readonly effect?: PaymentEffect }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly why: string };

const ignored: PaymentStep = { kind: 'ignored' };

export function stepPayment(
  role: PaymentRole,
  state: PaymentState,
  input: PaymentInput,
): PaymentStep {
  if (state === 'delivered' || state === 'undelivered') return afterVerdict(state, input);
  if (state === 'refused') return ignored;
  switch (role) {
    case 'issuer':
      return stepIssuer(state, input);
    case 'relay':
      return stepRelay(state, input);
    case 'last':
      return stepLast(state, input);
  }
}

/** Terminal states are never left (I28, I31); a question is answered again and again. */
function afterVerdict(state: 'delivered' | 'undelivered', input: PaymentInput): PaymentStep {
  switch (input.kind) {
    case 'asked':
      return { kind: 'next', state, effect: { kind: 'answer-with-receipt' } };
    case 'receipt':
    case 'own-receipt':
      return input.verdict === state
        ? ignored
        : { kind: 'refused', why: `a receipt says ${input.verdict}, the first one said ${state}` };
    default:
      return ignored;
  }
}

function stepIssuer(state: PaymentState, input: PaymentInput): PaymentStep {
  switch (input.kind) {
    case 'handed-on':
      return state === 'admitted' ? { kind: 'next', state: 'relayed' } : ignored;
    case 'receipt':
      return { kind: 'next', state: input.verdict, effect: { kind: 'take-receipt' } };
    case 'advice':
    case 'overdue':
      return { kind: 'next', state, effect: { kind: 'ask-last-station' } };
    default:
      return ignored;
  }
}

function stepRelay(state: PaymentState, input: PaymentInput): PaymentStep {
  switch (input.kind) {
    case 'handed-on':
      return state === 'held' ? { kind: 'next', state: 'forwarded' } : ignored;
    case 'receipt':
      return { kind: 'next', state: input.verdict, effect: { kind: 'take-receipt' } };
    default:
      return ignored;
  }
}

function stepLast(state: PaymentState, input: PaymentInput): PaymentStep {
  switch (input.kind) {
    case 'payee-here':
      return { kind: 'next', state: 'offered', effect: { kind: 'offer' } };
    case 'acknowledged':
      return state === 'offered'
        ? {
            kind: 'next',
            state: 'delivered',
            effect: { kind: 'decide', verdict: 'delivered' },
          }
        : { kind: 'refused', why: 'an acknowledgement of what was not offered' };
    case 'card-refused':
      return undelivered(input.reason);
    case 'asked':
      return undelivered(input.reason);
    case 'delivery-deadline':
      return undelivered(state === 'held' ? 'payee-absent' : 'deadline-passed');
    case 'receipt':
      return { kind: 'refused', why: 'a receipt for a payment that only this station decides' };
    case 'own-receipt':
      return { kind: 'next', state: input.verdict, effect: { kind: 'take-receipt' } };
    default:
      return ignored;
  }
}

function undelivered(reason: Reason): PaymentStep {
  return {
    kind: 'next',
    state: 'undelivered',
    effect: { kind: 'decide', verdict: 'undelivered', reason },
  };
}
