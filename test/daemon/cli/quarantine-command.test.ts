/** `keytolld quarantine`, as an operator goes through what could not be handled. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { toCurrency, toStationName } from '../../../applet-spec/names.ts';
import { registerQuarantineCommands } from '../../../daemon/cli/quarantine-command.ts';
import type { RetryOutcome } from '../../../daemon/relay/quarantine.ts';
import { serveAdmin } from '../../../daemon/station/admin-socket.ts';
import { readStationConfig } from '../../../daemon/station/config.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { openStationStore } from '../../../daemon/station/station-store.ts';
import { adminSocketOf } from '../../../daemon/station/station.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { TollRoom } from '../relay/toll-room.ts';
import { wireMessage } from '../../../daemon/wire/wire-message.ts';
import { runningStation } from './running-station.ts';

const entropy = seededEntropy('quarantine');
const nonsense = toUtf8('what a later program would say');
let folder: string;
let config: string;
let room: TollRoom;
let paymentId: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-quarantine-'));
  config = initStationFolder(folder, {
    ...{ station: toStationName('q2'), network: 'test', currency: toCurrency('EUR') },
    entropy,
  });
  room = await TollRoom.open();
  const { paymentId: id, payment, admission } = await room.arriving('q2');
  paymentId = toHex(id);
  if (admission === undefined) throw new Error('not admitted');
  const receipt = room.undelivered(id);
  await putInQuarantine('record', nonsense);
  await putInQuarantine('message', nonsense);
  const paid = { kind: 'payment', content: { payment, admission } } as const;
  await putInQuarantine('message', wireMessage.encode(paid));
  await putInQuarantine('message', wireMessage.encode({ kind: 'receipt', content: { receipt } }));
});
afterEach(() => {
  room.close();
  rmSync(folder, { recursive: true, force: true });
});

let rows = 0n;

async function putInQuarantine(form: 'message' | 'record', bytes: Uint8Array): Promise<void> {
  const store = await openStationStore(readStationConfig(config), entropy);
  const nowMs = Date.UTC(2026, 6, 1);
  const attempt = { peer: toStationName('q1'), rowId: ++rows, form, bytes, nowMs };
  await store.countAttempt({ ...attempt, why: 'TypeError: a defect' }, 1);
  await store.close();
}

async function keytolld(...words: readonly string[]): Promise<{ out: string; error: string }> {
  const said = { out: '', error: '' };
  const program = new Command('keytolld').exitOverride().configureOutput({
    writeOut: (text) => (said.out += text),
    writeErr: (text) => (said.error += text),
  });
  registerQuarantineCommands(program);
  const all = (one: Command): Command[] => [one, ...one.commands.flatMap(all)];
  for (const command of all(program)) {
    command.exitOverride().configureOutput(program.configureOutput());
  }
  const asked = ['quarantine', ...words, '--config', config];
  await program.parseAsync(asked, { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof Error) || !('exitCode' in error)) throw error;
  });
  return said;
}

describe('keytolld quarantine', () => {
  it('lists what could not be handled: of whom, about what, and what went wrong', async () => {
    const lines = (await keytolld('list')).out.split('\n');
    const when = 'failed 1 time, 2026-07-01T00:00:00.000Z to 2026-07-01T00:00:00.000Z';
    expect(lines[0]).toMatch(/^1 {2}q1 row \d+: record that does not open, 30 bytes, /);
    expect(lines[0]).toContain(`${when}: TypeError: a defect`);
    expect(lines[1]).toContain(': message that is not understood, 30 bytes');
    expect(lines[2]).toContain(`: payment ${paymentId}, `);
    expect(lines[3]).toContain(`: receipt ${paymentId}, `);
    expect(lines[4]).toBe('4 records in quarantine');
    const { records } = JSON.parse((await keytolld('list', '--json')).out) as {
      records: unknown[];
    };
    expect(records).toMatchObject([
      { number: '1', peer: 'q1', paymentId: null, attempts: 1 },
      { number: '2' },
      { number: '3', kind: 'payment', paymentId },
      { number: '4', kind: 'receipt', paymentId },
    ]);
  });

  it('shows the bytes of one', async () => {
    expect((await keytolld('show', '2')).out.split('\n')[1]).toBe(toHex(nonsense));
    expect(JSON.parse((await keytolld('show', '2', '--json')).out)).toMatchObject({
      bytes: toHex(nonsense),
    });
    expect((await keytolld('show', '9')).error).toContain('there is no record 9 in quarantine');
  });

  it('drops one, once', async () => {
    expect((await keytolld('drop', '2')).out).toBe('Record 2 is dropped.\n');
    expect((await keytolld('drop', '2')).error).toContain('there is no record 2 in quarantine');
    expect((await keytolld('list')).out).toContain('3 records in quarantine');
    expect((await keytolld('drop', 'all')).error).toContain('expected the number of a record');
  });

  it.each<[RetryOutcome, 'out' | 'error', RegExp]>([
    [{ outcome: 'handled' }, 'out', /^Record 4 is handled and quarantined no more\.$/m],
    [{ outcome: 'unknown' }, 'error', /there is no record 4 in quarantine/],
    [{ outcome: 'is-payment' }, 'error', /is a payment, which was refused.*quarantine drop/],
    [
      { outcome: 'failed-again', why: 'a defect' },
      'error',
      /record 4 could not be handled again: a defect/,
    ],
  ])('has the running station try one again, and tells what came of it', async (...row) => {
    const [outcome, where, words] = row;
    expect((await keytolld('retry', '4')).error).toContain('the station is not running');
    const asked: bigint[] = [];
    const { close } = await serveAdmin(adminSocketOf(readStationConfig(config)), {
      ...runningStation({ coin: '01', document: '02' }),
      retryQuarantined: (number) => {
        asked.push(number);
        return Promise.resolve(outcome);
      },
    });
    expect((await keytolld('retry', '4'))[where]).toMatch(words);
    expect(asked).toEqual([4n]);
    await close();
  });
});
