import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeEnd } from '../../../daemon/qkd/probe-check.ts';
import { probe } from '../../../daemon/qkd/probe.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { systemEntropy } from '../../../emulator/entropy.ts';
import { deviceFiles, initDevices } from '../../../emulator/qkd/device-files.ts';
import { startQkdEmulator } from '../../../emulator/qkd/qkd-emulator.ts';
import type { RunningQkdEmulator } from '../../../emulator/qkd/qkd-emulator.ts';

const execute = promisify(execFile);
let dir = '';
let emulator: RunningQkdEmulator;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keytoll-qkd-'));
  await initDevices(dir, { saes: ['q1', 'q2'], clock: systemClock, entropy: systemEntropy });
  emulator = await startQkdEmulator({
    dir,
    clock: systemClock,
    entropy: systemEntropy,
    // So slow that the stock does not grow while the test runs.
    fibre: { rateBitsPerSecond: 0.001 },
  });
});

afterAll(async () => {
  await emulator.close();
  await rm(dir, { recursive: true });
});

/** What curl gets, as an SAE: [HTTP status, body]. */
async function curl(sae: string, path: string, body?: string): Promise<[number, string]> {
  const { stdout } = await execute('curl', [
    ...['--silent', '--show-error', '--globoff', '--write-out', '\n%{http_code}'],
    ...['--cacert', join(dir, deviceFiles.ca)],
    ...['--cert', join(dir, deviceFiles.certificate(`sae-${sae}`))],
    ...['--key', join(dir, deviceFiles.privateKey(`sae-${sae}`))],
    ...(body === undefined ? [] : ['--header', 'content-type: application/json', '--data', body]),
    emulator.kmeFor(sae).url + path,
  ]);
  const cut = stdout.lastIndexOf('\n');
  return [Number(stdout.slice(cut + 1)), stdout.slice(0, cut)];
}

/** One end of the probe, all of whose requests curl makes. */
function curlEnd(saeId: string): ProbeEnd {
  const send: ProbeEnd['transport']['send'] = async (call) => {
    const [status, body] = await curl(saeId, call.path, call.body);
    return { status, body };
  };
  return { saeId, transport: { url: emulator.kmeFor(saeId).url, send } };
}

describe('the emulated key managers, asked with curl', () => {
  it('give a key on one side and the same key by its ID on the other, once', async () => {
    const [status, container] = await curl('q1', '/api/v1/keys/q2/enc_keys');
    expect(status).toBe(200);
    expect(container).toMatch(
      /^\{"keys":\[\{"key_ID":"[0-9a-f-]{36}","key":"[A-Za-z0-9+/]{43}="\}\]\}$/,
    );
    const id = /"key_ID":"([^"]+)"/.exec(container)?.[1] ?? '';
    const body = JSON.stringify({ key_IDs: [{ key_ID: id }] });
    expect(await curl('q2', '/api/v1/keys/q1/dec_keys', body)).toEqual([200, container]);
    expect(await curl('q2', `/api/v1/keys/q1/dec_keys?key_ID=${id}`)).toEqual([
      400,
      '{"message":"one or more keys specified are not found on KME"}',
    ]);
  });

  it('answer Get status with every member of the standard', async () => {
    const [status, body] = await curl('q1', '/api/v1/keys/q2/status');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      source_KME_ID: 'kme-q1',
      target_KME_ID: 'kme-q2',
      master_SAE_ID: 'q1',
      slave_SAE_ID: 'q2',
      key_size: 256,
      stored_key_count: 16_383,
      max_key_count: 16_384,
      max_key_per_request: 128,
      max_key_size: 4_096,
      min_key_size: 64,
      max_SAE_ID_count: 0,
    });
  });

  it('write private keys that nobody else can read', async () => {
    const { mode } = await stat(join(dir, deviceFiles.privateKey('sae-q1')));
    expect(mode & 0o777).toBe(0o600);
  });

  it('have certificates that openssl accepts', async () => {
    const { stdout } = await execute('openssl', [
      ...['verify', '-CAfile', join(dir, deviceFiles.ca)],
      ...['kme-q1', 'sae-q1'].map((id) => join(dir, deviceFiles.certificate(id))),
    ]);
    expect(
      stdout
        .trim()
        .split('\n')
        .every((line) => line.endsWith(': OK')),
    ).toBe(true);
  });

  it('pass the whole conformance suite that the adapter’s own probe is', async () => {
    const report = await probe({
      ...{ master: curlEnd('q1'), slave: curlEnd('q2'), peerSaeId: 'q2' },
      ...{ clock: systemClock, entropy: systemEntropy },
    });
    expect(report.checks.filter(({ result }) => result !== 'conforms')).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(25);
  });
});
