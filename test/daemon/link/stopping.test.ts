import { afterEach, expect, it } from 'vitest';
import type { QkdKey } from '../../../daemon/qkd/key-source.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import { LinkRoom, until } from './link-room.ts';

let room = new LinkRoom();
afterEach(() => {
  room = new LinkRoom();
});

/** A device that takes the question for a key and never answers it. */
class SilentSource extends ScriptedSource {
  asked = 0;

  override fetch(_ids: readonly string[], signal?: AbortSignal): Promise<readonly QkdKey[]> {
    this.asked++;
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new QkdError('aborted', 'given up'));
      });
    });
  }
}

it.each(['q1', 'q2'] as const)(
  'a station stops though the device of %s answers no question for the key of a new link',
  async (silent) => {
    const source = new SilentSource(10, room.handedOut);
    const [q1, q2] = await room.pair(
      {},
      silent === 'q1' ? { source } : {},
      silent === 'q2' ? { source } : {},
    );
    await until(() => source.asked > 0);
    const end = silent === 'q1' ? q1 : q2;
    await end.close();
    expect(end.changes).toEqual([]);
    await room.close();
  },
);
