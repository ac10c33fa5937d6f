/** Vitest's global setup: says in one line what will be skipped on this machine, and the remedy. */
import { openscToolMissing, pcscdMissing, pyscardMissing } from './contract/pcscd-missing.ts';

export function setup(): void {
  const missing = pcscdMissing === undefined ? [openscToolMissing, pyscardMissing] : [pcscdMissing];
  const said = missing.filter((one) => one !== undefined);
  if (said.length === 0) return;
  process.stderr.write(`Skipped: tests on a real PC/SC stack; ${said.join('; ')}\n`);
}
