/**
 * `keytolld audit`, `positions` and `settle --paid` over a station's folder, while its store is in
 * use.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { registerAuditCommand } from '../../../daemon/cli/audit-command.ts';
import { registerSettleCommands } from '../../../daemon/cli/settle-command.ts';
import { auditByProgram } from '../../../daemon/station/audit-program.ts';
import { folderForCopy } from '../../../daemon/station/audit-copy.ts';
import { readStationConfig } from '../../../daemon/station/config.ts';
import { lastAuditOf } from '../../../daemon/station/last-audit.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { programFile } from '../../program-run.ts';
import { rawDatabase } from '../../raw-database.ts';
import { network } from '../audit/toll-papers.ts';
import { alice, primitives, TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from '../settlement/settlement-room.ts';

let room: SettlementRoom;
let config: string;
let data: string;

beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n, 3n]));
  room.terms = { everySeconds: 0, pay: 'by-operator' };
  await room.pay();
  await room.at('q1').settle();
  ({ config, data } = stationFolder('q1'));
});
afterEach(() => room.toll.close());

/** The folder that the operator of a station would have. */
function stationFolder(name: string): { readonly config: string; readonly data: string } {
  const station = room.toll.station(name);
  const folder = join(room.toll.folder, `home of ${name}`);
  mkdirSync(folder);
  const { entropy } = room.toll;
  const made = initStationFolder(folder, {
    station: station.name,
    network,
    currency: 'EUR',
    entropy,
  });
  const at = (...parts: string[]): string => join(folder, ...parts);
  const storageKey = toHex(primitives.sha256(toUtf8(`storage of ${name}`)));
  writeFileSync(at('keys', 'storage.key'), storageKey);
  writeFileSync(at('certificates', 'root.der'), room.toll.root);
  writeFileSync(at('certificates', 'coin.der'), station.coinCertificate);
  writeFileSync(at('certificates', 'document.der'), station.documentCertificate);
  for (const end of ['', '-wal', '-shm']) {
    symlinkSync(`${station.file}${end}`, at('data', `station.sqlite${end}`));
  }
  return { config: made, data: at('data') };
}

/** What a command prints, and the exit code that it leaves. */
async function keytolld(...args: readonly string[]): Promise<{ text: string; exitCode: number }> {
  const program = new Command('keytolld').exitOverride();
  let text = '';
  registerAuditCommand(program);
  registerSettleCommands(program);
  const output = {
    writeOut: (words: string) => (text += words),
    writeErr: (words: string) => (text += words),
  };
  for (const command of program.commands) command.configureOutput(output).exitOverride();
  let exitCode = 0;
  try {
    await program.parseAsync([...args, '--config', config], { from: 'user' });
  } catch (error) {
    if (!(error instanceof Error) || !('exitCode' in error)) throw error;
    exitCode = Number(error.exitCode);
  }
  if (process.exitCode !== undefined) exitCode = Number(process.exitCode);
  process.exitCode = undefined;
  return { text, exitCode };
}

describe('a station that audits itself', () => {
  it('has `keytolld audit` do it, and is told what came of it', async () => {
    const run = auditByProgram(programFile('keytolld'));
    const stationConfig = readStationConfig(config);
    const { signal } = new AbortController();
    expect(await run(stationConfig, signal)).toMatchObject({ findings: 0 });
    const thief = rawDatabase(room.toll.station('q1').file);
    thief.exec("UPDATE account SET credits = credits + 1 WHERE name = 'user:alice@q1'");
    thief.close();
    expect(await run(stationConfig, signal)).toMatchObject({ findings: 2 });
    writeFileSync(join(dirname(config), 'certificates', 'root.der'), 'none');
    await expect(run(stationConfig, signal)).rejects.toThrow(/keytolld audit: .*root\.der/);
  });

  it('that stops ends the program, which leaves nothing behind', async () => {
    const ending = new AbortController();
    const run = auditByProgram(programFile('keytolld'));
    const copies = () => readdirSync(data).filter((name) => name.startsWith('audit-'));
    const ended = run(readStationConfig(config), ending.signal);
    const outcome = expect(ended).rejects.toThrow();
    await expect.poll(copies, { timeout: 20_000, interval: 1 }).toHaveLength(1);
    ending.abort();
    await outcome;
    await expect.poll(copies, { timeout: 20_000 }).toEqual([]);
    expect(lastAuditOf(readStationConfig(config))).toBeUndefined();
  });
});

describe('keytolld audit', () => {
  it('reports sound books as JSON and leaves nothing behind', async () => {
    const { text, exitCode } = await keytolld('audit', '--json', '--items');
    const report: unknown = JSON.parse(text);
    expect(report).toMatchObject({
      station: 'q1',
      currency: 'EUR',
      findings: [],
      trialBalance: '0',
      payments: 1,
      issued: { payments: 1, delivered: 1, earned: '5', owed: '7' },
      byPeer: { q2: { owed: '4' }, q3: { owed: '3' } },
      byPeriod: { '2026-07': { payments: 1 } },
      items: [
        {
          role: 'issuer',
          state: 'delivered',
          coinId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
          value: '12',
        },
      ],
    });
    expect(exitCode).toBe(0);
    expect(readdirSync(data).filter((name) => name.startsWith('audit'))).toEqual([]);
  });

  it('is noted with what came of it, for whoever asks for the status', async () => {
    const beforeMs = systemClock.nowMs();
    await keytolld('audit');
    const sound = lastAuditOf(readStationConfig(config));
    expect(sound?.findings).toBe(0);
    const atMs = Date.parse(sound?.at ?? '');
    expect(atMs).toBeGreaterThanOrEqual(beforeMs);
    expect(atMs).toBeLessThanOrEqual(systemClock.nowMs());
    const thief = rawDatabase(room.toll.station('q1').file);
    thief.exec("UPDATE account SET credits = credits + 1 WHERE name = 'user:alice@q1'");
    thief.close();
    await keytolld('audit');
    expect(lastAuditOf(readStationConfig(config))?.findings).toBe(2);
  });

  it('copies nothing into the room that is set apart for payments', async () => {
    const text = readFileSync(config, 'utf8');
    const greedy = text.replace(/reserve-megabytes = \d+/, 'reserve-megabytes = 1048576');
    writeFileSync(config, greedy);
    const { text: said, exitCode } = await keytolld('audit');
    expect(said).toMatch(
      /a copy of the database, of \d+ MB; \S.* has \d+ MB free, of which 1048576 MB are set apart/,
    );
    expect(exitCode).toBe(1);
    expect(lastAuditOf(readStationConfig(config))).toBeUndefined();
  });

  it('removes the copy of an audit that was killed, and of none that goes on', async () => {
    const killed = join(data, 'audit-copy-killed');
    mkdirSync(killed);
    writeFileSync(join(killed, 'held.lock'), '');
    const goesOn = folderForCopy(data);
    mkdirSync(join(data, 'audit-2026'));
    await keytolld('audit');
    const left = readdirSync(data).filter((name) => name.includes('audit-'));
    expect(left.sort()).toEqual(['audit-2026', basename(goesOn.folder)]);
    goesOn.remove();
    expect(readdirSync(data)).not.toContain(basename(goesOn.folder));
  });

  it('ends with 1 where something is wrong, and says what', async () => {
    const thief = rawDatabase(room.toll.station('q1').file);
    thief.exec("UPDATE account SET credits = credits + 1 WHERE name = 'user:alice@q1'");
    thief.close();
    const { text, exitCode } = await keytolld('audit');
    expect(exitCode).toBe(1);
    expect(text).toContain('account-total-differs: user:alice@q1');
    expect(text).toContain('trial balance EUR -0.01, 2 findings');
  });

  it('tells by how many lists of revoked certificates it judged, and writes them', async () => {
    room.toll.clock.advance(3_600_000);
    await room.toll.publishList();
    const lists = join(room.toll.folder, 'lists');
    const { text, exitCode } = await keytolld('audit', '--lists', lists);
    expect(text).toContain('judged by 1 list of revoked certificates; 1 payment before');
    expect(exitCode).toBe(0);
    const [file = '', ...more] = readdirSync(lists);
    expect(file).toMatch(/^revoked-0001-since-2026-07-01T13-\d\d-\d\dZ\.crl$/);
    expect(more).toEqual([]);
    const [kept] = await room.toll.station('q1').store.keptLists(0n, 1);
    expect(new Uint8Array(readFileSync(join(lists, file)))).toEqual(kept?.bytes);
    expect((await keytolld('audit', '--lists', lists)).exitCode).toBe(0);
    writeFileSync(join(lists, file), 'another');
    const again = await keytolld('audit', '--lists', lists);
    expect(again.text).toMatch(/revoked-0001.*cannot be written.*EEXIST/);
    expect(again.exitCode).toBe(1);
  });

  it('names whose certificate was revoked, and by which list', async () => {
    const user = room.toll.users.get(alice);
    const { serialNumber } = parseCertificate(user?.certificate ?? new Uint8Array());
    await room.toll.ca.revoke(serialNumber);
    const list = await room.toll.publishList();
    const serial = toHex(serialNumber);
    const { text, exitCode } = await keytolld('audit');
    const words = `revoked: alice@q1, certificate ${serial}, by list ${list} in force since 2026-`;
    expect(text).toContain(words);
    expect(exitCode).toBe(0);
    expect(JSON.parse((await keytolld('audit', '--json')).text)).toMatchObject({
      revocations: { lists: 1, revoked: [{ who: 'alice@q1', serialNumber: serial }] },
    });
  });

  it('says that there is no database, and makes none', async () => {
    rmSync(join(data, 'station.sqlite'));
    const { text, exitCode } = await keytolld('audit');
    expect(text).toContain(`keytolld audit: there is no database ${join(data, 'station.sqlite')}`);
    expect(exitCode).toBe(1);
    expect(readdirSync(data)).not.toContain('station.sqlite');
  });

  it('itemises a period only', async () => {
    const none = await keytolld('audit', '--json', '--to', '2026-06-30');
    expect(JSON.parse(none.text)).toMatchObject({ payments: 0, findings: [] });
    const all = await keytolld('audit', '--json', '--from', '2026-07-01', '--to', '2026-07-01');
    expect(JSON.parse(all.text)).toMatchObject({ payments: 1 });
    const odd = await keytolld('audit', '--from', 'yesterday');
    expect(odd.exitCode).not.toBe(0);
    expect(odd.text).toContain('expected a day or time');
  });
});

describe('keytolld audit --csv', () => {
  /** What is due by one line of a bill, as the export says it. */
  interface BillRow {
    readonly payment: string;
    readonly value: bigint;
    readonly station: string;
    readonly fee: bigint;
    readonly due: bigint;
  }

  // Findings and the trial balance go to standard error, which this test joins to the text.
  function rowsOf(text: string): BillRow[] {
    const rows = text.split('\r\n').filter((row) => row.startsWith('q1,'));
    return rows.map((row) => {
      const cells = row.split(',');
      const [payment = '', value = '', station = '', fee = '', due = ''] = [1, 8, 10, 11, 12].map(
        (at) => cells[at],
      );
      return { payment, station, value: BigInt(value), fee: BigInt(fee), due: BigInt(due) };
    });
  }

  it('closes: lines sum to the coin, and what is due to the ledger’s movements (I37)', async () => {
    await room.pay({ until: 'undelivered' });
    const { text, exitCode } = await keytolld('audit', '--csv');
    expect(exitCode).toBe(0);
    expect(text.split('\r\n')[0]).toBe(
      'station,payment,time,role,state,payer,payee,currency,value,line,line_station,fee,due',
    );
    const rows = rowsOf(text);
    expect(rows).toHaveLength(6);
    for (const { payment, value } of rows) {
      const lines = rows.filter((row) => row.payment === payment);
      expect(lines.reduce((sum, { fee }) => sum + fee, 0n)).toBe(value);
    }
    const transfers = await room.toll.station('q1').store.transfers(0n, 100);
    for (const [station, account] of [
      ['q1', 'fees-earned'],
      ['q2', 'payable:q2'],
      ['q3', 'payable:q3'],
    ]) {
      const due = rows.filter((row) => row.station === station);
      const moved = transfers.filter(({ credit }) => credit === account);
      expect(due.reduce((sum, row) => sum + row.due, 0n)).toBe(
        moved.reduce((sum, { amount }) => sum + amount, 0n),
      );
    }
    expect((await keytolld('audit', '--csv')).text).toBe(text);
  });

  it('itemises only the relay or station asked for', async () => {
    const rows = async (...filter: string[]) =>
      rowsOf((await keytolld('audit', '--csv', ...filter)).text).length;
    expect(await rows('--relay', 'q2')).toBe(3);
    expect(await rows('--relay', 'q3')).toBe(0);
    expect(await rows('--peer', 'q3', '--user', 'alice@q1')).toBe(3);
    expect(await rows('--station', 'q9')).toBe(0);
  });

  it('is one form of several: not with --json', async () => {
    const { text, exitCode } = await keytolld('audit', '--csv', '--json');
    expect(exitCode).not.toBe(0);
    expect(text).toContain("option '--csv' cannot be used with option '--json'");
  });

  it('is of days that follow each other', async () => {
    const { text, exitCode } = await keytolld(
      'audit',
      '--from',
      '2026-07-02',
      '--to',
      '2026-07-01',
    );
    expect(exitCode).not.toBe(0);
    expect(text).toContain('--from is later than --to');
  });
});

describe('keytolld positions and settle --paid', () => {
  it('show what is owed, book it once by reference, and then show nothing', async () => {
    const before = await keytolld('positions', '--json');
    expect(JSON.parse(before.text)).toMatchObject({
      positions: [
        {
          peer: 'q2',
          payable: '4',
          limit: '10000000',
          windows: [{ window: '1', state: 'agreed', net: '-4' }],
        },
        { peer: 'q3', payable: '3', windows: [{ window: '1', state: 'agreed', net: '-3' }] },
      ],
    });
    const paid = ['settle', '--paid', 'q2', '--window', '1', '--reference', 'bank 17'];
    expect((await keytolld(...paid)).text).toContain(
      'Window 1 with q2 is paid: net EUR -0.04, "bank 17".',
    );
    expect((await keytolld(...paid)).text).toContain('was booked before, as "bank 17"');
    const after = await keytolld('positions');
    expect(after.text).toContain('q2: we owe EUR 0.00, are owed EUR 0.00');
    expect(after.text).toContain('in flight EUR 0.00; trusted with EUR 100000.00');
    const formula = ['settle', '--paid', 'q3', '--window', '1', '--reference', '=1+1, "a"'];
    expect((await keytolld(...formula)).exitCode).toBe(0);
    expect((await keytolld('positions', '--csv')).text.split('\r\n')).toEqual([
      'station,peer,window,state,currency,ours_count,ours_amount,' +
        'theirs_count,theirs_amount,net,reference',
      'q1,q2,1,paid,EUR,0,0,1,4,-4,bank 17',
      `q1,q3,1,paid,EUR,0,0,1,3,-3,"'=1+1, ""a"""`,
      '',
    ]);
  });

  it('refuse a window that is not there, and a payment without reference', async () => {
    const unknown = await keytolld('settle', '--paid', 'q2', '--window', '9', '--reference', 'x');
    expect(unknown).toMatchObject({ exitCode: 1 });
    expect(unknown.text).toContain('there is no window 9 with q2');
    const bare = await keytolld('settle', '--paid', 'q2');
    expect(bare.text).toContain('--paid needs --window and --reference');
  });

  it('say that a station does not run where only a running one can settle', async () => {
    const { text, exitCode } = await keytolld('settle');
    expect(exitCode).toBe(1);
    expect(text).toContain('the station is not running');
  });
});
