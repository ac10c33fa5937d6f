import { describe, expect, it } from 'vitest';
import { HelloGate } from '../../../daemon/link/hello-gate.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';

describe('the door of a station whose clock is set back by an hour', () => {
  it('lets in a neighbour that it has seen before', () => {
    const clock = new UnsteadyClock(new VirtualClock());
    const gate = new HelloGate(clock);
    expect(gate.enter('q1')).toBe(true);
    gate.left('q1');
    clock.set(-3_600_000);
    expect(gate.enter('q1')).toBe(true);
  });

  it('goes on earning hellos for an address that has used up its own', () => {
    const steady = new VirtualClock();
    const clock = new UnsteadyClock(steady);
    const gate = new HelloGate(clock);
    for (let i = 0; i < 20; i++) {
      expect(gate.enter('q1')).toBe(true);
      gate.failed('q1');
      gate.left('q1');
    }
    expect(gate.enter('q1')).toBe(false);
    clock.set(-3_600_000);
    expect(gate.enter('q1')).toBe(false);
    steady.advance(1_000);
    expect(gate.enter('q1')).toBe(true);
  });
});
