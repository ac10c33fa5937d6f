/** `keytoll card …` as a person runs it, with a card behind a real pcscd. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { cardInserted } from '../../../driver/reader/card-presence.ts';
import type { Card } from '../../../emulator/card/card.ts';
import { VpcdClient } from '../../../emulator/card/vpcd-client.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { pin, puk } from '../../contract/applet-subject.ts';
import { cardInHand } from '../../contract/card-in-hand.ts';
import type { CardBench } from '../../contract/card-connection.ts';
import { pcscdBench } from '../../contract/reader-benches.ts';
import { describeWithPcscd } from '../../contract/with-pcscd.ts';

const program = join(import.meta.dirname, '../../../dist/driver/cli/keytoll.js');

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

describeWithPcscd('keytoll card, behind pcscd', (pcscd) => {
  let folder: string;
  let client: VpcdClient;
  let bench: CardBench;

  beforeAll(async () => {
    client = new VpcdClient({
      address: { host: '127.0.0.1', port: pcscd().ports[0] },
      card: await initialisedCard(),
      clock: systemClock,
    });
    bench = await pcscdBench(pcscd(), 0);
    client.insert();
    await cardInserted(bench.reader).come;
  });
  afterAll(async () => {
    await client.remove();
    await bench.reader.close();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keytoll-cli-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const argumentsOf = (words: readonly string[]): string[] => [
    ...[program, 'card', ...words],
    ...['--wallet', folder, '--reader', 'pcsc', '--json'],
  ];

  function card(...words: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(process.execPath, argumentsOf(words), (error, stdout, stderr) => {
        resolve({ code: error?.code ?? 0, stdout, stderr });
      });
    });
  }

  it('lists the readers, and says what the card is', async () => {
    const [list, info] = await Promise.all([card('list'), card('info')]);
    const told: unknown = JSON.parse(list.stdout);
    expect(told).toMatchObject({
      readers: [
        { name: 'Virtual PCD 00 00', cardPresent: true },
        { name: 'Virtual PCD 00 01', cardPresent: false },
      ],
    });
    // Where libusb is missing, it says so there.
    expect(told).toHaveProperty('unavailable');
    expect(JSON.parse(info.stdout)).toMatchObject({
      reader: 'Virtual PCD 00 00',
      lifeCycle: 'initialised',
      pinTries: 3,
    });
  });

  it('tells of a wrong PIN with the tries that are left, and takes the right one', async () => {
    const wrong = await card('pin', 'change', '--pin', '0000', '--new-pin', '1357');
    expect(wrong.code).toBe(3);
    expect(wrong.stderr).toContain('wrong PIN, 2 tries left');
    expect((await card('pin', 'change', '--pin', pin, '--new-pin', '1357')).code).toBe(0);
    const unblocked = await card('pin', 'unblock', '--puk', puk, '--new-pin', pin);
    expect(unblocked).toMatchObject({ code: 0, stderr: '' });
  });

  it('names who holds the card, and what to do', async () => {
    const connection = await bench.reader.connect();
    const busy = await card('info');
    await connection.close();
    expect(busy.code).toBe(1);
    expect(busy.stderr).toMatch(/another program holds the card; close it and try again/);
    expect(busy.stderr).toMatch(/keytoll-pcsc \(\d+\)/);
  });

  it('watches the card go and come', async () => {
    const watcher = spawn(process.execPath, argumentsOf(['watch']), {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const lines = createInterface(watcher.stdout)[Symbol.asyncIterator]();
      const event = async (): Promise<unknown> => {
        const line: IteratorResult<unknown> = await lines.next();
        return JSON.parse(String(line.value));
      };
      const reader = 'Virtual PCD 00 00';
      expect(await event()).toEqual({ reader, event: 'card-inserted' });
      await client.remove();
      expect(await event()).toMatchObject({ event: 'card-removed' });
      client.insert();
      expect(await event()).toEqual({ reader, event: 'card-inserted' });
    } finally {
      watcher.kill('SIGTERM');
    }
  });

  it('says what to start where pcscd is not running', async () => {
    await pcscd().stop();
    const absent = await card('info');
    await pcscd().resume();
    expect(absent.code).toBe(1);
    expect(absent.stderr).toMatch(/^[^\n]*systemctl start pcscd\.socket[^\n]*\n$/);
  });
});

async function initialisedCard(): Promise<Card> {
  const { card, subject } = cardInHand('keytoll card');
  await subject.host.select();
  await subject.host.setReferences(pin, puk);
  return card;
}
