/** A recorder between reader and card: what an eavesdropper on the contacts would have. */
import { appendFileSync } from 'node:fs';
import { toHex } from '../../applet-spec/bytes.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';

export type TraceSide = 'reader' | 'card';
export type RecordApdu = (from: TraceSide, bytes: Uint8Array) => void;

/** `card`, with every command and every answer shown to `record` as they pass. */
export function traced(card: SoftwareCard, record: RecordApdu): SoftwareCard {
  return {
    atr: card.atr,
    powerOn: () => {
      card.powerOn();
    },
    powerOff: () => {
      card.powerOff();
    },
    reset: () => {
      card.reset();
    },
    async process(command) {
      record('reader', command);
      const response = await card.process(command);
      record('card', response);
      return response;
    },
  };
}

/** One line of JSON an APDU: `{"from":"reader","apdu":"00A4…"}`. The file holds the PIN. */
export function traceFile(path: string): RecordApdu {
  return (from, bytes) => {
    const line = JSON.stringify({ from, apdu: toHex(bytes).toUpperCase() });
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
  };
}
