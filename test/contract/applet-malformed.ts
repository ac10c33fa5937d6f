import { expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { appletId } from '../../applet-spec/commands.ts';
import { blank, pin, puk, type MakeBlankCard } from './applet-subject.ts';

const aid = toHex(appletId);

/** Short APDUs that any terminal can send; the applet is selected, its PIN is not verified. */
export const malformed: readonly (readonly [apdu: string, sw: string, what: string])[] = [
  ['0020008005313233', '6700', 'an Lc beyond the data'],
  ['002000800431323334ffff', '6700', 'bytes behind Le'],
  ['00000000', '6d00', 'an instruction that there is not'],
  ['00fe000000', '6d00', 'another one'],
  ['80fe000000', '6d00', 'one of our own class'],
  ['01ca010100', '6881', 'a logical channel'],
  ['41ca010100', '6881', 'a further logical channel'],
  ['0cca010100', '6882', 'secure messaging of ISO’s format'],
  ['a0ca010100', '6e00', 'a class of somebody else'],
  ['ffca010100', '6e00', 'the class that is none'],
  ['00ca010300', '6a88', 'a data object that there is not'],
  ['00ca01010100', '6700', 'GET DATA with data'],
  ['00ca010200', '6982', 'the owner before the PIN'],
  ['002000820431323334', '6a86', 'VERIFY of neither PIN nor PUK'],
  ['002001800431323334', '6a86', 'VERIFY with P1'],
  ['0020008003313233', '6700', 'a PIN too short'],
  ['002402800431323334', '6a86', 'CHANGE REFERENCE DATA of a third kind'],
  ['00a4040005f04b455954', '6a82', 'SELECT of another application'],
  [`00a40000 09${aid}`, '6a86', 'SELECT by file identifier'],
  ['00c0000010', '6985', 'GET RESPONSE without a response'],
  ['00c0010010', '6a86', 'GET RESPONSE with P1'],
  ['80180000', '6982', 'LIST COINS before the PIN'],
  ['8010000003010203', '6982', 'AUTHORISE before the PIN'],
  ['8050000008 0102030405060708', '6700', 'INITIALIZE UPDATE of S8'],
  ['805000010101', '6a86', 'INITIALIZE UPDATE with P2'],
  ['8082330000', '6d00', 'EXTERNAL AUTHENTICATE outside its class'],
  ['8482330000', '6985', 'EXTERNAL AUTHENTICATE before its greeting'],
  ['8030000003010203', '6982', 'PAY in the clear'],
  ['8430000003010203', '6982', 'PAY wrapped by nobody'],
];

export function describeMalformed(make: MakeBlankCard): void {
  it.each(malformed)('%s → %s: %s', async (apdu, sw) => {
    const subject = await blank(make);
    const { transmit, transmitRaw = transmit } = subject.card;
    await subject.host.select();
    await subject.host.setReferences(pin, puk);
    const answer = await transmitRaw(fromHex(apdu.replaceAll(' ', '')));
    expect(toHex(answer)).toBe(sw);
    expect((await subject.info()).pinTries).toBe(3);
  });

  it('takes nothing for a command that is shorter than a header', async () => {
    const { transmit, transmitRaw } = await make();
    // A reader carries no such thing: the contract of its connections has a test for that.
    if (transmitRaw !== undefined) return;
    for (const apdu of ['00', '00ca01']) expect(toHex(await transmit(fromHex(apdu)))).toBe('6700');
  });

  it('knows no command but SELECT before SELECT', async () => {
    const { transmit, transmitRaw = transmit } = await make();
    for (const apdu of ['00ca010100', '0020008000', '8050000010', '80180000']) {
      expect(toHex(await transmitRaw(fromHex(apdu)))).toBe('6985');
    }
  });
}
