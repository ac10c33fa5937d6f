/** TRANSMISSION, SELECT and INFORMATION: what any reader can ask of any card. */
import { concatBytes, fromHex, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { applicationInfo, owner } from '../../applet-spec/card-objects.ts';
import { appletId, dataObjects } from '../../applet-spec/commands.ts';
import { transportKeyVersion } from '../../applet-spec/card-delivery.ts';
import { decodeElement, encodeTlv } from '../../applet-spec/tlv.ts';
import { parseAtr } from '../reader/atr.ts';
import type { CardOnBench } from './card-on-bench.ts';
import {
  expectBytes,
  expectNumber,
  expectStatus,
  expectThat,
  NotApplicable,
} from './expectation.ts';

const aid = toHex(appletId);
const getInfo = '00ca0101';

export const transmissionChecks = {
  'TRANSMISSION-1': async (card: CardOnBench): Promise<void> => {
    const atr = parseAtr(card.atr);
    expectThat(atr !== undefined, `the answer to reset is none: ${toHex(card.atr)}`);
    const wanted = extended(card) ? '8073 8001 c0' : '8073 8001 80';
    const historical = concatBytes(
      fromHex(wanted.replaceAll(' ', '')),
      Uint8Array.of(0x57),
      toUtf8('KEYTOLL'),
    );
    expectBytes('historical bytes', atr?.historicalBytes ?? new Uint8Array(0), historical);
  },

  'TRANSMISSION-2': async (card: CardOnBench): Promise<void> => {
    for (const piece of [`10a4040c04${aid.slice(0, 8)}`, '10a4040c00']) {
      expectStatus('a piece of a chain', (await card.raw(piece)).sw, 0x9000);
    }
    const { sw } = await card.raw(`00a4040c05${aid.slice(8)}`);
    expectStatus('the last piece of a chain', sw, 0x9000);
  },

  'TRANSMISSION-3': async (card: CardOnBench): Promise<void> => {
    await card.raw(`10a4040c04${aid.slice(0, 8)}`);
    expectStatus('GET DATA inside a chain', (await card.raw(`${getInfo}00`)).sw, 0x6883);
    const { sw } = await card.raw(`00a4040c05${aid.slice(8)}`);
    expectStatus('the rest of a chain that has ended', sw, 0x6a82);
    expectStatus('GET DATA after it', (await card.raw(`${getInfo}00`)).sw, 0x9000, ...corrected);
  },

  'TRANSMISSION-4': async (card: CardOnBench): Promise<void> => {
    const selected = await card.raw(`00a4040c000009${aid}`);
    const read = await card.raw(`${getInfo}000000`);
    if (!extended(card)) {
      expectStatus('SELECT with an extended Lc', selected.sw, 0x6700);
      expectStatus('GET DATA with an extended Le', read.sw, 0x6700);
      return;
    }
    expectStatus('SELECT with an extended Lc', selected.sw, 0x9000);
    expectStatus('GET DATA with an extended Le', read.sw, 0x9000);
    expectBytes('its answer', read.data, (await card.raw(`${getInfo}00`)).data);
  },

  'TRANSMISSION-5': async (card: CardOnBench): Promise<void> => {
    const whole = await card.done('getData', new Uint8Array(0), 0x01, 0x01);
    if (card.isT0) return fetchedByT0(card);
    const first = await card.raw(`${getInfo}10`);
    const rest = whole.length - 16;
    expectStatus('an Le that is too small', first.sw, 0x6100 | rest);
    expectBytes('the first 16 bytes', first.data, whole.subarray(0, 16));
    const second = await card.raw('00c00000', Uint8Array.of(rest));
    expectStatus('GET RESPONSE', second.sw, 0x9000);
    expectBytes('the rest', second.data, whole.subarray(16));
    expectStatus('GET RESPONSE again', (await card.raw('00c0000000')).sw, 0x6985);
    expectStatus('GET RESPONSE with P1', (await card.raw('00c0010000')).sw, 0x6a86);
  },

  'TRANSMISSION-6': async (card: CardOnBench): Promise<void> => {
    if (card.isT0) await card.raw(`00a4040009${aid}`);
    else await card.raw(`${getInfo}10`);
    await card.raw('00200080');
    expectStatus('GET RESPONSE', (await card.raw('00c0000000')).sw, 0x6985);
  },

  'TRANSMISSION-7': async (card: CardOnBench): Promise<void> => {
    if (card.isT0) throw new NotApplicable('the length byte of T=0 cannot contradict');
    for (const apdu of ['00200080 05 313233', '00200080 04 31323334 ffff']) {
      expectStatus(apdu, (await card.raw(apdu)).sw, 0x6700);
    }
  },

  'TRANSMISSION-8': async (card: CardOnBench): Promise<void> => {
    for (const [apdu, sw] of [
      ['01ca0101', 0x6881],
      ['41ca0101', 0x6881],
      ['0cca0101', 0x6882],
      ['a0ca0101', 0x6e00],
    ] as const) {
      expectStatus(apdu, (await card.raw(apdu, '00')).sw, sw);
    }
  },

  'TRANSMISSION-9': async (card: CardOnBench): Promise<void> => {
    for (const apdu of ['0000000000', '00fe000000', '80fe000000']) {
      expectStatus(apdu, (await card.raw(apdu)).sw, 0x6d00);
    }
  },

  'SELECT-1': async (card: CardOnBench): Promise<void> => {
    await card.powerCycle();
    for (const apdu of [`${getInfo}00`, '00200080', '80180000 00', '80500000 10']) {
      const data = apdu.endsWith('10') ? new Uint8Array(16) : new Uint8Array(0);
      expectStatus(apdu, (await card.raw(apdu, data)).sw, 0x6985);
    }
  },

  'SELECT-2': async (card: CardOnBench): Promise<void> => {
    const information = await card.done('getData', new Uint8Array(0), 0x01, 0x01);
    const name = encodeTlv(0x84, appletId);
    const fci = encodeTlv(0x6f, concatBytes(name, encodeTlv(0xa5, information)));
    expectBytes('FCI', await card.select(), fci);
    const quiet = await card.send('select', appletId, 0x04, 0x0c);
    expectStatus('SELECT with P2 0C', quiet.sw, 0x9000);
    expectNumber('bytes of its answer', quiet.data.length, 0);
  },

  'SELECT-3': async (card: CardOnBench): Promise<void> => {
    for (const [name, p1, sw] of [
      [appletId.subarray(0, 5), 0x04, 0x6a82],
      [concatBytes(appletId, Uint8Array.of(0)), 0x04, 0x6a82],
      [fromHex('a000000151000000'), 0x04, 0x6a82],
      [appletId, 0x00, 0x6a86],
    ] as const) {
      expectStatus(`SELECT of ${toHex(name)}`, (await card.send('select', name, p1)).sw, sw);
    }
  },

  'INFORMATION-1': async (card: CardOnBench): Promise<void> => {
    const info = await card.info();
    const bytes = await card.done('getData', new Uint8Array(0), 0x01, 0x01);
    expectBytes('application information', bytes, applicationInfo.encode(info));
    expectNumber('version', info.specVersion, 1);
    expectThat(info.coins <= info.coinsCapacity, 'more coins than there is room for');
    expectThat(info.peerKeys <= info.peerKeysCapacity, 'more slots than there is room for');
    expectThat(info.keyVersion >= 1, 'a key version of 0');
  },

  'INFORMATION-2': async (card: CardOnBench): Promise<void> => {
    const { lifeCycle, keyVersion, pinTries, pukTries, coins, peerKeys } = await card.info();
    const blocked = pinTries === 0 && pukTries === 0;
    expectThat((lifeCycle === 'blocked') === blocked, `${lifeCycle}, with ${pinTries} PIN tries`);
    const ownKeys = keyVersion !== transportKeyVersion;
    expectThat(lifeCycle !== 'enrolled' || ownKeys, 'enrolled under the transport keys');
    const holds = coins + peerKeys > 0;
    const early = lifeCycle === 'blank' || lifeCycle === 'initialised';
    expectThat(!(early && holds), `${lifeCycle}, and holds coins or keys`);
  },

  'INFORMATION-3': async (card: CardOnBench): Promise<void> => {
    const known: readonly number[] = Object.values(dataObjects);
    for (const object of scanned) {
      if (known.includes(object)) continue;
      const { sw } = await card.send('getData', new Uint8Array(0), object >> 8, object & 0xff);
      expectStatus(`GET DATA ${object.toString(16).padStart(4, '0')}`, sw, 0x6a88);
    }
    if (card.isT0) return;
    expectStatus('GET DATA with data', (await card.raw(`${getInfo}0100`)).sw, 0x6700);
  },

  'INFORMATION-4': async (card: CardOnBench): Promise<void> => {
    const { sw, data } = await card.send('getData', new Uint8Array(0), 0x01, 0x02);
    expectStatus('GET DATA 0102', sw, 0x6982);
    expectNumber('bytes of its answer', data.length, 0);
  },

  'INFORMATION-5': async (card: CardOnBench): Promise<void> => {
    const { lifeCycle } = await card.info();
    const { sw, data } = await card.send('getData', new Uint8Array(0), 0x01, 0x02);
    if (lifeCycle !== 'enrolled') {
      expectStatus('the owner of a card without one', sw, 0x6a88);
      return;
    }
    expectStatus('GET DATA 0102', sw, 0x9000);
    const { user, homeStation } = decodeElement(owner, data, 'owner');
    expectThat(user.endsWith(`@${homeStation}`), `${user} is not at home at ${homeStation}`);
  },
} as const;

const corrected = Array.from({ length: 256 }, (_, length) => 0x6c00 | length);

/** Objects of ours and their neighbours, and those that ISO/IEC 7816 and PIV know. */
const scanned: readonly number[] = [
  ...Array.from({ length: 0x10 }, (_, i) => 0x0100 + i),
  ...[0x0000, 0x0042, 0x0066, 0x006e, 0x0081, 0x00e0, 0x0180, 0x5f50, 0x7f21, 0x7f49, 0xdf20],
];

/** Whether the answer to reset says so. */
function extended({ atr }: CardOnBench): boolean {
  return parseAtr(atr)?.capabilities?.extendedLength === true;
}

/** An answer to data waits for GET RESPONSE with exactly its length. */
async function fetchedByT0(card: CardOnBench): Promise<void> {
  const { sw } = await card.raw(`00a4040009${aid}`);
  expectThat(sw >> 8 === 0x61, `SELECT with data: ${sw.toString(16)} where 61xx is specified`);
  const length = sw & 0xff;
  expectStatus('GET RESPONSE with Le 00', (await card.raw('00c0000000')).sw, 0x6c00 | length);
  const { data, sw: last } = await card.raw('00c00000', Uint8Array.of(length));
  expectStatus('GET RESPONSE', last, 0x9000);
  expectNumber('bytes fetched', data.length, length);
  expectStatus('GET RESPONSE again', (await card.raw('00c0000000')).sw, 0x6985);
}
