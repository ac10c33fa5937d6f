/** `applet-spec/secure-channel.md` says what the code does. */
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex } from '../../applet-spec/bytes.ts';
import { commands } from '../../applet-spec/commands.ts';
import { deriveKey } from '../../applet-spec/kdf.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import {
  DIVERSIFICATION_BYTES,
  encodeCardGreeting,
  keytollImplementation,
} from '../../applet-spec/scp03-handshake.ts';
import { derivationConstants, diversify } from '../../applet-spec/scp03-keys.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import { keytollSecurityLevel, SESSION_COMMANDS_MOST } from '../../applet-spec/scp03.ts';
import { hostLinkKeys, peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import vectors from '../../applet-spec/vectors/scp03-s16.json' with { type: 'json' };
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('secure-channel.md');
const flowing = page.text.replaceAll(/\s+/g, ' ');
const key32 = new Uint8Array(32).fill(0x42);
const b16 = new Uint8Array(16).fill(0x0b);
const c16 = new Uint8Array(16).fill(0x0c);
const d16 = new Uint8Array(16).fill(0x0d);
const paymentId = new Uint8Array(32).fill(0x1d);

function hex(value: number): string {
  return toHex(Uint8Array.of(value)).toUpperCase();
}

/** A row of the table of what is derived, as the KDF takes it. */
function purposeOf(derived: string, direction?: string) {
  const row = rowsOf(page.section('The one KDF')).find(([name]) => name === derived);
  const [label = '', ...uses] = (row?.[2]?.match(/`[^`]+`/g) ?? []).map((part) =>
    part.slice(1, -1),
  );
  return { label, uses, ...(direction !== undefined && { direction }) };
}

describe('secure-channel.md', () => {
  it('opens with the first vector', () => {
    const example = /```\n(station .*?)```/s.exec(page.text)?.[1] ?? '';
    const [session] = vectors.sessions;
    const whole = JSON.stringify(session);
    const shown = example.match(/[0-9a-f]{8,}/g) ?? [];
    expect(shown.length).toBeGreaterThan(12);
    for (const bytes of shown) expect(whole).toContain(bytes);
    expect(example).toContain(session?.sessionKeys.sMac ?? 'none');
  });

  it('derives what the code derives, by its own words', () => {
    const cards = purposeOf('card keys');
    const diversified = diversify(primitives, key32, b16, 7);
    const context = concatBytes(Uint8Array.of(7), b16);
    expect(cards.uses).toEqual(['enc', 'mac', 'dek', 'host-link']);
    for (const [i, made] of [
      diversified.enc,
      diversified.mac,
      diversified.dek,
      diversified.hostLink,
    ].entries()) {
      const use = cards.uses[i] ?? '';
      expect(deriveKey(primitives, key32, { label: cards.label, use, context })).toEqual(made);
    }
    const link = purposeOf('host link');
    const [use = '', toStation = '', toHost = ''] = link.uses;
    const made = hostLinkKeys(primitives, key32, {
      cardChallenge: b16,
      stationChallenge: c16,
      hostNonce: d16,
    });
    const challenges = concatBytes(b16, c16, d16);
    for (const [direction, wanted] of [
      [toStation, made.toStation],
      [toHost, made.toHost],
    ] as const) {
      const purpose = { label: link.label, use, direction, context: challenges };
      expect(deriveKey(primitives, key32, purpose)).toEqual(wanted);
    }
  });

  it('derives peer traffic keys and check values by its own words', () => {
    const traffic = purposeOf('peer traffic');
    const [use = '', ...directions] = traffic.uses;
    const context = Uint8Array.from([...paymentId, 0, 0, 0, 9]);
    for (const direction of ['to-payee', 'to-payer'] as const) {
      expect(directions).toContain(direction);
      const made = peerTrafficKey(primitives, key32, direction, paymentId, 9n);
      const purpose = { label: traffic.label, use, direction, context };
      expect(deriveKey(primitives, key32, purpose)).toEqual(made);
    }
    const check = purposeOf('check value, 8 bytes');
    const purpose = { label: check.label, use: check.uses[0] ?? '', context: paymentId };
    expect(deriveKey(primitives, key32, purpose, 8)).toEqual(
      peerKeyCheck(primitives, key32, paymentId),
    );
  });

  it('gives the derivation constants of SCP03', () => {
    const words: Readonly<Record<keyof typeof derivationConstants, string>> = {
      cardCryptogram: 'card cryptogram',
      hostCryptogram: 'host cryptogram',
      cardChallenge: 'card challenge',
      sEnc: 'S-ENC',
      sMac: 'S-MAC',
      sRmac: 'S-RMAC',
    };
    for (const [name, value] of Object.entries(derivationConstants)) {
      const word = words[name as keyof typeof derivationConstants];
      expect(flowing).toMatch(new RegExp(`${hex(value)}:? ${word}`));
    }
  });

  it('gives the greeting, field by field', () => {
    const bytes = rowsOf(page.section('Opening')).map(([, count]) => Number(count));
    expect(bytes[0]).toBe(DIVERSIFICATION_BYTES);
    const greeting = encodeCardGreeting({
      diversification: new Uint8Array(DIVERSIFICATION_BYTES),
      keyVersion: 1,
      implementation: keytollImplementation,
      cardChallenge: new Uint8Array(16),
      cardCryptogram: new Uint8Array(16),
    });
    const [counter] = bytes.slice(-1);
    expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(greeting.length + (counter ?? 0));
    expect(flowing).toContain(`i MUST be ${hex(keytollImplementation)}`);
    expect(flowing).toContain(`level ${hex(keytollSecurityLevel)}`);
    expect(flowing).toContain(`The ${SESSION_COMMANDS_MOST.toLocaleString('en-US')}th command`);
  });

  it('gives PUT KEY, byte for byte', () => {
    const keys = { enc: key32, mac: key32, dek: key32, hostLink: key32 };
    const { data, cla, ins, p2 } = putKey(primitives, key32, 0x30, 1, keys);
    const [version = 0, ...each] = rowsOf(page.section('PUT KEY')).map(([, count]) =>
      Number(count),
    );
    expect(version + 4 * each.reduce((sum, count) => sum + count, 0)).toBe(data.length);
    expect(flowing).toContain(`the data field, ${data.length} bytes`);
    expect(flowing).toContain(`${hex(cla)} ${hex(ins)}, P1 the version in force`);
    expect(flowing).toContain(`P2 ${hex(p2)}`);
    expect([cla, ins]).toEqual([commands.putKey.cla, commands.putKey.ins]);
  });
});
