import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import { systemClock } from '../../emulator/clock.ts';
import { pcscdMissing, pcscdTestMissing } from './pcscd-presence.ts';

/**
 * Tests with a pcscd of their own, which every PC/SC client that they start finds by the
 * environment. Where there is none, one line stands for them and says what to install.
 */
export function describeWithPcscd(name: string, tests: (pcscd: () => PrivatePcscd) => void): void {
  if (pcscdMissing !== undefined) {
    pcscdTestMissing(name);
    return;
  }
  describe('with a pcscd of its own', () => {
    let folder: string;
    let pcscd: PrivatePcscd | undefined;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'keytoll-pcscd-'));
      pcscd = await PrivatePcscd.start(folder, systemClock);
      process.env['PCSCLITE_CSOCK_NAME'] = pcscd.socketPath;
    });
    afterAll(async () => {
      delete process.env['PCSCLITE_CSOCK_NAME'];
      await pcscd?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    tests(() => {
      if (pcscd === undefined) throw new Error('pcscd does not run before the first test');
      return pcscd;
    });
  });
}
