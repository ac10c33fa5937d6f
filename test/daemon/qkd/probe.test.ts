import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Command, CommanderError } from 'commander';
import { systemClock } from '../../../daemon/clock.ts';
import { registerQkdCommand } from '../../../daemon/cli/qkd-command.ts';
import type { ProbeReport } from '../../../daemon/qkd/probe-check.ts';
import { probe } from '../../../daemon/qkd/probe.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { deviceFiles } from '../../../emulator/qkd/device-files.ts';
import type { ScriptedFault } from '../../../emulator/qkd/fault.ts';
import { startDevices, transportFor } from './device-pair.ts';
import type { DevicePair } from './device-pair.ts';

let devices: DevicePair;

beforeEach(async () => {
  devices = await startDevices();
});

afterEach(async () => {
  await devices.close();
});

async function probeBoth(): Promise<ProbeReport> {
  const { dir, emulator } = devices;
  const end = (saeId: string) => ({
    saeId,
    transport: transportFor(dir, saeId, emulator.kmeFor(saeId).url, { timeoutMs: 1_000 }),
  });
  const master = end('q1');
  const slave = end('q2');
  try {
    return await probe({
      master,
      slave,
      peerSaeId: 'q2',
      clock: systemClock,
      entropy: seededEntropy('probe'),
    });
  } finally {
    master.transport.close();
    slave.transport.close();
  }
}

function deviations(report: ProbeReport): string[] {
  return report.checks.filter(({ result }) => result === 'deviates').map(({ id }) => id);
}

describe('the probe', () => {
  it('finds that the emulator conforms, with every check tried', async () => {
    const report = await probeBoth();
    expect(report.checks.filter(({ result }) => result !== 'conforms')).toEqual([]);
    expect(report.conforms).toBe(true);
    expect(report.checks.length).toBeGreaterThan(25);
    expect(new Set(report.checks.map(({ id }) => id)).size).toBe(report.checks.length);
  });

  const faults: readonly (readonly [string, ScriptedFault, string])[] = [
    ['IDs that are numbers', members({ master_SAE_ID: 7 }), 'status.ids'],
    ['more keys stored than can be', members({ stored_key_count: 1e9 }), 'status.counts'],
    ['members left null', members({ max_SAE_ID_count: null }), 'status.members'],
    ['a wrong length', { fault: { kind: 'wrong-length', extraBytes: 8 } }, 'enc_keys.post'],
    ['too few keys', { fault: { kind: 'fewer-keys' } }, 'enc_keys.number'],
    ['too many keys', { fault: { kind: 'more-keys' } }, 'enc_keys.get'],
    ['duplicate keys', { fault: { kind: 'duplicate-keys' } }, 'keys.distinct'],
    ['keys handed out twice', { fault: { kind: 'repeated-keys' } }, 'keys.distinct'],
    ['keys that stay fetchable', { fault: { kind: 'keys-stay' } }, 'dec_keys.once'],
    ['mismatched keys', { fault: { kind: 'mismatched-key' } }, 'dec_keys.post'],
    [
      'unfetched keys discarded',
      { fault: { kind: 'discards-unfetched' } },
      'dec_keys.after-second-draw',
    ],
    ['foreign keys', { fault: { kind: 'foreign-keys' }, call: 'dec_keys' }, 'dec_keys.several'],
    ['other errors', answer('dec_keys', 404, '{"detail":"nope"}'), 'dec_keys.not-found'],
    ['lost answers', { fault: { kind: 'lost-answer' }, call: 'enc_keys' }, 'enc_keys.post'],
  ];

  it.each(faults)('finds %s', async (_, fault, id) => {
    devices.emulator.addFault(fault);
    const report = await probeBoth();
    expect(deviations(report)).toContain(id);
    expect(report.conforms).toBe(false);
  });

  it('skips what needs both ends when it is given one', async () => {
    const { dir, emulator } = devices;
    const transport = transportFor(dir, 'q1', emulator.kmeFor('q1').url);
    const report = await probe({
      master: { transport, saeId: 'q1' },
      peerSaeId: 'q2',
      clock: systemClock,
      entropy: seededEntropy('probe'),
    });
    transport.close();
    expect(report.conforms).toBe(true);
    const skipped = report.checks.filter(({ result }) => result === 'skipped');
    expect(skipped.map(({ id }) => id)).toContain('dec_keys.post');
  });
});

describe('keytolld qkd probe', () => {
  function argumentsFor(url: string): string[] {
    const file = (name: string): string => join(devices.dir, name);
    return [
      ...['qkd', 'probe', url, '--sae', 'q1', '--peer', 'q2', '--ca', file(deviceFiles.ca)],
      ...['--cert', file(deviceFiles.certificate('sae-q1'))],
      ...['--key', file(deviceFiles.privateKey('sae-q1'))],
    ];
  }

  async function run(args: readonly string[]): Promise<string> {
    const program = new Command();
    registerQkdCommand(program);
    // Subcommands made before do not inherit what is set afterwards.
    const all = [
      program,
      ...program.commands,
      ...program.commands.flatMap(({ commands }) => commands),
    ];
    for (const one of all) one.exitOverride().configureOutput({ writeErr: () => undefined });
    const written: string[] = [];
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    try {
      await program.parseAsync(args, { from: 'user' });
    } finally {
      spy.mockRestore();
      process.exitCode = undefined;
    }
    return written.join('');
  }

  it('prints a table, or JSON', async () => {
    const { url } = devices.emulator.kmeFor('q1');
    const table = await run(argumentsFor(url));
    expect(table).toMatch(/^enc_keys\.post +5, Get key +conforms$/m);
    expect(table).toMatch(/conforms to ETSI GS QKD 014/);
    const report: unknown = JSON.parse(await run([...argumentsFor(url), '--json']));
    expect(report).toMatchObject({ conforms: true });
  });

  it('says in one line what keeps it from trying', async () => {
    devices.emulator.addFault({ fault: { kind: 'outage' } });
    const { url } = devices.emulator.kmeFor('q1');
    const error: unknown = await run(argumentsFor(url)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CommanderError);
    expect(error).toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/qkd probe: cannot reach/) as string,
    });
  });
});

function members(replaced: Readonly<Record<string, unknown>>): ScriptedFault {
  return { fault: { kind: 'members', members: replaced }, call: 'status' };
}

function answer(call: ScriptedFault['call'] & string, status: number, body: string): ScriptedFault {
  return { fault: { kind: 'answer', status, body }, call };
}
