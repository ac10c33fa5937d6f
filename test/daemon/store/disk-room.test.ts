import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskRoom, freeBytesOf } from '../../../daemon/store/disk-room.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const lookMs = 5_000;
let clock: VirtualClock;
let free: number | Error;
let told: string[];
let room: DiskRoom;

beforeEach(() => {
  clock = new VirtualClock(0);
  free = 100;
  told = [];
  room = new DiskRoom({
    station: 'q1',
    reserveBytes: 100,
    freeBytes: () => (free instanceof Error ? Promise.reject(free) : Promise.resolve(free)),
    clock,
    onChange: (isShort, freeBytes) => told.push(`${isShort ? 'short' : 'enough'} ${freeBytes}`),
    onFault: (error) => told.push(String(error)),
  });
});
afterEach(() => room.close());

/** Until it has looked again. */
async function look(now: number | Error): Promise<void> {
  free = now;
  clock.advance(lookMs);
  while (clock.pending === 0) await new Promise(setImmediate);
}

describe('room on the disk', () => {
  it('is short below what is set apart, and tells each change once', async () => {
    await room.start();
    expect(room.refusal).toBeUndefined();
    await look(99);
    await look(98);
    expect(room.refusal).toBe('The disk of q1 is almost full; its operator has to make room.');
    expect(room.freeBytes).toBe(98);
    await look(100);
    expect(room.refusal).toBeUndefined();
    expect(told).toEqual(['short 99', 'enough 100']);
  });

  it('that cannot be measured stays as it was seen last, and is told once', async () => {
    await room.start();
    await look(1);
    await look(new Error('no such folder'));
    await look(new Error('no such folder'));
    expect(room.refusal).toBeDefined();
    expect(room.freeBytes).toBeUndefined();
    await look(1);
    await look(new Error('gone again'));
    expect(told).toEqual(['short 1', 'Error: no such folder', 'Error: gone again']);
  });

  it('is what the system says of a folder', async () => {
    expect(await freeBytesOf(tmpdir())).toBeGreaterThan(0);
  });
});
