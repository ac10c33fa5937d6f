import { wipe } from '../../applet-spec/bytes.ts';
import { frameOverheadBytes } from './frame-cipher.ts';
import { putRowItem, rowItemBytes } from './frame-item.ts';
import { linkLimits } from './link-limits.ts';

const frameRoomBytes = linkLimits.frameBytes - frameOverheadBytes;

/** One item that waits for its frame: a row's record, or an item that is whole already. */
interface Queued {
  readonly rowId: bigint | undefined;
  readonly content: Uint8Array;
  /** Of the item. */
  readonly bytes: number;
}

/** What goes out next. */
export interface DraftFrame {
  /** Its items; a view that holds until the next frame is drafted. */
  readonly plaintext: Uint8Array;
  /** Rows and told messages, as against what the two ends of the link say to each other. */
  readonly traffic: number;
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
  /** One place for all frames, and not fresh memory for each. */
  #draft = new Uint8Array(0);

  get rows(): number {
    return this.#words.length + this.#payments.length;
  }

  /** Of the link itself; they never wait for a fresh traffic key. False where no more fit. */
  addOwn(item: Uint8Array): boolean {
    if (this.#own.length >= linkLimits.queuedOwn) return false;
    this.#own.push({ rowId: undefined, content: item, bytes: item.length });
    return true;
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

  addRow(carries: 'word' | 'payment', rowId: bigint, record: Uint8Array): void {
    const bytes = rowItemBytes(record.length);
    (carries === 'word' ? this.#words : this.#payments).push({ rowId, content: record, bytes });
    this.#rowBytes += bytes;
  }

  /** False where no more fit. */
  addTold(item: Uint8Array): boolean {
    const bytes = this.#toldBytes + item.length;
    if (this.#told.length >= linkLimits.queuedTold) return false;
    if (this.#told.length > 0 && bytes > linkLimits.queuedToldBytes) return false;
    this.#told.push({ rowId: undefined, content: item, bytes: item.length });
    this.#toldBytes = bytes;
    return true;
  }

  /** Traffic, as against the link's own items. */
  get hasTraffic(): boolean {
    return this.rows + this.#told.length > 0;
  }

  /** The next frame, or undefined; `trafficMost` bounds rows and told messages in it. */
  nextFrame(trafficMost: number): DraftFrame | undefined {
    const frame: Queued[] = [];
    let bytes = 0;
    /** Moves the first items of a queue into the frame; returns how many bytes they have. */
    const fill = (queue: Queued[], most: number): number => {
      const before = bytes;
      let count = 0;
      for (const next of queue) {
        if (count === most || frame.length === linkLimits.frameItems) break;
        // One that is larger than a frame's fill goes with the first frame that can hold it.
        const isLarge = next.bytes > linkLimits.frameFillBytes;
        const roomBytes = isLarge ? frameRoomBytes : linkLimits.frameFillBytes;
        if (frame.length > 0 && bytes + next.bytes > roomBytes) break;
        frame.push(next);
        bytes += next.bytes;
        count++;
      }
      queue.splice(0, count);
      return bytes - before;
    };
    fill(this.#own, linkLimits.frameItems);
    const own = frame.length;
    const trafficLeft = (): number => trafficMost - (frame.length - own);
    this.#rowBytes -= fill(this.#words, trafficLeft());
    this.#toldBytes -= fill(this.#told, trafficLeft());
    this.#rowBytes -= fill(this.#payments, trafficLeft());
    if (frame.length === 0) return undefined;
    return { plaintext: this.#write(frame, bytes), traffic: frame.length - own };
  }

  /** Everything is gone with the connection. */
  clear(): void {
    this.#own = [];
    this.#words = [];
    this.#told = [];
    this.#payments = [];
    this.#rowBytes = 0;
    this.#toldBytes = 0;
    wipe(this.#draft);
  }

  #write(frame: readonly Queued[], bytes: number): Uint8Array {
    if (bytes > this.#draft.length) {
      wipe(this.#draft);
      this.#draft = new Uint8Array(Math.max(bytes, 2 * this.#draft.length));
    }
    let at = 0;
    for (const { rowId, content } of frame) {
      if (rowId === undefined) {
        this.#draft.set(content, at);
        at += content.length;
      } else {
        at = putRowItem(this.#draft, at, rowId, content);
      }
    }
    return this.#draft.subarray(0, bytes);
  }
}
