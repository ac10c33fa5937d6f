import { HandshakeTalk, type Established, type HandshakeTerms } from './handshake-talk.ts';
import { LinkError } from './link-error.ts';
import type { MessagePipe } from './message-pipe.ts';

/**
 * The handshake as the dialler tells it. Our QKD key is named only once the answer has shown that
 * the listener knows the link-authentication key; theirs is fetched only after they have named it
 * so.
 * @throws LinkError; the caller closes the pipe.
 */
export async function dialLink(
  terms: HandshakeTerms,
  pipe: MessagePipe,
  signal: AbortSignal,
): Promise<Established> {
  const talk = new HandshakeTalk(terms, pipe, 'to-listener');
  talk.say({ kind: 'hello', content: talk.greeting(terms.versions) });
  talk.greeted(talk.agree(await talk.hearAnswer()));

  const ours = await terms.supply.next(signal);
  talk.say({ kind: 'diallerKey', content: { keyIds: ours.keyIds } });
  const theirs = await talk.claim(await hearAboutOurKey(talk), signal);

  const link = talk.establish(ours, theirs);
  talk.prove(link);
  return { ...link, certificate: await talk.believe(link) };
}

async function hearAboutOurKey(talk: HandshakeTalk): Promise<readonly string[]> {
  const { reservoir } = talk.terms;
  try {
    const heard = await talk.hearKey('listenerKey');
    reservoir.reportFetched();
    return heard;
  } catch (error) {
    if (error instanceof LinkError && error.code === 'key-not-usable') reservoir.reportMissed();
    throw error;
  }
}
