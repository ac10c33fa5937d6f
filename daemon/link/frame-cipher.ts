/**
 * Frames under AES-256-GCM. One counter a direction runs through all keys of a connection:
 *
 *     epoch (4) ‖ sequence (8) ‖ ciphertext ‖ tag (16)
 *     nonce = associated data = the first 12 bytes
 *
 * Frames arrive in the order they were sent, or the connection is no longer ours.
 */
import { concatBytes, wipe } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { deriveKey } from '../../applet-spec/kdf.ts';
import { GCM_TAG_BYTES } from '../../applet-spec/primitive-input.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { LinkError } from './link-error.ts';
import { linkLimits, linkTimes } from './link-limits.ts';

const headerBytes = 12;
/** What sealing adds to a frame. */
export const frameOverheadBytes = headerBytes + GCM_TAG_BYTES;
/** Below the 2^32 of SP 800-38D §8.3, and exact as a number. */
const sequenceMost = 0xffff_fffe;

export type LinkDirection = 'to-listener' | 'to-dialler';

/**
 * A traffic key, from 256 QKD bits drawn by the sender. `greeting` is the digest of the handshake's
 * first two messages: both nonces, both names, network, version and suite.
 */
export function trafficKey(
  primitives: Primitives,
  qkdBits: Uint8Array,
  binding: {
    readonly greeting: Uint8Array;
    readonly direction: LinkDirection;
    readonly epoch: number;
  },
): Uint8Array {
  const context = concatBytes(binding.greeting, uint32(binding.epoch));
  const { direction } = binding;
  const purpose = { label: 'keytoll link 1', use: 'traffic', direction, context };
  const derived = deriveKey(primitives, qkdBits, purpose);
  wipe(qkdBits);
  return derived;
}

export class FrameSealer {
  readonly #primitives: Primitives;
  #epoch: number;
  #trafficKey: Uint8Array;
  #sequence: number;

  /** `first` is the first frame's number; only tests begin elsewhere than at 0. */
  constructor(primitives: Primitives, firstKey: Uint8Array, first = 0) {
    this.#primitives = primitives;
    this.#trafficKey = firstKey;
    this.#epoch = 1;
    this.#sequence = first;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /**
   * One frame; `plaintext` is its items.
   * @throws LinkError `counter-exhausted`: no nonce is ever used twice.
   */
  seal(plaintext: Uint8Array): Uint8Array {
    const sequence = this.#sequence;
    if (sequence > sequenceMost) {
      throw new LinkError('counter-exhausted', 'the last frame of this connection was sent');
    }
    // Counted before sealing: a fault below must not let the nonce return.
    this.#sequence = sequence + 1;
    const header = encodeHeader(this.#epoch, sequence);
    const sealed = this.#primitives.aesGcmSeal(this.#trafficKey, header, plaintext, header);
    return concatBytes(header, sealed);
  }

  /** From the next frame on. */
  rekey(epoch: number, nextKey: Uint8Array): void {
    wipe(this.#trafficKey);
    this.#trafficKey = nextKey;
    this.#epoch = epoch;
  }

  close(): void {
    wipe(this.#trafficKey);
    this.#sequence = Number.POSITIVE_INFINITY;
  }
}

export class FrameOpener {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #trafficKeys = new Map<number, Uint8Array>();
  readonly #cancels = new Set<() => void>();
  #newest = 1;
  #begun = 1;
  #sequence = 0;

  constructor(primitives: Primitives, clock: Clock, firstKey: Uint8Array) {
    this.#primitives = primitives;
    this.#clock = clock;
    this.#trafficKeys.set(1, firstKey);
  }

  /** Throws LinkError; a frame that is refused changes nothing. */
  open(frame: Uint8Array): Uint8Array {
    if (frame.length > linkLimits.frameBytes) {
      throw new LinkError('frame-too-long', `a frame of ${frame.length} bytes`);
    }
    if (frame.length <= frameOverheadBytes) {
      throw new LinkError('frame-malformed', `a frame of ${frame.length} bytes`);
    }
    const header = frame.subarray(0, headerBytes);
    const view = new DataView(frame.buffer, frame.byteOffset, headerBytes);
    const epoch = view.getUint32(0);
    const sequence = view.getUint32(4) * 2 ** 32 + view.getUint32(8);
    const openingKey = this.#trafficKeys.get(epoch);
    const plaintext =
      openingKey &&
      this.#primitives.aesGcmOpen(openingKey, header, frame.subarray(headerBytes), header);
    if (plaintext === undefined) {
      throw new LinkError('frame-forged', 'a frame does not verify under any key of this link');
    }
    if (sequence !== this.#sequence) {
      const code = sequence < this.#sequence ? 'frame-replayed' : 'frame-out-of-order';
      throw new LinkError(code, `frame ${sequence} where ${this.#sequence} was due`);
    }
    this.#sequence++;
    if (epoch > this.#begun) this.#begin(epoch);
    return plaintext;
  }

  /**
   * The peer may use this key from now on; the one before opens frames for a while longer. Throws
   * LinkError where it has not used the last one: whoever named it uses it at once.
   */
  add(epoch: number, nextKey: Uint8Array): void {
    if (this.#newest !== this.#begun) {
      throw new LinkError('peer-out-of-bounds', 'a traffic key before the last one was used');
    }
    this.#trafficKeys.set(epoch, nextKey);
    this.#newest = epoch;
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    for (const old of this.#trafficKeys.values()) wipe(old);
    this.#trafficKeys.clear();
  }

  #begin(epoch: number): void {
    this.#begun = epoch;
    const cancel = this.#clock.after(linkTimes.oldKeyMs, () => {
      this.#cancels.delete(cancel);
      for (const [old, bytes] of this.#trafficKeys) {
        if (old >= epoch) continue;
        wipe(bytes);
        this.#trafficKeys.delete(old);
      }
    });
    this.#cancels.add(cancel);
  }
}

function encodeHeader(epoch: number, sequence: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  view.setUint32(0, epoch);
  view.setUint32(4, Math.floor(sequence / 2 ** 32));
  view.setUint32(8, sequence >>> 0);
  return header;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
