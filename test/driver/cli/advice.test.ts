import { expect, it } from 'vitest';
import { withAdvice } from '../../../driver/cli/advice.ts';

it.each([
  ['nothing', {}, 'try again later'],
  ['no station avoided and any suite', { avoid: [], minimumSuite: 'aes' }, 'try again later'],
  ['a station avoided', { avoid: ['q2'] }, 'try again later, or with fewer --avoid'],
  ['a suite', { minimumSuite: 'otp' }, 'try again later, or with a lower --minimum-suite'],
  [
    'both',
    { avoid: ['q2'], minimumSuite: 'otp-secret' },
    'try again later, or with fewer --avoid or a lower --minimum-suite',
  ],
])('where no route serves and %s was asked for, it fits that', (_what, asked, advice) => {
  const words = withAdvice('no-route', 'No route leads to q3.', 'refused', asked);
  expect(words).toBe(`No route leads to q3: ${advice}`);
});

it('says nothing of routes about anything else', () => {
  const words = withAdvice('overloaded', 'Too much.', 'refused', { avoid: ['q2'] });
  expect(words).toBe('Too much: try again later');
});

it('of what was done in part it says how to see what there is', () => {
  const words = withAdvice('partly-done', '2 were not: too much.', 'unknown');
  expect(words).toMatch(/^2 were not: too much: `keytoll balance` shows what there is now/);
});
