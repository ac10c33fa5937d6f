/**
 * What both stories of the handshake are told with: saying, hearing, refusing, and the transcript.
 */
import { concatBytes, equalBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { labels } from '../../applet-spec/labels.ts';
import type { StationName, Suite } from '../../applet-spec/names.ts';
import type {
  Entropy,
  Primitives,
  SigningKey,
  VerifyingKey,
} from '../../applet-spec/primitives.ts';
import { isUnnamed } from '../../applet-spec/tlv.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import type { Reservoir, TakenBits } from '../qkd/reservoir.ts';
import { FrameOpener, FrameSealer, trafficKey, type LinkDirection } from './frame-cipher.ts';
import { decodeFrame, frameItem } from './frame-item.ts';
import {
  commonVersion,
  handshakeMac,
  handshakeMessage,
  linkNonceBytes,
  splitHandshake,
  versionsOf,
  type Greeting,
  type HandshakeMessage,
  type LinkVersions,
  type Refusal,
  type RefusalWord,
} from './handshake-message.ts';
import { LinkError } from './link-error.ts';
import { linkTimes } from './link-limits.ts';
import type { MessagePipe } from './message-pipe.ts';
import type { TrafficSupply } from './traffic-supply.ts';

/** Which station certificates are believed; `Trust` is one. */
export interface StationTrust {
  check(
    der: Uint8Array,
    role: 'station-document',
    name: StationName,
    dates?: 'any',
  ):
    | { readonly ok: true; readonly publicKey: VerifyingKey }
    | { readonly ok: false; readonly reason: string; readonly detail: string };
}

/** What one end brings to a handshake with one neighbour. */
export interface HandshakeTerms {
  readonly station: StationName;
  readonly peer: StationName;
  readonly network: string;
  readonly versions: LinkVersions;
  readonly suite: Suite;
  readonly authenticationKey: Uint8Array;
  readonly documentKey: SigningKey;
  readonly documentCertificate: Uint8Array;
  readonly trust: StationTrust;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly reservoir: Pick<Reservoir, 'claim' | 'reportMissed' | 'reportFetched'>;
  readonly supply: TrafficSupply;
}

/** A link that both ends believe in. */
export interface Established {
  readonly pipe: MessagePipe;
  readonly sealer: FrameSealer;
  readonly opener: FrameOpener;
  /** What later traffic keys are bound to. */
  readonly greeting: Uint8Array;
  readonly sends: LinkDirection;
  /** Of the link, which both ends speak. */
  readonly version: number;
  /** DER: what the peer has signed the handshake under. */
  readonly certificate: Uint8Array;
}

export const otherDirection = {
  'to-listener': 'to-dialler',
  'to-dialler': 'to-listener',
} as const;

export class HandshakeTalk {
  readonly terms: HandshakeTerms;
  readonly #pipe: MessagePipe;
  readonly #sends: LinkDirection;
  readonly #endMs: number;
  #chain: Uint8Array;
  /** Set once greetings are exchanged. */
  #greeting: { readonly bytes: Uint8Array; readonly version: number } | undefined;

  constructor(terms: HandshakeTerms, pipe: MessagePipe, sends: LinkDirection) {
    this.terms = terms;
    this.#pipe = pipe;
    this.#sends = sends;
    this.#endMs = terms.clock.nowMs() + linkTimes.handshakeMs;
    this.#chain = terms.primitives.sha256();
  }

  say(message: HandshakeMessage): void {
    const { primitives, authenticationKey } = this.terms;
    const body = handshakeMessage.encode(message);
    const about = { kind: message.kind, direction: this.#sends, chain: this.#chain, body };
    this.#pipe.send(concatBytes(body, handshakeMac(primitives, authenticationKey, about)));
    this.#absorb(body);
  }

  /**
   * The answer to our hello. Throws LinkError: also `refused` and its like, with the peer's words.
   */
  async hearAnswer(): Promise<Greeting> {
    return this.heardGreeting(await this.#next(), 'answer');
  }

  /** A hello or an answer that is here already. Throws LinkError. */
  heardGreeting(bytes: Uint8Array, kind: 'hello' | 'answer'): Greeting {
    const message = this.#heard(bytes);
    if (message.kind !== kind) throw outOfTurn(message.kind, kind);
    return message.content;
  }

  /** The IDs of the peer's traffic key. Throws LinkError. */
  async hearKey(
    kind: 'diallerKey' | 'listenerKey',
    withinMs: number = linkTimes.handshakeMs,
  ): Promise<readonly string[]> {
    const message = this.#heard(await this.#next(withinMs));
    if (message.kind !== kind) throw outOfTurn(message.kind, kind);
    return message.content.keyIds;
  }

  /** Tells the peer why; returns what to throw. */
  refuse(why: RefusalWord, detail: string, options?: ErrorOptions): LinkError {
    this.say({ kind: 'refusal', content: { why, detail: detail.slice(0, 200) } });
    return new LinkError(why === 'not-now' ? 'refused' : why, detail, options);
  }

  /** Of these versions: all of ours in a hello, the one that was agreed on in an answer. */
  greeting({ least, most }: LinkVersions): Greeting {
    const { station, peer, network, suite, entropy } = this.terms;
    const nonce = entropy.randomBytes(linkNonceBytes);
    const head = { version: most, network, from: station, to: peer, suite, nonce };
    return least === most ? head : { ...head, leastVersion: least };
  }

  /**
   * Are both of one mind, and in which version? That none on the way made it a lower one the MACs
   * and the signatures show, which cover all that was said. Refuses, and throws LinkError
   * `mismatch`.
   */
  agree(theirs: Greeting): number {
    const version = commonVersion(this.terms.versions, versionsOf(theirs));
    if (version === undefined) throw this.refuse('mismatch', noVersion(this.terms, theirs));
    const difference = differenceOf(this.terms, theirs);
    if (difference !== undefined) throw this.refuse('mismatch', difference);
    return version;
  }

  /** What has been said so far binds the traffic keys. */
  greeted(version: number): void {
    this.#greeting = { bytes: this.#chain, version };
  }

  /** Fetches the key that the peer named. Refuses, and throws LinkError, where that cannot be. */
  async claim(keyIds: readonly string[], signal: AbortSignal): Promise<TakenBits> {
    const { station, reservoir } = this.terms;
    try {
      const [taken] = await reservoir.claim([{ purpose: 'traffic', bits: 256, keyIds }], signal);
      if (taken === undefined) throw new RangeError('a claim without its keys');
      return taken;
    } catch (error) {
      const code = error instanceof QkdError ? error.code : undefined;
      if (code === 'not-found' || code === 'already-used' || code === 'protocol') {
        const detail = `${station} cannot use the QKD key that was named (${code})`;
        throw this.refuse('key-not-usable', detail, { cause: error });
      }
      const detail = `${station} cannot fetch QKD keys now`;
      throw this.refuse('no-keys', detail, { cause: error });
    }
  }

  establish(sent: TakenBits, received: TakenBits): Omit<Established, 'certificate'> {
    const { primitives, clock } = this.terms;
    if (this.#greeting === undefined) throw new RangeError('keys before the greeting');
    const { bytes: greeting, version } = this.#greeting;
    const bind = (bits: Uint8Array, direction: LinkDirection) =>
      trafficKey(primitives, bits, { greeting, direction, epoch: 1 });
    return {
      pipe: this.#pipe,
      sealer: new FrameSealer(primitives, bind(sent.bits, this.#sends)),
      opener: new FrameOpener(primitives, clock, bind(received.bits, otherDirection[this.#sends])),
      greeting,
      sends: this.#sends,
      version,
    };
  }

  /** Inside the channel: our certificate, and our signature over everything said. */
  prove(link: Pick<Established, 'sealer'>): void {
    const { documentKey, documentCertificate: certificate, station } = this.terms;
    const signature = documentKey.sign(this.#statement(station));
    const proof = frameItem.encode({ kind: 'proof', content: { certificate, signature } });
    this.#pipe.send(link.sealer.seal(proof));
  }

  /**
   * The peer's certificate. Throws LinkError `certificate-refused` and tells the peer, inside the
   * channel.
   */
  async believe(link: Pick<Established, 'sealer' | 'opener'>): Promise<Uint8Array> {
    const { trust, peer } = this.terms;
    const bytes = await this.#next();
    // A frame begins with its epoch, so with a zero byte: a peer without our key refuses in the
    // open.
    if (bytes[0] === handshakeMessage.kinds.refusal.tag) this.#heard(bytes);
    const [item, ...more] = decodeFrame(link.opener.open(bytes));
    if (item?.kind === 'bye')
      throw new LinkError('refused', `${peer} refused: ${item.content.why}`);
    if (item?.kind !== 'proof' || more.length > 0) {
      throw new LinkError('frame-malformed', 'no proof where one was due');
    }
    const { certificate } = item.content;
    const check = trust.check(certificate, 'station-document', peer);
    const trusted =
      check.ok && check.publicKey.verify(this.#statement(peer), item.content.signature);
    if (trusted) return certificate;
    const bye = certificateRefused(peer);
    this.#pipe.send(link.sealer.seal(frameItem.encode({ kind: 'bye', content: { why: bye } })));
    if (!check.ok) throw distrusted(peer, check);
    throw new LinkError('certificate-refused', `${bye}: its signature does not hold`);
  }

  #statement(signer: StationName): Uint8Array {
    return concatBytes(labels.linkTranscript, this.#chain, toUtf8(signer));
  }

  #next(withinMs: number = linkTimes.handshakeMs): Promise<Uint8Array> {
    const leftMs = Math.max(1, this.#endMs - this.terms.clock.nowMs());
    return this.#pipe.next(Math.min(leftMs, withinMs));
  }

  /** What the peer said, and nobody else. Throws its refusal as a LinkError. */
  #heard(bytes: Uint8Array): Exclude<HandshakeMessage, { kind: 'refusal' }> {
    const { primitives, authenticationKey, peer } = this.terms;
    const { message, body, mac } = splitHandshake(bytes);
    const direction = otherDirection[this.#sends];
    const about = { kind: message.kind, direction, chain: this.#chain, body };
    if (!equalBytes(mac, handshakeMac(primitives, authenticationKey, about))) {
      throw new LinkError('not-authenticated', `this is not ${peer}, or its key is another`);
    }
    this.#absorb(body);
    if (message.kind === 'refusal') throw refusalError(peer, message.content);
    return message;
  }

  #absorb(body: Uint8Array): void {
    this.#chain = this.terms.primitives.sha256(this.#chain, body);
  }
}

/** All that a peer is told of it. */
export function certificateRefused(peer: StationName): string {
  return `the station certificate of ${peer} is refused`;
}

/** The same with the reason, for the operator here. */
export function distrusted(
  peer: StationName,
  { reason, detail }: { readonly reason: string; readonly detail: string },
): LinkError {
  const advice = reason === 'revoked' ? '; it has to run `keytolld keys rotate document`' : '';
  const why = `${certificateRefused(peer)}: ${reason}: ${detail}${advice}`;
  return new LinkError('certificate-refused', why);
}

/** Where two ends differ, said so that the operators of both understand it. */
function differenceOf(terms: HandshakeTerms, theirs: Greeting): string | undefined {
  const { station, peer, network, suite } = terms;
  if (theirs.to !== station || theirs.from !== peer) {
    return `${theirs.from} wants ${theirs.to}, this is the link between ${station} and ${peer}`;
  }
  if (theirs.network !== network) {
    return `${peer} is of the network "${theirs.network}", ${station} of "${network}"`;
  }
  if (theirs.suite !== suite) {
    return `${peer} has the suite ${theirs.suite} for this link, ${station} has ${suite}`;
  }
  return undefined;
}

function noVersion({ station, peer, versions }: HandshakeTerms, theirs: Greeting): string {
  const ours = `${station} ${versionWords(versions)}`;
  return `${peer} speaks ${versionWords(versionsOf(theirs))} of the link, ${ours}`;
}

function versionWords({ least, most }: LinkVersions): string {
  return least === most ? `version ${most}` : `versions ${least} to ${most}`;
}

function refusalError(peer: StationName, { why, detail }: Refusal): LinkError {
  const code = why === 'not-now' || isUnnamed(why) ? 'refused' : why;
  return new LinkError(code, `${peer} refused: ${detail}`);
}

function outOfTurn(kind: string, due: string): LinkError {
  return new LinkError('handshake-malformed', `${kind} where ${due} was due`);
}
