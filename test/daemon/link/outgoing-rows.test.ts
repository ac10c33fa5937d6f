import { expect, it } from 'vitest';
import type { StoredRecord } from '../../../daemon/link/link-record.ts';
import type { Unprotected } from '../../../daemon/link/links.ts';
import { OutgoingRows } from '../../../daemon/link/outgoing-rows.ts';
import { protectRecords } from '../../../daemon/link/record-cover.ts';
import { SendQueue } from '../../../daemon/link/send-queue.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { MemoryLedger, ScriptedSource, settled } from '../qkd/key-fixtures.ts';
import { messageOf, primitives, secretOf } from './link-room.ts';

it('a row that the peer calls unreadable twice is covered anew once, with its secret', async () => {
  const reservoir = new Reservoir({
    ...{ peer: 'q2', source: new ScriptedSource(100), ledger: new MemoryLedger() },
    clock: new VirtualClock(),
  });
  const by = { primitives, suite: 'otp-secret', reservoir } as const;
  const { signal } = new AbortController();
  const secrets: (Uint8Array | undefined)[] = [];
  const gates: (() => void)[] = [];
  const faults: unknown[] = [];
  const rows = new OutgoingRows({
    ...{ suite: 'otp-secret', queue: new SendQueue(), reservoir, flush: () => undefined },
    unsent: () => undefined,
    fault: (error) => faults.push(error),
    protect: async (items: readonly Unprotected[]): Promise<readonly StoredRecord[]> => {
      await new Promise<void>((open) => gates.push(open));
      secrets.push(items[0]?.secret?.slice());
      return protectRecords(by, items, signal);
    },
  });
  const [made] = await protectRecords(by, [{ message: messageOf(1), secret: secretOf(1) }], signal);
  if (made === undefined) throw new Error('nothing was made');
  rows.send([{ rowId: 1n, record: made.stored }]);
  rows.unreadable('used', [1n]);
  rows.unreadable('used', [1n]);
  for (let i = 0; i < 2; i++) {
    await settled();
    gates.shift()?.();
  }
  await settled();
  expect(faults).toEqual([]);
  expect(secrets).toEqual([secretOf(1)]);
  await reservoir.close();
});
