import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { readStationConfig, type StationConfig } from '../../../daemon/station/config.ts';
import { holdStation } from '../../../daemon/station/run-lock.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';

let folder: string;
let config: StationConfig;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-lock-'));
  const entropy = seededEntropy('lock');
  const station = toStationName('q1');
  const file = initStationFolder(folder, { station, network: 'test', currency: 'EUR', entropy });
  config = readStationConfig(file);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('a folder has one running station, whatever ports the second one would listen on', () => {
  const first = holdStation(config);
  const other = { ...config, desk: { listen: { host: '127.0.0.1', port: 1 } } };
  const words = `another keytolld runs on ${join(folder, 'data')}: stop it first`;
  expect(() => holdStation(other)).toThrow(words);
  first.release();
  holdStation(other).release();
});
