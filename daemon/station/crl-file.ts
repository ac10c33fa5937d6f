/**
 * Watches the operator's CRL file: a newer list counts from the next look on, without a restart.
 * Where the CA's folder is at hand, its lists are renewed in time as well.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../../applet-spec/clock.ts';
import { derOfFile } from '../ca/pem.ts';
import type { Log } from './log.ts';

const lookEveryMs = 10_000;

export class CrlFile {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #renew: () => Promise<Uint8Array | undefined>;
  readonly #learn: (der: Uint8Array) => Promise<'newer' | 'known' | 'refused'>;
  #seenMs = 0;
  #closed = false;
  #looking: Promise<void> = Promise.resolve();
  #cancel: () => void = () => undefined;

  constructor(
    file: string,
    clock: Clock,
    learn: (der: Uint8Array) => Promise<'newer' | 'known' | 'refused'>,
    /** The CA's list, made anew where the last one is half through its time; nothing from afar. */
    renew: () => Promise<Uint8Array | undefined>,
  ) {
    this.#renew = renew;
    this.#file = file;
    this.#clock = clock;
    this.#learn = learn;
  }

  start(log: Log): void {
    this.#looking = this.#look(log)
      .catch((error: unknown) => {
        log.warn({ file: this.#file, err: error }, 'the CRL file cannot be read');
      })
      .finally(() => {
        if (this.#closed) return;
        this.#cancel = this.#clock.after(lookEveryMs, () => {
          this.start(log);
        });
      });
  }

  /** Resolves once no look is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#looking;
  }

  async #look(log: Log): Promise<void> {
    const renewed = await this.#renew();
    if (renewed !== undefined) await this.#learn(renewed);
    const { mtimeMs } = statSync(this.#file);
    if (mtimeMs === this.#seenMs) return;
    const der = derOfFile('X509 CRL', readFileSync(this.#file));
    const learnt = der === undefined ? 'refused' : await this.#learn(der);
    this.#seenMs = mtimeMs;
    if (learnt === 'refused') log.warn({ file: this.#file }, 'the CRL file is not of our CA');
    if (learnt === 'newer') log.info({ file: this.#file }, 'a new CRL is in force');
  }
}
