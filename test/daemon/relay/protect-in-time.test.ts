import { describe, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { LinkError } from '../../../daemon/link/link-error.ts';
import type { Links } from '../../../daemon/link/links.ts';
import { protectInTime, wordRecords } from '../../../daemon/relay/protect-in-time.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const q2 = toStationName('q2');
const items = [{ message: new Uint8Array([1]) }];

/** Links that give records only when `deliver` is called, as where a device makes no keys. */
class StarvedLinks {
  deliver: () => void = () => undefined;

  readonly protect: Links['protect'] = (_peer, asked, signal) =>
    new Promise((resolve, reject) => {
      this.deliver = () => {
        resolve(asked.map(({ message }) => message));
      };
      const abort = (): void => {
        reject(new LinkError('aborted', 'nobody waits any more'));
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort);
    });
}

function room() {
  const clock = new VirtualClock();
  const starved = new StarvedLinks();
  const stop = new AbortController();
  const links: Links = {
    peers: [q2],
    listen: () => undefined,
    status: () => undefined,
    reserve: (_peer, _bytes, signal) => starved.protect(q2, [], signal).then(() => undefined),
    protect: starved.protect,
    keep: (message) => new Uint8Array([0, ...message]),
    send: () => false,
    tell: () => false,
    confirm: () => undefined,
    close: () => Promise.resolve(),
  };
  const check = { suiteTo: () => 'otp' as const };
  return { clock, starved, stop, context: { links, clock, stopping: stop.signal, check } };
}

describe('whoever waits for the keys of a link', () => {
  it('gets the records where keys come in time, and leaves no alarm behind', async () => {
    const { clock, starved, context } = room();
    const records = protectInTime(context, q2, items);
    clock.advance(9_999);
    starved.deliver();
    expect(await records).toEqual([new Uint8Array([1])]);
    expect(clock.pending).toBe(0);
  });

  it('goes on without them after ten seconds', async () => {
    const { clock, context } = room();
    const records = protectInTime(context, q2, items);
    clock.advance(10_000);
    expect(await records).toBeUndefined();
  });

  it('with a word, keeps it without them after a moment, or at once', async () => {
    const { clock, starved, context } = room();
    const covered = wordRecords(context, q2, [new Uint8Array([1])]);
    starved.deliver();
    expect(await covered).toEqual([{ record: new Uint8Array([1]), isCovered: true }]);
    const kept = wordRecords(context, q2, [new Uint8Array([1])]);
    clock.advance(1_000);
    expect(await kept).toEqual([{ record: new Uint8Array([0, 1]), isCovered: false }]);
    const atOnce = await wordRecords(context, q2, [new Uint8Array([2])], 'not');
    expect(atOnce).toEqual([{ record: new Uint8Array([0, 2]), isCovered: false }]);
    expect(clock.pending).toBe(0);
  });

  it('never keeps a station from stopping', async () => {
    const { clock, stop, context } = room();
    const before = protectInTime(context, q2, items);
    stop.abort();
    await expect(before).rejects.toMatchObject({ code: 'aborted' });
    await expect(protectInTime(context, q2, items)).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.pending).toBe(0);
  });
});
