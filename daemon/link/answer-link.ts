import { HandshakeTalk, type Established, type HandshakeTerms } from './handshake-talk.ts';
import { LinkError } from './link-error.ts';
import { linkTimes } from './link-limits.ts';
import type { MessagePipe } from './message-pipe.ts';

/** How the listener's station stands to this neighbour while the handshake goes on. */
export interface AnswerGate {
  /** Why this neighbour is not answered now, if it is not. */
  readonly objection: () => string | undefined;
  /** Both have dialled, and our own connection is the one that survives. */
  readonly yields: () => boolean;
  /** The dialler has proved that it knows the link-authentication key, now: it gets its seat. */
  readonly authenticated: () => void;
}

/**
 * The handshake as the listener tells it. A hello may be a stranger's or a replayed one: it costs
 * two MACs, and at most makes ready the one key of ours that the next link uses anyway. The
 * dialler's second message covers our nonce; only then is a QKD key fetched.
 * @throws LinkError; the caller closes the pipe.
 */
export async function answerLink(
  terms: HandshakeTerms,
  pipe: MessagePipe,
  hello: Uint8Array,
  gate: AnswerGate,
  signal: AbortSignal,
): Promise<Established> {
  const { station, peer, supply, reservoir } = terms;
  const talk = new HandshakeTalk(terms, pipe, 'to-dialler');
  const version = talk.agree(talk.heardGreeting(hello, 'hello'));
  const objection = gate.objection();
  if (objection !== undefined) throw talk.refuse('not-now', objection);
  const yielded = `${station} and ${peer} dialled at once; the connection of ${station} stays`;
  if (gate.yields()) throw talk.refuse('yielded', yielded);
  if (!(await supply.readyWithin(linkTimes.keyGraceMs))) {
    throw talk.refuse('no-keys', `${station} has no QKD keys for ${peer} now`);
  }
  talk.say({ kind: 'answer', content: talk.greeting({ least: version, most: version }) });
  talk.greeted(version);

  const keyIds = await talk.hearKey('diallerKey', linkTimes.strangerMs);
  if (gate.yields()) throw talk.refuse('yielded', yielded);
  gate.authenticated();
  const theirs = await talk.claim(keyIds, signal);
  const ours = await supply.next(signal);
  talk.say({ kind: 'listenerKey', content: { keyIds: ours.keyIds } });

  const link = talk.establish(ours, theirs);
  let certificate: Uint8Array;
  try {
    certificate = await talk.believe(link);
  } catch (error) {
    if (error instanceof LinkError && error.code === 'key-not-usable') reservoir.reportMissed();
    throw error;
  }
  reservoir.reportFetched();
  talk.prove(link);
  return { ...link, certificate };
}
