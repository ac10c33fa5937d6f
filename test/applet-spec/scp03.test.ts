import { describe, expect, it } from 'vitest';
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { Scp03Error } from '../../applet-spec/scp03-error.ts';
import {
  acceptHost,
  authenticateCard,
  decodeCardGreeting,
  greetHost,
} from '../../applet-spec/scp03-handshake.ts';
import { deriveSessionKeys } from '../../applet-spec/scp03-keys.ts';
import {
  securityLevels,
  SESSION_COMMANDS_MOST,
  unwrapAnswer,
  unwrapCommand,
  unwrapResponse,
  wrapCommand,
  wrapResponse,
  type OpenChannel,
  type SecurityLevel,
} from '../../applet-spec/scp03.ts';
import vectors from '../../applet-spec/vectors/scp03-s16.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

type SessionVector = (typeof vectors.sessions)[number];

interface WireCommand {
  readonly header: string;
  readonly data: string;
  readonly ne?: number | null;
}

function toCommand({ header, data, ne }: WireCommand): CommandApdu {
  const [cla = 0, ins = 0, p1 = 0, p2 = 0] = fromHex(header);
  const command = { cla, ins, p1, p2, data: fromHex(data) };
  return ne === undefined || ne === null ? command : { ...command, ne };
}

function toResponse({ data, sw }: { data: string; sw: number }): ResponseApdu {
  return { data: fromHex(data), sw };
}

function levelOf(vector: SessionVector): SecurityLevel {
  const level = securityLevels.find((known) => known === vector.level);
  if (level === undefined) throw new Error(`level ${vector.level}`);
  return level;
}

/** Both sides opened against the vector's greeting and EXTERNAL AUTHENTICATE. */
function open(vector: SessionVector): { host: OpenChannel; card: OpenChannel } {
  const { enc, mac, dek } = vector.keys;
  const keys = { enc: fromHex(enc), mac: fromHex(mac), dek: fromHex(dek) };
  const hostChallenge = fromHex(vector.hostChallenge);
  const greeting = decodeCardGreeting(fromHex(vector.greeting));
  const level = levelOf(vector);
  const host = authenticateCard(opensslPrimitives, keys, hostChallenge, greeting, level);
  if (host.verdict !== 'authentic') throw new Error(host.reason);
  expect(host.command).toEqual(toCommand(vector.externalAuthenticate));
  const { pending, greeting: own } = greetHost(noblePrimitives, keys, hostChallenge, greeting);
  expect(own).toEqual(greeting);
  const card = acceptHost(noblePrimitives, pending, host.command, [level]);
  if (card.verdict !== 'authentic') throw new Error('the card refused the host');
  return { host: host.channel, card: card.channel };
}

function keytollSession(): { host: OpenChannel; card: OpenChannel } {
  const vector = vectors.sessions.find(({ tags }) => tags.includes('keytoll'));
  if (vector === undefined) throw new Error('no vector of S16 at level 33');
  return open(vector);
}

const pay: CommandApdu = { cla: 0x80, ins: 0x30, p1: 1, p2: 0, data: fromHex('0102'), ne: 256 };

/** One command that went through, and the card's answer to it. */
function exchange(): { host: OpenChannel; card: OpenChannel; answer: ResponseApdu } {
  const { host, card } = keytollSession();
  const wrapped = wrapCommand(opensslPrimitives, host, pay);
  const received = unwrapCommand(noblePrimitives, card, wrapped.command);
  if (received.verdict !== 'authentic') throw new Error('refused');
  const plain = { data: fromHex('00aabbcc'), sw: 0x9000 };
  const answer = wrapResponse(noblePrimitives, received.channel, plain);
  return { host: wrapped.channel, card: received.channel, answer };
}

describe.each(vectors.sessions)('SCP03 $comment', (vector) => {
  it('derives the session keys', () => {
    const { enc, mac, dek } = vector.keys;
    const keys = deriveSessionKeys(
      noblePrimitives,
      { enc: fromHex(enc), mac: fromHex(mac), dek: fromHex(dek) },
      fromHex(vector.hostChallenge),
      fromHex(vector.cardChallenge),
    );
    const { sEnc, sMac, sRmac } = keys;
    expect({ sEnc: toHex(sEnc), sMac: toHex(sMac), sRmac: toHex(sRmac) }).toEqual(
      vector.sessionKeys,
    );
  });

  it('both sides make and read every exchange', () => {
    let { host, card } = open(vector);
    for (const step of vector.exchanges) {
      const plain = toCommand(step.command);
      const wrapped = wrapCommand(opensslPrimitives, host, plain);
      expect(wrapped.command).toEqual(toCommand(step.wrapped));
      host = wrapped.channel;
      const received = unwrapCommand(noblePrimitives, card, toCommand(step.wrapped));
      if (received.verdict !== 'authentic') throw new Error('the card refused');
      const { ne: _wrappedNe, ...rest } = received.command;
      const { ne: _plainNe, ...expected } = plain;
      expect(rest).toEqual(expected);
      card = received.channel;

      const response = toResponse(step.response);
      const isError = response.sw === 0x6a80;
      expect(wrapResponse(noblePrimitives, card, response)).toEqual(
        toResponse(step.wrappedResponse),
      );
      const answer = unwrapResponse(opensslPrimitives, host, toResponse(step.wrappedResponse));
      const protects = (vector.level & 0x10) !== 0 && !isError;
      expect(answer).toEqual({
        answer: protects ? 'authentic' : 'unprotected',
        channel: host,
        ...response,
      });
    }
    expect(host).toEqual(card);
    expect(host.counter).toBe(BigInt(vector.exchanges.length));
  });
});

describe('SCP03 as Keytoll uses it: S16, level 33', () => {
  it('an unchanged answer is authentic', () => {
    const { host, answer } = exchange();
    const result = unwrapAnswer(opensslPrimitives, host, answer);
    const data = fromHex('00aabbcc');
    expect(result).toEqual({ answer: 'authentic', channel: host, data, sw: 0x9000 });
  });

  it('any other answer means unknown, never refused, and ends the session', () => {
    const { host, answer } = exchange();
    const other = exchange();
    const next = wrapCommand(opensslPrimitives, host, pay).channel;
    const changed = Array.from(answer.data, (_, at) => ({
      data: answer.data.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      sw: answer.sw,
    }));
    const answers: [OpenChannel, ResponseApdu][] = [
      ...changed.map((response): [OpenChannel, ResponseApdu] => [host, response]),
      [host, { data: new Uint8Array(0), sw: 0x9000 }],
      [host, { data: answer.data.slice(0, 15), sw: 0x9000 }],
      [host, { data: answer.data.slice(1), sw: 0x9000 }],
      [host, { data: answer.data, sw: 0x6282 }],
      [host, { data: new Uint8Array(0), sw: 0x6985 }],
      [host, { data: answer.data, sw: 0x6a80 }],
      [host, { data: new Uint8Array(0), sw: 0x63c2 }],
      // The answer of this command for the next one: bound by the chaining value.
      [next, other.answer],
    ];
    for (const [channel, response] of answers) {
      const result = unwrapAnswer(opensslPrimitives, channel, response);
      expect(result).toEqual({
        answer: 'unknown',
        channel: { state: 'closed' },
        sw: response.sw,
      });
    }
  });

  it('a command changed anywhere, cut, repeated or out of turn closes the card’s session', () => {
    const { host, card } = keytollSession();
    const first = wrapCommand(opensslPrimitives, host, pay);
    const second = wrapCommand(opensslPrimitives, first.channel, pay);
    const { command } = first;
    const received = unwrapCommand(noblePrimitives, card, command);
    if (received.verdict !== 'authentic') throw new Error('refused');
    const bad: [OpenChannel, CommandApdu][] = [
      ...Array.from(command.data, (_, at): [OpenChannel, CommandApdu] => [
        card,
        { ...command, data: command.data.map((byte, i) => (i === at ? byte ^ 0x80 : byte)) },
      ]),
      [card, { ...command, cla: 0x04 }],
      [card, { ...command, cla: 0x80 }],
      [card, { ...command, cla: 0x94 }],
      [card, { ...command, ins: 0x32 }],
      [card, { ...command, p1: 0 }],
      [card, { ...command, p2: 1 }],
      [card, { ...command, data: command.data.slice(0, 15) }],
      [card, { ...command, data: command.data.slice(0, 31) }],
      [card, { ...command, data: new Uint8Array(0) }],
      [card, second.command],
      [received.channel, command],
    ];
    for (const [channel, wrapped] of bad) {
      expect(unwrapCommand(noblePrimitives, channel, wrapped)).toEqual({
        verdict: 'closed',
        channel: { state: 'closed' },
      });
    }
  });

  it('a MAC over data that is no padded text closes the session too', () => {
    const { host, card } = keytollSession();
    // A host of level 01 with the same keys makes valid MACs over text that is not encrypted.
    const unencrypted = { ...host, level: 0x01 } as const;
    for (const data of [new Uint8Array(15), new Uint8Array(16), new Uint8Array(48)]) {
      const { command } = wrapCommand(noblePrimitives, unencrypted, { ...pay, data });
      expect(unwrapCommand(noblePrimitives, card, command).verdict).toBe('closed');
    }
  });

  it('wraps whole commands up to the three-byte Lc, and no further', () => {
    const { host, card } = keytollSession();
    const longest = { ...pay, data: new Uint8Array(65_519 - 16).fill(9) };
    const wrapped = wrapCommand(opensslPrimitives, host, longest);
    expect(wrapped.command.data).toHaveLength(65_520);
    const received = unwrapCommand(noblePrimitives, card, wrapped.command);
    expect(received).toMatchObject({ verdict: 'authentic', command: { data: longest.data } });
    const tooLong = { ...pay, data: new Uint8Array(65_504) };
    expect(() => wrapCommand(opensslPrimitives, host, tooLong)).toThrow(Scp03Error);
    const answer = { data: new Uint8Array(65_504), sw: 0x9000 };
    expect(() => wrapResponse(noblePrimitives, card, answer)).toThrow(Scp03Error);
  });

  it('the encryption counter throws at its limit, on both sides before anything leaves', () => {
    const { host, card } = keytollSession();
    const before = { ...host, counter: SESSION_COMMANDS_MOST - 1n };
    const last = wrapCommand(opensslPrimitives, before, pay);
    expect(() => wrapCommand(opensslPrimitives, last.channel, pay)).toThrow(
      expect.objectContaining({ code: 'session-exhausted', retryable: true }),
    );
    const lastOfCard = { ...card, counter: SESSION_COMMANDS_MOST - 1n };
    expect(unwrapCommand(noblePrimitives, lastOfCard, last.command).verdict).toBe('authentic');
    const spent = { ...card, counter: SESSION_COMMANDS_MOST };
    expect(unwrapCommand(noblePrimitives, spent, last.command).verdict).toBe('closed');
  });

  it('equal commands never look equal', () => {
    let { host } = keytollSession();
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const wrapped = wrapCommand(noblePrimitives, host, pay);
      seen.add(toHex(wrapped.command.data.subarray(0, 16)));
      host = wrapped.channel;
    }
    expect(seen.size).toBe(20);
  });

  it('refuses a defect of the caller loudly', () => {
    const { host, card } = keytollSession();
    for (const cla of [0x84, 0x90, 0x40, 0xc0, 0x08]) {
      expect(() => wrapCommand(noblePrimitives, host, { ...pay, cla })).toThrow(RangeError);
    }
    const errorWithData = { data: Uint8Array.of(1), sw: 0x6a80 };
    expect(() => wrapResponse(noblePrimitives, card, errorWithData)).toThrow(RangeError);
    const weaker = { ...host, level: 0x11 } as const;
    const response = { data: new Uint8Array(0), sw: 0x9000 };
    expect(() => unwrapAnswer(noblePrimitives, weaker, response)).toThrow(RangeError);
  });
});
