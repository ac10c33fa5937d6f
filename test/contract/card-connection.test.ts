import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HidReader } from '../../driver/reader/hid-reader.ts';
import { InProcessReader } from '../../driver/reader/in-process-reader.ts';
import { VirtualReader } from '../../driver/reader/virtual-reader.ts';
import { HidBus } from '../../emulator/card/hid-device.ts';
import { systemClock } from '../../emulator/clock.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import { describeCardConnection } from './card-connection.ts';
import { seen, vpcdBench } from './vpcd-bench.ts';

describeCardConnection('in process', () => {
  const reader = new InProcessReader();
  return Promise.resolve({
    reader,
    insert: (card) => {
      reader.insert(card);
      return Promise.resolve();
    },
    remove: () => {
      reader.remove();
      return Promise.resolve();
    },
    close: () => reader.close(),
  });
});

describeCardConnection('virtual reader over TCP', async () => {
  const reader = await VirtualReader.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    systemClock,
  );
  const address = { host: '127.0.0.1', port: reader.port ?? 0 };
  return vpcdBench(reader, address, () => Promise.resolve());
});

describeCardConnection('virtual reader over a Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-reader-'));
  const path = join(folder, 'card.sock');
  const reader = await VirtualReader.listen({ kind: 'unix', path }, systemClock);
  return vpcdBench(reader, { path }, () => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  });
});

describeCardConnection('USB HID', async () => {
  const clock = new VirtualClock();
  const bus = new HidBus(clock);
  const reader = await HidReader.open({ clock, library: bus });
  let path: string | undefined;
  /** HID has no events of its own: the reader looks again when its time has come. */
  const look = async (kind: 'card-inserted' | 'card-removed'): Promise<void> => {
    const done = seen(reader, kind);
    clock.advance(1_000);
    await done;
  };
  const remove = async (): Promise<void> => {
    if (path === undefined) return;
    bus.unplug(path);
    path = undefined;
    await look('card-removed');
  };
  return {
    reader,
    async insert(card) {
      path = bus.plugIn(card);
      await look('card-inserted');
    },
    remove,
    async close() {
      await remove();
      await reader.close();
    },
  };
});
