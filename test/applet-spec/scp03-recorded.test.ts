import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeCommand, encodeCommand, type CommandApdu } from '../../applet-spec/apdu.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import {
  acceptHost,
  authenticateCard,
  decodeCardGreeting,
  encodeCardGreeting,
  greetHost,
  initializeUpdate,
} from '../../applet-spec/scp03-handshake.ts';
import { pseudoRandomCardChallenge, type Scp03Keys } from '../../applet-spec/scp03-keys.ts';
import {
  securityLevels,
  unwrapCommand,
  unwrapResponse,
  wrapCommand,
  wrapResponse,
  type OpenChannel,
  type SecurityLevel,
} from '../../applet-spec/scp03.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

interface Recording {
  readonly keysets: Readonly<
    Record<string, { keyVersion: number; enc: string; mac: string; dek: string }>
  >;
  readonly plain: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly name: string;
    readonly keyset: string;
    readonly securityLevel: string;
    readonly recorded: Readonly<Record<string, string>>;
  }[];
}

/** Not part of this repository; where it is absent these tests show as skipped. */
const file = new URL('../../../shared/vectors/scp03-s8.json', import.meta.url);
const present = existsSync(file);
const recording: Recording = present
  ? (JSON.parse(readFileSync(file, 'utf8')) as Recording)
  : { keysets: {}, plain: {}, cases: [] };
/** Its counter and this AID give the recorded challenges: real cards' own derivation, checked. */
const recordedAid = fromHex('a0000005591010ffffffff8900000100');
const steps = ['get_eid', 'case_1', 'case_2', 'case_3', 'case_4'] as const;

function field(record: Readonly<Record<string, string>>, name: string): Uint8Array {
  const text = record[name];
  if (text === undefined) throw new Error(`the recording has no ${name}`);
  return fromHex(text.toLowerCase());
}

function commandName(step: (typeof steps)[number]): string {
  return step === 'get_eid' ? 'get_eid_cmd' : `${step}_apdu`;
}

function levelOf(text: string): SecurityLevel {
  const level = securityLevels.find((known) => known === Number.parseInt(text, 16));
  if (level === undefined) throw new Error(`level ${text}`);
  return level;
}

describe.each(recording.cases)('recorded from a real card: $name', (recorded) => {
  const { recorded: wire } = recorded;
  const level = levelOf(recorded.securityLevel);
  const set = recording.keysets[recorded.keyset];
  if (set === undefined) throw new Error(`no key set ${recorded.keyset}`);
  const keys: Scp03Keys = { enc: fromHex(set.enc), mac: fromHex(set.mac), dek: fromHex(set.dek) };
  const initialize = decodeCommand(field(wire, 'init_upd_cmd'));
  const greetingBytes = field(wire, 'init_upd_rsp');

  function openAsHost(): { channel: OpenChannel; command: CommandApdu } {
    const greeting = decodeCardGreeting(greetingBytes);
    const result = authenticateCard(opensslPrimitives, keys, initialize.data, greeting, level);
    if (result.verdict !== 'authentic') throw new Error(result.reason);
    return result;
  }

  function openAsCard(): { channel: OpenChannel; greeting: Uint8Array } {
    const { diversification, keyVersion, implementation, cardChallenge, sequence } =
      decodeCardGreeting(greetingBytes);
    const offer = {
      diversification,
      keyVersion,
      implementation,
      cardChallenge,
      ...(sequence === undefined ? {} : { sequence }),
    };
    const { pending, greeting } = greetHost(noblePrimitives, keys, initialize.data, offer);
    const authenticate = decodeCommand(field(wire, 'ext_auth_cmd'));
    const result = acceptHost(noblePrimitives, pending, authenticate, securityLevels);
    if (result.verdict !== 'authentic') throw new Error(result.verdict);
    return { channel: result.channel, greeting: encodeCardGreeting(greeting) };
  }

  it('INITIALIZE UPDATE', () => {
    const command = initializeUpdate(set.keyVersion, initialize.data);
    expect(encodeCommand(command, 'short')).toEqual(field(wire, 'init_upd_cmd'));
    expect(openAsCard().greeting).toEqual(greetingBytes);
  });

  it('the pseudo-random card challenge', () => {
    const { sequence = -1, cardChallenge } = decodeCardGreeting(greetingBytes);
    const challenge = pseudoRandomCardChallenge(
      noblePrimitives,
      keys.enc,
      sequence,
      recordedAid,
      8,
    );
    expect(challenge).toEqual(cardChallenge);
  });

  it('EXTERNAL AUTHENTICATE', () => {
    const { command } = openAsHost();
    expect(encodeCommand(command, 'short')).toEqual(field(wire, 'ext_auth_cmd'));
  });

  it('the host wraps every command as recorded, and reads the answer', () => {
    let { channel } = openAsHost();
    for (const step of steps) {
      const plain = decodeCommand(field(recording.plain, commandName(step)));
      const wrapped = wrapCommand(opensslPrimitives, channel, plain);
      expect(toHex(encodeCommand(wrapped.command, 'short'))).toBe(wire[commandName(step)]);
      channel = wrapped.channel;
      if (step !== 'get_eid') continue;
      const response = { data: field(wire, 'get_eid_rsp'), sw: 0x9000 };
      const answer = unwrapResponse(opensslPrimitives, channel, response);
      if (answer.answer === 'forged') throw new Error('the recorded answer was refused');
      expect(answer.answer).toBe((level & 0x10) === 0 ? 'unprotected' : 'authentic');
      expect(answer.data).toEqual(field(recording.plain, 'get_eid_rsp'));
    }
  });

  it('the card reads every command as it was, and wraps the answer as recorded', () => {
    let { channel } = openAsCard();
    for (const step of steps) {
      const wrapped = decodeCommand(field(wire, commandName(step)));
      const result = unwrapCommand(noblePrimitives, channel, wrapped);
      if (result.verdict !== 'authentic') throw new Error(`${step} was refused`);
      const plain = decodeCommand(field(recording.plain, commandName(step)));
      expect({ ...result.command }).toEqual(plain);
      channel = result.channel;
      if (step !== 'get_eid') continue;
      const plainResponse = { data: field(recording.plain, 'get_eid_rsp'), sw: 0x9000 };
      const response = wrapResponse(noblePrimitives, channel, plainResponse);
      expect(response).toEqual({ data: field(wire, 'get_eid_rsp'), sw: 0x9000 });
    }
  });
});

describe('the recordings', () => {
  it.skipIf(!present)('are nine sessions', () => {
    expect(recording.cases).toHaveLength(9);
  });
});
