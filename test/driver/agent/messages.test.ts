import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import {
  cutPeerPlaintext,
  decodePeerMessage,
  joinPeerPlaintext,
  peerMessage,
} from '../../../applet-spec/peer-message.ts';
import {
  readRecordHeader,
  RecordOpener,
  RecordSealer,
} from '../../../applet-spec/sealed-record.ts';
import { peerTrafficKey, type PeerDirection } from '../../../applet-spec/traffic-keys.ts';
import { HostBench, pin } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

let bench: HostBench;
/** Bob's end: the coin secret is the key that both cards hold. */
let peerKey: Uint8Array;
let paymentId: Uint8Array;

beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.runner.run('buy', { lines: [{ value: '30', count: 1 }] });
  const [issued] = bench.desk.coins.values();
  if (issued === undefined) throw new Error('no coin was issued');
  peerKey = issued.loaded.secret;
  const wish = { payee: bob, minimumSuite: 'aes', avoid: [] } as const;
  const { quoteId } = await bench.runner.run('quote', { ...wish, avoid: [] });
  const payment = await bench.runner.run('pay', { quoteId, exchange: false, waitMs: 60_000 });
  paymentId = fromHex(payment.paymentId);
});
afterEach(async () => {
  await bench.close();
});

function trafficKey(direction: PeerDirection, epoch: bigint): Uint8Array {
  return peerTrafficKey(primitives, peerKey, direction, paymentId, epoch);
}

/** As Bob's host would write it. */
function fromBob(plaintext: Uint8Array, epoch = 1n): { records: Uint8Array[]; message: string } {
  const key = trafficKey('to-payer', epoch);
  const sealer = new RecordSealer({ primitives, kind: 'peer', epoch, recordKey: key });
  const records = cutPeerPlaintext(plaintext).map((chunk) => sealer.seal(chunk));
  return { records, message: base64(peerMessage.encode({ paymentId, records })) };
}

/** As Bob's host would read it. */
function atBob(message: string): Uint8Array | undefined {
  const { records } = decodePeerMessage(bytesOf(message));
  const { epoch } = readRecordHeader(records[0] ?? new Uint8Array(0));
  const key = trafficKey('to-payee', epoch);
  const opener = new RecordOpener({ primitives, kind: 'peer', epoch, recordKey: key }, 'window');
  return joinPeerPlaintext(records.map((record) => opener.open(record).plaintext));
}

describe('a message between users (S4)', () => {
  it('is opened by the other end under the shared key', async () => {
    const plaintext = base64(toUtf8('meet me at noon'));
    const sealed = await bench.runner.run('send', { to: { peer: bob }, plaintext });
    expect(sealed).toMatchObject({ peer: 'bob@q2', epoch: '1', paymentId: toHex(paymentId) });
    expect(atBob(sealed.message)).toEqual(toUtf8('meet me at noon'));
  });

  it('has an epoch of its own, also after a restart', async () => {
    const send = () =>
      bench.runner.run('send', { to: { paymentId: toHex(paymentId) }, plaintext: '' }, { pin });
    const first = await send();
    await bench.restart();
    const second = await send();
    expect([first.epoch, second.epoch]).toEqual(['1', '2']);
  });

  it('longer than a record travels whole', async () => {
    const long = new Uint8Array(200_000).map((_, i) => i % 251);
    const sealed = await bench.runner.run('send', { to: { peer: bob }, plaintext: base64(long) });
    expect(atBob(sealed.message)).toEqual(long);
    const received = await bench.runner.run('receive', { message: fromBob(long).message });
    expect(bytesOf(received.plaintext)).toEqual(long);
  });

  it('cut anywhere is cut short, and opens whole afterwards', async () => {
    const whole = bytesOf(fromBob(toUtf8('meet me at noon')).message);
    for (let length = 1; length < whole.length; length++) {
      const message = base64(whole.subarray(0, length));
      await expect(bench.runner.run('receive', { message })).rejects.toMatchObject({
        code: 'message-cut-short',
        outcome: 'refused',
      });
    }
    const opened = await bench.runner.run('receive', { message: base64(whole) });
    expect(bytesOf(opened.plaintext)).toEqual(toUtf8('meet me at noon'));
  });

  it('beyond the longest is refused before the card is asked', async () => {
    const plaintext = base64(new Uint8Array(4_194_241));
    await expect(bench.runner.run('send', { to: { peer: bob }, plaintext })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'message-too-long',
    });
  });

  it('is received once, also after a restart', async () => {
    const { message } = fromBob(toUtf8('hello'));
    const received = await bench.runner.run('receive', { message });
    expect(received).toMatchObject({ peer: 'bob@q2', epoch: '1' });
    expect(bytesOf(received.plaintext)).toEqual(toUtf8('hello'));
    await bench.restart();
    await expect(bench.runner.run('receive', { message }, { pin })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'message-replayed',
    });
  });

  it.each([
    ['with its last record cut off', (records: Uint8Array[]) => records.slice(0, -1)],
    ['with its first record cut off', (records: Uint8Array[]) => records.slice(1)],
    ['with its records swapped', (records: Uint8Array[]) => records.toReversed()],
    [
      'with one bit changed',
      (records: Uint8Array[]) =>
        records.map((record) => record.map((byte, i) => (i === 40 ? byte ^ 1 : byte))),
    ],
  ])('%s is refused, and still received when it comes whole', async (_how, change) => {
    const { records, message } = fromBob(new Uint8Array(150_000).fill(7));
    const damaged = base64(peerMessage.encode({ paymentId, records: change(records) }));
    await expect(bench.runner.run('receive', { message: damaged })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'message-invalid',
    });
    await expect(bench.runner.run('receive', { message })).resolves.toMatchObject({ epoch: '1' });
  });

  it('under a key that the card has not is refused', async () => {
    const stranger = new Uint8Array(32).fill(9);
    const { records } = fromBob(toUtf8('hello'));
    const message = base64(peerMessage.encode({ paymentId: stranger, records }));
    await expect(bench.runner.run('receive', { message })).rejects.toMatchObject({
      code: 'key-unknown',
    });
    await expect(
      bench.runner.run('send', { to: { paymentId: toHex(stranger) }, plaintext: '' }),
    ).rejects.toMatchObject({ code: 'key-unknown' });
  });

  it('cannot be sent once the key is erased', async () => {
    await bench.runner.run('erase-key', { paymentId: toHex(paymentId) });
    await expect(
      bench.runner.run('send', { to: { peer: bob }, plaintext: '' }),
    ).rejects.toMatchObject({ code: 'key-unknown' });
  });
});
