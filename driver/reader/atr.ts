/** The answer to reset (ISO/IEC 7816-3 §8.2) as far as the driver needs it. */
export interface AnswerToReset {
  /** The protocols offered, in the card's order: 0 for T=0, 1 for T=1. */
  readonly protocols: readonly number[];
  readonly historicalBytes: Uint8Array;
  /** undefined where the card does not say; ISO/IEC 7816-4 §8.1.1.2.7. */
  readonly capabilities: CardCapabilities | undefined;
}

export interface CardCapabilities {
  readonly commandChaining: boolean;
  readonly extendedLength: boolean;
}

/**
 * undefined where the bytes are no ATR. Check byte and interface bytes are the reader's business.
 */
export function parseAtr(atr: Uint8Array): AnswerToReset | undefined {
  const [ts, t0] = atr;
  if ((ts !== 0x3b && ts !== 0x3f) || t0 === undefined) return undefined;
  const protocols: number[] = [];
  let offset = 2;
  let indicated = t0 >> 4;
  for (;;) {
    // TAi, TBi and TCi come before TDi, each where its bit is set.
    for (const bit of [1, 2, 4]) if ((indicated & bit) !== 0) offset += 1;
    if ((indicated & 8) === 0) break;
    const td = atr[offset];
    if (td === undefined) return undefined;
    offset += 1;
    const protocol = td & 0x0f;
    // T=15 qualifies global interface bytes; it is no protocol.
    if (protocol !== 15 && !protocols.includes(protocol)) protocols.push(protocol);
    indicated = td >> 4;
  }
  const end = offset + (t0 & 0x0f);
  if (end > atr.length) return undefined;
  const historicalBytes = atr.slice(offset, end);
  return {
    protocols: protocols.length === 0 ? [0] : protocols,
    historicalBytes,
    capabilities: cardCapabilities(historicalBytes),
  };
}

/**
 * Historical bytes: a category indicator, then COMPACT-TLV objects; tag 7 holds the capabilities.
 */
function cardCapabilities(historical: Uint8Array): CardCapabilities | undefined {
  const category = historical[0];
  if (category !== 0x00 && category !== 0x80) return undefined;
  // Under category 00 the last three bytes are the status indicator, outside the objects.
  const objects = historical.subarray(1, category === 0x00 ? -3 : undefined);
  for (let offset = 0; offset < objects.length;) {
    const head = objects[offset] ?? 0;
    const value = objects.subarray(offset + 1, offset + 1 + (head & 0x0f));
    if (value.length < (head & 0x0f)) return undefined;
    if (head >> 4 === 7) {
      // The third software function table; a card that leaves it out says nothing about lengths.
      const third = value[2];
      if (third === undefined) return undefined;
      return { commandChaining: (third & 0x80) !== 0, extendedLength: (third & 0x40) !== 0 };
    }
    offset += 1 + value.length;
  }
  return undefined;
}
