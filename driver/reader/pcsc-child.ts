/**
 * The process that owns `pcsclite`: started by `pcsc-reader.ts`, one for each open reader. A native
 * crash or a card that never answers ends this process and not the driver's. It dies with its
 * parent.
 */
import { Socket } from 'node:net';
import type { CardReader, PcscLite } from 'pcsclite';
import { systemClock } from '../clock.ts';
import { notRun, outcomeUnknown, ReaderError } from './reader-error.ts';
import { encodePcscFrame, PcscFrameReader } from './pcsc-frames.ts';
import { connectFault, serviceFault, transmitFault } from './pcsc-fault.ts';
import type { TransmitFault } from './pcsc-fault.ts';
import { isToPcscChild, packFault } from './pcsc-messages.ts';
import type { FromPcscChild, PcscReaderState, ToPcscChild } from './pcsc-messages.ts';
import { WholeApdu } from './whole-apdu.ts';

/**
 * pcscd answers at most 65,536 bytes and a status word; a smaller buffer fails after the card has
 * run.
 */
const RECEIVE_BYTES = 65_538;
const limits = { commandBytes: 65_535, responseBytes: 65_535 } as const;
/** The service is looked for again after 200 ms, then twice as long each time, up to 5 s. */
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;
/** Signs of life during a long command are no more frequent than this. */
const RUNNING_EVERY_MS = 200;
/** The service lists its readers well within this time, even on a machine that is busy. */
const NO_READERS_MS = 2_000;

interface KnownReader {
  readonly reader: CardReader;
  /** undefined until the service has said. */
  readonly state: PcscReaderState | undefined;
}

interface OpenCard {
  readonly reader: CardReader;
  readonly protocol: number;
  readonly whole: WholeApdu;
  busy: boolean;
  /** How the connection ended, found out while a command was under way. */
  fault: TransmitFault | undefined;
}

const tornOut: TransmitFault = {
  reason: 'card-removed',
  detail: 'the card was removed',
  neverRan: false,
};

const frames = new PcscFrameReader();
/** The parent's end is its end of the socket pair. Bytes come past the stream, a copy the less. */
const wireOptions = {
  fd: 3,
  readable: true,
  writable: true,
  onread: { buffer: new Uint8Array(65_536), callback: hear },
};
const wire = new Socket(wireOptions);
const readers = new Map<string, KnownReader>();
let openCard: OpenCard | undefined;
let runningToldMs = 0;
/** Until it resolves `pcsclite` takes the last connection for a living one. */
let released: Promise<void> = Promise.resolve();
/** The service is gone, and this process is about to be. */
let lost = false;

function send(message: FromPcscChild, sent?: () => void): void {
  // The parent may be gone; 'close' ends this process then.
  wire.write(encodePcscFrame(message), () => sent?.());
}

/** A transmit to a mute card never returns, and an ordinary exit would wait for it. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function lookForPcscd(pcsclite: () => PcscLite, retryMs: number, deniedBefore = false): void {
  let pcsc: PcscLite;
  try {
    pcsc = pcsclite();
  } catch (error) {
    const fault = serviceFault(error);
    const denied = fault.code === 'access-denied';
    // A pcscd that is just ending turns its last clients away; one that means it does so again.
    if (!denied || deniedBefore) send({ kind: 'unavailable', fault: packFault(fault) });
    const nextMs = Math.min(2 * retryMs, LAST_RETRY_MS);
    systemClock.after(retryMs, () => {
      lookForPcscd(pcsclite, nextMs, denied);
    });
    return;
  }
  // Every object is dead once the service is: a new process is the sure way to new ones.
  pcsc.on('error', serviceLost);
  pcsc.on('reader', watchReader);
  // No event tells that there is no reader at all.
  systemClock.after(NO_READERS_MS, tellReaders);
}

function serviceLost(): void {
  // Every object complains, and then says that it ended; the first word is enough.
  if (lost) return;
  lost = true;
  const detail = 'the smart-card service ended';
  endConnection({ reason: 'service-lost', detail, neverRan: false });
  send({ kind: 'unavailable', fault: packFault(serviceFault(detail)) }, die);
}

function watchReader(reader: CardReader): void {
  readers.set(reader.name, { reader, state: undefined });
  reader.on('status', ({ state, atr }) => {
    const mute = (state & reader.SCARD_STATE_MUTE) !== 0;
    const cardPresent = (state & reader.SCARD_STATE_PRESENT) !== 0;
    const answer = atr !== undefined && atr.length > 0 ? { atr: Uint8Array.from(atr) } : {};
    readers.set(reader.name, {
      reader,
      state: { name: reader.name, cardPresent, mute, ...answer },
    });
    if (!cardPresent && openCard?.reader === reader) endConnection(tornOut);
    tellReaders();
  });
  reader.on('error', (error) => {
    const fault = transmitFault(error);
    if (fault.reason === 'service-lost') serviceLost();
  });
  reader.on('end', () => {
    readers.delete(reader.name);
    if (openCard?.reader === reader) {
      endConnection({ reason: 'reader-lost', detail: 'the reader was unplugged', neverRan: false });
    }
    tellReaders();
  });
}

function tellReaders(): void {
  if (lost) return;
  const states: PcscReaderState[] = [];
  for (const { state } of readers.values()) {
    // It will say in a moment; half a list would look like a card removed.
    if (state === undefined) return;
    states.push(state);
  }
  send({ kind: 'readers', readers: states });
}

function connect(name: string): void {
  const known = readers.get(name);
  if (known === undefined) {
    const error = new ReaderError('no-reader', `${name}: the reader was unplugged`);
    send({ kind: 'not-connected', fault: packFault(error) });
    return;
  }
  const { reader } = known;
  reader.connect({ share_mode: reader.SCARD_SHARE_EXCLUSIVE }, (error, protocol) => {
    if (error) {
      send({ kind: 'not-connected', fault: packFault(connectFault(name, error)) });
      return;
    }
    const atr = readers.get(name)?.state?.atr;
    if (atr === undefined) {
      const gone = new ReaderError('no-card', `${name}: the card was just removed`);
      void release(reader);
      send({ kind: 'not-connected', fault: packFault(gone) });
      return;
    }
    const named = protocol === reader.SCARD_PROTOCOL_T0 ? 'T=0' : 'T=1';
    const whole = new WholeApdu(transmit, { reader: name, atr, limits, protocol: named });
    openCard = { reader, protocol, whole, busy: false, fault: undefined };
    send({ kind: 'connected', atr, protocol: named });
  });
}

/** After a reset or a removal `connected` stays true, and only a disconnect frees the handle. */
function release(reader: CardReader): Promise<void> {
  released = new Promise((resolve) => {
    reader.disconnect(reader.SCARD_UNPOWER_CARD, () => {
      resolve();
    });
  });
  return released;
}

function endConnection(fault: TransmitFault): void {
  const card = openCard;
  if (card === undefined) return;
  if (card.busy) {
    // The command's own answer may be on its way: it comes first.
    card.fault ??= fault;
    return;
  }
  openCard = undefined;
  void release(card.reader);
  send({ kind: 'ended', ...fault });
}

function transmit(command: Uint8Array): Promise<Uint8Array> {
  const card = openCard;
  return new Promise((resolve, reject) => {
    if (card === undefined || card.fault !== undefined) {
      const { reason, detail } = card?.fault ?? { reason: 'closed', detail: 'no connection' };
      reject(notRun(card?.reader.name ?? 'reader', { reason, detail }));
      return;
    }
    const { reader, protocol } = card;
    reader.transmit(
      Buffer.from(command.buffer, command.byteOffset, command.length),
      RECEIVE_BYTES,
      protocol,
      (error, response) => {
        if (!error && response.length >= 2) {
          tellRunning();
          resolve(new Uint8Array(response));
          return;
        }
        // Debian's vpcd reports a card torn out during a command as success without a byte.
        const { reason, detail, neverRan } = error ? transmitFault(error) : tornOut;
        card.fault ??= { reason, detail, neverRan };
        reject((neverRan ? notRun : outcomeUnknown)(reader.name, { reason, detail }, error));
      },
    );
  });
}

function tellRunning(): void {
  const nowMs = systemClock.nowMs();
  if (nowMs - runningToldMs < RUNNING_EVERY_MS) return;
  runningToldMs = nowMs;
  send({ kind: 'running' });
}

async function command(run: () => Promise<Uint8Array>): Promise<void> {
  const card = openCard;
  // The parent heard, or will hear, how the connection ended: that ends the command too.
  if (card === undefined) return;
  card.busy = true;
  runningToldMs = systemClock.nowMs();
  try {
    send({ kind: 'answer', response: await run() });
  } catch (error) {
    send({ kind: 'failed', fault: packFault(error) });
  }
  card.busy = false;
  if (card.fault !== undefined) endConnection(card.fault);
}

function hear(bytes: number, buffer: Uint8Array): boolean {
  for (const message of frames.push(buffer.subarray(0, bytes))) {
    if (isToPcscChild(message)) receive(message);
  }
  return true;
}

function receive(message: ToPcscChild): void {
  switch (message.kind) {
    case 'connect':
      void released.then(() => {
        connect(message.reader);
      });
      return;
    case 'transmit':
      void command(() => transmit(message.command));
      return;
    case 'transmit-whole': {
      const { command: bytes } = message;
      void command(async () => {
        if (openCard === undefined) throw new ReaderError('closed', 'no connection');
        return openCard.whole.runBytes(bytes);
      });
      return;
    }
    case 'disconnect': {
      const card = openCard;
      if (card === undefined) return;
      openCard = undefined;
      const detail = 'the connection was closed';
      void release(card.reader).then(() => {
        send({ kind: 'ended', reason: 'closed', detail, neverRan: true });
      });
    }
  }
}

process.title = 'keytoll-pcsc';
wire.on('error', die);
wire.on('end', die);
wire.on('close', die);
// Ctrl-C goes to the whole foreground group; the parent decides what it means.
process.on('SIGINT', () => undefined);

try {
  const { default: pcsclite } = await import('pcsclite');
  lookForPcscd(pcsclite, FIRST_RETRY_MS);
} catch (cause) {
  const message =
    'reading cards by PC/SC needs the package pcsclite: install pcscd and libpcsclite-dev ' +
    '(Debian: apt install pcscd libpcsclite-dev), then run npm rebuild pcsclite or npm install';
  const error = new ReaderError('not-installed', message, { cause });
  send({ kind: 'unavailable', fault: packFault(error) }, die);
}
