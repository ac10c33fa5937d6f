/**
 * kill -9 of a station while it rebuilds its books, at each step that its database shows: started
 * and asked again, it ends with the books of one that nobody disturbed (failures 37 and 49, I42).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { isEmpty } from '../../daemon/settlement/window-steps.ts';
import { askStatus } from '../../daemon/station/admin-socket.ts';
import { openStationStore } from '../../daemon/station/station-store.ts';
import { adminSocketOf } from '../../daemon/station/station.ts';
import type { RecoveryRow } from '../../daemon/store/recovery-store.ts';
import type { Store } from '../../daemon/store/store.ts';
import { systemClock } from '../../emulator/clock.ts';
import { eventually } from './eventually.ts';
import { copyOf, putBack, witnessed } from './older-copy.ts';
import { Road } from './road.ts';
import type { RoadStation } from './road-station.ts';
import { expectSoundBooks } from './sound-books.ts';

const program = join(import.meta.dirname, '../../dist/daemon/cli/keytolld.js');
/** More than one page of them. */
const lostPayments = 40;

let road: Road;
let issuer: RoadStation;
let copy: string;
let undisturbed: Awaited<ReturnType<typeof endOf>>;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  expect(existsSync(program), 'run `npm run build` first').toBe(true);
  const more = 'witness = { checkpoint-seconds = 1 }';
  road = await Road.open({ devices: 'etsi-014', more });
  issuer = road.station('q1');
  const { alice, bob } = road;
  await issuer.topUp(alice.name, 10_000n);
  await alice.buy([road.price(), lostPayments]);
  await alice.share(bob.name);
  copy = copyOf(road, issuer);
  for (let i = 1; i < lostPayments; i++) await alice.share(bob.name);
  await road.last.running.settle();
  // A coin that the copy knows nothing of.
  await alice.buy([road.price(), 1]);
  await alice.share(bob.name);
  await witnessed(road, issuer.name);
  await alice.leave();
  await issuer.stop();
  undisturbed = await inOneLife();
}, 120_000);

afterEach(async () => {
  for (const child of children) await end(child, 'SIGKILL');
});
afterAll(async () => {
  await road.close();
});

/** `keytolld run` of the issuer, a process of its own, from where its database is. */
async function run(): Promise<ChildProcess> {
  const args = ['run', '--config', join(issuer.folder, 'station.toml'), '--ready-fd', '1'];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.add(child);
  child.once('close', () => children.delete(child));
  await once(child.stdout, 'data');
  return child;
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const ended = once(child, 'close');
  child.kill(signal);
  expect(await ended).toEqual(signal === 'SIGTERM' ? [0, null] : [null, signal]);
}

/** Another command of the operator's; its exit code. */
async function operate(...command: readonly string[]): Promise<unknown> {
  const args = [...command, '--config', join(issuer.folder, 'station.toml'), '--json'];
  const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' });
  children.add(child);
  child.once('close', () => children.delete(child));
  const [code] = (await once(child, 'close')) as readonly unknown[];
  return code;
}

/** Started from the copy, it has heard from its neighbour what it lacks. */
async function fromCopy(): Promise<ChildProcess> {
  putBack(issuer, copy);
  const child = await run();
  await eventually('it has heard what it lost', async () => {
    return (await status()).log.rolledBack !== undefined;
  });
  return child;
}

function status() {
  return askStatus(adminSocketOf(issuer.config));
}

/** Asked again where it was not done, or did not say so; then settled, and stopped in order. */
async function toTheEnd(child: ChildProcess) {
  // 1: refused, where nothing is lost any more.
  expect([0, 1]).toContain(await operate('recover'));
  await eventually('the books are rebuilt', async () => {
    const { recovery, log } = await status();
    return recovery?.state === 'done' && log.rolledBack === undefined;
  });
  await eventually('it has settled', async () => {
    expect(await operate('settle')).toBe(0);
    const { balances } = await issuer.books();
    return balances['payable:q2'] === undefined && balances['payable:q3'] === undefined;
  });
  const books = await endOf();
  await end(child, 'SIGTERM');
  return books;
}

async function inOneLife() {
  const child = await fromCopy();
  expect(await operate('recover')).toBe(0);
  return toTheEnd(child);
}

async function endOf() {
  const { findings, restoredPayments, lostRecords } = await issuer.audit();
  const { balances, payments } = await issuer.books();
  const held = await issuer.withStore(async (store) => {
    const rows = await store.eachPayment(undefined, 1_000);
    const coins = await store.coins(rows.map(({ coinId }) => coinId));
    const outstanding = await store.outstanding(toUserName(road.alice.name));
    const ended = rows.map(({ paymentId, state, receipt }, i) => {
      const word = receipt && toHex(receipt);
      return { paymentId: toHex(paymentId), state, receipt: word, coin: coins[i]?.state };
    });
    return { ended, outstanding, windows: await windowsOf(store) };
  });
  return { findings, restoredPayments, lostRecords, balances, payments, ...held };
}

async function windowsOf(store: Store) {
  const peers = await store.positions();
  const windows = await Promise.all(peers.map(({ peer }) => store.windows(peer, 0n, 100)));
  // How often it was asked to settle leaves windows behind that hold nothing.
  const filled = windows.flat().filter((one) => !isEmpty(one));
  return filled.map(({ peer, sequence, state, ours, theirs }) => {
    return { peer, sequence, state, ours, theirs };
  });
}

/** A step of the recovery, as its database shows it. */
interface Step {
  readonly isMade: (recovery: RecoveryRow, payments: number) => boolean;
  /** Whether it must have more to do then. */
  readonly isUnderWay: boolean;
}

const steps: Readonly<Record<string, Step>> = {
  'it has begun': { isMade: () => true, isUnderWay: true },
  'it has taken some payments of its first page': {
    isMade: (_, payments) => payments > 1,
    isUnderWay: true,
  },
  'it has taken a page': {
    isMade: ({ peers }) => peers.some(({ cursor }) => cursor > 0n),
    isUnderWay: true,
  },
  'its neighbour has told all': {
    isMade: ({ peers }) => peers.every(({ state }) => state !== 'asking'),
    isUnderWay: false,
  },
  'it has declared its loss': { isMade: ({ state }) => state === 'done', isUnderWay: false },
};

/** Kills it as soon as its database shows the step; how the recovery stood then. */
async function killedOnce(child: ChildProcess, { isMade }: Step): Promise<RecoveryRow | undefined> {
  const before = await issuer.withStore((store) => store.recovery());
  expect(before).toBeUndefined();
  const store = await openStationStore(issuer.config, systemEntropy);
  try {
    const asked = operate('recover');
    const untilMs = systemClock.nowMs() + 15_000;
    for (;;) {
      const recovery = await store.recovery();
      const payments = await store.eachPayment(undefined, 10);
      if (recovery !== undefined && isMade(recovery, payments.length)) break;
      if (systemClock.nowMs() > untilMs) throw new Error('it never came so far');
      await new Promise<void>((resolve) => {
        systemClock.after(0, resolve);
      });
    }
    await end(child, 'SIGKILL');
    await asked;
    return await store.recovery();
  } finally {
    await store.close();
  }
}

describe('a station that is killed while it rebuilds its books', () => {
  it('has, when nobody kills it, all payments of the lost time', async () => {
    const { payments, ended, findings, restoredPayments, lostRecords } = undisturbed;
    expect(findings).toEqual([]);
    expect({ payments, restoredPayments, lostRecords }).toEqual({
      payments: lostPayments + 1,
      restoredPayments: lostPayments,
      lostRecords: road.price(),
    });
    expect(new Set(ended.map(({ state, coin }) => `${state} ${String(coin)}`))).toEqual(
      new Set(['delivered spent']),
    );
    const [first] = ended;
    const [row] = await issuer.withStore((store) =>
      store.payments([fromHex(first?.paymentId ?? '')]),
    );
    expect(row?.role).toBe('issuer');
  });

  it.each(Object.keys(steps))(
    'when %s ends with the same books as one that is not',
    async (name) => {
      const step = steps[name];
      if (step === undefined) throw new Error(name);
      const left = await killedOnce(await fromCopy(), step);
      if (step.isUnderWay) expect(left?.state).toBe('rebuilding');
      const again = await run();
      expect(await toTheEnd(again)).toEqual(undisturbed);
    },
    60_000,
  );

  it('takes payments again after all that, and no audit on the road finds anything', async () => {
    const { alice, bob } = road;
    await issuer.start();
    await alice.comeBack();
    await road.ready();
    await alice.buy([road.price(), 1]);
    const { paymentId } = await alice.share(bob.name);
    for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
    await expectSoundBooks(road.stations);
  }, 60_000);
});
