import type { DeskAnswer, RequestName } from '../desk/desk-requests.ts';
import { HostError } from './host-error.ts';

/** The content of an answer, or the refusal as HostError `desk-refused`. */
export function granted<K extends RequestName>(
  answer: DeskAnswer<K>,
): Extract<DeskAnswer<K>, { outcome: 'done' }>['content'] {
  if (answer.outcome === 'done') return answer.content;
  throw new HostError('desk-refused', answer.message, answer.code);
}
