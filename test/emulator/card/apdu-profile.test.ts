/** The three APDU profiles: what their ATR says, and that they keep to it. */
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { applicationInfo } from '../../../applet-spec/card-objects.ts';
import { appletId } from '../../../applet-spec/commands.ts';
import { limits } from '../../../applet-spec/limits.ts';
import { decodeElement } from '../../../applet-spec/tlv.ts';
import { ApduTransport } from '../../../emulator/card/apdu-transport.ts';
import { atrOf, type ApduProfile } from '../../../emulator/card/atr.ts';
import { parseAtr } from '../../../driver/reader/atr.ts';
import { cardUnderTest } from './card-bench.ts';

const profiles = {
  't1-extended': { protocols: [1], capabilities: { commandChaining: true, extendedLength: true } },
  't1-short': { protocols: [1], capabilities: { commandChaining: true, extendedLength: false } },
  t0: { protocols: [0], capabilities: { commandChaining: true, extendedLength: false } },
} as const;
const names: readonly ApduProfile[] = ['t1-extended', 't1-short', 't0'];
const aid = toHex(appletId);
const getInfo = '00ca0101';

describe('the answer to reset', () => {
  it.each(names)('of %s announces it', (name) => {
    const atr = atrOf(name);
    expect(atr.length).toBeLessThanOrEqual(33);
    expect(parseAtr(atr)).toMatchObject(profiles[name]);
  });

  it.each(['t1-extended', 't1-short'] as const)('of %s has a good check byte', (name) => {
    expect(
      atrOf(name)
        .subarray(1)
        .reduce((sum, byte) => sum ^ byte, 0),
    ).toBe(0);
  });

  it('of T=0 has none', () => {
    const atr = atrOf('t0');
    expect(atr).toHaveLength(2 + (atr[1] ?? 0));
  });
});

async function selected(name: ApduProfile): Promise<(apdu: string) => Promise<string>> {
  const card = cardUnderTest(name);
  const transmit = async (apdu: string): Promise<string> =>
    toHex(await card.transmit(fromHex(apdu)));
  await transmit(`00a4040c09${aid}`);
  return transmit;
}

describe('lengths', () => {
  it('T=1 extended takes both forms', async () => {
    const transmit = await selected('t1-extended');
    expect(await transmit(`${getInfo}000000`)).toBe(await transmit(`${getInfo}00`));
    expect(await transmit(`00a4040c000009${aid}`)).toBe('9000');
  });

  it.each(['t1-short', 't0'] as const)('%s refuses the extended form', async (name) => {
    const transmit = await selected(name);
    expect(await transmit(`${getInfo}000000`)).toBe('6700');
    expect(await transmit(`00a4040c000009${aid}`)).toBe('6700');
  });

  it.each(['t1-short', 't1-extended'] as const)('%s cuts an answer to Le', async (name) => {
    const transmit = await selected(name);
    const whole = await transmit(`${getInfo}00`);
    const rest = whole.length / 2 - 2 - 16;
    const first = await transmit(`${getInfo}10`);
    expect(first).toBe(`${whole.slice(0, 32)}61${hex(rest)}`);
    const second = await transmit(`00c00000${hex(rest)}`);
    expect(first.slice(0, 32) + second).toBe(whole);
    expect(await transmit('00c0000000')).toBe('6985');
  });

  it('an answer that is not fetched is gone with the next command', async () => {
    const transmit = await selected('t1-short');
    await transmit(`${getInfo}10`);
    await transmit(`${getInfo}00`);
    expect(await transmit('00c0000000')).toBe('6985');
  });

  it('T=0 answers a command with data by GET RESPONSE only, and corrects Le', async () => {
    const transmit = await selected('t0');
    const select = await transmit(`00a4040009${aid}`);
    expect(select).toMatch(/^61..$/);
    const available = Number.parseInt(select.slice(2), 16);
    expect(await transmit('00c0000000')).toBe(`6c${hex(available)}`);
    const answer = await transmit(`00c00000${hex(available)}`);
    expect(answer).toHaveLength(2 * available + 4);
    expect(answer).toMatch(/^6f.*9000$/);
  });
});

describe('command chaining', () => {
  it('joins pieces of any size, and gives the same answer', async () => {
    const transmit = await selected('t1-short');
    expect(await transmit(`10a4040c04${aid.slice(0, 8)}`)).toBe('9000');
    expect(await transmit(`10a4040c00`)).toBe('9000');
    expect(await transmit(`00a4040c05${aid.slice(8)}`)).toBe('9000');
  });

  it('refuses another command in the middle, and forgets the chain', async () => {
    const transmit = await selected('t1-short');
    await transmit(`10a4040c04${aid.slice(0, 8)}`);
    expect(await transmit(`${getInfo}00`)).toBe('6883');
    expect(await transmit(`00a4040c05${aid.slice(8)}`)).toBe('6a82');
    expect(await transmit(`${getInfo}00`)).toMatch(/9000$/);
  });

  it('refuses GET RESPONSE in the middle like any other command', async () => {
    const transmit = await selected('t1-short');
    await transmit(`10a4040c04${aid.slice(0, 8)}`);
    expect(await transmit('00c0000000')).toBe('6883');
    expect(await transmit(`00a4040c05${aid.slice(8)}`)).toBe('6a82');
  });

  it('takes 65,535 bytes in all and not one more', () => {
    const seen: number[] = [];
    const transport = new ApduTransport('t1-short', ({ data }) => {
      seen.push(data.length);
      return { data: new Uint8Array(0), sw: 0x9000 };
    });
    const piece = (last: boolean, length: number): string =>
      toHex(
        transport.exchange(
          concatBytes(
            Uint8Array.of(last ? 0x80 : 0x90, 0x30, 0, 0, length),
            new Uint8Array(length),
          ),
        ),
      );
    for (let sent = 0; sent < limits.apduBytes - 255; sent += 255) piece(false, 255);
    expect(piece(true, 255)).toBe('9000');
    expect(seen).toEqual([limits.apduBytes]);
    for (let sent = 0; sent < limits.apduBytes; sent += 255) piece(false, 255);
    expect(piece(true, 1)).toBe('6700');
    expect(seen).toHaveLength(1);
  });
});

describe('power', () => {
  it('a reset forgets everything volatile', async () => {
    const card = cardUnderTest();
    await card.transmit(fromHex(`00a4040c09${aid}`));
    await card.powerCycle();
    expect(toHex(await card.transmit(fromHex(`${getInfo}00`)))).toBe('6985');
  });

  it('SELECT answers the application’s information inside the FCI', async () => {
    const card = cardUnderTest();
    const answer = await card.transmit(fromHex(`00a4040009${aid}00`));
    const information = answer.slice(answer.indexOf(0x6e), -2);
    expect(decodeElement(applicationInfo, information, 'information').lifeCycle).toBe('blank');
  });
});

function hex(length: number): string {
  return length.toString(16).padStart(2, '0');
}
