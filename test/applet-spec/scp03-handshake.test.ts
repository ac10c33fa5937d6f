import { describe, expect, it } from 'vitest';
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { Scp03Error } from '../../applet-spec/scp03-error.ts';
import {
  acceptHost,
  authenticateCard,
  decodeCardGreeting,
  encodeCardGreeting,
  greetHost,
  initializeUpdate,
  keytollImplementation,
  type CardOffer,
} from '../../applet-spec/scp03-handshake.ts';
import { diversify } from '../../applet-spec/scp03-keys.ts';
import { openPutKey, putKey } from '../../applet-spec/scp03-put-key.ts';
import vectors from '../../applet-spec/vectors/scp03-s16.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const keys = diversify(noblePrimitives, new Uint8Array(32).fill(1), new Uint8Array(16).fill(2));
const otherKeys = diversify(
  noblePrimitives,
  new Uint8Array(32).fill(1),
  new Uint8Array(16).fill(3),
);
const hostChallenge = new Uint8Array(16).fill(4);
const offer: CardOffer = {
  diversification: new Uint8Array(10).fill(5),
  keyVersion: 1,
  implementation: keytollImplementation,
  cardChallenge: new Uint8Array(16).fill(6),
};

function begin(): ReturnType<typeof greetHost> & { readonly command: CommandApdu } {
  const card = greetHost(noblePrimitives, keys, hostChallenge, offer);
  const host = authenticateCard(opensslPrimitives, keys, hostChallenge, card.greeting, 0x33);
  if (host.verdict !== 'authentic') throw new Error(host.reason);
  return { ...card, command: host.command };
}

describe('mutual authentication', () => {
  it('opens both sides with the same keys', () => {
    const { pending, greeting, command } = begin();
    const host = authenticateCard(opensslPrimitives, keys, hostChallenge, greeting, 0x33);
    const card = acceptHost(noblePrimitives, pending, command, [0x33]);
    expect(card.channel).toEqual(host.verdict === 'authentic' ? host.channel : 'refused');
    expect(command).toMatchObject({ cla: 0x84, ins: 0x82, p1: 0x33, p2: 0 });
    expect(command.data).toHaveLength(32);
    expect(initializeUpdate(1, hostChallenge)).toMatchObject({
      cla: 0x80,
      ins: 0x50,
      p1: 1,
      p2: 0,
    });
  });

  it('the host refuses a card with other keys, another challenge or a changed cryptogram', () => {
    const { greeting } = begin();
    const refuses = (value: typeof greeting, challenge = hostChallenge, using = keys): unknown =>
      authenticateCard(opensslPrimitives, using, challenge, value, 0x33);
    const refused = { verdict: 'refused', reason: 'card-cryptogram' };
    const flipped = greeting.cardCryptogram.map((byte, i) => (i === 15 ? byte ^ 1 : byte));
    expect(refuses(greeting, hostChallenge, otherKeys)).toEqual(refused);
    expect(refuses(greeting, new Uint8Array(16).fill(7))).toEqual(refused);
    expect(refuses({ ...greeting, cardCryptogram: flipped })).toEqual(refused);
    const reflected = { ...greeting, cardCryptogram: begin().command.data.slice(0, 16) };
    expect(refuses(reflected)).toEqual(refused);
  });

  it('no card talks the host down to S8 or to bare answers', () => {
    const s8 = { ...offer, implementation: 0x60, cardChallenge: new Uint8Array(8) };
    const { greeting } = greetHost(noblePrimitives, keys, new Uint8Array(8), s8);
    expect(authenticateCard(opensslPrimitives, keys, hostChallenge, greeting, 0x33)).toEqual({
      verdict: 'refused',
      reason: 'other-mode',
    });
    for (const implementation of [0x01, 0x21]) {
      const bare = greetHost(noblePrimitives, keys, hostChallenge, { ...offer, implementation });
      expect(authenticateCard(opensslPrimitives, keys, hostChallenge, bare.greeting, 0x33)).toEqual(
        {
          verdict: 'refused',
          reason: 'level-not-offered',
        },
      );
    }
  });

  it('the card refuses a host that is not authentic, or asks for less', () => {
    const { pending, greeting, command } = begin();
    const lower = authenticateCard(opensslPrimitives, keys, hostChallenge, greeting, 0x03);
    if (lower.verdict !== 'authentic') throw new Error(lower.reason);
    const bad: CommandApdu[] = [
      lower.command,
      { ...command, p1: 0x13 },
      { ...command, p1: 0x00 },
      { ...command, p2: 1 },
      { ...command, cla: 0x80 },
      { ...command, ins: 0x84 },
      { ...command, data: command.data.slice(0, 16) },
      { ...command, data: new Uint8Array(32) },
      ...Array.from(command.data, (_, at) => ({
        ...command,
        data: command.data.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      })),
    ];
    for (const attempt of bad) {
      expect(acceptHost(noblePrimitives, pending, attempt, [0x33])).toEqual({
        verdict: 'closed',
        channel: { state: 'closed' },
      });
    }
    expect(acceptHost(noblePrimitives, pending, command, [0x33]).verdict).toBe('authentic');
  });

  it('a greeting has one form', () => {
    const { greeting } = begin();
    const bytes = encodeCardGreeting(greeting);
    expect(bytes).toHaveLength(45);
    expect(decodeCardGreeting(bytes)).toEqual(greeting);
    const counted = { ...greeting, implementation: 0x71, sequence: 0x0a0b0c };
    expect(encodeCardGreeting(counted)).toHaveLength(48);
    expect(decodeCardGreeting(encodeCardGreeting(counted))).toEqual(counted);
    const changed = (at: number, byte: number): Uint8Array =>
      bytes.map((old, i) => (i === at ? byte : old));
    const bad = [
      new Uint8Array(0),
      bytes.slice(0, 44),
      Uint8Array.of(...bytes, 0),
      Uint8Array.of(...bytes, 0, 0, 0),
      changed(11, 2),
      changed(12, 0x60),
      changed(12, 0x41),
      changed(12, 0x71),
      changed(12, 0xe1),
    ];
    for (const value of bad) expect(() => decodeCardGreeting(value)).toThrow(Scp03Error);
  });

  it('a defect of the card’s program is loud', () => {
    const greet = (challenge: Uint8Array, change: Partial<CardOffer>): unknown =>
      greetHost(noblePrimitives, keys, challenge, { ...offer, ...change });
    expect(() => greet(new Uint8Array(8), {})).toThrow(RangeError);
    expect(() => greet(hostChallenge, { cardChallenge: new Uint8Array(8) })).toThrow(RangeError);
    expect(() => greet(hostChallenge, { diversification: new Uint8Array(16) })).toThrow(RangeError);
    expect(() => greet(hostChallenge, { implementation: 0x71 })).toThrow(RangeError);
    expect(() => greet(hostChallenge, { implementation: 0x02 })).toThrow(RangeError);
    expect(() => greet(hostChallenge, { sequence: 1 })).toThrow(RangeError);
  });
});

describe('card keys', () => {
  it.each(vectors.diversification)('diversified: $comment', (vector) => {
    const { masterKey, cardSerial, keyVersion } = vector;
    for (const primitives of [noblePrimitives, opensslPrimitives]) {
      const made = diversify(primitives, fromHex(masterKey), fromHex(cardSerial), keyVersion);
      const { enc, mac, dek, hostLink } = made;
      expect({ enc, mac, dek, hostLink }).toEqual({
        enc: fromHex(vector.keys.enc),
        mac: fromHex(vector.keys.mac),
        dek: fromHex(vector.keys.dek),
        hostLink: fromHex(vector.keys.hostLink),
      });
    }
  });

  it.each(vectors.putKey)('PUT KEY: $comment', (vector) => {
    const { enc, mac, dek, hostLink } = vector.keys;
    const newKeys = {
      enc: fromHex(enc),
      mac: fromHex(mac),
      dek: fromHex(dek),
      hostLink: fromHex(hostLink),
    };
    const { currentVersion, newVersion } = vector;
    const oldDek = fromHex(vector.dek);
    const command = putKey(opensslPrimitives, oldDek, currentVersion, newVersion, newKeys);
    const { cla, ins, p1, p2 } = command;
    expect(toHex(Uint8Array.of(cla, ins, p1, p2))).toBe(vector.header);
    expect(toHex(command.data)).toBe(vector.data);
    expect(openPutKey(noblePrimitives, oldDek, command)).toEqual({
      kind: 'keys',
      currentVersion,
      newVersion,
      keys: newKeys,
    });
  });

  it('PUT KEY under another DEK, or changed anywhere, gives no keys', () => {
    const command = putKey(opensslPrimitives, keys.dek, 1, 2, otherKeys);
    const open = (value: CommandApdu, dek = keys.dek): unknown =>
      openPutKey(noblePrimitives, dek, value);
    const failed = { kind: 'refused', reason: 'key-check-failed' };
    const malformed = { kind: 'refused', reason: 'malformed' };
    expect(open(command, otherKeys.dek)).toEqual(failed);
    for (const at of [4, 35, 37, 39, 50, command.data.length - 1]) {
      const data = command.data.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(open({ ...command, data })).toEqual(failed);
    }
    for (const at of [1, 2, 3, 36, 40]) {
      const data = command.data.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(open({ ...command, data })).toEqual(malformed);
    }
    expect(open({ ...command, data: command.data.slice(0, -1) })).toEqual(malformed);
    expect(open({ ...command, data: new Uint8Array(0) })).toEqual(malformed);
    expect(open({ ...command, p2: 0x01 })).toEqual(malformed);
    const versionZero = command.data.map((byte, i) => (i === 0 ? 0 : byte));
    expect(open({ ...command, data: versionZero })).toEqual(malformed);
  });
});
