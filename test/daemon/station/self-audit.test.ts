import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { readStationConfig, type StationConfig } from '../../../daemon/station/config.ts';
import { lastAuditOf, noteAudit } from '../../../daemon/station/last-audit.ts';
import { SelfAudit } from '../../../daemon/station/self-audit.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

let folder: string;
let config: StationConfig;
let clock: VirtualClock;
let room: { refusal: string | undefined };
/** When it audited, in minutes after the start. */
let audited: number[];
let lines: string[];
let findings: number;
let fault: Error | undefined;
let stops: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-self-audit-'));
  const station = toStationName('q1');
  const made = { station, network: 'test', currency: 'EUR', entropy: seededEntropy('q1') };
  config = readStationConfig(initStationFolder(join(folder, 'q1'), made));
  clock = new VirtualClock();
  room = { refusal: undefined };
  [audited, lines, findings, fault, stops] = [[], [], 0, undefined, true];
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function started(): SelfAudit {
  const startMs = clock.nowMs();
  const say = (detail: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(detail)}`);
  };
  const selfAudit = new SelfAudit({
    ...{ config, clock, room },
    log: { debug: say, info: say, warn: say, error: say },
    run: async (of, signal) => {
      audited.push((clock.nowMs() - startMs) / minuteMs);
      if (fault !== undefined) throw fault;
      if (!stops) {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
        });
      }
      const audit = { at: new Date(clock.nowMs()).toISOString(), findings };
      await noteAudit(of, audit);
      return audit;
    },
  });
  selfAudit.start();
  return selfAudit;
}

/** Whatever an audit does comes to its end in between: the next one is due then. */
async function pass(ms: number, alarms = 1): Promise<void> {
  for (let left = ms; left > 0; left -= 10 * minuteMs) {
    clock.advance(Math.min(left, 10 * minuteMs));
    await expect.poll(() => clock.pending).toBe(alarms);
  }
}

describe('a station', () => {
  it('audits itself ten minutes after its first start, and once a day', async () => {
    const selfAudit = started();
    await pass(49 * hourMs);
    expect(audited).toEqual([10, 24 * 60 + 10, 48 * 60 + 10]);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^the station has audited itself/);
    expect(lastAuditOf(config)?.findings).toBe(0);
    await selfAudit.close();
  });

  it('that is started again goes on from its last audit, by whomever it was', async () => {
    clock.advance(24 * hourMs);
    const at = new Date(clock.nowMs() - 20 * hourMs).toISOString();
    await noteAudit(config, { at, findings: 0 });
    const selfAudit = started();
    await pass(3 * hourMs);
    await noteAudit(config, { at: new Date(clock.nowMs()).toISOString(), findings: 0 });
    await pass(23 * hourMs);
    expect(audited).toEqual([]);
    await pass(2 * hourMs);
    expect(audited).toHaveLength(1);
    await selfAudit.close();
  });

  it('is told of findings, and by which command they are listed', async () => {
    findings = 3;
    const selfAudit = started();
    await pass(10 * minuteMs);
    expect(lines[0]).toContain(`keytolld audit --config ${config.file} lists them`);
    expect(lines[0]).toContain('"findings":3');
    await selfAudit.close();
  });

  it('whose audit fails, or whose disk is almost full, tries again in an hour', async () => {
    fault = new Error('no room for a copy');
    const selfAudit = started();
    await pass(10 * minuteMs);
    expect(lines[0]).toMatch(/could not audit itself; it tries again in an hour/);
    room.refusal = 'full';
    await pass(hourMs);
    expect(audited).toEqual([10]);
    [fault, room.refusal] = [undefined, undefined];
    await pass(hourMs);
    expect(audited).toEqual([10, 130]);
    expect(lastAuditOf(config)?.findings).toBe(0);
    await selfAudit.close();
  });

  it('that stops gives up an audit under way', async () => {
    stops = false;
    const selfAudit = started();
    clock.advance(10 * minuteMs);
    expect(audited).toEqual([10]);
    await selfAudit.close();
    expect(lines).toEqual([]);
    expect(lastAuditOf(config)).toBeUndefined();
    clock.advance(48 * hourMs);
    expect(audited).toEqual([10]);
  });

  it('whose clock was set back waits no longer than a day', async () => {
    await noteAudit(config, {
      at: new Date(clock.nowMs() + 90 * 24 * hourMs).toISOString(),
      findings: 0,
    });
    const selfAudit = started();
    await pass(25 * hourMs);
    expect(audited).toEqual([]);
    await selfAudit.close();
  });

  it('audits itself never where its operator says so', async () => {
    config = { ...config, audit: { 'every-hours': 0 } };
    const selfAudit = started();
    await pass(48 * hourMs, 0);
    expect(audited).toEqual([]);
    await selfAudit.close();
  });
});
