import { describe, expect, it } from 'vitest';
import { askedAgainMs } from '../../../daemon/relay/asked-again.ts';

const deadlines = { deliveryDeadline: 1_000n, resolutionDeadline: 87_400n };

describe('the next question to a last station that has not answered', () => {
  it('comes after half a minute at first, also where advice came before the deadline', () => {
    expect(askedAgainMs(deadlines, 700_000)).toBe(30_000);
    expect(askedAgainMs(deadlines, 1_030_000)).toBe(30_000);
  });

  it('comes ever later, but never later than an hour', () => {
    expect(askedAgainMs(deadlines, 1_000_000 + 480_000)).toBe(60_000);
    expect(askedAgainMs(deadlines, 1_000_000 + 40_000_000)).toBe(3_600_000);
    expect(askedAgainMs(deadlines, 1_000_000 + 900_000_000)).toBe(3_600_000);
  });

  it('does not miss the resolution deadline, at which the payer is made whole', () => {
    expect(askedAgainMs(deadlines, 87_300_000)).toBe(101_000);
  });
});
