/** Each defect of a card is found by the case that is there to find it. */
import { describe, expect, it } from 'vitest';
import {
  bytesToUint,
  concatBytes,
  equalBytes,
  toHex,
  uintToBytes,
} from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { appletId } from '../../../applet-spec/commands.ts';
import type { ConformanceCaseId } from '../../../applet-spec/conformance.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { checkConformance } from '../../../driver/conformance/conformance.ts';
import { specimenPin } from '../../../driver/conformance/life-checks.ts';
import { strangerKey } from '../../../driver/conformance/specimens.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { makeCard, type CardEquipper } from '../../../emulator/card/card-maker.ts';
import type { CardState, StoredCoin, StoredPeerKey } from '../../../emulator/card/card-state.ts';
import { DeviceMaker } from '../../../emulator/card/device-maker.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { testMaker } from '../../contract/test-maker.ts';
import { defectiveCard, type Defect, type Process } from './defective-card.ts';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const neverExpires = 0xffff_ffffn;

const defects: readonly (readonly [defect: string, found: ConformanceCaseId, of: Defect])[] = [
  // What every reader sees.
  ['announces another profile', 'TRANSMISSION-4', { announces: 't1-extended' }],
  ['takes a command inside a chain', 'TRANSMISSION-3', wire(again(/6883$/))],
  ['keeps an answer for ever', 'TRANSMISSION-5', wire(answers(/^00c00000/, '9000'))],
  ['knows no class as none', 'TRANSMISSION-8', wire(rewords('6e00', '6d00'))],
  ['is selected by power alone', 'SELECT-1', wire(first(selection()))],
  ['is selected by a part of its name', 'SELECT-3', wire(wholeName)],
  ['gives an object that there is not', 'INFORMATION-3', wire(answers(/^00ca0066/, '01029000'))],
  // PIN.
  ['forgets wrong PINs', 'PIN-6', { remembers: (state) => ({ ...state, pinTries: 3 }) }],
  ['verifies its PIN by itself', 'PIN-4', wire(after(/^00a404/, verification()))],
  ['has its PIN set again', 'PIN-7', wire(answers(/^00240180/, '9000', 3))],
  ['says that its PUK is verified', 'PIN-1', wire(answers(/^00200081/, '9000'))],
  ['calls every signature its own', 'HOST-6', wire(answers(/^801c/, '019000'))],
  // The session.
  ['draws the same challenge again', 'SESSION-1', { entropy: () => constantEntropy }],
  ['listens to stations in the clear', 'SESSION-4', wire(answers(/^8024/, '9000'))],
  ['survives a replay', 'SESSION-9', wire(refusesReplaysItself)],
  ['refuses by status words', 'SESSION-12', wire(shortensRefusals)],
  // Its life.
  ['has no handle', 'LIFE-12', { remembers: ({ handle: _, ...state }) => state }],
  ['signs under a key that nobody has certified', 'LIFE-16', { remembers: signsAtOnce }],
  // The pool.
  ['counts epochs anew', 'PEER-8', { remembers: ({ epochFloor: _, ...state }) => state }],
  ['forgets its coins', 'POOL-5', { remembers: (state) => ({ ...state, goneCoinIds: [] }) }],
  ['forgets orders', 'POOL-3', coins(({ orderId: _, ...coin }) => coin)],
  ['keeps coins for ever', 'POOL-4', coins((coin) => ({ ...coin, expiry: neverExpires }))],
  ['forgets the time', 'ROOM-1', { remembers: (state) => ({ ...state, timeSeen: 0n }) }],
  [
    'remembers fewer of the coins that left',
    'ROOM-4',
    { remembers: (state) => ({ ...state, goneCoinIds: state.goneCoinIds.slice(-1_000) }) },
  ],
  // Paying.
  ['signs with a high s', 'PAY-4', { primitives: signsHigh }],
  ['forgets quotes', 'PAY-4', peerKeys(({ quoteDigest: _, ...slot }) => slot)],
  ['forgets the day', 'PAY-7', { remembers: (state) => ({ ...state, spentOnDay: 0n }) }],
  ['takes the next coin', 'PAY-8', { entropy: drawsZero }],
  ['spends a coin again', 'PAY-5', coins((coin) => ({ ...coin, state: 'unspent' }))],
  // Keys shared with peers.
  ['believes offers', 'PEER-2', peerKeys((slot) => ({ ...slot, state: active(slot) }))],
  [
    'believes a stranger',
    'PEER-3',
    peerKeys((slot) => ({ ...slot, verdictKey: strangerKey.publicKey })),
  ],
  ['believes whoever is its station now', 'PEER-11', { remembers: decidedNow }],
  ['takes every key for one that it paid for', 'PEER-10', peerKeys(payers)],
  ['forgets epochs', 'PEER-7', peerKeys((slot) => ({ ...slot, sendEpoch: 0n }))],
];

describe('a card that', () => {
  it('has no defect passes', async () => {
    expect(await failures({})).toEqual([]);
  });

  it.each(defects)('%s fails %s', async (_, found, defect) => {
    expect(await failures(defect)).toContain(found);
  });

  it('shows the device certificate of another card fails LIFE-7 and LIFE-14', async () => {
    const stolen = testMaker.equip(new Uint8Array(16));
    expect(await failures({}, { equip: () => stolen })).toEqual(['LIFE-7', 'LIFE-14']);
  });

  it('was certified by another maker of the same name fails LIFE-14', async () => {
    const key = new Uint8Array(32).fill(0x45);
    const other = DeviceMaker.found(key, 'A maker of test cards', seededEntropy('other maker'));
    expect(await failures({}, other)).toEqual(['LIFE-14']);
  });
});

async function failures(
  defect: Defect,
  maker: CardEquipper = testMaker,
): Promise<readonly ConformanceCaseId[]> {
  const entropy = seededEntropy('defects');
  const { image, delivery } = makeCard(entropy, 't1-short', maker);
  const reader = new InProcessReader();
  reader.insert(defectiveCard(image, 't1-short', entropy, defect));
  const clock = new VirtualClock();
  const given = { reader, clock, entropy: seededEntropy('host'), primitives };
  const { cases } = await checkConformance({
    ...given,
    delivery,
    expendable: true,
    makerRoot: parseCertificate(testMaker.root),
  });
  return cases.filter(({ result }) => result === 'failed').map(({ id }) => id);
}

function wire(between: (sound: Process) => Process): Defect {
  return { wire: between };
}

function coins(change: (coin: StoredCoin) => StoredCoin): Defect {
  return { remembers: (state) => ({ ...state, coins: state.coins.map(change) }) };
}

function peerKeys(change: (slot: StoredPeerKey) => StoredPeerKey): Defect {
  return { remembers: (state) => ({ ...state, peerKeys: state.peerKeys.map(change) }) };
}

function payers(slot: StoredPeerKey): StoredPeerKey {
  return { ...slot, role: 'payer' };
}

/** By the profile of the present, also about keys that came before. */
function decidedNow(state: CardState): CardState {
  const verdictKey = state.profile?.homeStationKey;
  if (verdictKey === undefined) return state;
  const peerKeysNow = state.peerKeys.map((slot) =>
    slot.role === 'payee' ? { ...slot, verdictKey } : slot,
  );
  return { ...state, peerKeys: peerKeysNow };
}

/** A pending key takes the place of the one in force. */
function signsAtOnce(state: CardState): CardState {
  const { pendingPrivateKey, privateKey } = state;
  if (pendingPrivateKey === undefined || privateKey === undefined) return state;
  return { ...state, privateKey: pendingPrivateKey };
}

function active({ state }: StoredPeerKey): StoredPeerKey['state'] {
  return state === 'provisional' ? 'active' : state;
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** Answers these commands itself, in the place of the card, once `from` of them have passed. */
function answers(commands: RegExp, hex: string, from = 0) {
  let passed = 0;
  return (sound: Process): Process =>
    async (apdu) => {
      if (!commands.test(toHex(apdu))) return sound(apdu);
      passed += 1;
      return passed > from ? bytes(hex) : sound(apdu);
    };
}

function rewords(word: string, other: string) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = toHex(await sound(apdu));
      return bytes(answer === word ? other : answer);
    };
}

/** Sends a command once more where it was answered like this. */
function again(answered: RegExp) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = await sound(apdu);
      return answered.test(toHex(answer)) ? sound(apdu) : answer;
    };
}

/** Sends a command of its own before the first one. */
function first(own: Uint8Array) {
  return (sound: Process): Process => {
    let sent = false;
    return async (apdu) => {
      if (!sent) await sound(own);
      sent = true;
      return sound(apdu);
    };
  };
}

/** Sends a command of its own after these. */
function after(commands: RegExp, own: Uint8Array) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = await sound(apdu);
      if (commands.test(toHex(apdu))) await sound(own);
      return answer;
    };
}

function selection(): Uint8Array {
  return concatBytes(bytes('00a4040c09'), appletId);
}

function verification(): Uint8Array {
  return concatBytes(bytes('0020008006'), new TextEncoder().encode(specimenPin));
}

function wholeName(sound: Process): Process {
  return (apdu) => sound(toHex(apdu).startsWith('00a4040005f04b') ? selection() : apdu);
}

/** The session on the card never learns of them. */
function refusesReplaysItself(sound: Process): Process {
  const seen: Uint8Array[] = [];
  return async (apdu) => {
    if (apdu[0] !== 0x84 || apdu[1] === 0x82) return sound(apdu);
    if (seen.some((before) => equalBytes(before, apdu))) return bytes('6982');
    seen.push(apdu);
    return sound(apdu);
  };
}

/** One block under encryption and its MAC: a result without an answer. */
function shortensRefusals(sound: Process): Process {
  return async (apdu) => {
    const answer = await sound(apdu);
    return apdu[0] === 0x84 && answer.length === 34 ? bytes('6985') : answer;
  };
}

const constantEntropy = {
  randomBytes: (length: number) => new Uint8Array(length).fill(0x11),
};

function drawsZero(sound: { randomBytes(length: number): Uint8Array }) {
  return {
    randomBytes: (length: number) => (length === 4 ? new Uint8Array(4) : sound.randomBytes(length)),
  };
}

/** Of transactions alone. */
function signsHigh(sound: typeof primitives): typeof primitives {
  return {
    ...sound,
    signingKey(privateKey) {
      const signer = sound.signingKey(privateKey);
      return {
        ...signer,
        sign(message) {
          const signature = signer.sign(message);
          const { transaction } = labels;
          if (!equalBytes(message.subarray(0, transaction.length), transaction)) return signature;
          const s = order - bytesToUint(signature.subarray(32));
          return concatBytes(signature.subarray(0, 32), uintToBytes(s, 32));
        },
      };
    },
  };
}
