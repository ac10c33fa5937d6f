import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { wipe } from '../applet-spec/bytes.ts';
import type { Clock } from '../applet-spec/clock.ts';
import { labels } from '../applet-spec/labels.ts';
import type { Entropy } from '../applet-spec/primitives.ts';
import { EntropyError } from './entropy-error.ts';
import { HealthTests } from './entropy-health.ts';

export interface QuantumEntropyOptions {
  /** A character device, a named pipe or a file of raw bytes. */
  readonly source: string;
  /** The system's generator, which is mixed in. */
  readonly system: Entropy;
  readonly clock: Clock;
  /** What the maker claims, in bits; default 4. */
  readonly minEntropyPerByte?: number;
  /** Tested raw bytes to hold ready; default 262,144. */
  readonly poolBytes?: number;
  /** How long `reserve` waits for the device; default 5,000. */
  readonly stallMs?: number;
}

/** SP 800-90B §4.3: tested before the first use, and thrown away. */
const startUpSamples = 1_024;
const blockBytes = 32;
const readBytes = 16_384;
/** Of claimed min-entropy per block: 256 bits and a margin of 64. */
const blockEntropyBits = 320;

/**
 * Coin secrets from a quantum random number generator: SHA-256(label ‖ QRNG ‖ system generator), so
 * that neither a broken device nor a broken system weakens the other. Every raw byte passes the
 * health tests of NIST SP 800-90B before it is used, none is used twice, and after a failure
 * nothing comes any more. The device is read ahead, off the main thread.
 */
export class QuantumEntropy implements Entropy {
  readonly #options: QuantumEntropyOptions;
  readonly #file: FileHandle;
  readonly #tests: HealthTests;
  readonly #rawBytesPerBlock: number;
  readonly #poolBytes: number;
  #chunks: Uint8Array[] = [];
  #ready = 0;
  #reading: Promise<void> | undefined;
  #failure: EntropyError | undefined;
  #wanted = 0;
  readonly #waiting = new Set<() => void>();

  private constructor(options: QuantumEntropyOptions, file: FileHandle) {
    const minEntropyPerByte = options.minEntropyPerByte ?? 4;
    this.#options = options;
    this.#file = file;
    this.#tests = new HealthTests(minEntropyPerByte);
    this.#rawBytesPerBlock = Math.ceil(blockEntropyBits / minEntropyPerByte);
    this.#poolBytes = options.poolBytes ?? 262_144;
  }

  /** @throws EntropyError where the source cannot be read or fails its start-up tests. */
  static async open(options: QuantumEntropyOptions): Promise<QuantumEntropy> {
    let file: FileHandle;
    try {
      file = await open(options.source, 'r');
    } catch (error) {
      const { source } = options;
      throw new EntropyError('source-unavailable', source, 'cannot be opened', error);
    }
    const entropy = new QuantumEntropy(options, file);
    try {
      await entropy.#await(startUpSamples);
      entropy.#takeRaw(startUpSamples);
    } catch (error) {
      await entropy.close();
      throw error;
    }
    entropy.#readAhead();
    return entropy;
  }

  /** What is wrong with the source, for status and log; undefined while all is well. */
  get failure(): EntropyError | undefined {
    return this.#failure;
  }

  /**
   * Resolves once `randomBytes` can give `length` bytes.
   * @throws EntropyError, `source-slow` when the device has not delivered them in time.
   */
  async reserve(length: number): Promise<void> {
    await this.#await(this.#rawFor(length));
  }

  /** @throws EntropyError where the source has failed, or has not delivered enough yet. */
  randomBytes(length: number): Uint8Array {
    const raw = this.#rawFor(length);
    if (this.#ready < raw) {
      this.#wanted = Math.max(this.#wanted, raw);
      this.#readAhead();
      throw this.#failure ?? this.#slow();
    }
    const bytes = new Uint8Array(length);
    for (let offset = 0; offset < length; offset += blockBytes) {
      const block = this.#mixedBlock();
      bytes.set(block.subarray(0, length - offset), offset);
      wipe(block);
    }
    this.#readAhead();
    return bytes;
  }

  /** Wipes what is held ready. A device that hangs in a read is closed when that read ends. */
  async close(): Promise<void> {
    this.#fail(new EntropyError('source-unavailable', this.#options.source, 'was closed'));
    if (this.#reading === undefined) await this.#file.close();
  }

  #mixedBlock(): Uint8Array {
    const quantum = this.#takeRaw(this.#rawBytesPerBlock);
    const system = this.#options.system.randomBytes(blockBytes);
    const hash = createHash('sha256').update(labels.coinSecret).update(quantum).update(system);
    const block = Uint8Array.from(hash.digest());
    wipe(quantum);
    wipe(system);
    return block;
  }

  #rawFor(length: number): number {
    return Math.ceil(length / blockBytes) * this.#rawBytesPerBlock;
  }

  #takeRaw(length: number): Uint8Array {
    const raw = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) throw this.#failure ?? this.#slow();
      const part = chunk.subarray(0, length - filled);
      raw.set(part, filled);
      filled += part.length;
      this.#ready -= part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
      wipe(part);
    }
    return raw;
  }

  async #await(raw: number): Promise<void> {
    const { clock, stallMs = 5_000 } = this.#options;
    // Told by the timer alone: the clock may be set back, and a timer be a little early by it.
    const patience = { isOver: false };
    const cancel = clock.after(stallMs, () => {
      patience.isOver = true;
      this.#wakeAll();
    });
    try {
      while (this.#ready < raw) {
        if (this.#failure !== undefined) throw this.#failure;
        if (patience.isOver) throw this.#slow();
        this.#wanted = Math.max(this.#wanted, raw);
        const woken = new Promise<void>((resolve) => this.#waiting.add(resolve));
        this.#readAhead();
        await woken;
      }
    } finally {
      cancel();
    }
  }

  #readAhead(): void {
    const goal = Math.max(this.#poolBytes, this.#wanted);
    if (this.#reading !== undefined || this.#failure !== undefined || this.#ready >= goal) return;
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      if (this.#failure === undefined) this.#readAhead();
      // A failed source is not read again; closing it twice does no harm.
      else void this.#file.close().catch(() => undefined);
      this.#wakeAll();
    });
  }

  async #read(): Promise<void> {
    const { source } = this.#options;
    const buffer = new Uint8Array(readBytes);
    let length: number;
    try {
      ({ bytesRead: length } = await this.#file.read(buffer, 0, readBytes, null));
    } catch (error) {
      this.#fail(new EntropyError('source-unavailable', source, 'cannot be read', error));
      return;
    }
    if (this.#failure !== undefined) return;
    if (length === 0) {
      // What was read before the end has been tested and is still good.
      this.#failure = new EntropyError('source-exhausted', source, 'has come to its end');
      return;
    }
    const samples = buffer.subarray(0, length);
    const failed = this.#tests.run(samples);
    if (failed !== undefined) {
      const message = `fails the ${failed} test: it is defective, and coins are issued no more`;
      this.#fail(new EntropyError('source-unhealthy', source, message));
      return;
    }
    this.#chunks.push(samples);
    this.#ready += length;
    if (this.#ready >= this.#wanted) this.#wanted = 0;
  }

  /** For good: what is held ready may be as bad as what was found. */
  #fail(error: EntropyError): void {
    this.#failure = error;
    for (const chunk of this.#chunks) wipe(chunk);
    this.#chunks = [];
    this.#ready = 0;
    this.#wakeAll();
  }

  #slow(): EntropyError {
    return new EntropyError('source-slow', this.#options.source, 'has not delivered enough yet');
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
