/** `keytoll card conformance`, as a person and a script see it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeDelivery } from '../../../applet-spec/card-delivery.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { runKeytoll } from '../../../driver/cli/program.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { Card } from '../../../emulator/card/card.ts';
import { VpcdClient } from '../../../emulator/card/vpcd-client.ts';
import type { SoftwareCard } from '../../../driver/reader/software-card.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { testMaker } from '../../contract/test-maker.ts';
import { defectiveCard } from '../conformance/defective-card.ts';
import { TestTerminal } from './test-terminal.ts';

const entropy = seededEntropy('command line');
const { image, delivery } = makeCard(entropy, 't1-short', testMaker);
let folder: string;
let client: VpcdClient | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-conformance-'));
  writeFileSync(join(folder, 'delivery.json'), encodeDelivery(delivery));
});
afterEach(async () => {
  await client?.remove();
  client = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function conformance(args: readonly string[], card?: SoftwareCard) {
  const terminal = new TestTerminal();
  const path = join(folder, 'reader.sock');
  if (card !== undefined) {
    client = new VpcdClient({ address: { path }, card, clock: systemClock });
    client.insert();
  }
  const common = ['--wallet', folder, '--reader', `virtual:${path}`];
  const exitCode = await runKeytoll([...common, 'card', 'conformance', ...args], terminal, {});
  return { exitCode, out: terminal.out.join('\n'), notes: terminal.notes };
}

function soundCard(): SoftwareCard {
  return new Card({ storage: new MemoryStorage(image), primitives, entropy, clock: systemClock });
}

describe('keytoll card conformance', () => {
  it('prints a report for programs, and ends with 0 where nothing failed', async () => {
    writeFileSync(join(folder, 'maker.der'), testMaker.root);
    const given = ['--delivery', join(folder, 'delivery.json'), '--expendable', '--json'];
    const wholeLife = [...given, '--maker-root', join(folder, 'maker.der')];
    const { exitCode, out } = await conformance(wholeLife, soundCard());
    expect(exitCode).toBe(0);
    const report: unknown = JSON.parse(out);
    expect(report).toMatchObject({ failed: 0, skipped: 0 });
    expect(report).toHaveProperty('cases.0', {
      id: 'TRANSMISSION-1',
      clause: 'card.md, Transmission',
      result: 'passed',
    });
  });

  it('prints one for people, with why a case was skipped', async () => {
    const { exitCode, out } = await conformance([], soundCard());
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^passed {3}SELECT-1 {8}before SELECT every other command is 6985$/m);
    expect(out).toMatch(/^skipped {2}PIN-4 .*\n {25}needs the PIN: --pin$/m);
    expect(out).toMatch(/\n\d+ passed, 0 failed, \d+ skipped\.$/);
  });

  it('names clause and finding of a case that failed, and ends with 1', async () => {
    const rough = defectiveCard(image, 't1-short', entropy, {
      wire: (sound) => async (apdu) => (apdu[0] === 0xa0 ? Uint8Array.of(0x6d, 0x00) : sound(apdu)),
    });
    const { exitCode, out } = await conformance([], rough);
    expect(exitCode).toBe(1);
    expect(out).toMatch(
      /^failed {3}TRANSMISSION-8 .*\n {25}card\.md, Status words: a0ca0101: 6D00 where 6E00 is/m,
    );
    expect(out).toMatch(/ 1 failed, /);
  });

  it.each([
    ['says that more is to come and gives none', [0x61, 0x10], /6985 in place of the rest/],
    ['is too short for one', [0x90], /the card sent 1 byte, too few for an answer/],
  ])('takes an answer to SELECT that %s for a fault of the card', async (_, answer, words) => {
    const broken = defectiveCard(image, 't1-short', entropy, {
      wire: (sound) => async (apdu) => (apdu[1] === 0xa4 ? Uint8Array.from(answer) : sound(apdu)),
    });
    const { exitCode, notes } = await conformance([], broken);
    expect(exitCode).toBe(1);
    expect(notes.join()).toMatch(words);
    // Words for a person who has ordered or paid.
    expect(notes.join()).not.toContain('keytoll connect');
  });

  it('skips the maker’s case without its root, and says so', async () => {
    const given = ['--delivery', join(folder, 'delivery.json'), '--expendable'];
    const { exitCode, out } = await conformance(given, soundCard());
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^skipped {2}LIFE-14 .*\n.*needs the root certificate.*--maker-root$/m);
    expect(out).toMatch(/ 0 failed, 1 skipped\.$/);
  });

  it('says of a file that it is no root of a card maker', async () => {
    const { certificate } = testMaker.equip(new Uint8Array(16));
    writeFileSync(join(folder, 'device.der'), certificate);
    const { exitCode, notes } = await conformance(['--maker-root', join(folder, 'device.der')]);
    expect(exitCode).toBe(2);
    expect(notes.join()).toMatch(/device\.der is not the root of a card maker/);
  });

  it('wants the delivery file of a card that it may use up', async () => {
    expect(await conformance(['--expendable'])).toMatchObject({ exitCode: 2 });
    writeFileSync(join(folder, 'other.json'), '{}');
    const { exitCode, notes } = await conformance(['--delivery', join(folder, 'other.json')]);
    expect(exitCode).toBe(2);
    expect(notes.join()).toMatch(/other\.json: card delivery: expected keytollCard to be 1/);
  });
});
