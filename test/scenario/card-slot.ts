/** Where a user's card is put in, and a hand that pulls it. */
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Reader } from '../../driver/reader/connection.ts';
import { InProcessReader } from '../../driver/reader/in-process-reader.ts';
import { PcscReader } from '../../driver/reader/pcsc-reader.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { VirtualReader } from '../../driver/reader/virtual-reader.ts';
import type { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import { VpcdClient } from '../../emulator/card/vpcd-client.ts';
import type { WireRecorder } from '../../emulator/demo/recorder.ts';
import { pcscChildPath } from '../contract/pcscd-presence.ts';
import { eventually } from './eventually.ts';

/** One of the two readers of a pcscd that the environment names. */
export interface PcscdSlot {
  readonly pcscd: PrivatePcscd;
  readonly slot: 0 | 1;
}

/** Throws Error for a third. */
export function pcscdSlot(pcscd: PrivatePcscd, slot: number): PcscdSlot {
  if (slot !== 0 && slot !== 1) throw new Error('pcscd has two readers');
  return { pcscd, slot };
}

export interface CardSlot {
  readonly reader: Reader;
  /** Resolves when the reader has noticed. */
  readonly pullOut: () => Promise<void>;
  readonly putIn: () => void;
}

export interface CardSlotSeams {
  readonly clock: Clock;
  /** Where the card's wire is to be recorded; without it the card has no wire. */
  readonly recorder?: WireRecorder;
  /** The real stack between reader and card; wants a recorder. */
  readonly pcscd?: PcscdSlot;
}

/** Without a wire, or through the recorder like a cable with a tap. The card is in. */
export async function insertCard(
  card: SoftwareCard,
  name: string,
  folder: string,
  { clock, recorder, pcscd }: CardSlotSeams,
): Promise<CardSlot> {
  if (recorder === undefined) {
    const reader = new InProcessReader(`reader of ${name}`);
    reader.insert(card);
    return { reader, pullOut: async () => reader.remove(), putIn: () => reader.insert(card) };
  }
  const wire = { segment: 'card-host', name: `card of ${name}` } as const;
  if (pcscd !== undefined) {
    const { address } = await recorder.relay({
      ...wire,
      listen: { host: '127.0.0.1', port: 0 },
      target: { host: '127.0.0.1', port: pcscd.pcscd.ports[pcscd.slot] },
    });
    const reader = await PcscReader.open({
      clock,
      reader: `00 0${pcscd.slot}`,
      childPath: pcscChildPath,
    });
    return slotOf(reader, new VpcdClient({ address, card, clock }));
  }
  const path = join(folder, 'reader.sock');
  const tap = join(folder, 'tap.sock');
  const reader = await VirtualReader.listen({ kind: 'unix', path }, clock);
  await recorder.relay({ ...wire, listen: { path: tap }, target: { path } });
  return slotOf(reader, new VpcdClient({ address: { path: tap }, card, clock }));
}

function slotOf(reader: Reader, client: VpcdClient): CardSlot {
  client.insert();
  const pullOut = async (): Promise<void> => {
    await client.remove();
    // A card that is put in sooner, be it by the next story, would be taken for this one.
    await eventually('the reader is empty', () => !reader.cardPresent);
  };
  return { reader, pullOut, putIn: () => client.insert() };
}
