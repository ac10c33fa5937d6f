/** `keytolld keys` and `ca`, and a station's start, as an operator goes from one to the next. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { registerCaCommand } from '../../../daemon/cli/ca-command.ts';
import { registerKeysCommand } from '../../../daemon/cli/keys-command.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { serveAdmin } from '../../../daemon/station/admin-socket.ts';
import { adminSocketOf } from '../../../daemon/station/station.ts';
import { runningStation } from './running-station.ts';
import { readStationConfig } from '../../../daemon/station/config.ts';
import { expiriesOf, expiryWords } from '../../../daemon/station/expiries.ts';
import { announcedBesides, openIdentity, openTrust } from '../../../daemon/station/identity.ts';
import type { KeyReport } from '../../../daemon/station/key-report.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { certifyStation } from '../../../daemon/station/station-papers.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const dayMs = 86_400_000;
const station = toStationName('q1');
let seams: { readonly clock: VirtualClock; readonly entropy: ReturnType<typeof seededEntropy> };
let folder: string;
let config: string;
let ca: string;

beforeEach(async () => {
  seams = { clock: new VirtualClock(Date.UTC(2026, 6, 1, 12)), entropy: seededEntropy('keys') };
  folder = mkdtempSync(join(tmpdir(), 'keytoll-keys-'));
  ca = join(folder, 'ca');
  await CertificateAuthority.init(ca, { ...seams, name: 'test root' });
  const { entropy } = seams;
  config = initStationFolder(folder, { station, network: 'test', currency: 'EUR', entropy });
  await certifyStation(folder, station, ca, seams);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function at(...names: readonly string[]): string {
  return join(folder, ...names);
}

async function keytolld(...words: readonly string[]): Promise<{ out: string; error: string }> {
  const said = { out: '', error: '' };
  const program = new Command('keytolld').exitOverride().configureOutput({
    writeOut: (text) => (said.out += text),
    writeErr: (text) => (said.error += text),
  });
  registerKeysCommand(program, seams);
  registerCaCommand(program, seams);
  const all = (one: Command): Command[] => [one, ...one.commands.flatMap(all)];
  for (const command of all(program))
    command.exitOverride().configureOutput(program.configureOutput());
  await program.parseAsync(words, { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof Error) || !('exitCode' in error)) throw error;
  });
  return said;
}

async function listed(): Promise<KeyReport> {
  return JSON.parse(
    (await keytolld('keys', 'list', '--config', config, '--json')).out,
  ) as KeyReport;
}

async function freshList(): Promise<void> {
  await keytolld('ca', 'crl', ca, '--out', at('certificates', 'crl.der'));
}

/** What a station that starts now signs with. */
function identity() {
  const read = readStationConfig(config);
  const own = { ...seams, primitives };
  const trust = openTrust(read, own);
  const found = openIdentity(read, own, trust);
  const former = announcedBesides(read, found, trust, seams.clock);
  return { config: read, trust, clock: seams.clock, identity: found, former };
}

describe('keytolld keys', () => {
  it('rotates a key with a CA elsewhere; each command names the next', async () => {
    const before = identity().identity;
    const made = await keytolld('keys', 'rotate', 'coin', '--config', config);
    expect(statSync(at('keys', 'coin-2.pem')).mode & 0o777).toBe(0o600);
    expect(identity().identity.coinKey.publicKey).toEqual(before.coinKey.publicKey);
    const issue = made.out.split('\n').find((line) => line.includes('keytolld ca issue'));
    expect((await listed()).waiting).toMatchObject([{ file: at('keys', 'coin-2.pem') }]);
    seams.clock.advance(1_000);
    const words = (issue ?? '').trim().split(' ').slice(1);
    await keytolld(...words.map((word) => (word === 'CA' ? ca : word)));
    const { identity: now } = identity();
    expect(now.coinKey.publicKey).not.toEqual(before.coinKey.publicKey);
    expect(now.documentKey.publicKey).toEqual(before.documentKey.publicKey);
    expect(identity().former).toEqual([before.coinCertificate]);
    const { certificates, waiting } = await listed();
    expect(waiting).toEqual([]);
    const states = certificates.map(({ kind, state, privateKey }) => [kind, state, privateKey]);
    expect(states).toEqual([
      ['coin', 'in use', at('keys', 'coin-2.pem')],
      ['coin', 'former', at('keys', 'coin.pem')],
      ['document', 'in use', at('keys', 'document.pem')],
    ]);
  });

  it('renews a certificate for the same key, by the CA on this machine', async () => {
    const before = identity().identity;
    seams.clock.advance(300 * dayMs);
    await freshList();
    const { out } = await keytolld('keys', 'renew', 'document', '--config', config, '--ca', ca);
    expect(out).toContain(`${at('certificates', 'document-2.der')} certifies`);
    expect(existsSync(at('keys', 'document-2.pem'))).toBe(false);
    const { identity: now } = identity();
    expect(now.documentKey.publicKey).toEqual(before.documentKey.publicKey);
    expect(now.documentCertificate).not.toEqual(before.documentCertificate);
    expect(identity().former).toEqual([before.documentCertificate]);
  });

  it('tells until when a former certificate and its private key are needed', async () => {
    seams.clock.advance(1_000);
    for (const kind of ['coin', 'document']) {
      await keytolld('keys', 'rotate', kind, '--config', config, '--ca', ca);
    }
    const { certificates, superfluous } = await listed();
    const former = certificates.filter(({ state }) => state === 'former');
    expect(former.map(({ kind, notAfter, neededUntil }) => [kind, notAfter, neededUntil])).toEqual([
      ['coin', '2027-08-03', '2028-08-02'],
      ['document', '2027-08-03', '2027-09-03'],
    ]);
    expect(superfluous.map(({ file }) => file)).toEqual([
      at('keys', 'coin.pem'),
      at('keys', 'document.pem'),
    ]);
    rmSync(at('keys', 'coin.pem'));
    expect(identity().former).toHaveLength(2);
  });

  it('says which a running station signs with now, and which once it starts anew', async () => {
    const { identity: now } = identity();
    const serial = (der: Uint8Array): string => toHex(parseCertificate(der).serialNumber);
    const signsWith = {
      coin: serial(now.coinCertificate),
      document: serial(now.documentCertificate),
    };
    const { close } = await serveAdmin(
      adminSocketOf(readStationConfig(config)),
      runningStation(signsWith),
    );
    seams.clock.advance(1_000);
    await keytolld('keys', 'rotate', 'coin', '--config', config, '--ca', ca);
    const { certificates, superfluous } = await listed();
    const { out } = await keytolld('keys', 'list', '--config', config);
    await close();
    expect(certificates.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'coin after restart',
      'coin in use',
      'document in use',
    ]);
    expect(superfluous).toEqual([]);
    expect(out).toMatch(/^coin: coin-2\.der, in use once the station starts anew, 2026/m);
    const stopped = (await listed()).certificates.map(({ kind, state }) => `${kind} ${state}`);
    expect(stopped).toEqual(['coin in use', 'coin former', 'document in use']);
  });

  it('shows a revoked one as that, and tells nobody of it any more', async () => {
    seams.clock.advance(1_000);
    await keytolld('keys', 'rotate', 'coin', '--config', config, '--ca', ca);
    await keytolld('ca', 'revoke', ca, '--certificate', at('certificates', 'coin.der'));
    await freshList();
    const states = (await listed()).certificates.map(({ kind, state }) => `${kind} ${state}`);
    expect(states).toEqual(['coin in use', 'coin revoked', 'document in use']);
    expect(identity().former).toEqual([]);
  });

  it('knows of a revocation as soon as the CA beside it does', async () => {
    writeFileSync(config, readFileSync(config, 'utf8').replace('[ca]', `[ca]\nfolder = "${ca}"`));
    seams.clock.advance(1_000);
    await keytolld('keys', 'rotate', 'coin', '--config', config);
    await keytolld('ca', 'revoke', ca, '--certificate', at('certificates', 'coin.der'));
    const states = (await listed()).certificates.map(({ kind, state }) => `${kind} ${state}`);
    expect(states).toEqual(['coin in use', 'coin revoked', 'document in use']);
  });

  it('a stolen key is revoked under all its certificates, and certified no more', async () => {
    seams.clock.advance(1_000);
    await keytolld('keys', 'renew', 'coin', '--config', config, '--ca', ca);
    await keytolld('ca', 'revoke', ca, '--certificate', at('certificates', 'coin.der'));
    await freshList();
    const coins = (await listed()).certificates.filter(({ kind }) => kind === 'coin');
    expect(coins.map(({ state }) => state)).toEqual(['revoked', 'revoked']);
    expect(identity).toThrow(/coin-2\.der does not hold: revoked/);
    const again = await keytolld('keys', 'renew', 'coin', '--config', config, '--ca', ca);
    expect(again.error).toContain('this key was stolen, as its revoked certificate says');
    await keytolld('keys', 'rotate', 'coin', '--config', config, '--ca', ca);
    expect(identity().former).toEqual([]);
  });

  it('makes no more than others can be told of', async () => {
    for (let i = 0; i < 9; i++) {
      seams.clock.advance(1_000);
      await keytolld('keys', 'renew', 'coin', '--config', config, '--ca', ca);
    }
    const { error } = await keytolld('keys', 'rotate', 'coin', '--config', config, '--ca', ca);
    expect(error).toMatch(/8 former coin certificates are still needed, coin.der until 2028-08-02/);
    expect(existsSync(at('keys', 'coin-10.pem'))).toBe(false);
    expect(identity().former).toHaveLength(8);
  });
});

describe('a station whose certificate does not hold', () => {
  it('does not start, and says what to do', async () => {
    seams.clock.advance(399 * dayMs);
    await freshList();
    expect(identity).toThrow(
      /coin\.der does not hold: expired, .*; run `keytolld keys renew coin` or `keytolld keys rotate/,
    );
    for (const kind of ['coin', 'document']) {
      await keytolld('keys', 'renew', kind, '--config', config, '--ca', ca);
    }
    expect(identity().former).toHaveLength(2);
  });
});

describe('what ends', () => {
  const words = () => expiriesOf(identity()).flatMap((one) => expiryWords(one) ?? []);

  it.each([
    [367, []],
    [
      369,
      ['coin certificate ends on 2027-08-03T12:00:00.000Z: keytolld keys renew coin --config '],
    ],
    [392, ['coin certificate ENDS ON 2027-08-03T12:00:00.000Z: keytolld keys renew coin']],
  ])('is told in good time: after %i days', async (days, expected) => {
    seams.clock.advance(days * dayMs);
    await freshList();
    const told = words().filter((line) => line.startsWith('coin'));
    expect(told).toHaveLength(expected.length);
    expected.forEach((line, i) => expect(told[i]).toContain(line));
  });

  it('a station that runs on beside a newer certificate is to be restarted', async () => {
    const running = identity();
    seams.clock.advance(1_000);
    await keytolld('keys', 'rotate', 'coin', '--config', config, '--ca', ca);
    const [line] = expiriesOf(running).flatMap((one) => expiryWords(one) ?? []);
    const next = at('certificates', 'coin-2.der');
    expect(line).toMatch(/^coin certificate ends on 2027-08-03/);
    expect(line).toContain(`restart the station, which signs under ${next} then`);
    expect(words()).toEqual([]);
  });

  it.each([
    [15, []],
    [17, ['CRL 1 ends on 2026-07-02T11:59:00.000Z: put the CA']],
    [23, ['CRL 1 ENDS ON 2026-07-02T11:59:00.000Z: put the CA']],
  ])('is told of the list of revoked certificates, too: after %i hours', (hours, expected) => {
    seams.clock.advance(hours * 3_600_000);
    expect(words()).toHaveLength(expected.length);
    expected.forEach((line, i) => expect(words()[i]).toContain(line));
  });

  it('names a certificate that was revoked while the station runs', async () => {
    const running = identity();
    const [serial] = (await listed()).certificates.map((one) => one.serial);
    const authority = await CertificateAuthority.open(ca, seams);
    await authority.revoke(fromHex(serial ?? ''));
    running.trust.learnCrl(await authority.freshCrl());
    const [line] = expiriesOf(running).flatMap((one) => expiryWords(one) ?? []);
    expect(line).toMatch(/^revoked coin certificate does not hold; .*: keytolld keys rotate coin/);
  });
});
