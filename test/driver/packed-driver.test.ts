/**
 * The driver as a library, from the packed tarball in an empty folder, as README.md shows it. What
 * `npm install` would fetch is linked from what is installed here: a registry may be out of reach
 * or slow, it compiles native code for minutes, and no run would be like the one before.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { concatBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import { pinReference } from '../../applet-spec/commands.ts';
import type { Card } from '../../emulator/card/card.ts';
import { VpcdClient, type VpcdAddress } from '../../emulator/card/vpcd-client.ts';
import { systemClock } from '../../emulator/clock.ts';
import { coinOf } from '../contract/applet-papers.ts';
import { load, pin } from '../contract/applet-subject.ts';
import { cardInHand } from '../contract/card-in-hand.ts';
import { describeWithPcscd } from '../contract/with-pcscd.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const modules = join(root, 'node_modules');

const manifest = z
  .object({
    dependencies: z.record(z.string(), z.string()),
    optionalDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

let folder: string;
let app: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-packed-'));
  app = join(folder, 'app');
  mkdirSync(join(app, 'node_modules'), { recursive: true });
  // Built already; a build in the middle of the tests would take their programs away.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  await run('tar', ['-xzf', join(folder, tarball), '-C', folder]);
  await run('mv', [join(folder, 'package'), join(app, 'node_modules/keytoll')]);
  // What a registry would give, from what is installed here.
  const wanted = [manifest.dependencies, manifest.optionalDependencies].flatMap(Object.keys);
  for (const name of [...wanted, '@types/node', 'undici-types']) {
    const installed = join(modules, name);
    if (!existsSync(installed)) continue;
    const link = join(app, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(installed, link);
  }
  writeFileSync(join(app, 'package.json'), '{"type":"module"}');
}, 60_000);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The TypeScript under "Only the driver" in README.md. */
function readmeExample(): string {
  const page = readFileSync(join(root, 'README.md'), 'utf8');
  const [, example = ''] = /^## Only the driver$[^]*?^```ts$\n([^]*?)^```$/m.exec(page) ?? [];
  expect(example).toContain("from 'keytoll/driver'");
  return example;
}

const pinOfExample = (): string => /pin: '(\d+)'/.exec(readmeExample())?.[1] ?? '';

/** A card with two coins, and the PIN that the example knows. */
async function cardOfExample(): Promise<Card> {
  const { card, subject } = cardInHand('library');
  const station = await subject.enrol();
  await load(station, coinOf(1, { value: 30n }), coinOf(2));
  const both = concatBytes(toUtf8(pin), toUtf8(pinOfExample()));
  await subject.host.done('changeReferenceData', both, 0, pinReference);
  return card;
}

/** Runs the example with a card that is put in while it runs, and gives back what it printed. */
async function runExample(example: string, address: VpcdAddress): Promise<string> {
  const script = join(app, 'example.mjs');
  writeFileSync(script, example);
  const client = new VpcdClient({ address, card: await cardOfExample(), clock: systemClock });
  client.insert();
  try {
    return (await run(process.execPath, [script])).stdout;
  } finally {
    await client.remove();
  }
}

const printed = '30n unspent\n100n unspent\n';

describe('the packed driver', () => {
  it('compiles against its own declarations', async () => {
    writeFileSync(join(app, 'example.mts'), readmeExample());
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
    const tsc = join(modules, 'typescript/bin/tsc');
    const wanted = [...options, '--types', 'node', 'example.mts'];
    await expect(run(process.execPath, [tsc, ...wanted], { cwd: app })).resolves.toMatchObject({
      stdout: '',
    });
  }, 60_000);

  it('runs the example of README.md with a card in a virtual reader', async () => {
    const path = join(folder, 'reader.sock');
    const example = readmeExample().replace("'pcsc'", `'virtual:${path}'`);
    expect(await runExample(example, { path })).toBe(printed);
  });

  it('shows nothing but what package.json exports', async () => {
    writeFileSync(join(app, 'pry.mjs'), "await import('keytoll/dist/driver/driver.js');");
    await expect(run(process.execPath, [join(app, 'pry.mjs')])).rejects.toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  it('brings its programs along, and what they read', async () => {
    const keytoll = join(app, 'node_modules/keytoll/dist/driver');
    const { stdout } = await run(process.execPath, [join(keytoll, 'cli/keytoll.js'), '--help']);
    expect(stdout).toContain('Usage: keytoll');
    expect(existsSync(join(keytoll, 'reader/70-keytoll.rules'))).toBe(true);
  });
});

describeWithPcscd('the packed driver behind pcscd', (pcscd) => {
  it('runs the example of README.md as it stands', async () => {
    const address = { host: '127.0.0.1', port: pcscd().ports[0] };
    expect(await runExample(readmeExample(), address)).toBe(printed);
  });
});
