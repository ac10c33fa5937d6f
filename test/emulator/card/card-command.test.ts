/** `keytoll-emulator card run` as a process of its own, from what `npm test` has built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { appletId } from '../../../applet-spec/commands.ts';
import { systemClock } from '../../../driver/clock.ts';
import { VirtualReader } from '../../../driver/reader/virtual-reader.ts';
import { CardFile } from '../../../emulator/card/card-file.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';

const built = join(import.meta.dirname, '../../../dist/emulator/cli/card-command.js');
const program = `
  import { Command } from 'commander';
  import { registerCardCommand } from ${JSON.stringify(built)};
  const program = new Command('keytoll-emulator');
  registerCardCommand(program);
  await program.parseAsync(process.argv.slice(1), { from: 'user' });`;

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-card-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('says that it is ready, serves its reader, and ends cleanly on SIGTERM', async () => {
  const path = join(folder, 'alice.card');
  const socket = join(folder, 'reader');
  const trace = join(folder, 'trace');
  CardFile.make(path, makeCard(seededEntropy('process')).image);
  const reader = await VirtualReader.listen({ kind: 'unix', path: socket }, systemClock);
  const inserted = new Promise<void>((resolve) => {
    reader.watch(({ kind }) => {
      if (kind === 'card-inserted') resolve();
    });
  });
  const words = ['card', 'run', path, '--reader', socket, '--trace', trace];
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  try {
    const lines: unknown[] = [];
    const output = createInterface({ input: child.stdout });
    output.on('line', (line) => lines.push(JSON.parse(line)));
    await inserted;
    const connection = await reader.connect();
    const select = fromHex(`00a4040c09${toHex(appletId)}`);
    expect(toHex(await connection.transmit(select))).toBe('9000');
    child.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
    const atr = toHex(connection.atr).toUpperCase();
    expect(lines).toEqual([{ ready: true, file: path, atr, reader: { path: socket } }]);
    expect(readFileSync(trace, 'utf8')).toBe(
      `{"from":"reader","apdu":"${toHex(select).toUpperCase()}"}\n{"from":"card","apdu":"9000"}\n`,
    );
    expect(existsSync(`${path}.lock`)).toBe(false);
  } finally {
    child.kill('SIGKILL');
    await reader.close();
  }
});
