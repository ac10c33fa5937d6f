import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { toHex } from '../../applet-spec/bytes.ts';
import { makeFolders } from '../folders.ts';
import type { KmePlan } from './key-network.ts';

/** Where things are in the folder of a group of key managers. */
export const deviceFiles = {
  plan: 'qkd.json',
  ca: 'ca.crt.pem',
  caKey: 'ca.key.pem',
  certificate: (id: string) => `${id}.crt.pem`,
  privateKey: (id: string) => `${id}.key.pem`,
} as const;

export interface DevicePlan {
  readonly version: 1;
  readonly kmes: readonly KmePlan[];
}

export interface InitDevicesOptions {
  /** One key manager, called `kme-` and its name, is made for each SAE. */
  readonly saes: readonly string[];
  /** Names and addresses in the key managers' certificates, besides their IDs. */
  readonly hosts?: readonly string[];
  readonly days?: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

type PrivateKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * Writes the device CA, the key managers' and the SAEs' certificates and keys (PEM; keys with mode
 * 0600), and the plan.
 * @throws RangeError where the names are unusable.
 */
export async function initDevices(dir: string, options: InitDevicesOptions): Promise<DevicePlan> {
  const { saes, hosts = ['localhost', '127.0.0.1', '::1'] } = options;
  if (saes.length < 2 || new Set(saes).size !== saes.length) {
    throw new RangeError('at least two different SAE IDs are needed');
  }
  const bad = saes.find((sae) => !idPattern.test(sae));
  if (bad !== undefined) {
    throw new RangeError(`"${bad}" is no SAE ID: letters, digits, ".", "_" and "-" are`);
  }
  makeFolders(dir);
  const plan: DevicePlan = {
    version: 1,
    kmes: saes.map((sae) => ({ id: `kme-${sae}`, saes: [sae] })),
  };
  const authority = await makeAuthority(dir, options);
  for (const { id } of plan.kmes) await issue(dir, id, authority, options, [id, ...hosts]);
  for (const sae of saes) await issue(dir, `sae-${sae}`, authority, options, [], sae);
  await writeFile(join(dir, deviceFiles.plan), `${JSON.stringify(plan, null, 2)}\n`);
  return plan;
}

/** Another certificate for an SAE, from the same CA and under the same file names: a rotation. */
export async function renewSae(
  dir: string,
  sae: string,
  options: Omit<InitDevicesOptions, 'saes'>,
): Promise<void> {
  const certificate = new x509.X509Certificate(await readFile(join(dir, deviceFiles.ca), 'utf8'));
  const pkcs8 = x509.PemConverter.decodeFirst(await readFile(join(dir, deviceFiles.caKey), 'utf8'));
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  await issue(dir, `sae-${sae}`, { certificate, signingKey }, options, [], sae);
}

export async function readPlan(dir: string): Promise<DevicePlan> {
  const file = join(dir, deviceFiles.plan);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const makes = `keytoll-emulator qkd init DIR --sae q1 --sae q2`;
    throw new RangeError(`${dir} holds no key managers: \`${makes}\` makes some`, { cause });
  });
  const plan = jsonOf(text);
  if (!isPlan(plan)) throw new RangeError(`${file} is no plan of key managers`);
  return plan;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isPlan(value: unknown): value is DevicePlan {
  if (typeof value !== 'object' || value === null) return false;
  const kmes: unknown = Reflect.get(value, 'kmes');
  return Reflect.get(value, 'version') === 1 && Array.isArray(kmes) && kmes.every(isKmePlan);
}

function isKmePlan(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const saes: unknown = Reflect.get(value, 'saes');
  return (
    typeof Reflect.get(value, 'id') === 'string' &&
    Array.isArray(saes) &&
    saes.every((sae) => typeof sae === 'string')
  );
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly signingKey: PrivateKey;
}

async function makeAuthority(
  dir: string,
  options: Omit<InitDevicesOptions, 'saes'>,
): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(options),
    serialNumber: serial(options.entropy),
    name: [{ CN: ['QKD device CA'] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeFile(join(dir, deviceFiles.ca), `${certificate.toString('pem')}\n`);
  await writePrivateKey(join(dir, deviceFiles.caKey), keys.privateKey);
  return { certificate, signingKey: keys.privateKey };
}

/** Issues to `fileName`; with host names it is a server's certificate, without a client's. */
async function issue(
  dir: string,
  fileName: string,
  authority: Authority,
  options: Omit<InitDevicesOptions, 'saes'>,
  hosts: readonly string[],
  commonName = fileName,
): Promise<void> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names: x509.JsonGeneralName[] = (hosts.length > 0 ? hosts : [commonName]).map((value) => ({
    type: isIP(value) === 0 ? 'dns' : 'ip',
    value,
  }));
  const usage =
    hosts.length > 0 ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(options),
    serialNumber: serial(options.entropy),
    subject: [{ CN: [commonName] }],
    issuer: authority.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  await writePrivateKey(join(dir, deviceFiles.privateKey(fileName)), keys.privateKey);
  await writeFile(join(dir, deviceFiles.certificate(fileName)), `${certificate.toString('pem')}\n`);
}

async function writePrivateKey(file: string, key: PrivateKey): Promise<void> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key);
  await writeFile(file, `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, { mode: 0o600 });
}

function validity({ clock, days = 365 }: Omit<InitDevicesOptions, 'saes'>): {
  readonly notBefore: Date;
  readonly notAfter: Date;
} {
  const dayMs = 86_400_000;
  const nowMs = clock.nowMs();
  return { notBefore: new Date(nowMs - dayMs), notAfter: new Date(nowMs + days * dayMs) };
}

/** RFC 5280 §4.1.2.2: positive. */
function serial(entropy: Entropy): string {
  return `01${toHex(entropy.randomBytes(15))}`;
}
