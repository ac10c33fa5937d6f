import { describe, expect, it } from 'vitest';
import { whatCame } from '../../../daemon/desk/card-refusals.ts';
import type { DeskRefusal } from '../../../daemon/desk/desk-seams.ts';

const refused = (code: DeskRefusal['code']): DeskRefusal => ({
  outcome: 'refused',
  code,
  message: `because of ${code}`,
});

describe('a payment that the card has signed', () => {
  it('is refused for good where the station says so', () => {
    const gone = refused('coin-not-unspent');
    expect(whatCame(gone)).toBe(gone);
  });

  it('has an unknown end, never a refusal, where the books are closed', () => {
    expect(() => whatCame(refused('rolled-back'))).toThrow(
      expect.objectContaining({ code: 'outcome-unknown', message: 'because of rolled-back' }),
    );
  });
});
