/**
 * The card's side of one SCP03 session (GlobalPlatform Amendment D): S16, level 33, nothing less.
 */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import {
  acceptHost,
  DIVERSIFICATION_BYTES,
  encodeCardGreeting,
  greetHost,
  keytollImplementation,
  type PendingChannel,
} from '../../applet-spec/scp03-handshake.ts';
import {
  closedChannel,
  keytollSecurityLevel,
  unwrapCommand,
  wrapResponse,
  type ClosedChannel,
  type OpenChannel,
} from '../../applet-spec/scp03.ts';
import { HOST_NONCE_BYTES, hostLinkKeys } from '../../applet-spec/traffic-keys.ts';
import { hostLinkAnswer } from '../../applet-spec/card-objects.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  answer,
  requireDataLength,
  requireParameters,
  statusWord,
  type CardContext,
} from './card-context.ts';
import type { StoredKeys } from './card-state.ts';

const challengeBytes = 16;

/** The static keys that a session began with: PUT KEY in the middle does not change them. */
interface SessionOrigin {
  readonly keys: StoredKeys;
  readonly cardChallenge: Uint8Array;
  readonly stationChallenge: Uint8Array;
}

type Channel = PendingChannel | OpenChannel | ClosedChannel;

export class SecureSession {
  #channel: Channel = closedChannel;
  #origin: SessionOrigin | undefined;

  get open(): boolean {
    return this.#channel.state === 'open';
  }

  /** Of an open session. */
  get origin(): SessionOrigin | undefined {
    return this.open ? this.#origin : undefined;
  }

  greet(card: CardContext, stationChallenge: Uint8Array): Uint8Array {
    const { primitives, entropy, memory } = card;
    const { keys, handle, serial } = memory.state;
    const cardChallenge = entropy.randomBytes(challengeBytes);
    const { pending, greeting } = greetHost(primitives, keys, stationChallenge, {
      diversification: (handle ?? serial).slice(0, DIVERSIFICATION_BYTES),
      keyVersion: keys.version,
      implementation: keytollImplementation,
      cardChallenge,
    });
    this.#channel = pending;
    this.#origin = { keys, cardChallenge, stationChallenge };
    return encodeCardGreeting(greeting);
  }

  /**
   * False where the host did not prove itself; either way there is one attempt for each greeting.
   */
  accept(primitives: Primitives, command: CommandApdu): boolean {
    if (this.#channel.state !== 'pending') throw statusWord('conditions-of-use-not-satisfied');
    const { channel } = acceptHost(primitives, this.#channel, command, [keytollSecurityLevel]);
    this.#channel = channel;
    return this.open;
  }

  /**
   * The plain command; undefined where its MAC or padding is wrong, and the session is then closed.
   */
  unwrap(primitives: Primitives, command: CommandApdu): CommandApdu | undefined {
    if (this.#channel.state !== 'open') throw statusWord('security-status-not-satisfied');
    const unwrapped = unwrapCommand(primitives, this.#channel, command);
    this.#channel = unwrapped.channel;
    return unwrapped.verdict === 'authentic' ? unwrapped.command : undefined;
  }

  wrap(primitives: Primitives, response: ResponseApdu): ResponseApdu {
    if (this.#channel.state !== 'open') throw statusWord('card-fault');
    return wrapResponse(primitives, this.#channel, response);
  }

  close(): void {
    this.#channel = closedChannel;
    this.#origin = undefined;
  }
}

/** INITIALIZE UPDATE. P1 is the key version, or 00 for the one that there is. */
export function initializeUpdate(card: CardContext, command: CommandApdu): ResponseApdu {
  const { session, memory } = card;
  session.secure.close();
  if (command.p2 !== 0x00) throw statusWord('incorrect-parameters');
  if (command.p1 !== 0x00 && command.p1 !== memory.state.keys.version) {
    throw statusWord('reference-data-not-found');
  }
  requireDataLength(command, challengeBytes);
  return answer(session.secure.greet(card, command.data));
}

/** EXTERNAL AUTHENTICATE, at level 33. */
export function externalAuthenticate(card: CardContext, command: CommandApdu): ResponseApdu {
  if (!card.session.secure.accept(card.primitives, command)) {
    throw statusWord('security-status-not-satisfied');
  }
  return answer();
}

/** DERIVE HOST LINK (design §5): bound to both challenges of the session that is open. */
export function deriveHostLink(card: CardContext, command: CommandApdu): ResponseApdu {
  requireParameters(command, 0x00);
  requireDataLength(command, HOST_NONCE_BYTES);
  const { origin } = card.session.secure;
  if (origin === undefined) throw statusWord('conditions-of-use-not-satisfied');
  const { keys, cardChallenge, stationChallenge } = origin;
  const derived = hostLinkKeys(card.primitives, keys.hostLink, {
    cardChallenge,
    stationChallenge,
    hostNonce: command.data,
  });
  return answer(hostLinkAnswer.encode(derived));
}
