/** Vitest's global setup: says in one line what will be skipped on this machine, and the remedy. */
import { openscToolMissing, pcscdMissing, pyscardMissing } from './contract/pcscd-missing.ts';
import { readOnlyMountMissing } from './read-only-mount.ts';

export function setup(): void {
  if (readOnlyMountMissing !== undefined) {
    process.stderr.write(`Skipped: a test of an audit; ${readOnlyMountMissing}\n`);
  }
  const missing = pcscdMissing === undefined ? [openscToolMissing, pyscardMissing] : [pcscdMissing];
  const said = missing.filter((one) => one !== undefined);
  if (said.length === 0) return;
  process.stderr.write(`Skipped: tests on a real PC/SC stack; ${said.join('; ')}\n`);
}
