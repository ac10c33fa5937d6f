import { describe, expect, it } from 'vitest';
import { readFaults } from '../../../emulator/qkd/fault-reader.ts';
import { FaultScript } from '../../../emulator/qkd/fault.ts';
import type { ScriptedFault } from '../../../emulator/qkd/fault.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

function script() {
  const clock = new VirtualClock();
  const begun: ScriptedFault[] = [];
  const faults = new FaultScript(clock, (one) => {
    if (one !== undefined) begun.push(one);
  });
  return { clock, begun, faults };
}

describe('scripted faults', () => {
  it('begin and end when they should', () => {
    const { clock, faults } = script();
    faults.add({ fault: { kind: 'slow', delayMs: 5 }, afterMs: 100, forMs: 50 });
    expect(faults.find('slow')).toBeUndefined();
    clock.advance(100);
    expect(faults.find('slow')).toEqual({ kind: 'slow', delayMs: 5 });
    clock.advance(50);
    expect(faults.find('slow')).toBeUndefined();
  });

  it('strike as often as they should, where they should', () => {
    const { faults } = script();
    faults.add({ fault: { kind: 'lost-answer' }, kme: 'k1', call: 'enc_keys', times: 2 });
    expect(faults.strike('lost-answer', 'k2', 'enc_keys')).toBeUndefined();
    expect(faults.strike('lost-answer', 'k1', 'dec_keys')).toBeUndefined();
    expect(faults.strike('lost-answer', 'k1', 'enc_keys')).toBeDefined();
    expect(faults.strike('lost-answer', 'k1', 'enc_keys')).toBeDefined();
    expect(faults.strike('lost-answer', 'k1', 'enc_keys')).toBeUndefined();
  });

  it('are forgotten when cleared, those to come too', () => {
    const { clock, begun, faults } = script();
    faults.add({ fault: { kind: 'outage' } });
    faults.add({ fault: { kind: 'restart' }, afterMs: 10 });
    faults.clear();
    clock.advance(100);
    expect(faults.find('outage')).toBeUndefined();
    expect(begun.map(({ fault }) => fault.kind)).toEqual(['outage']);
    expect(clock.pending).toBe(0);
  });

  it('are read from JSON, one or a list', () => {
    expect(readFaults('{"fault":{"kind":"outage"},"forMs":5}')).toEqual([
      { fault: { kind: 'outage' }, forMs: 5 },
    ]);
    const list =
      '[{"fault":{"kind":"answer","status":500,"body":""}},{"fault":{"kind":"restart"}}]';
    expect(readFaults(list)).toHaveLength(2);
  });

  it.each([
    ['no JSON', '{'],
    ['an unknown kind', '{"fault":{"kind":"gremlins"}}'],
    ['a member that does not belong', '{"fault":{"kind":"outage"},"when":5}'],
    ['a time below 0', '{"fault":{"kind":"outage"},"afterMs":-5}'],
  ])('are refused as %s', (_, text) => {
    expect(() => readFaults(text)).toThrow(RangeError);
  });
});
