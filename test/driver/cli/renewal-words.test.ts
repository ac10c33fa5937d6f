import { expect, it } from 'vitest';
import { ErrandError } from '../../../driver/agent/errand-error.ts';
import type { ErrandFailure } from '../../../driver/agent/errands.ts';
import type { HostEvent } from '../../../driver/agent/host.ts';
import { renewalWords } from '../../../driver/cli/renewal-words.ts';

const failed = (outcome: ErrandFailure['outcome'], code: string, message: string): HostEvent => ({
  kind: 'renewal-failed',
  failure: new ErrandError({ outcome, code, message }, undefined),
});

it.each<[string, HostEvent, string | undefined]>([
  [
    'what was exchanged',
    { kind: 'coins-renewed', coins: 20, value: 40n, currency: 'EUR' },
    '20 coins worth EUR 0.40 near their end: exchanged for new ones.',
  ],
  [
    'why it was not, and what to do',
    failed('refused', 'no-coin-secrets', 'This station makes no coins now.'),
    'keytoll: coins near their end have not been exchanged yet: ' +
      'This station makes no coins now: tell its operator, and try again later',
  ],
  [
    'that it will be found out',
    failed('unknown', 'link-lost', 'the connection ended'),
    'keytoll: coins near their end have not been exchanged yet: ' +
      'the connection ended: `keytoll connect` finds out, and finishes an order that was cut ' +
      'short: do not place it again; a quote is paid once, however often `keytoll pay --quote` ' +
      'repeats it',
  ],
  ['nothing of anything else', { kind: 'card-gone', detail: 'pulled out' }, undefined],
])('a person is told %s', (_what, event, words) => {
  expect(renewalWords(event)).toBe(words);
});
