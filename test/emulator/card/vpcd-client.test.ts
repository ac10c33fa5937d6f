import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex } from '../../../applet-spec/bytes.ts';
import { encodeVpcdFrame, VpcdFrameReader, vpcdControls } from '../../../applet-spec/vpcd.ts';
import type { VpcdClientState } from '../../../emulator/card/vpcd-client.ts';
import { VpcdClient } from '../../../emulator/card/vpcd-client.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard, echoInstructions as ins } from '../../contract/echo-card.ts';

const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** vpcd's end of the wire, by hand. */
class HandReader {
  readonly socket: Socket;
  readonly #frames = new VpcdFrameReader();
  readonly #bodies: Uint8Array[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Uint8Array) => this.#bodies.push(...this.#frames.push(chunk)));
  }

  send(...bodies: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bodies.map(encodeVpcdFrame)));
  }

  async next(): Promise<Uint8Array> {
    while (this.#bodies.length === 0) await once(this.socket, 'data');
    const [body] = this.#bodies.splice(0, 1);
    if (body === undefined) throw new Error('no frame');
    return body;
  }
}

describe('VpcdClient', () => {
  let clock: VirtualClock;
  let server: Server;
  let port: number;
  let card: EchoCard;
  let client: VpcdClient;
  let states: VpcdClientState['kind'][];

  const control = (code: number): Uint8Array => Uint8Array.of(code);
  const accepted = async (): Promise<HandReader> => {
    const connections: unknown[] = await once(server, 'connection');
    const [socket] = connections;
    return new HandReader(socket as Socket);
  };
  const insert = async (): Promise<HandReader> => {
    const reader = accepted();
    client.insert();
    return reader;
  };
  const stateComes = async (kind: VpcdClientState['kind']): Promise<void> => {
    while (!states.includes(kind)) await flush();
  };

  beforeEach(async () => {
    clock = new VirtualClock();
    card = new EchoCard();
    states = [];
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    port = address !== null && typeof address === 'object' ? address.port : 0;
    client = new VpcdClient({
      address: { host: '127.0.0.1', port },
      card,
      clock,
      onState: ({ kind }) => states.push(kind),
    });
  });
  afterEach(async () => {
    await client.remove();
    server.close();
  });

  it('answers what came in one chunk in its order', async () => {
    const reader = await insert();
    const apdu = fromHex('800100000200ff00');
    reader.send(control(vpcdControls.powerOn), control(vpcdControls.getAtr), apdu, apdu);
    expect(await reader.next()).toEqual(card.atr);
    expect(await reader.next()).toEqual(fromHex('00ff9000'));
    expect(await reader.next()).toEqual(fromHex('00ff9000'));
    expect(card.poweredOn).toBe(1);
  });

  it('never answers a command that a reset has overtaken', async () => {
    const reader = await insert();
    const received = card.nextApdu();
    reader.send(control(vpcdControls.powerOn), Uint8Array.of(0x80, ins.mute, 0, 0));
    await received;
    reader.send(control(vpcdControls.reset), Uint8Array.of(0x80, ins.power, 0, 0, 4));
    expect(await reader.next()).toEqual(fromHex('000000029000'));
  });

  it('comes back 500 ms after the reader has thrown it out, without its old state', async () => {
    const reader = await insert();
    reader.send(control(vpcdControls.powerOn), control(vpcdControls.getAtr));
    await reader.next();
    reader.socket.destroy();
    await stateComes('removed');
    clock.advance(499);
    expect(clock.pending).toBe(1);
    const again = accepted();
    clock.advance(1);
    (await again).send(control(vpcdControls.getAtr));
    expect(await (await again).next()).toEqual(card.atr);
  });

  it('plugs itself in anew where a pcscd has missed that it came', async () => {
    const reader = await insert();
    for (let poll = 0; poll < 4; poll++) {
      reader.send(control(vpcdControls.getAtr));
      expect(await reader.next()).toEqual(card.atr);
      reader.send(control(vpcdControls.powerOff));
    }
    const closed = once(reader.socket, 'close');
    reader.send(control(vpcdControls.getAtr));
    await closed;
    await stateComes('removed');
    const again = accepted();
    clock.advance(500);
    await again;
  });

  it('stays in a reader that powers it, however often its ATR is asked for', async () => {
    const reader = await insert();
    reader.send(control(vpcdControls.powerOn), control(vpcdControls.powerOff));
    for (let poll = 0; poll < 20; poll++) {
      reader.send(control(vpcdControls.getAtr));
      expect(await reader.next()).toEqual(card.atr);
    }
  });

  it('is thrown out by nobody but itself for a response that no frame holds', async () => {
    const reader = await insert();
    card.process = () => Promise.resolve(new Uint8Array(65_536));
    const closed = once(reader.socket, 'close');
    reader.send(control(vpcdControls.powerOn), fromHex('80010000'));
    await closed;
    await stateComes('removed');
  });

  it('leaves a reader that breaks the protocol', async () => {
    const reader = await insert();
    const closed = once(reader.socket, 'close');
    reader.socket.write(Uint8Array.of(0, 0));
    await closed;
    await stateComes('removed');
  });

  it('keeps trying while nobody listens, ever more seldom', async () => {
    server.close();
    client.insert();
    for (const waitMs of [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) {
      states.length = 0;
      await stateComes('unreachable');
      const due = clock.nowMs() + waitMs;
      expect(clock.nextDueMs).toBe(due);
      clock.advance(waitMs);
    }
  });
});
