/** Every way to a card that the driver has, each with a hand that plugs cards in and pulls them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HidReader } from '../../driver/reader/hid-reader.ts';
import { InProcessReader } from '../../driver/reader/in-process-reader.ts';
import { PcscReader } from '../../driver/reader/pcsc-reader.ts';
import { VirtualReader } from '../../driver/reader/virtual-reader.ts';
import { HidBus } from '../../emulator/card/hid-device.ts';
import type { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import { systemClock } from '../../emulator/clock.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import type { CardBench } from './card-connection.ts';
import { pcscChildPath } from './pcscd-presence.ts';
import { seen, vpcdBench } from './vpcd-bench.ts';

export function inProcessBench(): Promise<CardBench> {
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
}

export async function tcpBench(): Promise<CardBench> {
  const reader = await VirtualReader.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    systemClock,
  );
  const address = { host: '127.0.0.1', port: reader.port ?? 0 };
  return vpcdBench(reader, address, () => Promise.resolve());
}

export async function unixSocketBench(): Promise<CardBench> {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-reader-'));
  const path = join(folder, 'card.sock');
  const reader = await VirtualReader.listen({ kind: 'unix', path }, systemClock);
  return vpcdBench(reader, { path }, () => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  });
}

export async function hidBench(): Promise<CardBench> {
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
}

/** One of the two readers of a pcscd that the environment names. */
export async function pcscdBench(pcscd: PrivatePcscd, slot: 0 | 1): Promise<CardBench> {
  const reader = await PcscReader.open({
    clock: systemClock,
    reader: `00 0${slot}`,
    childPath: pcscChildPath,
  });
  const address = { host: '127.0.0.1', port: pcscd.ports[slot] };
  return vpcdBench(reader, address, () => Promise.resolve());
}
