import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { privatePcscdMissing } from '../../emulator/card/private-pcscd.ts';

/** The compiled child: a test that starts processes runs what was built. */
export const pcscChildPath = fileURLToPath(
  new URL('../../dist/driver/reader/pcsc-child.js', import.meta.url),
);

const pcscliteAddon = fileURLToPath(
  new URL('../../node_modules/pcsclite/build/Release/pcsclite.node', import.meta.url),
);

/**
 * What keeps the tests from a real pcscd, in one line with the remedy; undefined where nothing
 * does.
 */
export const pcscdMissing =
  privatePcscdMissing() ??
  (existsSync(pcscliteAddon)
    ? undefined
    : 'pcsclite not built (Debian: apt install libpcsclite-dev && npm install)') ??
  (existsSync(pcscChildPath) ? undefined : 'not built: npm run build');

/**
 * Stands for the tests that cannot run. A stranger's machine may lack pcscd; the project's CI may
 * not.
 */
export function pcscdTestMissing(what: string, missing = pcscdMissing ?? ''): void {
  it.skipIf(process.env['CI'] !== 'true')(`${what}: ${missing}`, () => {
    throw new Error(missing);
  });
}
