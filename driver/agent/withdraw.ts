import type { CardSession } from '../card/card-session.ts';
import type { Host } from './host.ts';

const digestBytes = 32;

/**
 * After a refusal nothing stays authorised: a new authorisation takes the place of the old one
 * (`card.md`), and nothing has this one's digest.
 */
export async function withdraw({ entropy }: Host, card: CardSession): Promise<void> {
  await card.authorise('pay', entropy.randomBytes(digestBytes));
}
