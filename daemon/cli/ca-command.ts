/**
 * `keytolld ca …`: the CA's desk for its operator. Parsing and printing; the work is in
 * `daemon/ca/`.
 */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { certificateHash, parseCertificate } from '../../applet-spec/certificate.ts';
import { certificateRoles, type CertificateRole } from '../../applet-spec/certificate-roles.ts';
import { parseCrl } from '../../applet-spec/crl.ts';
import { CaError } from '../ca/ca-error.ts';
import type { CaSeams, CertificateAuthority } from '../ca/certificate-authority.ts';
import { createFile, replaceFile } from '../ca/durable-file.ts';
import { drawP256Key, privateKeyPem, readPublicKeyFile } from '../ca/p256-key-file.ts';
import { derOfFile, encodePem, type PemLabel } from '../ca/pem.ts';
import { revocationReasons, type RevocationReason } from '../ca/revocation-reason.ts';
import { systemClock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { unreadable } from '../station/key-files.ts';
import { print, reporting } from './report.ts';

/** Adds `ca` with its subcommands. Tests give their own clock and entropy. */
export function registerCaCommand(
  program: Command,
  seams: CaSeams = { clock: systemClock, entropy: systemEntropy },
): void {
  const ca = program
    .command('ca')
    .description('the CA: certificates of users and stations; or of a card maker');
  addInit(ca, seams);
  addIssue(ca, seams);
  addRevoke(ca, seams);
  addCrl(ca, seams);
  addList(ca, seams);
}

interface InitOptions {
  readonly name: string;
  readonly days?: number;
  readonly json?: boolean;
}

function addInit(ca: Command, seams: CaSeams): void {
  ca.command('init')
    .description('make a CA in a new folder')
    .argument('<folder>', 'new or empty')
    .requiredOption('--name <name>', "the root's name, such as the network's")
    .option('--days <days>', 'how long the root is good for (default: 3650)', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (folder: string, options: InitOptions, command: Command) => {
      await reporting(command, async () => {
        const { CertificateAuthority } = await authorities();
        const { name, days } = options;
        const made = await CertificateAuthority.init(folder, {
          ...seams,
          name,
          ...(days !== undefined && { days }),
        });
        const fingerprint = toHex(certificateHash(opensslPrimitives, made.root));
        const root = join(folder, 'root.pem');
        print(command, options, { name, root, fingerprint }, [
          `CA "${name}" made in ${folder}`,
          `root certificate: ${root}, SHA-256 ${fingerprint}`,
          `Keep ${join(folder, 'root.key.pem')} secret, and a copy of the folder elsewhere.`,
        ]);
      });
    });
}

interface IssueOptions {
  readonly role: CertificateRole;
  readonly name: string;
  readonly publicKey?: string;
  readonly keyOut?: string;
  readonly out: string;
  readonly alt?: readonly string[];
  readonly days?: number;
  readonly json?: boolean;
}

function addIssue(ca: Command, seams: CaSeams): void {
  const publicKey = new Option('--public-key <file>', 'certify this key: PEM, DER, point or hex');
  const keyOut = new Option('--key-out <file>', 'make a key, and write it here as PEM (mode 0600)');
  ca.command('issue')
    .description('certify a public key for a role and a name')
    .argument('<folder>', "the CA's folder")
    .addOption(roleOption().makeOptionMandatory())
    .requiredOption('--name <name>', 'alice@q1 for a user, q1 for a station, a card’s serial')
    .addOption(publicKey.conflicts('keyOut'))
    .addOption(keyOut)
    .requiredOption('--out <file>', 'the certificate: .pem or .der')
    .option('--alt <name...>', 'station-tls: further DNS names and IP addresses')
    .option('--days <days>', 'how long it is good for (default: 398)', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (folder: string, options: IssueOptions, command: Command) => {
      await reporting(command, async () => {
        await issue(folder, options, command, seams);
      });
    });
}

async function issue(
  folder: string,
  options: IssueOptions,
  command: Command,
  seams: CaSeams,
): Promise<void> {
  const { role, name, days, alt, out } = options;
  const inPem = writtenAsPem(out);
  requireFolderOf(out);
  if (existsSync(out)) {
    throw new CaError(
      'bad-request',
      `${out} is there already: no certificate is overwritten; name another file`,
    );
  }
  const authority = await opened(folder, seams);
  const { publicKey, undo } = await keyToCertify(options, seams);
  let der: Uint8Array;
  try {
    der = await authority.issue({
      role,
      name,
      publicKey,
      ...(days !== undefined && { days }),
      ...(alt !== undefined && { alternativeNames: alt }),
    });
  } catch (error) {
    await undo();
    throw error;
  }
  // A user's certificate is for the card alone: whoever else reads it breaks requirement 4.
  const mode = role === 'user' ? 0o600 : 0o644;
  await writeDer(out, 'CERTIFICATE', der, inPem, mode);
  const certificate = parseCertificate(der);
  const serial = toHex(certificate.serialNumber);
  const notAfter = isoTime(certificate.notAfter);
  const keyFile = options.keyOut !== undefined && { key: options.keyOut };
  print(command, options, { serial, role, name, notAfter, certificate: out, ...keyFile }, [
    `${role} ${name}: ${out}, serial number ${serial}, good until ${notAfter}`,
    ...(options.keyOut === undefined ? [] : [`private key: ${options.keyOut}`]),
  ]);
}

async function keyToCertify(
  { publicKey, keyOut }: IssueOptions,
  { entropy }: CaSeams,
): Promise<{ readonly publicKey: Uint8Array; readonly undo: () => Promise<void> }> {
  if (publicKey !== undefined) {
    const point = readPublicKeyFile(await readInput(publicKey));
    return { publicKey: point, undo: () => Promise.resolve() };
  }
  if (keyOut === undefined) {
    throw new CaError(
      'bad-request',
      'name a key: --public-key FILE, or --key-out FILE for a new one',
    );
  }
  const keys = drawP256Key(entropy);
  if (!(await createFile(keyOut, privateKeyPem(keys), 0o600))) {
    throw new CaError('bad-request', `${keyOut} exists: no key is overwritten`);
  }
  return { publicKey: keys.publicKey, undo: () => rm(keyOut, { force: true }) };
}

interface RevokeOptions {
  readonly serial?: string;
  readonly certificate?: string;
  readonly reason: RevocationReason;
  readonly json?: boolean;
}

function addRevoke(ca: Command, seams: CaSeams): void {
  const serial = new Option('--serial <hex>', 'the serial number, as `ca list` shows it');
  const reason = new Option('--reason <reason>', 'why').choices(revocationReasons);
  ca.command('revoke')
    .description('revoke a certificate for ever')
    .argument('<folder>', "the CA's folder")
    .addOption(serial.conflicts('certificate'))
    .option('--certificate <file>', 'the certificate: PEM or DER')
    .addOption(reason.default('key-compromise'))
    .option('--json', 'print JSON')
    .action(async (folder: string, options: RevokeOptions, command: Command) => {
      await reporting(command, async () => {
        const serialNumber = await serialToRevoke(options);
        const authority = await opened(folder, seams);
        const { outcome } = await authority.revoke(serialNumber, options.reason);
        const text = toHex(serialNumber);
        if (outcome === 'unknown-serial') {
          throw new CaError('bad-request', `this CA has issued nothing with serial number ${text}`);
        }
        const crlNumber = parseCrl(await authority.freshCrl()).number.toString();
        const done = outcome === 'revoked' ? 'revoked' : 'was revoked before';
        print(command, options, { serial: text, outcome, crlNumber }, [
          `${text} ${done}; CRL ${crlNumber} says so: give stations a list (keytolld ca crl)`,
        ]);
      });
    });
}

async function serialToRevoke({ serial, certificate }: RevokeOptions): Promise<Uint8Array> {
  if (certificate !== undefined) {
    const der = derOfFile('CERTIFICATE', await readInput(certificate));
    if (der === undefined) throw new CaError('bad-request', `${certificate} is no certificate`);
    return parseCertificate(der).serialNumber;
  }
  const digits = serial?.replaceAll(':', '').toLowerCase();
  if (digits === undefined) {
    throw new CaError('bad-request', 'name a certificate: --serial HEX or --certificate FILE');
  }
  if (!/^(?:[0-9a-f]{2}){1,20}$/.test(digits)) {
    throw new CaError('bad-request', `"${digits}" is no serial number: 2 to 40 hexadecimal digits`);
  }
  return fromHex(digits);
}

interface CrlOptions {
  readonly out: string;
  readonly hours?: number;
  readonly json?: boolean;
}

function addCrl(ca: Command, seams: CaSeams): void {
  ca.command('crl')
    .description('write a new list of revoked certificates')
    .argument('<folder>', "the CA's folder")
    .requiredOption('--out <file>', 'the list: .pem, .der or .crl (DER)')
    .option('--hours <hours>', 'how long it is good for, 1 to 24 (default: 24)', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (folder: string, options: CrlOptions, command: Command) => {
      await reporting(command, async () => {
        const inPem = writtenAsPem(options.out);
        requireFolderOf(options.out);
        const authority = await opened(folder, seams);
        const der = await authority.publishCrl(options.hours);
        await writeDer(options.out, 'X509 CRL', der, inPem, 0o644);
        const crl = parseCrl(der);
        const number = crl.number.toString();
        const nextUpdate = isoTime(crl.nextUpdate);
        const revoked = [...crl.revoked];
        print(command, options, { number, nextUpdate, revoked, crl: options.out }, [
          `CRL ${number}: ${options.out}, ${revoked.length} revoked, good until ${nextUpdate}`,
        ]);
      });
    });
}

interface ListOptions {
  readonly name?: string;
  readonly role?: CertificateRole;
  readonly json?: boolean;
}

function addList(ca: Command, seams: CaSeams): void {
  ca.command('list')
    .description('show what was issued')
    .argument('<folder>', "the CA's folder")
    .option('--name <name>', 'of this name only')
    .addOption(roleOption())
    .option('--json', 'print JSON')
    .action(async (folder: string, options: ListOptions, command: Command) => {
      await reporting(command, async () => {
        const authority = await opened(folder, seams);
        const issued = (await authority.issued()).filter(
          ({ name, role }) => name === (options.name ?? name) && role === (options.role ?? role),
        );
        const lines = issued.map(({ serialNumber, role, name, notAfter, revoked }) => {
          const state = revoked ? 'revoked' : `good until ${isoTime(BigInt(notAfter))}`;
          return `${serialNumber}  ${role}  ${name}  ${state}`;
        });
        print(command, options, { issued }, lines.length === 0 ? ['nothing issued'] : lines);
      });
    });
}

function roleOption(): Option {
  return new Option('--role <role>', 'who the certificate is for').choices(certificateRoles);
}

/** The library that issues takes 150 ms to load: only when the CA's desk is open. */
async function authorities() {
  return import('../ca/certificate-authority.ts');
}

async function opened(folder: string, seams: CaSeams): Promise<CertificateAuthority> {
  const { CertificateAuthority } = await authorities();
  return CertificateAuthority.open(folder, seams);
}

function writtenAsPem(path: string): boolean {
  const ending = extname(path).toLowerCase();
  if (ending === '.pem') return true;
  if (ending === '.der' || ending === '.crl' || ending === '.cer') return false;
  throw new CaError('bad-request', `${path}: end the name in .pem, or in .der for DER`);
}

/** Before anything is certified that could not be written then. */
function requireFolderOf(path: string): void {
  if (existsSync(dirname(path))) return;
  throw new CaError('bad-request', `${path} cannot be written: its folder is not there`);
}

async function writeDer(
  path: string,
  label: PemLabel,
  der: Uint8Array,
  inPem: boolean,
  mode: number,
): Promise<void> {
  try {
    await replaceFile(path, inPem ? encodePem(label, der) : der, mode);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new CaError('bad-request', `${path} cannot be written: ${detail}`, error);
  }
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return Uint8Array.from(await readFile(path));
  } catch (error) {
    throw new CaError('bad-request', unreadable(path, error), { cause: error });
  }
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number above 0');
}

function isoTime(unixSeconds: bigint): string {
  return new Date(Number(unixSeconds) * 1000).toISOString().replace('.000Z', 'Z');
}
