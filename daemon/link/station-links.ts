/** A station's links to all its neighbours, over one listening socket and as many dialled ones. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Entropy, Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import type { Socket, SocketFactory } from '../socket.ts';
import type { StationTrust } from './handshake-talk.ts';
import { linkVersions, splitHandshake, type LinkVersions } from './handshake-message.ts';
import { HelloGate } from './hello-gate.ts';
import { asLinkError, LinkError } from './link-error.ts';
import { linkLimits, linkTimes } from './link-limits.ts';
import type { Links } from './links.ts';
import { MessagePipe } from './message-pipe.ts';
import { keptRecord } from './record-cover.ts';
import { Neighbour, type LinkLog, type NeighbourLink } from './neighbour.ts';

export interface StationLinksOptions {
  readonly station: StationName;
  readonly network: string;
  readonly documentKey: SigningKey;
  /** DER, of the role station-document. */
  readonly documentCertificate: Uint8Array;
  /** All that this program speaks, unless fewer or more are named. */
  readonly versions?: LinkVersions;
  readonly trust: StationTrust;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly sockets: SocketFactory;
  /** Where neighbours connect; a station without one only dials. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly log: LinkLog;
  readonly neighbours: readonly NeighbourLink[];
}

export interface StationLinks extends Links {
  /** Where it listens; 0 where it does not. */
  readonly port: number;
  /** A newer CRL is in force: links to whoever it revokes end now. */
  recheck(): void;
}

/**
 * Listens at once; speaks with anybody, and dials, once `listen` was called. The reservoirs remain
 * their owner's, who closes them after the links.
 * @throws StationError `address-in-use`.
 */
export async function openLinks(options: StationLinksOptions): Promise<StationLinks> {
  const { station, sockets, clock, log } = options;
  const seams = { versions: linkVersions, ...options };
  const neighbours = new Map(
    options.neighbours.map((link) => [link.name, new Neighbour(link, seams)]),
  );
  const door = new Door(neighbours, clock, log);
  const server =
    options.listen &&
    (await sockets.listen(
      { ...options.listen, messageBytesMost: linkLimits.frameBytes },
      (socket) => {
        door.knock(socket);
      },
    ));
  const find = (peer: StationName): Neighbour => {
    const found = neighbours.get(peer);
    if (found !== undefined) return found;
    throw new LinkError('unknown-peer', `${station} has no neighbour ${peer}`);
  };
  return {
    port: server?.port ?? 0,
    peers: [...neighbours.keys()],
    listen(listener) {
      for (const neighbour of neighbours.values()) neighbour.start(listener);
    },
    status: (peer) => neighbours.get(peer)?.status(),
    reserve: async (peer, messageBytes, signal) => find(peer).reserve(messageBytes, signal),
    protect: async (peer, items, signal) => find(peer).protect(items, signal),
    keep: keptRecord,
    send: (peer, records) => neighbours.get(peer)?.send(records) ?? false,
    tell: (peer, message) => neighbours.get(peer)?.tell(message) ?? false,
    confirm: (peer, rowIds) => neighbours.get(peer)?.confirm(rowIds),
    recheck() {
      for (const neighbour of neighbours.values()) neighbour.recheck();
    },
    async close() {
      await Promise.all([...neighbours.values()].map((neighbour) => neighbour.close()));
      await server?.close();
      await door.close();
    },
  };
}

/** Where strangers become neighbours, or leave. */
class Door {
  readonly #neighbours: ReadonlyMap<StationName, Neighbour>;
  readonly #clock: Clock;
  readonly #log: LinkLog;
  readonly #gate: HelloGate;
  readonly #underWay = new Set<Promise<void>>();

  constructor(neighbours: ReadonlyMap<StationName, Neighbour>, clock: Clock, log: LinkLog) {
    this.#neighbours = neighbours;
    this.#clock = clock;
    this.#log = log;
    this.#gate = new HelloGate(clock);
  }

  knock(socket: Socket): void {
    if (!this.#gate.enter(socket.remote)) {
      socket.destroy();
      return;
    }
    const pipe = new MessagePipe(socket, this.#clock);
    const story = this.#receive(pipe).finally(() => {
      this.#underWay.delete(story);
    });
    this.#underWay.add(story);
  }

  async close(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #receive(pipe: MessagePipe): Promise<void> {
    const stranger = { known: false };
    const known = (): void => {
      if (!stranger.known) this.#gate.left(pipe.socket.remote);
      stranger.known = true;
    };
    try {
      const hello = await pipe.next(linkTimes.strangerMs);
      const { message } = splitHandshake(hello);
      const from = message.kind === 'hello' ? message.content.from : undefined;
      const neighbour = from && this.#neighbours.get(from);
      if (neighbour === undefined) {
        throw new LinkError('not-authenticated', 'no neighbour of this station');
      }
      if (!neighbour.started) throw new LinkError('closed', 'this station is not ready yet');
      await neighbour.answer(pipe, hello, known);
    } catch (error) {
      // Whoever has not proved itself learns nothing.
      pipe.close('refused');
      if (!stranger.known) this.#turnedAway(pipe.socket.remote, asLinkError(error));
    } finally {
      known();
    }
  }

  #turnedAway(remote: string, fault: LinkError): void {
    const strange: readonly string[] = ['not-authenticated', 'handshake-malformed', 'timeout'];
    if (!strange.includes(fault.code) || !this.#gate.failed(remote)) return;
    this.#log.link('warn', remote, 'a stranger was turned away', {
      code: fault.code,
      why: fault.message,
    });
  }
}
