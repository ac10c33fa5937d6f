import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../applet-spec/clock.ts';
import { QkdError } from './qkd-error.ts';

/**
 * PEM files: the CA that the device's certificate chains to, our SAE certificate, its private key.
 */
export interface CredentialFiles {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Rises with every change. */
  readonly generation: number;
}

export interface DeviceCredentialsOptions {
  readonly clock: Clock;
  /** How often at most the files are looked at for changes. Default 5,000. */
  readonly checkEveryMs?: number;
  /** Called when changed files cannot be used; the old certificate stays in use. */
  readonly onReloadFailure?: (error: QkdError) => void;
}

/**
 * The SAE's certificate and key, read again when the files change, so that they rotate in service.
 */
export class DeviceCredentials {
  readonly #files: CredentialFiles;
  readonly #options: DeviceCredentialsOptions;
  #current: Credentials;
  #stamp: string;
  #checkedAtMs: number;

  /** @throws QkdError `authentication` where the files cannot be read or do not belong together. */
  constructor(files: CredentialFiles, options: DeviceCredentialsOptions) {
    this.#files = files;
    this.#options = options;
    this.#stamp = stampOf(files);
    this.#current = read(files, 1);
    this.#checkedAtMs = options.clock.nowMs();
  }

  /** What to use now. Half-written or mismatched new files are reported and tried again later. */
  current(): Credentials {
    const { clock, checkEveryMs = 5_000 } = this.#options;
    // Also where the clock was set back.
    if (Math.abs(clock.nowMs() - this.#checkedAtMs) >= checkEveryMs) {
      this.#checkedAtMs = clock.nowMs();
      try {
        if (stampOf(this.#files) !== this.#stamp) this.reload();
      } catch (error) {
        if (!(error instanceof QkdError)) throw error;
        this.#options.onReloadFailure?.(error);
      }
    }
    return this.#current;
  }

  /** Reads the files at once. @throws QkdError `authentication`; the old ones then stay in use. */
  reload(): void {
    const stamp = stampOf(this.#files);
    this.#current = read(this.#files, this.#current.generation + 1);
    this.#stamp = stamp;
  }
}

function stampOf(files: CredentialFiles): string {
  try {
    return [files.caFile, files.certificateFile, files.privateKeyFile]
      .map((file) => statSync(file))
      .map(({ mtimeMs, size, ino }) => `${String(mtimeMs)}/${String(size)}/${String(ino)}`)
      .join(' ');
  } catch (cause) {
    throw unusable(files, cause);
  }
}

function read(files: CredentialFiles, generation: number): Credentials {
  try {
    const ca = readFileSync(files.caFile, 'utf8');
    const cert = readFileSync(files.certificateFile, 'utf8');
    const key = readFileSync(files.privateKeyFile, 'utf8');
    createSecureContext({ ca, cert, key });
    return { ca, cert, key, generation };
  } catch (cause) {
    throw unusable(files, cause);
  }
}

function unusable(files: CredentialFiles, cause: unknown): QkdError {
  const { caFile, certificateFile, privateKeyFile } = files;
  const reason = cause instanceof Error ? cause.message : 'unknown reason';
  return new QkdError(
    'authentication',
    `cannot use ${caFile}, ${certificateFile} and ${privateKeyFile}: ${reason}`,
    { cause },
  );
}
