import { expect, it } from 'vitest';
import { windowCsv } from '../../../daemon/cli/csv-report.ts';

it('a reference of two lines, booked before such were refused, stays one field of one row', () => {
  const nothing = { count: '0', amount: '0' };
  const window = { window: '1', state: 'paid', ours: nothing, theirs: nothing, net: '0' } as const;
  const csv = windowCsv('q1', 'EUR', [
    { peer: 'q2', windows: [{ ...window, reference: 'bank 1\n2' }] },
  ]);
  expect(csv).toMatch(/\r\nq1,q2,1,paid,EUR,0,0,0,0,0,"bank 1\n2"\r\n$/);
});
