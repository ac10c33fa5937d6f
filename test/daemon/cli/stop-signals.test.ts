import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { firstStopSignal } from '../../../daemon/cli/stop-signals.ts';

it.each([
  ['SIGTERM', 'SIGINT'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
])('%s stops a station, and %s after it is left to the system, which ends it', async (one, two) => {
  const program = new EventEmitter();
  const stopped = firstStopSignal(program);
  program.emit(one, one);
  expect(await stopped).toBe(one);
  // A signal that nobody listens to ends the process.
  expect(program.emit(two, two)).toBe(false);
});
