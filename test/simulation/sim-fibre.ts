import type { Entropy } from '../../applet-spec/primitives.ts';
import { MemoryDevicePair } from '../scenario/memory-device.ts';
import type { Edge } from '../scenario/road-plan.ts';
import type { Dice } from './dice.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimSockets } from './sim-sockets.ts';

/** What can befall a fibre and the devices at its ends. */
export const mishaps = ['cut', 'dark', 'trickle', 'forgetful'] as const;
/** The same where keys are dear: also at one end alone, and a few at a time. */
export const dearths = ['cut', 'dark', 'trickle', 'forgetful', 'one-way', 'bursts'] as const;
export type Mishap = (typeof dearths)[number];

/** So many seconds between two keys of a device that only trickles. */
const trickleSeconds = 4;
/** Now and then as many keys as a payment under `otp` needs, and a few receipts. */
const burstSeconds = 40;
const burstKeys = 150;

export class SimFibre {
  readonly edge: Edge;
  readonly devices: MemoryDevicePair;
  readonly #sockets: SimSockets;
  #cancel: () => void = () => undefined;

  constructor(edge: Edge, entropy: Entropy, sockets: SimSockets) {
    this.edge = edge;
    this.devices = new MemoryDevicePair(entropy, entropy);
    this.#sockets = sockets;
  }

  befall(mishap: Mishap, clock: SimClock, dice: Dice): void {
    this.mend();
    const { from, to } = this.edge;
    switch (mishap) {
      case 'cut':
        this.devices.keysLeft = 0;
        this.#sockets.cut(from, to);
        return;
      case 'dark':
        this.devices.keysLeft = 0;
        return;
      case 'trickle':
        this.devices.keysLeft = 0;
        this.#trickle(clock, trickleSeconds, 1);
        return;
      case 'bursts':
        this.devices.keysLeft = 0;
        this.#trickle(clock, burstSeconds, burstKeys);
        return;
      case 'one-way':
        this.devices.leftAt.set(dice.oneOf([from, to]), 0);
        return;
      case 'forgetful':
        this.devices.forgets = () => dice.happens(1, 5);
    }
  }

  mend(): void {
    this.#cancel();
    this.#cancel = () => undefined;
    this.devices.keysLeft = Number.POSITIVE_INFINITY;
    this.devices.forgets = () => false;
    this.devices.leftAt.clear();
    this.#sockets.mend(this.edge.from, this.edge.to);
  }

  #trickle(clock: SimClock, everySeconds: number, keys: number): void {
    this.#cancel = clock.after(1_000 * everySeconds, () => {
      this.devices.keysLeft += keys;
      this.#trickle(clock, everySeconds, keys);
    });
  }
}
