/**
 * SCP03 at every command of the station's: whatever is done to it on the way, the card answers
 * 6982, writes nothing, and takes no command of that session any more.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { CommandApdu } from '../../../applet-spec/apdu.ts';
import { concatBytes } from '../../../applet-spec/bytes.ts';
import {
  coinErasure,
  journalQuery,
  offer,
  profile,
  retirement,
  retirementDigest,
} from '../../../applet-spec/card-objects.ts';
import { commands, type CommandName } from '../../../applet-spec/commands.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { putKey } from '../../../applet-spec/scp03-put-key.ts';
import type { TestStation } from '../../contract/applet-host.ts';
import {
  bob,
  certificateFor,
  coinOf,
  homeKey,
  loadOf,
  profileOf,
  q1,
  quoteDigest,
  quoteOf,
  receiptOf,
  strangerKey,
  transactionOf,
} from '../../contract/applet-papers.ts';
import {
  load,
  offered,
  acknowledgementSignature,
  stationKeys,
} from '../../contract/applet-subject.ts';
import { cuttableCard, type CuttableCard } from './card-bench.ts';

const none = new Uint8Array(0);
const incoming = transactionOf(quoteOf(8), coinOf(8), certificateFor(strangerKey.publicKey));
const arrived = transactionOf(quoteOf(9), coinOf(9), certificateFor(strangerKey.publicKey));
const order = retirement.encode({
  orderId: new Uint8Array(16).fill(0x0d),
  operation: 'refund',
  coinIds: [coinOf(2).coinId],
});
const otherKeys = putKey(primitives, stationKeys(0x51).dek, 1, 2, stationKeys(0x61));

/** One good command of each kind: on the card as `prepared`, each would be carried out. */
const good: Readonly<Partial<Record<CommandName, (ready: Ready) => Partial<CommandApdu>>>> = {
  putKey: () => otherKeys,
  generateKeyPair: () => ({ data: new Uint8Array(16) }),
  attest: () => ({ data: new Uint8Array(16) }),
  putCertificate: ({ certificate }) => ({ data: concatBytes(certificate, new Uint8Array(3)) }),
  putProfile: () => ({ data: profile.encode(profileOf({ paymentLimit: 5n })) }),
  putHandle: () => ({ data: new Uint8Array(16).fill(0xa5) }),
  loadCoins: () => ({ data: loadOf(coinOf(5)) }),
  pay: () => ({ data: quoteOf(1), p1: 1 }),
  offer: () => ({
    data: offer.encode({
      payer: bob,
      transaction: incoming.bytes,
      coinSecret: coinOf(8).secret,
    }),
  }),
  conclude: ({ verdict }) => ({ data: verdict }),
  queryJournal: () => ({ data: journalQuery.encode({ coinId: coinOf(1).coinId }) }),
  retireCoins: () => ({ data: order }),
  eraseCoins: () => ({
    data: coinErasure.encode({ coinIds: [coinOf(4).coinId], time: coinOf(4).expiry }),
  }),
};
/** Those that change nothing though they are carried out. */
const reading: ReadonlySet<CommandName> = new Set(['attest', 'queryJournal']);

interface Ready extends CuttableCard {
  readonly station: TestStation;
  readonly certificate: Uint8Array;
  /** Of the key that has arrived. */
  readonly verdict: Uint8Array;
}

/** Coins, a key that has arrived, and the host's authorisation of what the station will ask. */
async function prepared(name: CommandName): Promise<Ready> {
  const made = cuttableCard('tampered');
  const { subject } = made;
  const station = await subject.enrol();
  await load(station, coinOf(1), coinOf(2), coinOf(4, { expiry: coinOf(4).expiry - 1n }));
  const acknowledgement = acknowledgementSignature(
    await offered(station, arrived.bytes, coinOf(9).secret),
  );
  const verdict = receiptOf(arrived.paymentId, { station: q1, acknowledgement }, homeKey);
  if (name === 'pay') await subject.host.authorise('pay', quoteDigest(quoteOf(1)));
  if (name === 'retireCoins') {
    await subject.host.authorise('refund', retirementDigest(primitives, order));
  }
  return { ...made, station, certificate: subject.certificate, verdict };
}

const secureNames = Object.entries(commands)
  .filter(([, rule]) => rule.channel === 'secure')
  .map(([name]) => name as CommandName);

function commandOf(name: CommandName, ready: Ready): CommandApdu {
  const { cla, ins } = commands[name];
  const given = good[name]?.(ready);
  if (given === undefined) throw new Error(`no good ${name} is known`);
  return { cla, ins, p1: 0, p2: 0, data: none, ne: 65_536, ...given };
}

function flipped({ data, ...rest }: CommandApdu, index: number): CommandApdu {
  return { ...rest, data: data.map((byte, i) => (i === index ? byte ^ 1 : byte)) };
}

/** What somebody on the way does to the wrapped command. */
const tamperings: Readonly<
  Record<string, (wrapped: CommandApdu, station: TestStation) => CommandApdu>
> = {
  'a bit of its MAC changed': (wrapped) => flipped(wrapped, wrapped.data.length - 1),
  'a bit of its data changed': (wrapped) => flipped(wrapped, 0),
  'P1 changed': (wrapped) => ({ ...wrapped, p1: wrapped.p1 ^ 1 }),
  'another instruction': (wrapped) => ({ ...wrapped, ins: wrapped.ins ^ 2 }),
  'its last byte cut off': (wrapped) => ({ ...wrapped, data: wrapped.data.slice(0, -1) }),
  'its last block cut off': (wrapped) => ({ ...wrapped, data: wrapped.data.slice(0, -16) }),
  'a byte behind it': (wrapped) => ({
    ...wrapped,
    data: concatBytes(wrapped.data, Uint8Array.of(0)),
  }),
  'the command that was to follow it': (wrapped, station) =>
    station.wrap({ ...wrapped, cla: 0x80, data: new Uint8Array(16) }),
};

describe.each(secureNames)('%s', (name) => {
  let sound: { readonly writes: number };

  beforeAll(async () => {
    const ready = await prepared(name);
    const before = ready.storage.writes;
    const { result } = await ready.station.exchange(commandOf(name, ready));
    expect(result).toBe('done');
    sound = { writes: ready.storage.writes - before };
  });

  it('is carried out where nobody touches it', () => {
    expect(sound.writes > 0).toBe(!reading.has(name));
  });

  it.each(Object.keys(tamperings))('%s: not carried out, and the session is over', async (how) => {
    const ready = await prepared(name);
    const { station, storage, subject } = ready;
    const wrapped = station.wrap(commandOf(name, ready));
    const tampered = tamperings[how]?.(wrapped, station);
    if (tampered === undefined) throw new Error(how);
    const before = { image: storage.load(), writes: storage.writes };
    expect(await subject.host.exchange(tampered)).toEqual({ data: none, sw: 0x6982 });
    expect(await subject.host.exchange(wrapped)).toEqual({ data: none, sw: 0x6982 });
    expect({ image: storage.load(), writes: storage.writes }).toEqual(before);
  });

  it('a second time: not carried out again, and the session is over', async () => {
    const ready = await prepared(name);
    const { station, storage, subject } = ready;
    const wrapped = station.wrap(commandOf(name, ready));
    expect((await subject.host.exchange(wrapped)).sw).toBe(0x9000);
    const before = storage.writes;
    expect(await subject.host.exchange(wrapped)).toEqual({ data: none, sw: 0x6982 });
    const next = station.wrap(commandOf(name, ready));
    expect(await subject.host.exchange(next)).toEqual({ data: none, sw: 0x6982 });
    expect(storage.writes).toBe(before);
  });
});
