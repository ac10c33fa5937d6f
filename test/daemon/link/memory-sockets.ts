import type { Socket, SocketFactory, SocketListener } from '../../../daemon/socket.ts';

/** One message on its way: an adversary may answer with others in its place. */
export interface InFlight {
  readonly from: string;
  readonly to: string;
  /** Counts the messages of this direction of this connection from 0. */
  readonly index: number;
  readonly connection: number;
  readonly bytes: Uint8Array;
}

type Adversary = (message: InFlight) => readonly Uint8Array[];

/** A network of sockets in memory, and the adversary on it. Messages take a turn of the loop. */
export class MemoryNetwork {
  readonly #listeners = new Map<
    string,
    { readonly most: number; readonly accept: (socket: Socket) => void }
  >();
  readonly sent: InFlight[] = [];
  adversary: Adversary = ({ bytes }) => [bytes];
  /** Sockets say that this many bytes wait in them: all, or those of one station. */
  bufferedBytes = 0;
  stuck: string | undefined;
  connections = 0;
  refuseConnections = false;
  readonly #open = new Set<MemorySocket>();

  /** The factory of one station; URLs are `memory://NAME`, and so is where others see it from. */
  of(name: string): SocketFactory {
    return {
      listen: async (at, accept) => {
        this.#listeners.set(`memory://${name}`, { most: at.messageBytesMost, accept });
        return {
          port: at.port,
          close: async () => {
            this.#listeners.delete(`memory://${name}`);
            for (const socket of this.#open) if (socket.owner === name) socket.destroy();
          },
        };
      },
      connect: async (url, most) => this.connect(url, most, name),
    };
  }

  async connect(url: string, most: number, from: string): Promise<Socket> {
    await turn();
    const listener = this.#listeners.get(url);
    if (listener === undefined || this.refuseConnections) throw new Error('nobody listens');
    const connection = this.connections++;
    const to = url.slice('memory://'.length);
    const near = new MemorySocket(this, from, to, connection, most);
    const far = new MemorySocket(this, to, from, connection, listener.most);
    near.join(far);
    this.#open.add(near).add(far);
    listener.accept(far);
    return near;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }

  /** Internal to sockets. */
  pass(message: InFlight): readonly Uint8Array[] {
    this.sent.push(message);
    return this.adversary(message);
  }
}

class MemorySocket implements Socket {
  readonly owner: string;
  readonly remote: string;
  readonly #network: MemoryNetwork;
  readonly #connection: number;
  readonly #most: number;
  #peer: MemorySocket | undefined;
  #listener: SocketListener | undefined;
  #arrived: Uint8Array[] = [];
  #index = 0;
  #closing: string | undefined;
  #ended: string | undefined;

  constructor(
    network: MemoryNetwork,
    owner: string,
    remote: string,
    connection: number,
    most: number,
  ) {
    this.#network = network;
    this.owner = owner;
    this.remote = remote;
    this.#connection = connection;
    this.#most = most;
  }

  get bufferedBytes(): number {
    const { bufferedBytes, stuck } = this.#network;
    return stuck === undefined || stuck === this.owner ? bufferedBytes : 0;
  }

  join(peer: MemorySocket): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  send(bytes: Uint8Array): void {
    if (this.#closing !== undefined || this.#ended !== undefined) return;
    const passed = this.#network.pass({
      from: this.owner,
      to: this.remote,
      index: this.#index++,
      connection: this.#connection,
      bytes: bytes.slice(),
    });
    for (const one of passed) {
      setImmediate(() => {
        this.#peer?.receive(one);
      });
    }
  }

  close(reason: string): void {
    if (this.#closing !== undefined || this.#ended !== undefined) return;
    this.#closing = reason;
    setImmediate(() => {
      this.end(reason);
      this.#peer?.end(reason);
    });
  }

  destroy(): void {
    this.end('destroyed');
    setImmediate(() => {
      this.#peer?.end('the connection ended');
    });
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    for (const bytes of this.#arrived.splice(0)) listener.message(bytes);
    if (this.#ended !== undefined) listener.closed(this.#ended);
  }

  receive(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return;
    if (bytes.length > this.#most) {
      this.destroy();
    } else if (this.#listener === undefined) {
      this.#arrived.push(bytes);
    } else {
      this.#listener.message(bytes);
    }
  }

  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#listener?.closed(reason);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
