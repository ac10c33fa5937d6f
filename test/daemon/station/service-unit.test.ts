/** `keytolld@.service` starts what there is, where it may write. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { registerStationCommands } from '../../../daemon/cli/station-command.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const unit = readFileSync(join(root, 'daemon/station/keytolld@.service'), 'utf8');

/** All values of one directive, in order. */
function valuesOf(name: string): string[] {
  return unit.split('\n').flatMap((line) => {
    const [directive, ...value] = line.split('=');
    return directive === name ? [value.join('=')] : [];
  });
}

describe('the unit for systemd', () => {
  it('has directives, comments and sections alone', () => {
    for (const line of unit.split('\n')) expect(line).toMatch(/^(#.*|\[\w+\]|[A-Z]\w+=.*|)$/);
  });

  it('starts a command of keytolld in the folder that the service has for itself', () => {
    const [line = ''] = valuesOf('ExecStart');
    const [program = '', name, option, config] = line.split(' ');
    const keytolld = new Command(program);
    registerStationCommands(keytolld);
    const command = keytolld.commands.find((one) => one.name() === name);
    expect(program).toBe('keytolld');
    expect(command?.options.find((one) => one.long === option)?.required).toBe(true);
    const folders = valuesOf('StateDirectory').flatMap((value) => value.split(' '));
    expect(folders.map((folder) => `/var/lib/${folder}/station.toml`)).toContain(config);
  });

  it('leaves no keys in a core dump, and what it writes to nobody else', () => {
    expect(valuesOf('LimitCORE')).toEqual(['0']);
    expect(valuesOf('UMask')).toEqual(['0077']);
  });
});
