import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { registerQkdCommand } from '../../../emulator/cli/qkd-command.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { transportFor } from '../../daemon/qkd/device-pair.ts';

let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keytoll-qkd-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

/** Runs the command and returns what it printed. */
async function run(...args: string[]): Promise<string> {
  const program = new Command();
  registerQkdCommand(program);
  let printed = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await program.parseAsync(['qkd', ...args], { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return printed;
}

describe('keytoll-emulator qkd', () => {
  it('makes a folder, serves it, and ends on SIGTERM', async () => {
    await run('init', dir, '--sae', 'q1', '--sae', 'q2', '--sae', 'q3');
    expect((await readdir(dir)).sort()).toEqual(
      [
        ...['ca.crt.pem', 'ca.key.pem', 'qkd.json'],
        ...['kme-q1', 'kme-q2', 'kme-q3', 'sae-q1', 'sae-q2', 'sae-q3'].flatMap((id) => [
          `${id}.crt.pem`,
          `${id}.key.pem`,
        ]),
      ].sort(),
    );
    const before = process.listenerCount('SIGTERM');
    const printed = await run('run', dir, '--rate', '1000', '--initial-stock', '512');
    const lines = printed.trim().split('\n');
    expect(lines).toHaveLength(1);
    const urls = [...printed.matchAll(/"url":"(https:\/\/127\.0\.0\.1:\d+)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(urls).toHaveLength(3);
    expect(JSON.parse(printed)).toMatchObject({
      ready: true,
      kmes: [
        { id: 'kme-q1', saes: ['q1'], url: urls[0] },
        { id: 'kme-q2', saes: ['q2'], url: urls[1] },
        { id: 'kme-q3', saes: ['q3'], url: urls[2] },
      ],
    });
    const status = {
      method: 'GET',
      path: '/api/v1/keys/q2/status',
      consumes: false,
      bits: 0,
    } as const;
    const transport = transportFor(dir, 'q1', urls[0] ?? '', { clock: systemClock });
    expect((await transport.send(status)).status).toBe(200);
    process.emit('SIGTERM');
    expect(process.listenerCount('SIGTERM')).toBe(before);
    await expect(transport.send(status)).rejects.toMatchObject({ code: 'unavailable' });
    transport.close();
  });
});
