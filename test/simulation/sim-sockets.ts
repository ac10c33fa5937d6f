import type { Clock } from '../../applet-spec/clock.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { Socket, SocketFactory, SocketListener } from '../../daemon/socket.ts';
import { DeskError } from '../../driver/desk/desk-error.ts';
import type { DeskSocket } from '../../driver/desk/desk-socket.ts';

/** One way takes this long; what is sent first arrives first. */
const latencyMs = 5;

/** Cables in memory between doors named `host:port`. A cable that is cut carries nothing. */
export class SimSockets {
  readonly #clock: Clock;
  readonly #doors = new Map<string, { readonly owner: string; accept: (socket: Socket) => void }>();
  readonly #cut = new Set<string>();
  readonly #open = new Set<SimSocket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What one station listens and dials with. */
  of(owner: string): SocketFactory {
    return {
      listen: async ({ host, port }, accept) => {
        const door = `ws://${host}:${port}`;
        this.#doors.set(door, { owner, accept });
        return {
          port,
          close: async () => {
            this.#doors.delete(door);
            for (const one of [...this.#open]) if (one.at === door) one.destroy();
          },
        };
      },
      connect: (url) => this.#connect(url, owner),
    };
  }

  /** What a host reaches its desk with. */
  async desk(url: string, user: string): Promise<DeskSocket> {
    const socket = await this.#connect(url, user).catch((cause: unknown) => {
      throw new DeskError('station-unreachable', `${url} is away`, { cause });
    });
    return new SimDeskSocket(socket);
  }

  /** Between two stations, whoever dials. */
  cut(a: string, b: string): void {
    this.#cut.add(cable(a, b));
    for (const one of [...this.#open])
      if (cable(one.owner, one.remote) === cable(a, b)) one.destroy();
  }

  mend(a: string, b: string): void {
    this.#cut.delete(cable(a, b));
  }

  async #connect(url: string, from: string): Promise<Socket> {
    await new Promise<void>((resolve) => void this.#clock.after(latencyMs, resolve));
    const door = this.#doors.get(url);
    if (door === undefined || this.#cut.has(cable(from, door.owner))) {
      throw new Error(`${url}: nobody answers`);
    }
    const near = new SimSocket(this.#clock, { owner: from, remote: door.owner, at: url });
    const far = new SimSocket(this.#clock, { owner: door.owner, remote: from, at: url });
    near.peer = far;
    far.peer = near;
    for (const one of [near, far]) {
      this.#open.add(one);
      one.onEnd = () => this.#open.delete(one);
    }
    door.accept(far);
    return near;
  }
}

class SimSocket implements Socket {
  readonly owner: string;
  readonly remote: string;
  readonly at: string;
  readonly bufferedBytes = 0;
  peer: SimSocket | undefined;
  onEnd: () => void = () => undefined;
  readonly #clock: Clock;
  #listener: SocketListener | undefined;
  #waiting: Uint8Array[] = [];
  #ended: string | undefined;

  constructor(clock: Clock, ends: { readonly owner: string; remote: string; at: string }) {
    this.#clock = clock;
    this.owner = ends.owner;
    this.remote = ends.remote;
    this.at = ends.at;
  }

  send(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return;
    const copy = bytes.slice();
    this.#clock.after(latencyMs, () => this.peer?.arrive(copy));
  }

  /** After what was sent before. */
  close(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#clock.after(latencyMs, () => this.peer?.end(reason));
    this.end(reason);
  }

  destroy(): void {
    this.end('destroyed');
    this.peer?.end('the connection ended');
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    for (const bytes of this.#waiting.splice(0)) listener.message(bytes);
    if (this.#ended !== undefined) listener.closed(this.#ended);
  }

  arrive(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return;
    if (this.#listener === undefined) this.#waiting.push(bytes);
    else this.#listener.message(bytes);
  }

  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.onEnd();
    this.#listener?.closed(reason);
  }
}

/** A desk's last words are read before its end. */
class SimDeskSocket implements DeskSocket {
  readonly #socket: Socket;
  readonly #unread: Uint8Array[] = [];
  #reader: { resolve(bytes: Uint8Array): void; reject(error: DeskError): void } | undefined;
  #end: DeskError | undefined;
  #settle: (reason: DeskError) => void = () => undefined;
  readonly closed = new Promise<DeskError>((resolve) => {
    this.#settle = resolve;
  });

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.listen({
      message: (bytes) => {
        if (bytes.length > 2 * limits.deskMessageBytes) throw new RangeError('too long for a desk');
        if (this.#reader === undefined) this.#unread.push(bytes);
        else this.#reader.resolve(bytes);
        this.#reader = undefined;
      },
      closed: () => {
        this.#finish(new DeskError('link-lost', 'the connection to the desk ended'));
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  receive(): Promise<Uint8Array> {
    const next = this.#unread.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  close(reason: DeskError): void {
    this.#finish(reason);
    this.#socket.close('the host goes');
  }

  #finish(reason: DeskError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#settle(reason);
    this.#reader?.reject(reason);
    this.#reader = undefined;
  }
}

function cable(a: string, b: string): string {
  return [a, b].sort().join('–');
}
