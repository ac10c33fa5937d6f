import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonCodes, type Reason } from '../../../applet-spec/receipt.ts';
import {
  stepPayment,
  type PaymentEffect,
  type PaymentInput,
} from '../../../daemon/relay/payment-machine.ts';
import type { PaymentRole, PaymentState } from '../../../daemon/store/store.ts';

const roles = ['issuer', 'relay', 'last'] as const satisfies readonly PaymentRole[];
const states = [
  'admitted',
  'relayed',
  'held',
  'forwarded',
  'offered',
  'delivered',
  'undelivered',
  'refused',
] as const satisfies readonly PaymentState[];
const terminal: readonly PaymentState[] = ['delivered', 'undelivered', 'refused'];
const inputs: readonly PaymentInput[] = [
  { kind: 'handed-on' },
  { kind: 'receipt', verdict: 'delivered' },
  { kind: 'receipt', verdict: 'undelivered' },
  { kind: 'own-receipt', verdict: 'delivered' },
  { kind: 'own-receipt', verdict: 'undelivered' },
  { kind: 'advice' },
  { kind: 'payee-here' },
  { kind: 'acknowledged' },
  { kind: 'card-refused', reason: 'payee-card-full' },
  { kind: 'asked', reason: 'asked-by-issuer' },
  { kind: 'delivery-deadline' },
  { kind: 'overdue' },
];
const firstState = { issuer: 'admitted', relay: 'held', last: 'held' } as const;

const everything = roles.flatMap((role) =>
  states.flatMap((state) => inputs.map((input) => ({ role, state, input }))),
);

function end(role: PaymentRole, state: PaymentState, ...story: readonly PaymentInput[]) {
  const effects: PaymentEffect[] = [];
  let now = state;
  for (const input of story) {
    const step = stepPayment(role, now, input);
    if (step.kind !== 'next') continue;
    now = step.state;
    if (step.effect !== undefined) effects.push(step.effect);
  }
  return { state: now, effects };
}

const told = (kind: 'delivered' | 'undelivered'): PaymentInput => ({
  kind: 'receipt',
  verdict: kind,
});

describe('every role in every state with every input', () => {
  it('is handled, ignored or refused with a reason', () => {
    for (const { role, state, input } of everything) {
      const step = stepPayment(role, state, input);
      if (step.kind === 'next') expect(states).toContain(step.state);
      else if (step.kind === 'refused') expect(step.why).not.toBe('');
      else expect(step).toEqual({ kind: 'ignored' });
    }
  });

  it('leaves no terminal state (I28, I31)', () => {
    for (const { role, state, input } of everything) {
      if (!terminal.includes(state)) continue;
      const step = stepPayment(role, state, input);
      if (step.kind === 'next') {
        expect(step.state).toBe(state);
        expect(step.effect).toEqual({ kind: 'answer-with-receipt' });
      }
    }
  });

  it('ends a payment at issuers and relays by a receipt alone (I29)', () => {
    for (const { role, state, input } of everything) {
      if (role === 'last' || terminal.includes(state)) continue;
      const step = stepPayment(role, state, input);
      if (step.kind !== 'next' || !terminal.includes(step.state)) continue;
      expect(input.kind).toBe('receipt');
      if (input.kind === 'receipt') expect(step.state).toBe(input.verdict);
      expect(step.effect).toEqual({ kind: 'take-receipt' });
    }
  });

  it('has the last station alone decide, with effect and state in agreement (I25)', () => {
    for (const { role, state, input } of everything) {
      const step = stepPayment(role, state, input);
      if (step.kind !== 'next') continue;
      const decides = step.effect?.kind === 'decide';
      if (step.effect?.kind === 'decide') {
        expect(role).toBe('last');
        expect(step.state).toBe(step.effect.verdict);
      }
      if (role === 'last' && !terminal.includes(state)) {
        const found = input.kind === 'own-receipt';
        expect(decides).toBe(terminal.includes(step.state) && !found);
      }
    }
  });

  it('delivers on an acknowledgement of what was offered, and on nothing else', () => {
    for (const { role, state, input } of everything) {
      const step = stepPayment(role, state, input);
      if (step.kind !== 'next' || step.effect?.kind !== 'decide') continue;
      if (step.effect.verdict === 'delivered') {
        expect({ state, input: input.kind }).toEqual({ state: 'offered', input: 'acknowledged' });
      }
    }
  });

  it('never goes back to a state before', () => {
    const rank = { admitted: 0, held: 0, relayed: 1, forwarded: 1, offered: 1 } as const;
    for (const { role, state, input } of everything) {
      const step = stepPayment(role, state, input);
      if (step.kind !== 'next') continue;
      const order = (of: PaymentState): number =>
        of === 'delivered' || of === 'undelivered' || of === 'refused' ? 2 : rank[of];
      expect(order(step.state)).toBeGreaterThanOrEqual(order(state));
    }
  });
});

describe('any story', () => {
  const reasons = fc.constantFrom<Reason>('payee-card-fault', 'commitment-mismatch');
  const anyInput = fc.oneof(
    fc.constantFrom(...inputs),
    reasons.map((reason): PaymentInput => ({ kind: 'card-refused', reason })),
  );
  const stories = fc.array(anyInput, { maxLength: 40 });

  it('has at most one decision, and then one state for ever', () => {
    fc.assert(
      fc.property(fc.constantFrom(...roles), stories, stories, (role, story, after) => {
        const first = end(role, firstState[role], ...story);
        const decisions = first.effects.filter(({ kind }) => kind === 'decide');
        const taken = first.effects.filter(({ kind }) => kind === 'take-receipt');
        expect(decisions.length + taken.length).toBe(terminal.includes(first.state) ? 1 : 0);
        if (terminal.includes(first.state)) {
          expect(end(role, first.state, ...after).state).toBe(first.state);
        }
      }),
    );
  });

  it('is the same with every input repeated (I24)', () => {
    fc.assert(
      fc.property(fc.constantFrom(...roles), stories, (role, story) => {
        const once = end(role, firstState[role], ...story);
        const twice = end(role, firstState[role], ...story.flatMap((input) => [input, input]));
        expect(twice.state).toBe(once.state);
        expect(twice.effects.filter(({ kind }) => kind === 'decide')).toEqual(
          once.effects.filter(({ kind }) => kind === 'decide'),
        );
      }),
    );
  });

  it('ends at the last station once its deadline has come', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const { state } = end('last', 'held', ...story, { kind: 'delivery-deadline' });
        expect(terminal).toContain(state);
      }),
    );
  });
});

describe('the stories of design §7', () => {
  it('S36 to S38: handed on, and delivered', () => {
    expect(end('issuer', 'admitted', { kind: 'handed-on' }, told('delivered'))).toEqual({
      state: 'delivered',
      effects: [{ kind: 'take-receipt' }],
    });
    expect(end('issuer', 'admitted', { kind: 'handed-on' }).state).toBe('relayed');
    expect(end('relay', 'held', { kind: 'handed-on' }).state).toBe('forwarded');
    const offered = end('last', 'held', { kind: 'payee-here' }, { kind: 'acknowledged' });
    expect(offered).toEqual({
      state: 'delivered',
      effects: [{ kind: 'offer' }, { kind: 'decide', verdict: 'delivered' }],
    });
  });

  it('a receipt overtakes the confirmation of the payment', () => {
    const { state } = end('relay', 'held', told('undelivered'), { kind: 'handed-on' });
    expect(state).toBe('undelivered');
  });

  it('a confirmation that comes again changes nothing', () => {
    expect(stepPayment('issuer', 'relayed', { kind: 'handed-on' }).kind).toBe('ignored');
    expect(stepPayment('relay', 'forwarded', { kind: 'handed-on' }).kind).toBe('ignored');
  });

  it('advice and silence make the issuer ask, and change nothing', () => {
    for (const kind of ['advice', 'overdue'] as const) {
      for (const state of ['admitted', 'relayed'] as const) {
        expect(end('issuer', state, { kind })).toEqual({
          state,
          effects: [{ kind: 'ask-last-station' }],
        });
      }
    }
  });

  it('a question makes the last station decide, and then repeats what it decided', () => {
    const decided = end(
      'last',
      'held',
      { kind: 'asked', reason: 'asked-by-issuer' },
      { kind: 'asked', reason: 'asked-by-issuer' },
    );
    expect(decided.state).toBe('undelivered');
    expect(decided.effects).toEqual([
      { kind: 'decide', verdict: 'undelivered', reason: 'asked-by-issuer' },
      { kind: 'answer-with-receipt' },
    ]);
  });

  it('the deadline says whether the payee was ever there', () => {
    const deadline: PaymentInput = { kind: 'delivery-deadline' };
    const reasonOf = (...story: PaymentInput[]) => end('last', 'held', ...story).effects.at(-1);
    expect(reasonOf(deadline)).toMatchObject({ reason: 'payee-absent' });
    expect(reasonOf({ kind: 'payee-here' }, deadline)).toMatchObject({ reason: 'deadline-passed' });
  });

  it('a card’s refusal is the verdict’s reason', () => {
    for (const reason of ['payee-card-full', 'commitment-mismatch'] as const) {
      expect(end('last', 'offered', { kind: 'card-refused', reason }).effects).toEqual([
        { kind: 'decide', verdict: 'undelivered', reason },
      ]);
      expect(reasonCodes[reason]).toBeGreaterThan(0);
    }
  });

  it('a payee who leaves and comes back is offered the key again', () => {
    const { effects } = end('last', 'held', { kind: 'payee-here' }, { kind: 'payee-here' });
    expect(effects).toEqual([{ kind: 'offer' }, { kind: 'offer' }]);
  });

  it('an acknowledgement of what was not offered is refused', () => {
    expect(stepPayment('last', 'held', { kind: 'acknowledged' }).kind).toBe('refused');
  });

  it('a second receipt that contradicts the first is refused, and one that agrees ignored', () => {
    for (const role of roles) {
      expect(stepPayment(role, 'delivered', told('undelivered')).kind).toBe('refused');
      expect(stepPayment(role, 'undelivered', told('delivered')).kind).toBe('refused');
      expect(stepPayment(role, 'delivered', told('delivered')).kind).toBe('ignored');
    }
  });

  it('a verdict of its own, found again, ends a payment at the last station as it says', () => {
    for (const verdict of ['delivered', 'undelivered'] as const) {
      for (const state of ['held', 'offered'] as const) {
        expect(end('last', state, { kind: 'own-receipt', verdict })).toEqual({
          state: verdict,
          effects: [{ kind: 'take-receipt' }],
        });
      }
    }
    const other = { kind: 'own-receipt', verdict: 'delivered' } as const;
    expect(stepPayment('last', 'undelivered', other).kind).toBe('refused');
  });

  it('nobody’s receipt decides for the last station', () => {
    expect(stepPayment('last', 'held', told('delivered')).kind).toBe('refused');
    expect(stepPayment('last', 'offered', told('undelivered')).kind).toBe('refused');
  });
});
