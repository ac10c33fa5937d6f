import { frameOverheadBytes } from './frame-cipher.ts';
import { linkLimits } from './link-limits.ts';
import { sizeOf } from './link-record.ts';

const frameRoomBytes = linkLimits.frameBytes - frameOverheadBytes;

/** One item that waits for its frame. */
export interface Queued {
  /** One behind the other. */
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** A row or a told message, as against what the two ends of the link say to each other. */
  readonly traffic: boolean;
}

/**
 * What waits for a frame, in the order of urgency: the link's own items, words (receipts and
 * advice), told messages, payments (I33). Within each, first come first served.
 */
export class SendQueue {
  #own: Queued[] = [];
  #words: Queued[] = [];
  #told: Queued[] = [];
  #payments: Queued[] = [];
  #rowBytes = 0;
  #toldBytes = 0;

  get rows(): number {
    return this.#words.length + this.#payments.length;
  }

  /** Of the link itself; they never wait for a fresh traffic key. */
  addOwn(item: Uint8Array): void {
    this.#own.push({ pieces: [item], bytes: item.length, traffic: false });
  }

  /**
   * Room for these rows? An empty queue takes any number, so that no batch is ever refused for
   * ever.
   */
  hasRoom(rows: number, bytes: number): boolean {
    return (
      this.rows === 0 ||
      (this.rows + rows <= linkLimits.queuedRows &&
        this.#rowBytes + bytes <= linkLimits.queuedRowBytes)
    );
  }

  addRow(carries: 'word' | 'payment', pieces: readonly Uint8Array[]): void {
    const bytes = sizeOf(pieces);
    (carries === 'word' ? this.#words : this.#payments).push({ pieces, bytes, traffic: true });
    this.#rowBytes += bytes;
  }

  /** False where no more fit. */
  addTold(item: Uint8Array): boolean {
    const bytes = this.#toldBytes + item.length;
    if (this.#told.length >= linkLimits.queuedTold) return false;
    if (this.#told.length > 0 && bytes > linkLimits.queuedToldBytes) return false;
    this.#told.push({ pieces: [item], bytes: item.length, traffic: true });
    this.#toldBytes = bytes;
    return true;
  }

  /** Traffic, as against the link's own items. */
  get hasTraffic(): boolean {
    return this.rows + this.#told.length > 0;
  }

  /** The items of the next frame; `trafficMost` bounds rows and told messages among them. */
  nextFrame(trafficMost: number): Queued[] {
    const frame: Queued[] = [];
    let bytes = 0;
    const fill = (queue: Queued[], most: number): Queued[] => {
      let count = 0;
      while (count < queue.length && count < most && frame.length < linkLimits.frameItems) {
        const next = queue[count] as Queued;
        // One that is larger than a frame's fill goes with the first frame that can hold it.
        const isLarge = next.bytes > linkLimits.frameFillBytes;
        const roomBytes = isLarge ? frameRoomBytes : linkLimits.frameFillBytes;
        if (frame.length > 0 && bytes + next.bytes > roomBytes) break;
        frame.push(next);
        bytes += next.bytes;
        count++;
      }
      return queue.splice(0, count);
    };
    fill(this.#own, linkLimits.frameItems);
    let left = trafficMost;
    const words = fill(this.#words, left);
    left -= words.length;
    const told = fill(this.#told, left);
    left -= told.length;
    const payments = fill(this.#payments, left);
    this.#rowBytes -= bytesOf(words) + bytesOf(payments);
    this.#toldBytes -= bytesOf(told);
    return frame;
  }

  /** Everything is gone with the connection. */
  clear(): void {
    this.#own = [];
    this.#words = [];
    this.#told = [];
    this.#payments = [];
    this.#rowBytes = 0;
    this.#toldBytes = 0;
  }
}

function bytesOf(queued: readonly Queued[]): number {
  return queued.reduce((sum, { bytes }) => sum + bytes, 0);
}
