/**
 * Bare `pcsclite`, a process of its own: what the driver's round trips are held against. Its
 * arguments name the reader, an APDU that selects, and the one to repeat, both in hexadecimal; each
 * number that it is sent it answers with the milliseconds which so many transmits took.
 */
import { performance } from 'node:perf_hooks';
import pcsclite, { type CardReader } from 'pcsclite';

const receiveBytes = 65_538;
const [wanted, select, repeated] = process.argv.slice(2);
if (wanted === undefined || select === undefined || repeated === undefined) {
  throw new RangeError('which reader, and which APDUs?');
}

function readerWithCard(name: string): Promise<CardReader> {
  return new Promise((resolve, reject) => {
    const pcsc = pcsclite();
    pcsc.on('error', reject);
    pcsc.on('reader', (reader) => {
      reader.on('error', reject);
      reader.on('status', ({ state }) => {
        if (reader.name === name && (state & reader.SCARD_STATE_PRESENT) !== 0) resolve(reader);
      });
    });
  });
}

function connect(reader: CardReader): Promise<number> {
  return new Promise((resolve, reject) => {
    reader.connect({ share_mode: reader.SCARD_SHARE_EXCLUSIVE }, (error, protocol) => {
      if (error) reject(error);
      else resolve(protocol);
    });
  });
}

function transmit(reader: CardReader, protocol: number, apdu: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    reader.transmit(apdu, receiveBytes, protocol, (error, response) => {
      const done = response.at(-2) === 0x90 && response.at(-1) === 0x00;
      if (error || !done) reject(error ?? new Error('the card refused'));
      else resolve();
    });
  });
}

function disconnect(reader: CardReader): Promise<void> {
  return new Promise((resolve) => {
    reader.disconnect(reader.SCARD_UNPOWER_CARD, () => {
      resolve();
    });
  });
}

const reader = await readerWithCard(wanted);
const first = Buffer.from(select, 'hex');
const apdu = Buffer.from(repeated, 'hex');

async function take(count: number): Promise<void> {
  const protocol = await connect(reader);
  await transmit(reader, protocol, first);
  const startMs = performance.now();
  for (let i = 0; i < count; i++) await transmit(reader, protocol, apdu);
  const tookMs = performance.now() - startMs;
  await disconnect(reader);
  process.send?.(tookMs);
}

process.on('message', (count) => {
  void take(Number(count));
});
process.on('disconnect', () => {
  // The status thread of pcsclite would hold up an ordinary exit.
  process.kill(process.pid, 'SIGKILL');
});
process.send?.('ready');
