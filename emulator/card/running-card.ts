import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import type { ApduProfile } from './atr.ts';
import { CardFileError } from './card-error.ts';
import { CardFile } from './card-file.ts';
import { traced, type RecordApdu } from './card-trace.ts';
import { Card } from './card.ts';
import { CuttableStorage } from './power-cut.ts';
import { FaultyCard, type CardFault } from './scripted-faults.ts';
import { VpcdClient, type VpcdAddress, type VpcdClientState } from './vpcd-client.ts';

export interface RunCardOptions {
  /** The file that the card lives in. */
  readonly path: string;
  readonly reader: VpcdAddress;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Default: what the card was made with. */
  readonly apduProfile?: ApduProfile;
  /** For each APDU, in milliseconds; default 0. */
  readonly latencyMs?: number;
  readonly faults?: readonly CardFault[];
  readonly record?: RecordApdu;
  readonly onState?: (state: VpcdClientState) => void;
}

export interface RunningCard {
  readonly atr: Uint8Array;
  /** Takes the card out of the reader and closes its file. */
  close(): Promise<void>;
}

/**
 * A card from its file into a virtual reader, and back into it whenever it falls out. Throws
 * CardFileError.
 */
export function runCard(options: RunCardOptions): RunningCard {
  const { path, reader, clock, record, onState } = options;
  const file = CardFile.open(path);
  const storage = new CuttableStorage(file);
  const card = new FaultyCard(cardIn(file, storage, options), clock, options.faults, storage);
  const client = new VpcdClient({
    address: reader,
    card: record === undefined ? card : traced(card, record),
    clock,
    ...(onState !== undefined && { onState }),
  });
  client.insert();
  return {
    atr: card.atr,
    async close() {
      await client.remove();
      file.close();
    },
  };
}

function cardIn(file: CardFile, storage: CuttableStorage, options: RunCardOptions): Card {
  const { clock, entropy, latencyMs, apduProfile } = options;
  try {
    return new Card({
      storage,
      primitives: noblePrimitives,
      entropy,
      clock,
      ...(latencyMs !== undefined && { latencyMs }),
      ...(apduProfile !== undefined && { apduProfile }),
    });
  } catch (error) {
    file.close();
    if (!(error instanceof TlvError)) throw error;
    throw new CardFileError('card-file-damaged', file.path, 'this is no card', error);
  }
}
