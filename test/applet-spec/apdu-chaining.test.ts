import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  followUp,
  joinChain,
  portionResponse,
  splitChain,
  type ChainStep,
  type CommandChain,
} from '../../applet-spec/apdu-chaining.ts';
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes } from '../../applet-spec/bytes.ts';

const none = new Uint8Array(0);
const command = (length: number): CommandApdu => ({
  cla: 0x84,
  ins: 0x30,
  p1: 1,
  p2: 2,
  data: Uint8Array.from({ length }, (_, i) => i),
  ne: 256,
});

function receive(pieces: readonly CommandApdu[], maxData = 70_000): ChainStep {
  let chain: CommandChain | undefined;
  for (const [index, piece] of pieces.entries()) {
    const step = joinChain(chain, piece, maxData);
    if (step.kind !== 'more' || index === pieces.length - 1) return step;
    chain = step.chain;
  }
  throw new Error('no piece');
}

describe('command chaining (ISO/IEC 7816-4 §5.1.1.1)', () => {
  it.each([
    [0, [0]],
    [255, [255]],
    [256, [255, 1]],
    [510, [255, 255]],
    [511, [255, 255, 1]],
  ])('%i bytes travel in pieces of %j', (length, sizes) => {
    const pieces = splitChain(command(length));
    expect(pieces.map((piece) => piece.data.length)).toEqual(sizes);
    const last = pieces.length - 1;
    expect(pieces.map((piece) => piece.cla)).toEqual(sizes.map((_, i) => (i < last ? 0x94 : 0x84)));
    expect(pieces.map((piece) => piece.ne)).toEqual(
      sizes.map((_, i) => (i < last ? undefined : 256)),
    );
    expect(receive(pieces)).toEqual({ kind: 'complete', command: command(length) });
  });

  it('joins what it splits, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.integer({ min: 1, max: 300 }), (length, maxData) => {
        const pieces = splitChain(command(length), maxData);
        expect(receive(pieces)).toEqual({ kind: 'complete', command: command(length) });
      }),
    );
  });

  it('refuses another command inside a chain with 6883', () => {
    const [first, second] = splitChain(command(300));
    if (first === undefined || second === undefined) throw new Error('two pieces expected');
    for (const change of [{ ins: 0x32 }, { p1: 9 }, { p2: 9 }, { cla: 0x80 }]) {
      const step = receive([first, { ...second, ...change }]);
      expect(step).toEqual({ kind: 'refused', sw: 0x6883 });
    }
  });

  it('refuses more than the card holds with 6700, in one piece or in many', () => {
    expect(receive([command(101)], 100)).toEqual({ kind: 'refused', sw: 0x6700 });
    expect(receive(splitChain(command(300)), 299)).toEqual({ kind: 'refused', sw: 0x6700 });
    expect(receive(splitChain(command(300)), 300).kind).toBe('complete');
  });

  it('does not split what is a piece already, nor into nothing', () => {
    expect(() => splitChain({ ...command(1), cla: 0x94 })).toThrow(RangeError);
    expect(() => splitChain(command(1), 0)).toThrow(RangeError);
  });
});

describe('response chaining (61xx and GET RESPONSE)', () => {
  it('brings the whole answer, whatever the portions', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 256 }), (length, ne) => {
        const whole: ResponseApdu = { data: new Uint8Array(length).map((_, i) => i), sw: 0x9000 };
        const parts: Uint8Array[] = [];
        let asked: CommandApdu = { ...command(0), ne };
        let rest: ResponseApdu | undefined = whole;
        while (rest !== undefined) {
          const portion = portionResponse(rest, asked.ne ?? 0);
          expect(portion.response.data.length).toBeLessThanOrEqual(asked.ne ?? 0);
          parts.push(portion.response.data);
          rest = portion.rest;
          const next = followUp(asked, portion.response);
          expect(next === undefined).toBe(rest === undefined);
          if (next !== undefined) {
            expect(next).toMatchObject({ cla: 0x00, ins: 0xc0, p1: 0, p2: 0, data: none });
            asked = next;
          }
        }
        expect(concatBytes(...parts)).toEqual(whole.data);
      }),
    );
  });

  it('says how much is left: xx below 256, 00 for more', () => {
    const data = new Uint8Array(600);
    expect(portionResponse({ data, sw: 0x9000 }, 256).response.sw).toBe(0x6100);
    expect(portionResponse({ data, sw: 0x9000 }, 344).response.sw).toBe(0x6100);
    expect(portionResponse({ data, sw: 0x9000 }, 345).response.sw).toBe(0x61ff);
    expect(portionResponse({ data, sw: 0x6282 }, 600)).toEqual({
      response: { data, sw: 0x6282 },
      rest: undefined,
    });
  });

  it('repeats the command with the right Le after 6Cxx', () => {
    const sent = command(3);
    expect(followUp(sent, { data: none, sw: 0x6c10 })).toEqual({ ...sent, ne: 16 });
    expect(followUp(sent, { data: none, sw: 0x6c00 })).toEqual({ ...sent, ne: 256 });
    expect(followUp(sent, { data: none, sw: 0x9000 })).toBeUndefined();
    expect(followUp(sent, { data: none, sw: 0x6982 })).toBeUndefined();
  });
});
