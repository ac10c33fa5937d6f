import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../applet-spec/bytes.ts';
import { parseAtr } from '../../../driver/reader/atr.ts';

describe('parseAtr', () => {
  it.each([
    ['YubiKey 5 NFC', '3bfd1300008131fe158073c021c057597562694b657940', [1], true, true],
    ['OpenPGP card 3.4', '3bda18ff81b1fe751f030031f573c001600090001c', [1], false, true],
    ['T=0 with chaining', '3b058073000080', [0], true, false],
    ['contactless: T=0 and T=1', '3b8580018073000040b6', [0, 1], false, true],
  ])('reads the protocols and capabilities of %s', (_, atr, protocols, chaining, extended) => {
    expect(parseAtr(fromHex(atr))).toMatchObject({
      protocols,
      capabilities: { commandChaining: chaining, extendedLength: extended },
    });
  });

  it.each([
    ['no historical bytes', '3b8001 81'.replaceAll(' ', '')],
    ['another category', '3b041073000080'],
    ['two function tables only', '3b0480720000'],
    ['a COMPACT-TLV object cut short', '3b03807300'],
  ])('finds no capabilities where there are %s', (_, atr) => {
    const parsed = parseAtr(fromHex(atr));
    expect(parsed).toBeDefined();
    expect(parsed?.capabilities).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['one byte', '3b'],
    ['another first byte', '3a00'],
    ['fewer historical bytes than announced', '3b0580730000'],
    ['a missing TD1', '3b80'],
  ])('refuses %s', (_, atr) => {
    expect(parseAtr(fromHex(atr))).toBeUndefined();
  });
});
