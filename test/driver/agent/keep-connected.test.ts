/** How often an agent comes back to a station that does not keep it. */
import { expect, it } from 'vitest';
import { keepConnected } from '../../../driver/agent/keep-connected.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const hourMs = 3_600_000;
/** Takes the longest delay of those that are possible. */
const entropy = { randomBytes: (length: number) => new Uint8Array(length) };

/** What has been promised runs; nothing here waits for the world. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Connections in an hour to a station that ends each after so long. */
async function connectionsInAnHour(lastMs: number): Promise<number> {
  const clock = new VirtualClock();
  const endMs = clock.nowMs() + hourMs;
  let connections = 0;
  const desk = (): Promise<{ readonly closed: Promise<void> }> => {
    connections += 1;
    const closed = new Promise<void>((resolve) => {
      clock.after(lastMs, resolve);
    });
    return Promise.resolve({ closed });
  };
  const kept = keepConnected({ clock, entropy, desk });
  for (let now = clock.nowMs(); now < endMs; now = clock.nowMs()) {
    await settled();
    clock.advance((clock.nextDueMs ?? endMs) - now);
  }
  kept.stop();
  return connections;
}

it('a station that ends each connection at once is not asked twice a second for ever', async () => {
  expect(await connectionsInAnHour(0)).toBeLessThan(150);
});

it('a station that was there for a minute is asked again at once', async () => {
  const wholeMs = 60_000 + 500;
  expect(await connectionsInAnHour(60_000)).toBeGreaterThanOrEqual(Math.floor(hourMs / wholeMs));
});
