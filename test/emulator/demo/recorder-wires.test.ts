import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { blindSpots, searchRecordings } from '../../../emulator/demo/recorder-search.ts';
import { WireRecorder, type Address, type Segment } from '../../../emulator/demo/recorder.ts';
import { noise } from './noise.ts';

const secret = noise(613, 'certificate');
const needles = [{ name: 'certificate', bytes: secret }];
const anyPort = { host: '127.0.0.1', port: 0 } as const;

let recorder: WireRecorder;
const ending: (() => void)[] = [];

beforeEach(() => {
  recorder = new WireRecorder();
});

afterEach(async () => {
  for (const end of ending.splice(0)) end();
  await recorder.close();
});

async function portOf(server: Server | WebSocketServer): Promise<Address> {
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a TCP port');
  return { host: '127.0.0.1', port: bound.port };
}

async function urlThrough(segment: Segment, target: Address): Promise<string> {
  const plan = { segment, name: segment, listen: anyPort, target };
  const { address } = await recorder.relay(plan);
  if ('path' in address) throw new Error('expected a TCP port');
  return `ws://127.0.0.1:${address.port}/`;
}

/** A WebSocket through the recorder: the client's end and the server's. */
async function socketPair(
  segment: Segment,
  perMessageDeflate = false,
): Promise<readonly [WebSocket, WebSocket]> {
  const server = new WebSocketServer({ ...anyPort, perMessageDeflate });
  ending.push(() => server.close());
  const url = await urlThrough(segment, await portOf(server));
  const client = new WebSocket(url, { perMessageDeflate });
  ending.push(() => client.terminate());
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  await once(client, 'open');
  const [far] = await accepted;
  return [client, far];
}

interface Sent {
  readonly what: string;
  readonly send: (socket: WebSocket) => void;
  readonly form: 'raw' | 'hex' | 'base64';
  readonly layer: 'messages' | 'control-frames';
}

const sendings: readonly Sent[] = [
  { what: 'a message', send: (socket) => socket.send(secret), form: 'raw', layer: 'messages' },
  {
    what: 'fragments of 7 bytes with pings between them',
    send: (socket) => {
      for (let at = 0; at < secret.length; at += 7) {
        socket.send(secret.subarray(at, at + 7), { fin: at + 7 >= secret.length });
        socket.ping();
      }
    },
    form: 'raw',
    layer: 'messages',
  },
  {
    what: 'a message of 200,000 bytes',
    send: (socket) => socket.send(Buffer.concat([new Uint8Array(199_387), secret])),
    form: 'raw',
    layer: 'messages',
  },
  {
    what: 'JSON with base64',
    send: (socket) => socket.send(JSON.stringify({ c: Buffer.from(secret).toString('base64') })),
    form: 'base64',
    layer: 'messages',
  },
  {
    what: 'text in hexadecimal, a digit a fragment',
    send: (socket) => {
      const digits = Buffer.from(secret).toString('hex').slice(0, 64);
      for (const [at, digit] of [...digits.split('').entries()])
        socket.send(digit, { fin: at === digits.length - 1 });
    },
    form: 'hex',
    layer: 'messages',
  },
  {
    what: 'a pong that nobody asked for',
    send: (socket) => socket.pong(secret.subarray(0, 100)),
    form: 'raw',
    layer: 'control-frames',
  },
];

const segments = ['host-station', 'station-station'] as const;

describe.each(segments)('what goes over a WebSocket, %s, in clear', (segment) => {
  const cases = sendings.flatMap((sent) =>
    (['to-target', 'to-client'] as const).map((direction) => ({ ...sent, direction })),
  );

  it.each(cases)('is found: $what, $direction', async ({ send, form, layer, direction }) => {
    const [client, far] = await socketPair(segment);
    const [from, to] = direction === 'to-target' ? [client, far] : [far, client];
    const closed = once(to, 'close');
    send(from);
    from.close();
    await closed;
    const findings = searchRecordings(recorder.recordings, needles);
    expect(findings).toContainEqual(
      expect.objectContaining({
        ...{ segment, stream: `${segment} #1`, direction, layer, form, needle: 'certificate' },
      }),
    );
    expect(new Set(findings.map((finding) => finding.direction))).toEqual(new Set([direction]));
    expect(blindSpots(recorder.recordings)).toEqual([]);
  });

  it('is not found where it is sealed', async () => {
    const [client, far] = await socketPair(segment);
    const closed = once(far, 'close');
    client.send(secret.map((byte) => byte ^ 0x5a));
    client.close();
    await closed;
    expect(searchRecordings(recorder.recordings, needles)).toEqual([]);
    expect(recorder.recordings[0]?.toTarget.length).toBeGreaterThan(secret.length);
    expect(blindSpots(recorder.recordings)).toEqual([]);
  });

  it('is found in the address of the upgrade', async () => {
    const server = new WebSocketServer(anyPort);
    ending.push(() => server.close());
    const url = await urlThrough(segment, await portOf(server));
    const client = new WebSocket(`${url}?c=${Buffer.from(secret).toString('base64url')}`);
    ending.push(() => client.terminate());
    await once(client, 'open');
    expect(searchRecordings(recorder.recordings, needles)).toMatchObject([
      { direction: 'to-target', layer: 'wire', form: 'base64' },
    ]);
  });

  it('is a blind spot where it is compressed', async () => {
    const [client, far] = await socketPair(segment, true);
    const heard = once(far, 'message');
    client.send(new Uint8Array(5000));
    await heard;
    expect(blindSpots(recorder.recordings)).toEqual([
      {
        segment,
        stream: `${segment} #1`,
        direction: 'to-target',
        reason: 'a compressed frame',
      },
    ]);
  });

  it('is no blind spot where the upgrade was refused', async () => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\nwho are you?'));
    }).listen(anyPort);
    ending.push(() => server.close());
    const client = new WebSocket(await urlThrough(segment, await portOf(server)));
    await expect(once(client, 'open')).rejects.toThrow('401');
    expect(blindSpots(recorder.recordings)).toEqual([]);
  });
});

/** vpcd: a 16-bit length and a body. */
function frame(...body: readonly number[]): Uint8Array {
  return Uint8Array.of(body.length >> 8, body.length & 0xff, ...body);
}

/** `bytes` in commands that each carry `size` of them, all but the last with the chain bit. */
function chain(bytes: Uint8Array, size: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    const cla = at + size < bytes.length ? 0x90 : 0x80;
    frames.push(frame(cla, 0xda, 0, 0, part.length, ...part));
  }
  return frames;
}

function responses(bytes: Uint8Array, size: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const status = at + size < bytes.length ? [0x61, size] : [0x90, 0];
    frames.push(frame(...bytes.subarray(at, at + size), ...status));
  }
  return frames;
}

function extended(bytes: Uint8Array, ...le: readonly number[]): Uint8Array {
  const { length } = bytes;
  return frame(0x80, 0xda, 0, 0, 0, length >> 8, length & 0xff, ...bytes, ...le);
}

const powerOnAndAtr = [frame(1), frame(4)];
const atr = frame(0x3b, 0x80, 0x01, 0x81);
const getResponse = frame(0, 0xc0, 0, 0, 0);
const text = (form: 'hex' | 'base64'): Uint8Array =>
  Buffer.from(Buffer.from(secret).toString(form));

describe('what goes over the wire of a card in clear', () => {
  /** The card connects to the host and both send; what is written is written byte by byte. */
  async function talk(fromHost: Uint8Array[], fromCard: Uint8Array[]): Promise<void> {
    const host = createServer((socket) => void say(socket, fromHost)).listen(anyPort);
    ending.push(() => host.close());
    const target = await portOf(host);
    const name = "alice's card";
    const { address } = await recorder.relay({
      segment: 'card-host',
      name,
      listen: anyPort,
      target,
    });
    const card = createConnection(address);
    ending.push(() => card.destroy());
    await say(card, fromCard);
  }

  async function say(socket: Socket, frames: readonly Uint8Array[]): Promise<void> {
    const ended = once(socket.resume(), 'end');
    for (const bytes of frames) socket.write(bytes);
    socket.end();
    await ended;
  }

  it.each([
    ['in one short command', [frame(0x80, 0xda, 0, 0, 255, ...secret.subarray(0, 255))], 'raw'],
    ['in commands of 8 bytes each, chained', chain(secret, 8), 'raw'],
    [
      'in commands of 8 bytes with GET RESPONSE between them',
      chain(secret, 8).flatMap((part) => [part, getResponse]),
      'raw',
    ],
    ['in an extended command', [extended(secret)], 'raw'],
    ['in an extended command with Le', [extended(secret, 0, 0)], 'raw'],
    ['in hexadecimal, chained by 5', chain(text('hex'), 5), 'hex'],
    ['in base64, chained by 5', chain(text('base64'), 5), 'base64'],
  ] as const)('is found to the card: %s', async (_, commands, form) => {
    await talk([...powerOnAndAtr, ...commands], [atr, frame(0x90, 0)]);
    const findings = searchRecordings(recorder.recordings, needles);
    expect(findings).toContainEqual(
      expect.objectContaining({
        ...{ segment: 'card-host', stream: "alice's card #1", direction: 'to-client' },
        ...{ layer: 'apdu-data', form, needle: 'certificate', offset: 0 },
      }),
    );
    expect(findings.every(({ direction }) => direction === 'to-client')).toBe(true);
    expect(blindSpots(recorder.recordings)).toEqual([]);
  });

  it.each([
    ['in one response', responses(secret, 800), 'raw'],
    ['in responses of 8 bytes each', responses(secret, 8), 'raw'],
    ['in hexadecimal, by 5', responses(text('hex'), 5), 'hex'],
    ['in base64, by 5', responses(text('base64'), 5), 'base64'],
  ] as const)('is found from the card: %s', async (_, answers, form) => {
    await talk([...powerOnAndAtr, getResponse], [atr, ...answers]);
    const findings = searchRecordings(recorder.recordings, needles);
    expect(findings).toContainEqual(
      expect.objectContaining({ direction: 'to-target', layer: 'apdu-data', form, offset: 2 }),
    );
    expect(findings.every(({ direction }) => direction === 'to-target')).toBe(true);
    expect(blindSpots(recorder.recordings)).toEqual([]);
  });

  it('is found in a card drawn out within a frame', async () => {
    const whole = responses(secret, 800);
    await talk(powerOnAndAtr, [atr, ...whole.map((bytes) => bytes.subarray(0, 100))]);
    expect(searchRecordings(recorder.recordings, needles)).toMatchObject([
      { layer: 'wire', form: 'raw' },
      { layer: 'apdu-data', form: 'raw' },
    ]);
  });

  it('is not found where it is sealed', async () => {
    const sealed = secret.map((byte) => byte ^ 0x5a);
    await talk([...powerOnAndAtr, ...chain(sealed, 200)], [atr, ...responses(sealed, 200)]);
    expect(searchRecordings(recorder.recordings, needles)).toEqual([]);
    expect(blindSpots(recorder.recordings)).toEqual([]);
    expect(recorder.recordings[0]?.toTarget.length).toBeGreaterThan(secret.length);
  });
});
