/**
 * A card that shares no line with ours passes: whoever has the pages and the vectors can make one.
 * It is a program of Debian's own Python, in `test/independent-card/`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeDelivery } from '../../../applet-spec/card-delivery.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { checkConformance } from '../../../driver/conformance/conformance.ts';
import { VirtualReader } from '../../../driver/reader/virtual-reader.ts';
import { systemClock as clock } from '../../../emulator/clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { pythonCryptographyMissing } from '../../contract/pcscd-missing.ts';
import { pcscdTestMissing } from '../../contract/pcscd-presence.ts';
import { seen } from '../../contract/vpcd-bench.ts';

const program = fileURLToPath(new URL('../../independent-card/run_card.py', import.meta.url));

let folder: string;
let card: ChildProcess | undefined;
let reader: VirtualReader | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-independent-'));
});

afterEach(async () => {
  if (card?.exitCode === null) {
    const ended = once(card, 'exit');
    card.kill();
    await ended;
  }
  await reader?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a card made from the pages alone', () => {
  if (pythonCryptographyMissing !== undefined) {
    pcscdTestMissing('an independent card', pythonCryptographyMissing);
    return;
  }
  it.each([
    ['t1-extended', []],
    // The length byte of T=0 is the reader's, so it cannot be made to lie.
    ['t0', ['TRANSMISSION-7']],
  ] as const)(
    'passes every case that applies to it, %s',
    async (profile, notApplicable) => {
      const path = join(folder, 'card.sock');
      reader = await VirtualReader.listen({ kind: 'unix', path }, clock);
      const inserted = seen(reader, 'card-inserted');
      const stdio = ['ignore', 'ignore', 'inherit'] as const;
      card = spawn('/usr/bin/python3', ['-B', program, folder, path, profile], {
        stdio: [...stdio],
      });
      await inserted;
      const { cases } = await checkConformance({
        reader,
        clock,
        entropy: seededEntropy('host of an independent card'),
        primitives,
        delivery: decodeDelivery(readFileSync(join(folder, 'delivery.json'), 'utf8')),
        makerRoot: parseCertificate(readFileSync(join(folder, 'maker.der'))),
        expendable: true,
      });
      const others = cases.filter(({ result }) => result !== 'passed');
      expect(others.filter(({ result }) => result === 'failed')).toEqual([]);
      expect(others.map(({ id }) => id)).toEqual(notApplicable);
    },
    120_000,
  );
});
