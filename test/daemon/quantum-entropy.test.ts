import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { systemClock } from '../../daemon/clock.ts';
import { EntropyError } from '../../daemon/entropy-error.ts';
import { HealthTests } from '../../daemon/entropy-health.ts';
import { QuantumEntropy } from '../../daemon/quantum-entropy.ts';
import type { QuantumEntropyOptions } from '../../daemon/quantum-entropy.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';
import { UnsteadyClock } from './unsteady-clock.ts';

let dir = '';
const opened: QuantumEntropy[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keytoll-qrng-'));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((entropy) => entropy.close()));
  await rm(dir, { recursive: true });
});

async function sourceOf(bytes: Uint8Array): Promise<string> {
  const source = join(dir, 'qrng');
  await writeFile(source, bytes);
  return source;
}

async function quantum(
  source: string,
  options: Partial<QuantumEntropyOptions> = {},
): Promise<QuantumEntropy> {
  const system = seededEntropy('system');
  const entropy = await QuantumEntropy.open({ source, system, clock: systemClock, ...options });
  opened.push(entropy);
  return entropy;
}

const random = (length: number): Uint8Array => seededEntropy('qrng').randomBytes(length);
const zeros: Entropy = { randomBytes: (length) => new Uint8Array(length) };

describe('the quantum random number generator', () => {
  it('is mixed with the system generator: SHA-256(label ‖ QRNG ‖ system)', async () => {
    const raw = random(4_096);
    const entropy = await quantum(await sourceOf(raw));
    const system = seededEntropy('system').randomBytes(32);
    const expected = createHash('sha256')
      .update('keytoll coin secret 1\0')
      .update(raw.subarray(1_024, 1_024 + 80))
      .update(system)
      .digest();
    await entropy.reserve(32);
    expect(entropy.randomBytes(32)).toEqual(Uint8Array.from(expected));
  });

  it('cannot weaken the system generator, nor the other way round', async () => {
    const source = await sourceOf(random(8_192));
    const secrets = new Set<string>();
    for (const system of [zeros, zeros, seededEntropy('a'), seededEntropy('b')]) {
      const entropy = await quantum(source, { system });
      await entropy.reserve(64);
      secrets.add(Buffer.from(entropy.randomBytes(32)).toString('hex'));
      secrets.add(Buffer.from(entropy.randomBytes(32)).toString('hex'));
    }
    // The same raw bytes and the same zeros give the same two; everything else differs.
    expect(secrets.size).toBe(6);
  });

  it('gives any number of bytes', async () => {
    const entropy = await quantum(await sourceOf(random(8_192)));
    for (const length of [0, 1, 31, 32, 33, 100]) {
      await entropy.reserve(length);
      expect(entropy.randomBytes(length)).toHaveLength(length);
    }
  });

  it('stops at the end of a file, after what was good of it', async () => {
    const entropy = await quantum(await sourceOf(random(1_024 + 160)));
    await entropy.reserve(64);
    entropy.randomBytes(64);
    await expect(entropy.reserve(32)).rejects.toMatchObject({ code: 'source-exhausted' });
    expect(() => entropy.randomBytes(32)).toThrow(EntropyError);
  });

  it.each([
    ['a stuck device', new Uint8Array(4_096), /repetition count/],
    ['a biased device', biased(4_096), /adaptive proportion/],
  ])('finds %s before anything of it is used', async (_, raw, words) => {
    const error: unknown = await quantum(await sourceOf(raw)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'source-unhealthy', retryable: false });
    expect(String(error)).toMatch(words);
  });

  it('gives nothing more once it has failed in service', async () => {
    const raw = new Uint8Array(65_536);
    raw.set(random(16_384));
    const entropy = await quantum(await sourceOf(raw), { poolBytes: 1_000 });
    await entropy.reserve(32);
    expect(entropy.randomBytes(32)).toHaveLength(32);
    await expect(entropy.reserve(8_192)).rejects.toMatchObject({ code: 'source-unhealthy' });
    expect(() => entropy.randomBytes(1)).toThrow(/repetition count/);
    expect(entropy.failure).toMatchObject({ code: 'source-unhealthy' });
  });

  it('that hangs is reported, and used again when it goes on', async () => {
    const source = join(dir, 'pipe');
    execFileSync('mkfifo', [source]);
    const device = await open(source, 'r+');
    await device.write(random(2_048));
    const entropy = await quantum(source, { stallMs: 50 });
    await expect(entropy.reserve(1_024)).rejects.toMatchObject({
      code: 'source-slow',
      retryable: true,
    });
    await device.write(random(8_192));
    await entropy.reserve(1_024);
    expect(entropy.randomBytes(1_024)).toHaveLength(1_024);
    await entropy.close();
    await device.write(random(16));
    await device.close();
  });

  it('that hangs is reported also where the clock is set back meanwhile', async () => {
    const source = join(dir, 'pipe');
    execFileSync('mkfifo', [source]);
    const device = await open(source, 'r+');
    await device.write(random(2_048));
    const time = new VirtualClock();
    const clock = new UnsteadyClock(time);
    const entropy = await quantum(source, { clock });
    let code: unknown;
    const reserved = entropy.reserve(8_192).catch((error: unknown) => {
      code = error instanceof EntropyError ? error.code : error;
    });
    clock.set(-1);
    time.advance(5_000);
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(code).toBe('source-slow');
    await entropy.close();
    await device.write(random(16));
    await device.close();
    await reserved;
  });

  it('that is not there is named', async () => {
    const source = join(dir, 'nothing');
    await expect(quantum(source)).rejects.toMatchObject({ code: 'source-unavailable', source });
  });
});

describe('the health tests of SP 800-90B', () => {
  // Cut-offs computed independently, with exact fractions, for α = 2^-20 and W = 512.
  it.each([
    [1, 21, 311],
    [2, 11, 177],
    [4, 6, 62],
    [6, 5, 25],
    [8, 4, 13],
  ])('at %d bits a byte have the cut-offs %d and %d', (entropy, repetition, proportion) => {
    const tests = new HealthTests(entropy);
    expect(tests.repetitionCutoff).toBe(repetition);
    expect(tests.proportionCutoff).toBe(proportion);
  });

  it('pass a million good bytes', () => {
    expect(new HealthTests(7).run(random(1_000_000))).toBeUndefined();
  });

  it('fail at the very sample that reaches the cut-off, across calls', () => {
    const tests = new HealthTests(4);
    expect(tests.run(new Uint8Array(5))).toBeUndefined();
    expect(tests.run(new Uint8Array(1))).toBe('repetition count');
  });

  it('refuse a claim of more than 8 bits a byte, or of none', () => {
    expect(() => new HealthTests(8.1)).toThrow(RangeError);
    expect(() => new HealthTests(0)).toThrow(RangeError);
  });
});

/** Every fourth byte is the same: no long run, but far too many of one value. */
function biased(length: number): Uint8Array {
  return random(length).map((byte, i) => (i % 4 === 0 ? 7 : byte));
}
