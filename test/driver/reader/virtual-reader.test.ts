import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex } from '../../../applet-spec/bytes.ts';
import { VirtualReader } from '../../../driver/reader/virtual-reader.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard } from '../../contract/echo-card.ts';
import { seen } from '../../contract/vpcd-bench.ts';

const { atr } = new EchoCard();
const atrFrame = Uint8Array.of(0, atr.length, ...atr);

describe('VirtualReader', () => {
  let clock: VirtualClock;
  let reader: VirtualReader;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    clock = new VirtualClock();
    reader = await VirtualReader.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, clock);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await reader.close();
  });

  /** A card of bare bytes. */
  async function plug(): Promise<Socket> {
    const inserted = seen(reader, 'card-inserted');
    const socket = createConnection({ host: '127.0.0.1', port: reader.port ?? 0, noDelay: true });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await inserted;
    return socket;
  }

  async function nextBytes(socket: Socket, count: number): Promise<Uint8Array> {
    let bytes = new Uint8Array(0);
    while (bytes.length < count) {
      const chunks: unknown[] = await once(socket, 'data');
      const [chunk] = chunks;
      if (chunk instanceof Uint8Array) bytes = Uint8Array.from([...bytes, ...chunk]);
    }
    return bytes;
  }

  it('powers on, asks for the ATR, carries an APDU and powers off, byte for byte', async () => {
    const card = await plug();
    const connecting = reader.connect();
    expect(await nextBytes(card, 6)).toEqual(fromHex('000101000104'));
    card.write(atrFrame);
    const connection = await connecting;
    expect(connection.atr).toEqual(atr);

    const answer = connection.transmit(fromHex('00a40400'));
    expect(await nextBytes(card, 6)).toEqual(fromHex('000400a40400'));
    // One byte a segment: frames are cut by their length alone.
    for (const byte of fromHex('000401029000')) card.write(Uint8Array.of(byte));
    expect(await answer).toEqual(fromHex('01029000'));

    await connection.close();
    expect(await nextBytes(card, 3)).toEqual(fromHex('000100'));
  });

  it('says that a card is mute which gives no ATR, and throws it out', async () => {
    const card = await plug();
    const closed = once(card, 'close');
    const connecting = expect(reader.connect()).rejects.toMatchObject({
      code: 'mute',
      retryable: false,
    });
    await nextBytes(card, 6);
    clock.advance(5_000);
    await connecting;
    await closed;
  });

  it.each([
    ['an ATR of one byte', '00013b'],
    ['an ATR of 34 bytes', `0022${'3b'.repeat(34)}`],
    ['an empty frame', '0000'],
  ])('throws out a card that answers with %s', async (_, frame) => {
    const card = await plug();
    const closed = once(card, 'close');
    const connecting = expect(reader.connect()).rejects.toMatchObject({ code: 'protocol' });
    await nextBytes(card, 6);
    card.write(fromHex(frame));
    await connecting;
    await closed;
  });

  it('throws out a card that speaks unasked, so that no answer is taken for another', async () => {
    const card = await plug();
    const connecting = reader.connect();
    await nextBytes(card, 6);
    card.write(atrFrame);
    const connection = await connecting;
    card.write(fromHex('00029000'));
    expect((await connection.closed).reason).toBe('protocol');
    await expect(connection.transmit(fromHex('00a40400'))).rejects.toMatchObject({
      code: 'protocol',
    });
  });

  it('turns a second card away while one is in', async () => {
    await plug();
    const second = createConnection({ host: '127.0.0.1', port: reader.port ?? 0 });
    sockets.push(second);
    await once(second, 'close');
    expect(reader.cardPresent).toBe(true);
  });

  it('refuses an APDU that no frame holds, and nothing is lost', async () => {
    const card = await plug();
    const connecting = reader.connect();
    await nextBytes(card, 6);
    card.write(atrFrame);
    const connection = await connecting;
    await expect(connection.transmit(new Uint8Array(65_536))).rejects.toMatchObject({
      code: 'too-long',
    });
    await expect(connection.transmit(new Uint8Array(3))).rejects.toThrow(RangeError);
    const answer = connection.transmit(fromHex('00a40400'));
    await nextBytes(card, 6);
    card.write(fromHex('00029000'));
    expect(await answer).toEqual(fromHex('9000'));
  });

  it('says who is in the way where the address is taken', async () => {
    const taken = { kind: 'tcp', host: '127.0.0.1', port: reader.port ?? 0 } as const;
    await expect(VirtualReader.listen(taken, clock)).rejects.toMatchObject({ code: 'reader-busy' });
  });

  it('serves nobody once it is closed', async () => {
    const card = await plug();
    const gone = once(card, 'close');
    await reader.close();
    await gone;
    await expect(reader.connect()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('VirtualReader on a Unix socket', () => {
  let folder: string;
  const clock = new VirtualClock();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keytoll-virtual-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is for its user alone, and leaves no file behind', async () => {
    const path = join(folder, 'card.sock');
    const reader = await VirtualReader.listen({ kind: 'unix', path }, clock);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await reader.close();
    expect(existsSync(path)).toBe(false);
  });

  it('refuses a socket on which another program listens', async () => {
    const path = join(folder, 'card.sock');
    const other = createServer();
    other.listen(path);
    await once(other, 'listening');
    await expect(VirtualReader.listen({ kind: 'unix', path }, clock)).rejects.toMatchObject({
      code: 'reader-busy',
    });
    other.close();
  });

  it('says that its folder is not there, and whose path is too long for a socket', async () => {
    const lost = { kind: 'unix', path: join(folder, 'none', 'card.sock') } as const;
    await expect(VirtualReader.listen(lost, clock)).rejects.toMatchObject({
      code: 'no-reader',
      message: `cannot listen on ${lost.path}: its folder is not there`,
    });
    const long = { kind: 'unix', path: join(folder, 'x'.repeat(107)) } as const;
    await expect(VirtualReader.listen(long, clock)).rejects.toMatchObject({ code: 'bad-spec' });
  });

  it('never deletes a file that is no socket', async () => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'precious');
    await expect(VirtualReader.listen({ kind: 'unix', path }, clock)).rejects.toMatchObject({
      code: 'reader-busy',
    });
    expect(existsSync(path)).toBe(true);
  });
});
