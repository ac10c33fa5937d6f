/**
 * The CA's folder. Every record is a file of its own that is created once, so that a station which
 * issues and an operator who revokes may work at the same time, without a lock. Only one thing is
 * learnt later: that a key whose certificate was revoked had been stolen.
 *
 * | file | holds |
 * |---|---|
 * | `root.key.pem` | the root's private key, mode 0600 |
 * | `root.pem` | the root's certificate |
 * | `issued/SERIAL.json` | one certificate: role, name, dates, hashes; never its bytes |
 * | `revoked/SERIAL.json` | when and why it was revoked |
 * | `crl/NUMBER.crl` | the lists, DER; the highest number is in force |
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { certificateRoles } from '../../applet-spec/certificate-roles.ts';
import { makeFolders } from '../folders.ts';
import { CaError } from './ca-error.ts';
import { createFile, isNodeError, replaceFile, syncFolder } from './durable-file.ts';
import { decodePem, encodePem } from './pem.ts';
import { privateKeyPem, readPrivateKeyPem, type P256KeyPair } from './p256-key-file.ts';
import { revocationReasons } from './revocation-reason.ts';

const unixSeconds = z.string().regex(/^\d{1,15}$/);

const issuedRecord = z.object({
  /** Lower-case hexadecimal. */
  serialNumber: z.string().regex(/^[0-9a-f]{2,40}$/),
  role: z.enum(certificateRoles),
  name: z.string(),
  notBefore: unixSeconds,
  notAfter: unixSeconds,
  issuedAt: unixSeconds,
  /**
   * SHA-256 of the DER: what transactions name. A user's certificate itself is kept nowhere in the
   * clear.
   */
  certificateHash: z.string(),
  publicKeyHash: z.string(),
});
export type IssuedRecord = z.infer<typeof issuedRecord>;

const revokedRecord = z.object({
  serialNumber: z.string().regex(/^[0-9a-f]{2,40}$/),
  revokedAt: unixSeconds,
  reason: z.enum(revocationReasons),
  /** When its certificate ends, and it may leave the lists. */
  notAfter: unixSeconds,
  /** Of the key that it was for: one that was stolen is certified no more. */
  publicKeyHash: z.string().optional(),
});
export type RevokedRecord = z.infer<typeof revokedRecord>;

/** How many lists stay for reference. */
const listsKept = 16;

export class CaFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /**
   * Makes the folder at once, keys, certificate and first list included. Throws CaError
   * `folder-in-use` where anything is there already.
   */
  async create(keys: P256KeyPair, root: Uint8Array, firstCrl: Uint8Array): Promise<void> {
    const draftPath = await this.#newDraft();
    try {
      const draft = new CaFolder(draftPath);
      for (const part of ['issued', 'revoked', 'crl']) await mkdir(join(draftPath, part));
      await createFile(join(draftPath, 'root.key.pem'), privateKeyPem(keys), 0o600);
      await createFile(join(draftPath, 'root.pem'), encodePem('CERTIFICATE', root), 0o644);
      await draft.addCrl(1n, firstCrl);
      // Succeeds over an empty folder, and over nothing else.
      await rename(draftPath, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await rm(draftPath, { recursive: true, force: true });
      if (!isNodeError(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw this.#unmade(error);
      throw new CaError('folder-in-use', `${this.#path} is not empty: name a new folder`, error);
    }
  }

  async #newDraft(): Promise<string> {
    const above = dirname(this.#path);
    try {
      makeFolders(above);
      return await mkdtemp(join(above, `.${basename(this.#path)}-`));
    } catch (error) {
      throw this.#unmade(error);
    }
  }

  #unmade(cause: unknown): CaError {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const words = `${this.#path} cannot be made a folder: ${detail}`;
    return new CaError('folder-unusable', words, cause);
  }

  /** Throws CaError `folder-unusable`. */
  async readRoot(): Promise<{ readonly keys: P256KeyPair; readonly root: Uint8Array }> {
    const root = decodePem('CERTIFICATE', await this.#readText('root.pem'));
    if (root === undefined) {
      throw new CaError('folder-unusable', `${join(this.#path, 'root.pem')} is no certificate`);
    }
    return { keys: readPrivateKeyPem(await this.#readText('root.key.pem')), root };
  }

  /** False where the serial number was issued before. */
  async addIssued(record: IssuedRecord): Promise<boolean> {
    return this.#addRecord('issued', record.serialNumber, issuedRecord.encode(record));
  }

  async issued(serialNumber: string): Promise<IssuedRecord | undefined> {
    return this.#readRecord('issued', serialNumber, issuedRecord);
  }

  async allIssued(): Promise<IssuedRecord[]> {
    return this.#readRecords('issued', issuedRecord);
  }

  /** False where it was revoked before. */
  async addRevoked(record: RevokedRecord): Promise<boolean> {
    return this.#addRecord('revoked', record.serialNumber, revokedRecord.encode(record));
  }

  async revoked(serialNumber: string): Promise<RevokedRecord | undefined> {
    return this.#readRecord('revoked', serialNumber, revokedRecord);
  }

  /** What is known of a revocation by now. */
  async amendRevoked(record: RevokedRecord): Promise<void> {
    const path = join(this.#path, 'revoked', `${record.serialNumber}.json`);
    await replaceFile(path, textOf(revokedRecord.encode(record)), 0o600);
  }

  async allRevoked(): Promise<RevokedRecord[]> {
    return this.#readRecords('revoked', revokedRecord);
  }

  /** The number in force. Throws CaError where there is no list. */
  async crlNumber(): Promise<bigint> {
    const numbers = await this.#crlNumbers();
    const last = numbers.at(-1);
    if (last === undefined) {
      throw new CaError('folder-unusable', `${join(this.#path, 'crl')} has no list: restore it`);
    }
    return last;
  }

  async readCrl(number: bigint): Promise<Uint8Array> {
    return this.#read(join('crl', crlName(number)));
  }

  /** False where another process has given out this number. */
  async addCrl(number: bigint, der: Uint8Array): Promise<boolean> {
    const added = await createFile(join(this.#path, 'crl', crlName(number)), der, 0o644);
    if (!added) return false;
    const numbers = await this.#crlNumbers();
    for (const old of numbers.slice(0, -listsKept)) {
      await rm(join(this.#path, 'crl', crlName(old)), { force: true });
    }
    return true;
  }

  async #crlNumbers(): Promise<bigint[]> {
    const names = await this.#names('crl');
    return names
      .flatMap((name) => /^(\d{12})\.crl$/.exec(name)?.[1] ?? [])
      .sort()
      .map(BigInt);
  }

  async #addRecord(part: string, serialNumber: string, record: unknown): Promise<boolean> {
    return createFile(join(this.#path, part, `${serialNumber}.json`), textOf(record), 0o600);
  }

  async #readRecords<T>(part: string, schema: z.ZodType<T>): Promise<T[]> {
    const names = (await this.#names(part)).filter((name) => /^[0-9a-f]+\.json$/.test(name));
    const records: T[] = [];
    for (const name of names.sort()) {
      const record = await this.#readRecord(part, name.slice(0, -5), schema);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  async #readRecord<T>(
    part: string,
    serialNumber: string,
    schema: z.ZodType<T>,
  ): Promise<T | undefined> {
    const path = join(this.#path, part, `${serialNumber}.json`);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (isNodeError(error, 'ENOENT')) return undefined;
      throw error;
    }
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new CaError('folder-unusable', `${path} is damaged: restore it`, cause);
    }
  }

  async #names(part: string): Promise<string[]> {
    try {
      return await readdir(join(this.#path, part));
    } catch (cause) {
      throw this.#unusable(part, cause);
    }
  }

  async #readText(name: string): Promise<string> {
    return Buffer.from(await this.#read(name)).toString('latin1');
  }

  async #read(name: string): Promise<Uint8Array> {
    try {
      return Uint8Array.from(await readFile(join(this.#path, name)));
    } catch (cause) {
      throw this.#unusable(name, cause);
    }
  }

  #unusable(name: string, cause: unknown): CaError {
    const detail = isNodeError(cause, 'ENOENT')
      ? `has no ${name}: make a CA there with "keytolld ca init"`
      : `cannot be read (${name}): check that this user owns it`;
    return new CaError('folder-unusable', `${this.#path} ${detail}`, cause);
  }
}

function textOf(record: unknown): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

function crlName(number: bigint): string {
  return `${number.toString().padStart(12, '0')}.crl`;
}
