import { pino } from 'pino';
import { beforeEach, expect, it } from 'vitest';
import { linkLog, PacedLog, settlementLog, tollLog } from '../../../daemon/station/log.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

type Line = Readonly<Record<string, unknown>>;

let clock: VirtualClock;
let lines: Line[];
let log: PacedLog;

const q2 = toStationName('q2');
const paymentId = new Uint8Array(32).fill(7);

beforeEach(() => {
  clock = new VirtualClock();
  lines = [];
  const plain = pino(
    { base: null, timestamp: false },
    { write: (line: string) => lines.push(JSON.parse(line) as Line) },
  );
  log = new PacedLog(plain, clock);
});

it.each<[string, (i: number) => void, Line]>([
  [
    'payments that are refused',
    (i) => {
      const detail = { peer: 'q2', reason: `reason ${String(i)}` };
      tollLog(log).notice('warn', paymentId, 'not carried', detail);
    },
    { peer: 'q2' },
  ],
  [
    'a payer who is refused',
    () => {
      const detail = { user: 'alice@q1', reason: 'no-keys' };
      tollLog(log).notice('warn', paymentId, 'refused before admission', detail);
    },
    { user: 'alice@q1' },
  ],
  [
    'messages on a link',
    (i) => {
      linkLog(log).link('warn', 'q2', 'told what nobody understands', { detail: String(i) });
    },
    { peer: 'q2' },
  ],
  [
    'claims',
    (i) => {
      settlementLog(log).peer('warn', q2, 'a claim was refused', { paymentId: String(i) });
    },
    { peer: 'q2' },
  ],
  [
    'visits to the desk',
    (i) => {
      log.info({ user: 'alice@q1', visit: i }, 'a user is at the desk');
    },
    { user: 'alice@q1' },
  ],
])('a thousand lines in a minute about %s are ten, and one that counts the rest', (_, say, of) => {
  for (let i = 0; i < 1_000; i++) say(i);
  expect(lines).toHaveLength(10);
  clock.advance(60_000);
  expect(lines).toHaveLength(11);
  const [first] = lines;
  expect(lines.at(-1)).toEqual({
    level: first?.['level'],
    ...of,
    leftOut: 990,
    msg: `990 more such lines within a minute were left out: ${String(first?.['msg'])}`,
  });
});

it('what becomes of payments is written always, and so are the station’s own errors', () => {
  for (let i = 0; i < 100; i++) {
    tollLog(log).payment('info', paymentId, 'admitted', { payer: 'alice@q1' });
    tollLog(log).fault(new Error('the disk is full'));
    log.error({ err: 'x' }, 'a fault');
  }
  expect(lines).toHaveLength(300);
});
