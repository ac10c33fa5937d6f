/** SESSION: the secure channel, without anything that would outlast it. */
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { journalQuery } from '../../applet-spec/card-objects.ts';
import { commands, type CommandName, type CommandRule } from '../../applet-spec/commands.ts';
import {
  authenticateCard,
  decodeCardGreeting,
  DIVERSIFICATION_BYTES,
  initializeUpdate,
  keytollImplementation,
} from '../../applet-spec/scp03-handshake.ts';
import { keytollSecurityLevel, type SecurityLevel } from '../../applet-spec/scp03.ts';
import type { CardOnBench } from './card-on-bench.ts';
import {
  expectBytes,
  expectNumber,
  expectStatus,
  expectThat,
  NotApplicable,
  NotConforming,
} from './expectation.ts';
import type { StationHand } from './station-hand.ts';

const anyCoin = { coinId: new Uint8Array(16).fill(0xc0) };

export const sessionChecks = {
  'SESSION-1': async (card: CardOnBench): Promise<void> => {
    const { identifier, keyVersion } = await card.info();
    const challenges: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) {
      const { sw, data } = await card.exchange(initializeUpdate(0, new Uint8Array(16)));
      expectStatus('INITIALIZE UPDATE', sw, 0x9000);
      const greeting = decodeCardGreeting(data);
      expectNumber('i', greeting.implementation, keytollImplementation);
      expectNumber('key version', greeting.keyVersion, keyVersion);
      const shown = identifier.subarray(0, DIVERSIFICATION_BYTES);
      expectBytes('key diversification data', greeting.diversification, shown);
      challenges.push(greeting.cardChallenge);
    }
    const different = new Set(challenges.map((challenge) => challenge.join()));
    expectNumber('different card challenges of 3', different.size, challenges.length);
  },

  'SESSION-2': async (card: CardOnBench): Promise<void> => {
    const { keyVersion } = await card.info();
    const other = keyVersion === 0x7e ? 0x7d : 0x7e;
    const challenge = new Uint8Array(16);
    const sent = async (command: CommandApdu): Promise<number> => (await card.exchange(command)).sw;
    expectStatus('its key version', await sent(initializeUpdate(keyVersion, challenge)), 0x9000);
    expectStatus('another key version', await sent(initializeUpdate(other, challenge)), 0x6a88);
    const short = initializeUpdate(0, challenge.subarray(8));
    expectStatus('a challenge of 8 bytes', await sent(short), 0x6700);
    const odd = { ...initializeUpdate(0, challenge), p2: 1 };
    expectStatus('INITIALIZE UPDATE with P2', await sent(odd), 0x6a86);
  },

  'SESSION-3': async (card: CardOnBench): Promise<void> => {
    const { cla, ins } = commands.externalAuthenticate;
    const proof = { cla, ins, p1: 0x33, p2: 0, data: card.entropy.randomBytes(32) };
    await card.select();
    expectStatus('without a greeting', (await card.exchange(proof)).sw, 0x6985);
    await card.exchange(initializeUpdate(0, new Uint8Array(16)));
    expectStatus('a false one', (await card.exchange(proof)).sw, 0x6982);
    expectStatus('a second try', (await card.exchange(proof)).sw, 0x6985);
  },

  'SESSION-4': async (card: CardOnBench): Promise<void> => {
    const before = await card.done('getData', new Uint8Array(0), 0x01, 0x01);
    for (const name of secureCommands) {
      // Fifteen bytes are the right length of nothing: a card that listens does no harm.
      expectStatus(`${name} in the clear`, (await card.send(name, new Uint8Array(15))).sw, 0x6982);
    }
    const after = await card.done('getData', new Uint8Array(0), 0x01, 0x01);
    expectBytes('application information', after, before);
  },

  'SESSION-5': async (card: CardOnBench): Promise<void> => {
    await card.select();
    for (const name of secureCommands) {
      const { ins } = commands[name];
      const command = { cla: 0x84, ins, p1: 0, p2: 0, data: card.entropy.randomBytes(32) };
      expectStatus(`${name} without a session`, (await card.exchange(command)).sw, 0x6982);
    }
  },

  'SESSION-6': async (card: CardOnBench): Promise<void> => {
    const station = await card.openSession();
    await ask(station);
    const { keys, primitives } = card;
    if (keys === undefined) throw new NotApplicable('the keys in force are not known');
    const challenge = card.entropy.randomBytes(16);
    const greeting = decodeCardGreeting((await card.exchange(initializeUpdate(0, challenge))).data);
    const proof = authenticateCard(primitives, keys, challenge, greeting, keytollSecurityLevel);
    if (proof.verdict === 'refused') throw new NotConforming(`its proof: ${proof.reason}`);
    expectStatus('EXTERNAL AUTHENTICATE', (await card.exchange(proof.command)).sw, 0x9000);
    expectStatus('the same again', (await card.exchange(proof.command)).sw, 0x6985);
  },

  'SESSION-7': async (card: CardOnBench): Promise<void> => {
    const { keys, primitives } = card;
    if (keys === undefined) throw new NotApplicable('the keys in force are not known');
    for (const level of [0x01, 0x03, 0x11, 0x13] as const satisfies readonly SecurityLevel[]) {
      const challenge = card.entropy.randomBytes(16);
      const { data } = await card.exchange(initializeUpdate(0, challenge));
      const proof = authenticateCard(primitives, keys, challenge, decodeCardGreeting(data), level);
      if (proof.verdict === 'refused') continue;
      const what = `EXTERNAL AUTHENTICATE at level ${level.toString(16)}`;
      expectStatus(what, (await card.exchange(proof.command)).sw, 0x6982);
    }
  },

  'SESSION-8': async (card: CardOnBench): Promise<void> => {
    for (const [what, change] of [
      ['the last byte of the MAC', (data) => flipped(data, data.length - 1)],
      ['the first byte of the data', (data) => flipped(data, 0)],
    ] as const satisfies readonly (readonly [string, (data: Uint8Array) => Uint8Array])[]) {
      const station = await card.openSession();
      const good = query(station);
      const { sw } = await card.exchange({ ...good, data: change(good.data) });
      expectStatus(`${what} changed`, sw, 0x6982);
      await expectClosed(card, good);
    }
    const station = await card.openSession();
    const good = query(station);
    expectStatus('P1 changed', (await card.exchange({ ...good, p1: 1 })).sw, 0x6982);
    await expectClosed(card, good);
  },

  'SESSION-9': async (card: CardOnBench): Promise<void> => {
    const station = await card.openSession();
    const first = query(station);
    station.read('QUERY JOURNAL', await card.exchange(first));
    expectStatus('the same again', (await card.exchange(first)).sw, 0x6982);
    await expectClosed(card, query(station));
  },

  'SESSION-10': async (card: CardOnBench): Promise<void> => {
    const station = await card.openSession();
    const first = query(station);
    const second = query(station);
    expectStatus('the second before the first', (await card.exchange(second)).sw, 0x6982);
    await expectClosed(card, first);
  },

  'SESSION-11': async (card: CardOnBench): Promise<void> => {
    for (const cut of [1, 16]) {
      const station = await card.openSession();
      const good = query(station);
      const { sw } = await card.exchange({ ...good, data: good.data.slice(0, -cut) });
      expectStatus(`${cut} bytes cut off`, sw, 0x6982);
      await expectClosed(card, good);
    }
  },

  'SESSION-12': async (card: CardOnBench): Promise<void> => {
    const { lifeCycle } = await card.info();
    const station = await card.openSession();
    const { result } = await ask(station);
    const wanted = lifeCycle === 'enrolled' ? 'done' : 'not-enrolled';
    expectThat(result === wanted, `QUERY JOURNAL: ${result} where ${wanted} is specified`);
    await ask(station);
  },

  'SESSION-13': async (card: CardOnBench): Promise<void> => {
    const station = await card.openSession();
    const unreadable = station.wrap('queryJournal', new Uint8Array(5));
    const { sw, data } = await card.exchange(unreadable);
    expectStatus('QUERY JOURNAL of nothing that there is', sw, 0x6a80);
    expectNumber('bytes beside the error', data.length, 0);
    const odd = await card.exchange((await card.openSession()).wrap('queryJournal', queryData, 1));
    expectStatus('QUERY JOURNAL with P1', odd.sw, 0x6a86);
    const paymentId = new Uint8Array(32);
    for (const [what, by] of [
      ['by nothing', {}],
      ['by two', { ...anyCoin, paymentId }],
    ] as const) {
      const asked = (await card.openSession()).wrap('queryJournal', journalQuery.encode(by));
      expectStatus(`QUERY JOURNAL ${what}`, (await card.exchange(asked)).sw, 0x6a80);
    }
  },

  'SESSION-14': async (card: CardOnBench): Promise<void> => {
    for (const end of [
      () => card.select(),
      async () => {
        await card.powerCycle();
        await card.select();
      },
      () => card.exchange(initializeUpdate(0, new Uint8Array(16))),
      // Whatever it is answered.
      () => card.exchange(initializeUpdate(0, new Uint8Array(8))),
      () => card.exchange(initializeUpdate(0x7d, new Uint8Array(16))),
      () => card.exchange({ ...initializeUpdate(0, new Uint8Array(16)), p2: 1 }),
    ]) {
      const station = await card.openSession();
      await ask(station);
      const next = query(station);
      await end();
      await expectClosed(card, next);
    }
  },

  'SESSION-15': async (card: CardOnBench): Promise<void> => {
    const station = await card.openSession();
    for (const name of secureCommands) {
      // As in SESSION-4: a card that runs them does no harm.
      const { sw } = await card.send(name, new Uint8Array(15));
      expectStatus(`${name} in the clear, beside a session`, sw, 0x6982);
      await ask(station);
    }
  },

  'SESSION-16': async (card: CardOnBench): Promise<void> => {
    const challenge = card.entropy.randomBytes(16);
    const { data } = await card.exchange(initializeUpdate(0, challenge));
    const greeting = decodeCardGreeting(data);
    const { primitives, requireKeys } = card;
    const proof = authenticateCard(
      primitives,
      requireKeys,
      challenge,
      greeting,
      keytollSecurityLevel,
    );
    if (proof.verdict === 'refused') throw new NotConforming(`its proof: ${proof.reason}`);
    await card.select();
    expectStatus('EXTERNAL AUTHENTICATE', (await card.exchange(proof.command)).sw, 0x6985);
  },
} as const;

const secureCommands = Object.entries<CommandRule>(commands)
  .filter(([, rule]) => rule.channel === 'secure')
  .map(([name]) => name as CommandName);
const queryData = journalQuery.encode(anyCoin);

/** A command that changes nothing, wrapped. */
function query(station: StationHand): CommandApdu {
  return station.wrap('queryJournal', queryData);
}

function ask(station: StationHand): ReturnType<StationHand['send']> {
  return station.send('queryJournal', queryData);
}

/** Not even a command that was good is taken any more. */
async function expectClosed(card: CardOnBench, good: CommandApdu): Promise<void> {
  const { sw, data } = await card.exchange(good);
  expectStatus('a good command after it', sw, 0x6982);
  expectNumber('bytes beside the error', data.length, 0);
}

function flipped(data: Uint8Array, index: number): Uint8Array {
  return data.map((byte, i) => (i === index ? byte ^ 0x01 : byte));
}
