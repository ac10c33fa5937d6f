import type { Reader, ReaderEvent } from '../../driver/reader/connection.ts';
import type { VpcdAddress } from '../../emulator/card/vpcd-client.ts';
import { VpcdClient } from '../../emulator/card/vpcd-client.ts';
import { systemClock } from '../../emulator/clock.ts';
import type { CardBench } from './card-connection.ts';

/** Resolves at the reader's next event of this kind. */
export function seen(reader: Reader, kind: ReaderEvent['kind']): Promise<void> {
  return new Promise((resolve) => {
    const stop = reader.watch((event) => {
      if (event.kind !== kind) return;
      stop();
      resolve();
    });
  });
}

/** A hand that plugs cards into whatever listens for vpcd clients at `address`. */
export function vpcdBench(
  reader: Reader,
  address: VpcdAddress,
  close: () => Promise<void>,
): CardBench {
  let client: VpcdClient | undefined;
  const remove = async (): Promise<void> => {
    const removed = reader.cardPresent ? seen(reader, 'card-removed') : Promise.resolve();
    await client?.remove();
    await removed;
  };
  return {
    reader,
    async insert(card) {
      const inserted = seen(reader, 'card-inserted');
      client = new VpcdClient({ address, card, clock: systemClock });
      client.insert();
      await inserted;
    },
    remove,
    async close() {
      await remove();
      await reader.close();
      await close();
    },
  };
}
