/** `applet-spec/hid.md` says what the code does. */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { appletId } from '../../applet-spec/commands.ts';
import {
  CTAPHID_BROADCAST,
  CTAPHID_INIT_BYTES,
  CTAPHID_NONCE_BYTES,
  CTAPHID_PAYLOAD_MOST,
  CTAPHID_REPORT_BYTES,
  ctaphidCommands,
  ctaphidErrors,
  decodeCtaphidPacket,
  encodeCtaphid,
  hidUsage,
} from '../../applet-spec/ctaphid.ts';
import { atrOf } from '../../emulator/card/atr.ts';
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('hid.md');
const flowing = page.text.replaceAll(/\s+/g, ' ');

function code(value: number): string {
  return toHex(Uint8Array.of(value)).toUpperCase();
}

/** The reports of the example, filled up with zeros. */
const shown = (/```\n(ffffffff.*?)```/s.exec(page.text)?.[1] ?? '')
  .trimEnd()
  .split('\n')
  .map((line) => (line.split(/ {2,}/)[0] ?? '').replaceAll(' ', ''))
  .map((bytes) => bytes.padEnd(2 * CTAPHID_REPORT_BYTES, '0'));

describe('hid.md', () => {
  it('opens with reports that the code writes and reads', () => {
    expect(shown).toHaveLength(6);
    for (const hex of shown) {
      const report = Uint8Array.from(Buffer.from(hex, 'hex'));
      const packet = decodeCtaphidPacket(report);
      if (packet.kind !== 'initial') throw new Error('a message of one packet each');
      const { channel, command, length, data } = packet;
      const again = encodeCtaphid({ channel, command, payload: data.slice(0, length) });
      expect(again.map(toHex)).toEqual([hex]);
    }
    expect(shown[3]).toContain(toHex(atrOf('t0')));
    expect(shown[4]).toContain(toHex(appletId));
  });

  it('gives commands and errors with their codes', () => {
    const commands = rowsOf(page.section('Commands')).map(([name, value]) => [name, value]);
    expect(new Map(commands as [string, string][])).toEqual(
      new Map(Object.entries(ctaphidCommands).map(([name, value]) => [name, code(value)])),
    );
    const errors = rowsOf(page.section('Errors')).map(([value, name]) => [name, value]);
    expect(errors).toEqual(
      Object.entries(ctaphidErrors).map(([name, value]) => [`\`${name}\``, code(value)]),
    );
  });

  it('gives the sizes', () => {
    const { page: usagePage, usage } = hidUsage;
    const broadcast = CTAPHID_BROADCAST.toString(16).toUpperCase();
    for (const text of [
      `${CTAPHID_PAYLOAD_MOST.toLocaleString('en-US')} bytes: 57 + 128 × 59`,
      `one report of ${CTAPHID_REPORT_BYTES} bytes`,
      `${CTAPHID_NONCE_BYTES} bytes of nonce, on channel ${broadcast}`,
      `${CTAPHID_INIT_BYTES} bytes: nonce`,
      `usage page ${usagePage.toString(16).toUpperCase()} and usage ${code(usage)}`,
    ]) {
      expect(flowing).toContain(text);
    }
  });
});
