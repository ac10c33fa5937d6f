/** What a payer is told where the card refuses PAY, or its signature is not taken. */
import type { CardResult } from '../../applet-spec/commands.ts';
import { DeskError } from './desk-error.ts';
import type { DeskRefusal, Paid } from './desk-seams.ts';

const refusals: Partial<Record<CardResult, DeskRefusal>> = {
  'not-authorised': refused('not-authorised', 'The card was not asked to pay this quote.'),
  'no-matching-coin': refused(
    'no-matching-coin',
    'The card holds no unspent coin of exactly this sum; buy one or exchange coins first.',
  ),
  'payment-limit-exceeded': refused(
    'limit-exceeded',
    'The sum is above what the card may spend at once.',
  ),
  'day-limit-exceeded': refused('limit-exceeded', 'The card has spent its limit for today.'),
  'peer-keys-full': refused('peer-keys-full', 'The card has no room for a key; erase an old one.'),
};

export function cardRefusal(result: CardResult): DeskRefusal {
  return refusals[result] ?? refused('card-fault', `The card refused the payment: ${result}.`);
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}

/**
 * What came of a card's signature. Closed books refuse it and the signature stays: whether it pays
 * shows once they are whole. Throws DeskError `outcome-unknown` then.
 */
export function whatCame(paid: Paid | DeskRefusal): Paid | DeskRefusal {
  if (paid.outcome !== 'refused' || paid.code !== 'rolled-back') return paid;
  throw new DeskError('outcome-unknown', paid.message);
}
