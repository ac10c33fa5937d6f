import { it } from 'vitest';
import { pcscdMissing } from './pcscd-missing.ts';

export { pcscChildPath, pcscdMissing } from './pcscd-missing.ts';

/**
 * Stands for the tests that cannot run. A stranger's machine may lack pcscd; the project's CI may
 * not.
 */
export function pcscdTestMissing(what: string, missing = pcscdMissing ?? ''): void {
  it.skipIf(process.env['CI'] !== 'true')(`${what}: ${missing}`, () => {
    throw new Error(missing);
  });
}
