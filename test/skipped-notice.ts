/** Vitest's global setup: says in one line what will be skipped on this machine, and the remedy. */
import {
  openscToolMissing,
  pcscdMissing,
  pyscardMissing,
  pythonCryptographyMissing,
} from './contract/pcscd-missing.ts';
import { readOnlyMountMissing } from './read-only-mount.ts';

export function setup(): void {
  if (readOnlyMountMissing !== undefined) {
    process.stderr.write(`Skipped: a test of an audit; ${readOnlyMountMissing}\n`);
  }
  const missing = pcscdMissing === undefined ? [openscToolMissing, pyscardMissing] : [pcscdMissing];
  say('tests on a real PC/SC stack', missing);
  say('a card that is not ours', [pythonCryptographyMissing]);
}

function say(what: string, missing: readonly (string | undefined)[]): void {
  const said = missing.filter((one) => one !== undefined);
  if (said.length > 0) process.stderr.write(`Skipped: ${what}; ${said.join('; ')}\n`);
}
