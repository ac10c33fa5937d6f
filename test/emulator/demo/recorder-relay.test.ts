import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WireRecorder, type Address, type Recording } from '../../../emulator/demo/recorder.ts';

let folder: string;
let recorder: WireRecorder;
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-recorder-'));
  recorder = new WireRecorder();
});

afterEach(async () => {
  await recorder.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

function anyPort(): Address {
  return { host: '127.0.0.1', port: 0 };
}

/** A server at `listen`; what it accepts may be half-closed. */
async function target(listen: Address, accept: (socket: Socket) => void): Promise<Address> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    accept(socket);
  });
  servers.push(server);
  server.listen(listen);
  await once(server, 'listening');
  const bound = server.address();
  return typeof bound === 'object' && bound !== null
    ? { host: '127.0.0.1', port: bound.port }
    : listen;
}

async function relayTo(address: Address, listen = anyPort()): Promise<Address> {
  const plan = { segment: 'card-host', name: 'wire', listen, target: address } as const;
  return (await recorder.relay(plan)).address;
}

function connectTo(address: Address): Socket {
  const socket = createConnection({ ...address, allowHalfOpen: true });
  sockets.push(socket);
  return socket;
}

function texts(recordings: readonly Recording[]): string[][] {
  const decoder = new TextDecoder();
  return recordings.map(({ stream, toTarget, toClient }) => [
    stream,
    decoder.decode(toTarget),
    decoder.decode(toClient),
  ]);
}

/** All that the other end says; the own half stays open. */
async function hear(socket: Socket): Promise<string> {
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  await once(socket, 'end');
  return heard;
}

/** Answers with what it got, in capitals, once the client has ended its half. */
async function shout(socket: Socket): Promise<void> {
  socket.end((await hear(socket)).toUpperCase());
}

describe('a relay', () => {
  it.each([
    ['TCP before TCP', () => [anyPort(), anyPort()] as const],
    ['a Unix socket before a Unix socket', () => [unixSocket('a'), unixSocket('b')] as const],
    ['TCP before a Unix socket', () => [anyPort(), unixSocket('b')] as const],
  ])('passes on both directions and the half-close: %s', async (_, addresses) => {
    const [listen, before] = addresses();
    const address = await relayTo(await target(before, (socket) => void shout(socket)), listen);
    for (const word of ['first', 'second']) {
      const client = connectTo(address);
      client.write(word);
      client.end('!');
      expect(await hear(client)).toBe(`${word.toUpperCase()}!`);
    }
    expect(texts(recorder.recordings)).toEqual([
      ['wire #1', 'first!', 'FIRST!'],
      ['wire #2', 'second!', 'SECOND!'],
    ]);
    expect(recorder.recordings[0]?.segment).toBe('card-host');
  });

  it('lets the target end first while the client still speaks', async () => {
    const heard = new Promise<string>((resolve) => {
      void target(anyPort(), (socket) => {
        socket.end('enough');
        void hear(socket).then(resolve);
      }).then(async (address) => {
        const client = connectTo(await relayTo(address));
        client.on('end', () => client.end('one word more'));
        client.resume();
      });
    });
    expect(await heard).toBe('one word more');
    expect(texts(recorder.recordings)).toEqual([['wire #1', 'one word more', 'enough']]);
  });

  it('stops reading from a client whose target does not read', async () => {
    const whole = 64 * 2 ** 20;
    let accepted: Socket | undefined;
    const address = await target(anyPort(), (socket) => {
      accepted = socket.pause();
    });
    const client = connectTo(await relayTo(address));
    client.end(new Uint8Array(whole));
    const held = await untilStill(() => recorder.recordings[0]?.toTarget.length ?? 0);
    expect(held).toBeLessThan(whole / 2);
    let read = 0;
    accepted?.on('data', (chunk) => {
      read += chunk.length;
    });
    if (accepted !== undefined) await once(accepted.resume(), 'end');
    expect(read).toBe(whole);
    expect(recorder.recordings[0]?.toTarget.length).toBe(whole);
  });

  it('passes on a reset by the target', async () => {
    const address = await target(anyPort(), (socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const client = connectTo(await relayTo(address));
    client.write('hello');
    await expect(once(client, 'end')).rejects.toThrow('ECONNRESET');
  });

  it('passes on a reset by the client', async () => {
    let client: Socket | undefined;
    const fault = new Promise<unknown>((resolve) => {
      void target(anyPort(), (socket) => {
        socket.once('error', resolve);
        socket.once('data', () => client?.resetAndDestroy());
      }).then(async (address) => {
        client = connectTo(await relayTo(address));
        client.write('hello');
      });
    });
    expect(await fault).toMatchObject({ code: 'ECONNRESET' });
  });

  it('breaks the connection of a client whose target is not there', async () => {
    const client = connectTo(await relayTo({ path: join(folder, 'nobody') }));
    await expect(once(client, 'end')).rejects.toThrow('ECONNRESET');
  });

  it('once closed listens no more, cuts its connections, and keeps the recording', async () => {
    const address = await relayTo(await target(anyPort(), (socket) => socket.write('welcome')));
    const client = connectTo(address);
    client.on('error', () => {});
    await once(client, 'data');
    const gone = once(client, 'close');
    await recorder.close();
    client.end();
    await gone;
    expect(texts(recorder.recordings)).toEqual([['wire #1', '', 'welcome']]);
    await expect(once(connectTo(address), 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  it('forgets what was said so far, and records what an open connection says next', async () => {
    const address = await relayTo(await target(anyPort(), (socket) => socket.pipe(socket)));
    const client = connectTo(address);
    for (const word of ['before', 'after']) {
      client.write(word);
      await once(client, 'data');
      if (word === 'before') recorder.forget();
    }
    expect(texts(recorder.recordings)).toEqual([['wire #1', 'after', 'after']]);
  });

  it('says which address it could not have', async () => {
    const taken = await target(anyPort(), () => {});
    await expect(relayTo(taken, taken)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

function unixSocket(name: string): Address {
  return { path: join(folder, name) };
}

/** The value once it has not changed in 500 turns of the event loop. */
function untilStill(value: () => number): Promise<number> {
  return new Promise((resolve) => {
    let last = value();
    let still = 0;
    const look = (): void => {
      const now = value();
      still = now === last && now > 0 ? still + 1 : 0;
      last = now;
      if (still === 500) resolve(now);
      else setImmediate(look);
    };
    look();
  });
}
