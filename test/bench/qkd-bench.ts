/**
 * Keys from an emulated key manager in a process of its own, through the adapter and through a bare
 * HTTPS loop; and what a payment costs in QKD bits on each hop.
 */
import { once } from 'node:events';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../daemon/clock.ts';
import { DeviceCredentials } from '../../daemon/qkd/device-credentials.ts';
import { Etsi014Client } from '../../daemon/qkd/etsi-014-client.ts';
import { Etsi014Transport } from '../../daemon/qkd/etsi-014-transport.ts';
import { deviceFiles } from '../../emulator/qkd/device-files.ts';
import { runProgram, startProgram, type BenchProgram } from './bench-program.ts';
import { against, percentile, rounded, type Figure } from './figure.ts';
import { bitsFigures } from './qkd-bits.ts';

const keysPerRequest = 128;
const keyBits = 256;
/** More than any loop draws; emulated fibres are patient. */
const plentyBits = '1000000000000';
/** Adapter and reference take turns, and the median counts. */
const rounds = 3;

export async function qkdFigures(options: {
  readonly seconds: number;
}): Promise<readonly Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'keytoll-qkd-bench-'));
  try {
    const adapter = await adapterFigure(dir, options.seconds / (4 * rounds));
    return [adapter, ...(await bitsFigures())];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function adapterFigure(dir: string, seconds: number): Promise<Figure> {
  await runProgram('keytoll-emulator', ['qkd', 'init', dir, '--sae', 'q1', '--sae', 'q2']);
  const limits = ['--max-keys-per-request', `${keysPerRequest}`, '--stock', plentyBits];
  const device = await startProgram('keytoll-emulator', ['qkd', 'run', dir, ...limits], {
    logFile: join(dir, 'device.log'),
  });
  const url = urlOf(device);
  const client = openClient(dir, url);
  const bare = new BareClient(dir, url);
  try {
    const rates = { adapter: [] as number[], bare: [] as number[] };
    await keysPerSecond(() => client.draw(keysPerRequest, keyBits), seconds);
    for (let round = 0; round < rounds; round++) {
      rates.bare.push(await keysPerSecond(() => bare.draw(), seconds));
      rates.adapter.push(
        await keysPerSecond(async () => {
          const { length } = await client.draw(keysPerRequest, keyBits);
          if (length !== keysPerRequest) throw new Error(`the device gave ${length} keys`);
        }, seconds),
      );
    }
    const value = rounded(percentile(rates.adapter, 0.5), 0);
    return against(
      { name: 'qkd.adapter', value, unit: 'keys/s' },
      { name: 'bare HTTPS', value: rounded(percentile(rates.bare, 0.5), 0) },
    );
  } finally {
    bare.close();
    await client.close();
    await device.end();
  }
}

/** Of one request after the other, each for `keysPerRequest`. */
async function keysPerSecond(ask: () => Promise<unknown>, seconds: number): Promise<number> {
  const startMs = performance.now();
  let keys = 0;
  let passedMs = 0;
  while (passedMs < 1_000 * seconds) {
    await ask();
    keys += keysPerRequest;
    passedMs = performance.now() - startMs;
  }
  return keys / (passedMs / 1_000);
}

function openClient(dir: string, url: string): Etsi014Client {
  const clock = systemClock;
  const files = {
    caFile: join(dir, deviceFiles.ca),
    certificateFile: join(dir, deviceFiles.certificate('sae-q1')),
    privateKeyFile: join(dir, deviceFiles.privateKey('sae-q1')),
  };
  const credentials = new DeviceCredentials(files, { clock });
  const transport = new Etsi014Transport({ url, clock, credentials });
  return new Etsi014Client({ clock, transport, peerSaeId: 'q2' });
}

/** What there is without an adapter: a kept connection, and answers that nobody reads. */
class BareClient {
  readonly #agent: Agent;
  readonly #target: RequestOptions;
  readonly #body = JSON.stringify({ number: keysPerRequest });

  constructor(dir: string, url: string) {
    const read = (file: string): string => readFileSync(join(dir, file), 'utf8');
    this.#agent = new Agent({
      keepAlive: true,
      ca: read(deviceFiles.ca),
      cert: read(deviceFiles.certificate('sae-q1')),
      key: read(deviceFiles.privateKey('sae-q1')),
    });
    const { hostname, port } = new URL(url);
    this.#target = { hostname, port, method: 'POST', path: '/api/v1/keys/q2/enc_keys' };
  }

  async draw(): Promise<void> {
    const asked = request({
      ...this.#target,
      agent: this.#agent,
      headers: { 'content-type': 'application/json', 'content-length': this.#body.length },
    });
    const answered = new Promise<void>((resolve, reject) => {
      asked.once('error', reject);
      asked.once('response', (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
        once(answer.resume(), 'end').then(() => {
          resolve();
        }, reject);
      });
    });
    asked.end(this.#body);
    await answered;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Of the key manager of q1, the first. */
function urlOf(device: BenchProgram): string {
  const { kmes } = device.ready;
  const first: unknown = Array.isArray(kmes) ? kmes[0] : undefined;
  const url: unknown = typeof first === 'object' && first !== null && Reflect.get(first, 'url');
  if (typeof url !== 'string') throw new Error('the emulator named no URL');
  return url;
}
