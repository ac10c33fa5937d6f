/** What a link that is up for a year must not pile up. */
import { afterEach, expect, it } from 'vitest';
import { ownFootprint } from '../../contract/pcsc-processes.ts';
import { LinkRoom, turns } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

async function heapBytes(): Promise<number> {
  await turns(10);
  return ownFootprint().heapBytes;
}

it('keys set apart and released again, fifty thousand times, leave nothing behind', async () => {
  const [q1] = await room.linked({ stock: 1_000, capacityBits: 65_536 });
  const reserveMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const { signal } = new AbortController();
      (await q1.links.reserve(q1.peer, 1_000, signal))?.release();
      if (i % 1_000 === 0) await turns(1);
    }
  };
  await reserveMany(5_000);
  const before = await heapBytes();
  await reserveMany(50_000);
  const grown = (await heapBytes()) - before;
  expect(grown).toBeLessThan(1_000_000);
});
