import { beforeEach, describe, expect, it } from 'vitest';
import { Etsi014Client } from '../../../daemon/qkd/etsi-014-client.ts';
import type { TransportAnswer, TransportCall } from '../../../daemon/qkd/etsi-014-transport.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { newKeyId } from '../../../emulator/qkd/key-network.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const minuteMs = 60_000;
const entropy = seededEntropy('few keys');

/** Says that it gives eight keys a request, and gives so many at most. */
let most: number;
let clock: VirtualClock;
let client: Etsi014Client;

function answer({ path, body = '{}' }: TransportCall): Promise<TransportAnswer> {
  if (path.endsWith('/status')) {
    return Promise.resolve({ status: 200, body: JSON.stringify({ max_key_per_request: 8 }) });
  }
  const { number: asked = 1 } = Object(JSON.parse(body)) as { number?: number };
  const keys = Array.from({ length: Math.min(asked, most) }, () => ({
    key_ID: newKeyId(entropy),
    key: Buffer.from(entropy.randomBytes(32)).toString('base64'),
  }));
  return Promise.resolve({ status: 200, body: JSON.stringify({ keys }) });
}

beforeEach(() => {
  most = 8;
  clock = new VirtualClock();
  const transport = { send: answer, reload: () => undefined, close: () => undefined };
  client = new Etsi014Client({ transport, clock, peerSaeId: 'q2' });
});

/** How many keys come of eight that are wanted; 0 where the answer was given up. */
async function given(): Promise<number> {
  const keys = await client.draw(8, 256).catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'protocol' });
    return [];
  });
  return keys.length;
}

describe('a device that once gave fewer keys than were asked for', () => {
  it('is asked for as many as its status says again after a minute', async () => {
    most = 1;
    expect([await given(), await given()]).toEqual([0, 1]);
    most = 8;
    clock.advance(minuteMs - 1);
    expect(await given()).toBe(1);
    clock.advance(1);
    expect(await given()).toBe(8);
    clock.advance(minuteMs);
    expect(await given()).toBe(8);
  });

  it('is tried ever more seldom where it goes on so, and at least each hour', async () => {
    most = 3;
    expect([await given(), await given()]).toEqual([0, 3]);
    const pauses: number[] = [];
    for (let minutes = 1; pauses.length < 9 && minutes < 100; minutes++) {
      clock.advance(minuteMs);
      if ((await given()) > 0) continue;
      pauses.push(minutes);
      minutes = 0;
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('is tried after a minute the next time, once it had given all', async () => {
    most = 3;
    expect([await given(), await given()]).toEqual([0, 3]);
    clock.advance(minuteMs);
    expect([await given(), await given()]).toEqual([0, 3]);
    most = 8;
    clock.advance(2 * minuteMs);
    expect(await given()).toBe(8);
    most = 3;
    expect([await given(), await given()]).toEqual([0, 3]);
    most = 8;
    clock.advance(minuteMs);
    expect(await given()).toBe(8);
  });

  it('is tried after a minute where its clock was set back meanwhile', async () => {
    most = 1;
    expect([await given(), await given()]).toEqual([0, 1]);
    most = 8;
    clock.advance(-60 * minuteMs);
    expect(await given()).toBe(8);
  });
});
