/** Real sockets on loopback, the test's clock, and a wire that can fall silent. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Socket } from '../../daemon/socket.ts';
import { webSockets } from '../../daemon/web-socket.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import { turns, until } from './link/link-room.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Carries bytes to a port until it is silenced: then nobody hears anything, nor of its end. */
class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<TcpSocket>();
  silent = false;
  bytes = 0;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      this.#carry(near, far);
      this.#carry(far, near);
    });
  }

  async open(): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(from: TcpSocket, to: TcpSocket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (this.silent) return;
      this.bytes += bytes.length;
      to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      if (!this.silent) to.destroy();
    });
  }
}

/** Two ends that say nothing to each other. */
async function quietConnection() {
  const clock = new VirtualClock();
  const sockets = webSockets(clock);
  const ended: string[] = [];
  const attend = (socket: Socket, name: string): void => {
    socket.listen({ message: () => undefined, closed: () => ended.push(name) });
  };
  const server = await sockets.listen(
    { host: '127.0.0.1', port: 0, messageBytesMost: 1_000 },
    (socket) => {
      attend(socket, 'listener');
    },
  );
  closers.push(() => server.close());
  const wire = new Wire(server.port);
  closers.push(() => wire.close());
  attend(await sockets.connect(`ws://127.0.0.1:${await wire.open()}`, 1_000), 'dialler');
  return { clock, wire, ended };
}

describe('a connection on which nobody speaks', () => {
  it('is kept as long as the other end gives signs of life', async () => {
    const { clock, wire, ended } = await quietConnection();
    for (let beat = 0; beat < 5; beat++) {
      const before = wire.bytes;
      clock.advance(20_000);
      // A ping and a pong each way: 6 bytes from the client, 2 from the server.
      await until(() => wire.bytes === before + 2 * (6 + 2));
      await turns(20);
    }
    expect(ended).toEqual([]);
  });

  it('ends at both ends once the other gives none', async () => {
    const { clock, wire, ended } = await quietConnection();
    clock.advance(10_000);
    wire.silent = true;
    clock.advance(10_000);
    expect(ended).toEqual([]);
    clock.advance(20_000);
    await until(() => ended.length === 2);
    expect(ended.sort()).toEqual(['dialler', 'listener']);
  });
});

it('what the other end says at its close commands no terminal', async () => {
  const sockets = webSockets(new VirtualClock());
  const server = await sockets.listen(
    { host: '127.0.0.1', port: 0, messageBytesMost: 1_000 },
    (socket) => {
      socket.close('\u001b[2J\u0007all is well\u009b31m');
    },
  );
  closers.push(() => server.close());
  const socket = await sockets.connect(`ws://127.0.0.1:${String(server.port)}`, 1_000);
  const reason = await new Promise((closed) => {
    socket.listen({ message: () => undefined, closed });
  });
  expect(reason).toBe(' [2J all is well 31m');
});

describe('a listener', () => {
  it.each([
    ['has said nothing', ''],
    ['has said half of a request', 'GET / HTTP/1.1\r\nhost: q1\r\n'],
  ])('stops though a stranger is connected who %s', async (_, said) => {
    const server = await webSockets(new VirtualClock()).listen(
      { host: '127.0.0.1', port: 0, messageBytesMost: 1_000 },
      (socket) => {
        socket.destroy();
      },
    );
    const stranger = connect(server.port, '127.0.0.1');
    const ended = once(stranger, 'close');
    stranger.on('error', () => undefined);
    await once(stranger, 'connect');
    stranger.write(said);
    await turns(20);
    await server.close();
    await ended;
  });

  it('tells who is no WebSocket what is spoken here', async () => {
    const server = await webSockets(new VirtualClock()).listen(
      { host: '127.0.0.1', port: 0, messageBytesMost: 1_000 },
      (socket) => {
        socket.destroy();
      },
    );
    closers.push(() => server.close());
    const answer = await fetch(`http://127.0.0.1:${String(server.port)}/`);
    expect(answer.status).toBe(426);
    expect(await answer.text()).toBe('Upgrade Required');
  });
});
