import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import { recurring } from '../../applet-spec/recurring-text.ts';
import { text } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { valueInPlace } from '../../applet-spec/tlv-in-place.ts';

/** `text`, and what it was asked to read. */
function watchedText() {
  const plain = text(16);
  const reads: string[] = [];
  const watched = valueInPlace<string>(
    (value, to) => {
      plain.write(value, to);
    },
    (bytes, start, end) => {
      const value = plain.read(bytes, start, end);
      reads.push(value);
      return value;
    },
  );
  return { watched, reads };
}

describe('a text that comes again', () => {
  it('is read once', () => {
    const { watched, reads } = watchedText();
    const value = recurring(watched, 64);
    for (let i = 0; i < 3; i++) expect(value.decode(toUtf8('alice@q1'))).toBe('alice@q1');
    expect(reads).toEqual(['alice@q1']);
  });

  it('gives its place up to another one', () => {
    const { watched, reads } = watchedText();
    const value = recurring(watched, 1);
    for (const name of ['q1', 'q2', 'q2', 'q1']) expect(value.decode(toUtf8(name))).toBe(name);
    expect(reads).toEqual(['q1', 'q2', 'q1']);
  });

  it('is read anew where it is no ASCII', () => {
    const { watched, reads } = watchedText();
    const value = recurring(watched, 1);
    for (let i = 0; i < 2; i++) expect(value.decode(toUtf8('Zürich'))).toBe('Zürich');
    expect(reads).toEqual(['Zürich', 'Zürich']);
  });

  it('is refused as often as it comes where it is refused', () => {
    const value = recurring(text(16), 1);
    for (let i = 0; i < 2; i++) expect(() => value.decode(toUtf8('a\n'))).toThrow(TlvError);
    expect(() => value.encode('a\n')).toThrow(TlvError);
  });
});

describe('with few places for many texts', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'ü'), minLength: 1, maxLength: 4 });

  it('every text is written and read as without', () => {
    const plain = text(16);
    const value = recurring(text(16), 4);
    fc.assert(
      fc.property(letters, (name) => {
        const bytes = plain.encode(name);
        expect(value.encode(name)).toEqual(bytes);
        expect(value.decode(bytes)).toBe(name);
        const amidst = concatBytes(toUtf8('a'), bytes, toUtf8('b'));
        expect(value.read(amidst, 1, 1 + bytes.length)).toBe(name);
        expect(value.encode(name)).toEqual(bytes);
      }),
    );
  });
});
