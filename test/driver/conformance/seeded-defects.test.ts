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
import type { ConformanceCaseId } from '../../../applet-spec/conformance.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import {
  checkConformance,
  type CaseOutcome,
  type ConformanceReport,
} from '../../../driver/conformance/conformance.ts';
import { strangerKey } from '../../../driver/conformance/specimens.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { makeCard, type CardEquipper } from '../../../emulator/card/card-maker.ts';
import type { CardState, StoredCoin, StoredPeerKey } from '../../../emulator/card/card-state.ts';
import { DeviceMaker } from '../../../emulator/card/device-maker.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { testMaker } from '../../contract/test-maker.ts';
import { defectiveCard, type Defect, type Process } from './defective-card.ts';
import {
  after,
  again,
  answers,
  anyVersion,
  first,
  keepsGreetings,
  listensBesideSessions,
  refusesReplaysItself,
  rewords,
  selection,
  shortensRefusals,
  verification,
  wholeName,
  wholePin,
} from './wire-defects.ts';

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
  ['verifies a PIN by changing it', 'LIFE-19', wire(after(/^00240080/, verification()))],
  ['reads the beginning of a PIN', 'LIFE-20', wire(wholePin)],
  ['forgets wrong PUKs', 'PUK-1', { loses: (state) => ({ ...state, pukTries: 10 }) }],
  // The session.
  ['draws the same challenge again', 'SESSION-1', { entropy: () => constantEntropy }],
  ['listens to stations in the clear', 'SESSION-4', wire(answers(/^8024/, '9000'))],
  ['survives a replay', 'SESSION-9', wire(refusesReplaysItself)],
  ['listens in the clear beside a session', 'SESSION-15', wire(listensBesideSessions)],
  ['keeps a greeting', 'SESSION-16', wire(keepsGreetings)],
  ['refuses by status words', 'SESSION-12', wire(shortensRefusals)],
  // Its life.
  ['has no handle', 'LIFE-12', { remembers: ({ handle: _, ...state }) => state }],
  ['signs under a key that nobody has certified', 'LIFE-16', { remembers: signsAtOnce }],
  ['opens under every version of its keys', 'LIFE-21', wire(anyVersion)],
  ['remembers fewer former certificates', 'LIFE-22', { remembers: sevenCertificates }],
  ['forgets its handle', 'POWER-1', { loses: ({ handle: _, ...state }) => state }],
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
  ['takes a coin for a new one that comes again', 'POOL-7', { remembers: renewsCoins }],
  ['loads the last coin twice', 'POOL-8', { remembers: loadsTwice }],
  // Paying.
  ['signs with a high s', 'PAY-4', { primitives: signsHigh }],
  ['forgets quotes', 'PAY-4', peerKeys(({ quoteDigest: _, ...slot }) => slot)],
  ['forgets the day', 'PAY-7', { remembers: (state) => ({ ...state, spentOnDay: 0n }) }],
  ['takes the next coin', 'PAY-8', { entropy: drawsZero }],
  ['spends a coin again', 'PAY-9', coins((coin) => ({ ...coin, state: 'unspent' }))],
  ['forgets quotes once there is a verdict', 'PAY-13', peerKeys(quoteOfProvisional)],
  ['forgets the day without power', 'PAY-14', { loses: (state) => ({ ...state, spentOnDay: 0n }) }],
  ['rounds values down', 'PAY-15', coins((coin) => ({ ...coin, value: coin.value - 1n }))],
  ['pays with coins that it gave back', 'PAY-16', coins(keptForPaying)],
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
  ['forgets coins that it paid with', 'PEER-13', { remembers: forgetsPaidCoins }],
  ['lets its station decide anew', 'PEER-14', { remembers: decidedNow }],
  ['takes a high s', 'PEER-15', { primitives: takesHigh }],
  ['takes coins of every issuer for its own', 'PEER-16', { remembers: forgetsNamesakes }],
  ['counts epochs from the key erased last', 'PEER-17', { remembers: countsFromLatest }],
  ['uses burned keys', 'PEER-18', peerKeys(neverBurned)],
];

describe('a card that', () => {
  it('has no defect passes', async () => {
    expect(await failures({})).toEqual([]);
  });

  it.each(defects)('%s fails %s', async (_, found, defect) => {
    const outcomes: CaseOutcome[] = [];
    const checked = check(defect, testMaker, (outcome) => {
      outcomes.push(outcome);
      // What comes behind it does not matter.
      if (outcome.id === found) throw new Found();
    });
    await expect(checked).rejects.toThrow(Found);
    expect(outcomes.at(-1)?.result).toBe('failed');
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

class Found extends Error {
  override readonly name = 'Found';
}

async function failures(
  defect: Defect,
  maker: CardEquipper = testMaker,
): Promise<readonly ConformanceCaseId[]> {
  const { cases } = await check(defect, maker);
  return cases.filter(({ result }) => result === 'failed').map(({ id }) => id);
}

function check(
  defect: Defect,
  maker: CardEquipper,
  onCase: (outcome: CaseOutcome) => void = () => undefined,
): Promise<ConformanceReport> {
  const entropy = seededEntropy('defects');
  const { image, delivery } = makeCard(entropy, 't1-short', maker);
  const reader = new InProcessReader();
  reader.insert(defectiveCard(image, 't1-short', entropy, defect));
  const clock = new VirtualClock();
  const given = { reader, clock, entropy: seededEntropy('host'), primitives };
  return checkConformance({
    ...given,
    delivery,
    expendable: true,
    makerRoot: parseCertificate(testMaker.root),
    onCase,
  });
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

function quoteOfProvisional({ quoteDigest, ...slot }: StoredPeerKey): StoredPeerKey {
  return slot.state === 'provisional' && quoteDigest ? { ...slot, quoteDigest } : slot;
}

function sevenCertificates(state: CardState): CardState {
  const { formerKeys } = state;
  return formerKeys === undefined ? state : { ...state, formerKeys: formerKeys.slice(-7) };
}

function keptForPaying(coin: StoredCoin): StoredCoin {
  return coin.state === 'retiring' ? { ...coin, state: 'unspent' } : coin;
}

function neverBurned(slot: StoredPeerKey): StoredPeerKey {
  const secret = new Uint8Array(32);
  return slot.state === 'burned' ? { ...slot, state: 'active', secret } : slot;
}

/** With each load every coin is unspent. */
function renewsCoins(state: CardState, before: CardState): CardState {
  if (state.coins.length <= before.coins.length) return state;
  const fresh = ({ orderId: _, ...coin }: StoredCoin): StoredCoin => ({
    ...coin,
    state: 'unspent',
  });
  return { ...state, coins: state.coins.map(fresh) };
}

function loadsTwice(state: CardState, before: CardState): CardState {
  const last = state.coins.slice(-1);
  return state.coins.length > before.coins.length
    ? { ...state, coins: [...state.coins, ...last] }
    : state;
}

/** Only their slots remember them. */
function forgetsPaidCoins(state: CardState): CardState {
  const paid = new Set(state.peerKeys.map(({ coinId }) => toHex(coinId)));
  return { ...state, goneCoinIds: state.goneCoinIds.filter((id) => !paid.has(toHex(id))) };
}

/** Of coins that came with an offer. */
function forgetsNamesakes(state: CardState): CardState {
  const arrived = state.peerKeys.filter(({ role }) => role === 'payee');
  const theirs = new Set(arrived.map(({ coinId }) => toHex(coinId)));
  return { ...state, coins: state.coins.filter(({ coinId }) => !theirs.has(toHex(coinId))) };
}

function countsFromLatest(state: CardState, before: CardState): CardState {
  const held = new Set(state.peerKeys.map(({ paymentId }) => toHex(paymentId)));
  const erased = before.peerKeys.find(({ paymentId }) => !held.has(toHex(paymentId)));
  return erased === undefined ? state : { ...state, epochFloor: erased.sendEpoch };
}

const constantEntropy = {
  randomBytes: (length: number) => new Uint8Array(length).fill(0x11),
};

function drawsZero(sound: { randomBytes(length: number): Uint8Array }) {
  return {
    randomBytes: (length: number) => (length === 4 ? new Uint8Array(4) : sound.randomBytes(length)),
  };
}

/** As if each signature came with the lower of its two. */
function takesHigh(sound: typeof primitives): typeof primitives {
  return {
    ...sound,
    verifyingKey(publicKey) {
      const key = sound.verifyingKey(publicKey);
      return {
        ...key,
        verify(message, signature) {
          const s = bytesToUint(signature.subarray(32));
          const low = s > order / 2n ? order - s : s;
          return key.verify(message, concatBytes(signature.subarray(0, 32), uintToBytes(low, 32)));
        },
      };
    },
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
