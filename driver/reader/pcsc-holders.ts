import { readdirSync, readFileSync } from 'node:fs';

/**
 * Other programs of this user that have the PC/SC client library loaded, as `scdaemon (4711)`: the
 * likely holders of a card that is busy. Empty where the system does not tell (no /proc, other
 * users' programs).
 */
export function pcscPrograms(except: ReadonlySet<number>): string[] {
  const programs: string[] = [];
  for (const entry of readEntries()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || except.has(pid)) continue;
    if (!readText(`/proc/${entry}/maps`).includes('/libpcsclite.so')) continue;
    const name = readText(`/proc/${entry}/comm`).trim();
    if (name !== '') programs.push(`${name} (${entry})`);
  }
  return programs.sort();
}

function readEntries(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
