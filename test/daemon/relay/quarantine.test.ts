/** Failure 46 at the relay: what a record's handling brings out, and what becomes of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import { EntropyError } from '../../../daemon/entropy-error.ts';
import { LinkError } from '../../../daemon/link/link-error.ts';
import type { InboundRecord } from '../../../daemon/link/links.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { isOfRecord, Quarantine } from '../../../daemon/relay/quarantine.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';
import { wireMessage } from '../../../daemon/wire/wire-message.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q2: TollStation;
beforeEach(async () => {
  room = await TollRoom.open();
  q2 = await TollStation.open(room, 'q2');
  q2.faults = [];
});
afterEach(async () => {
  await q2.close();
  room.close();
});

const defect = new TypeError('cannot read properties of undefined');

/** The store of q2 meets a defect with these payments, until the returned function mends it. */
function breakHold(of: (paymentId: Uint8Array) => boolean, fault: Error = defect): () => void {
  const sound = q2.store.hold.bind(q2.store);
  q2.store.hold = (payments) =>
    payments.some(({ paymentId }) => of(paymentId)) ? Promise.reject(fault) : sound(payments);
  return () => {
    q2.store.hold = sound;
  };
}

function recordOf(rowId: bigint, arriving: ArrivingPayment): InboundRecord {
  const { payment, admission, coinSecret } = arriving;
  if (admission === undefined) throw new Error('not admitted');
  return {
    rowId,
    message: { kind: 'payment', content: { payment, admission } },
    secret: coinSecret,
  };
}

/** What q1 hears of it, as it comes with three connections. */
async function comesThreeTimes(record: InboundRecord): Promise<readonly boolean[]> {
  const { name } = room.stations.q1;
  const heard: boolean[] = [];
  for (let i = 0; i < 3; i++) heard.push(await q2.hearsRow(name, record));
  return heard;
}

describe('a payment that a defect trips over', () => {
  it('is quarantined with the third connection, and refused: its sender forgets it', async () => {
    const arriving = await room.arriving('q2');
    breakHold(() => true);
    const record = recordOf(7n, arriving);
    expect(await comesThreeTimes(record)).toEqual([false, false, true]);
    expect(q2.faults).toEqual([defect, defect, defect]);
    const [kept, ...more] = await q2.store.quarantined(0n, 10);
    expect(kept).toMatchObject({ peer: 'q1', rowId: 7n, form: 'message', attempts: 3 });
    expect(kept?.why).toBe('TypeError: cannot read properties of undefined');
    expect(kept?.bytes).toEqual(wireMessage.encode(record.message));
    expect(more).toEqual([]);
    const refusals = q2.said.flatMap(({ peer, message }) =>
      message.kind === 'refusal' ? [[peer, message.content.refusal.body]] : [],
    );
    const { paymentId } = arriving;
    const reason = 'verification-failed';
    expect(refusals).toMatchObject([['q1', { paymentId, station: 'q2', reason }]]);
    expect(q2.complaints.at(-1)).toMatch(/is quarantined/);
  });

  it('is not tried again afterwards: its coin secret is not kept', async () => {
    const mend = breakHold(() => true);
    await comesThreeTimes(recordOf(7n, await room.arriving('q2')));
    mend();
    expect(await q2.toll.retryQuarantined(1n)).toEqual({ outcome: 'is-payment' });
    expect(await q2.store.quarantined(0n, 10)).toHaveLength(1);
  });

  it('fails alone: others of the same moment are carried', async () => {
    const bad = await room.arriving('q2');
    const coinId = makeCoinId(room.room.clock.nowMs(), new Uint8Array(10).fill(8));
    const commitment = commitmentOf(primitives, coinId, bad.coinSecret);
    const good = await room.arriving('q2', { coin: { coinId, commitment } });
    breakHold((paymentId) => paymentId.join() === bad.paymentId.join());
    const { name } = room.stations.q1;
    const confirmed = await Promise.all([
      q2.hearsRow(name, recordOf(1n, bad)),
      q2.hearsRow(name, recordOf(2n, good)),
    ]);
    expect(confirmed).toEqual([false, true]);
    const [row] = await q2.store.payments([good.paymentId]);
    expect(row?.state).toBe('held');
  });

  it('and that is handled after all is carried like any other', async () => {
    const arriving = await room.arriving('q2');
    const mend = breakHold(() => true);
    expect(await q2.hearsRow(room.stations.q1.name, recordOf(7n, arriving))).toBe(false);
    mend();
    expect(await q2.hearsRow(room.stations.q1.name, recordOf(7n, arriving))).toBe(true);
    expect(await q2.store.payments([arriving.paymentId])).toMatchObject([{ state: 'held' }]);
    expect(await q2.store.quarantined(0n, 10)).toEqual([]);
  });
});

describe('a receipt that a defect trips over', () => {
  async function carriedAndEnded(): Promise<InboundRecord> {
    const arriving = await room.arriving('q2');
    expect(await q2.receives(arriving)).toBe('carried');
    const receipt = room.undelivered(arriving.paymentId);
    return { rowId: 9n, message: { kind: 'receipt', content: { receipt } } };
  }

  it('is quarantined, and counts once the operator has it tried again', async () => {
    const record = await carriedAndEnded();
    const sound = q2.store.decide.bind(q2.store);
    q2.store.decide = () => Promise.reject(defect);
    const { name } = room.stations.q3;
    const heard: boolean[] = [];
    for (let i = 0; i < 3; i++) heard.push(await q2.hearsRow(name, record));
    expect(heard).toEqual([false, false, true]);
    expect(await q2.toll.retryQuarantined(1n)).toEqual({
      outcome: 'failed-again',
      why: 'TypeError: cannot read properties of undefined',
    });
    q2.store.decide = sound;
    expect(await q2.toll.retryQuarantined(1n)).toEqual({ outcome: 'handled' });
    expect(await q2.toll.retryQuarantined(1n)).toEqual({ outcome: 'unknown' });
    const passedOn = q2.said.filter(({ message }) => message.kind === 'receipt');
    expect(passedOn.map(({ peer }) => peer)).toEqual(['q1']);
  });
});

describe('what is not the record’s own', () => {
  const passing = [
    new StoreError('busy', 'another program'),
    new StoreError('disk-full', 'no room'),
    new StoreError('io', 'the disk failed'),
    new StoreError('corrupt', 'the file is damaged'),
    new StoreError('closed', 'the store is closed'),
    new LinkError('aborted', 'the station stops'),
    new LinkError('no-keys', 'no QKD key'),
    new QkdError('exhausted', 'no keys now'),
    new EntropyError('source-slow', '/dev/qrng', 'is slow'),
    Object.assign(new Error('too many open files'), { code: 'EMFILE', syscall: 'open' }),
  ];

  it.each(passing.map((fault) => [fault.message, fault] as const))(
    '“%s” is never counted',
    async (_, fault) => {
      expect(isOfRecord(fault)).toBe(false);
      const quarantine = quarantineOf(undefined);
      const row = { rowId: 1n, form: 'message', bytes: new Uint8Array(1), cause: fault } as const;
      for (let i = 0; i < 4; i++) {
        expect(await quarantine.failed(room.stations.q1.name, row)).toBe(false);
      }
      expect(await q2.store.quarantineCounts()).toEqual([]);
    },
  );

  it('leaves a payment in its sender’s outbox, however often it comes', async () => {
    const arriving = await room.arriving('q2');
    breakHold(() => true, new StoreError('io', 'the disk failed'));
    const record = recordOf(7n, arriving);
    expect(await comesThreeTimes(record)).toEqual([false, false, false]);
    expect(await q2.hearsRow(room.stations.q1.name, record)).toBe(false);
    expect(await q2.store.quarantineCounts()).toEqual([]);
  });

  it.each([
    [new StoreError('wrong-state', 'no such step of a payment')],
    [new StoreError('defect', 'SQLITE_CONSTRAINT_CHECK')],
    [new LinkError('too-long', 'a message of 40000 bytes')],
    [new RangeError('a payment without our line')],
    [defect],
  ])('but %s is', (fault) => {
    expect(isOfRecord(fault)).toBe(true);
  });

  it('nothing is counted where the disk is almost full', async () => {
    const full = quarantineOf('the disk is almost full');
    const row = { rowId: 1n, form: 'message', bytes: new Uint8Array(1), cause: defect } as const;
    expect(await full.failed(room.stations.q1.name, row)).toBe(false);
    expect(await q2.store.quarantineCounts()).toEqual([]);
  });

  function quarantineOf(refusal: string | undefined): Quarantine {
    return new Quarantine({
      store: q2.store,
      clock: room.room.clock,
      room: { refusal },
      stopping: new AbortController().signal,
      log: {
        payment: () => undefined,
        notice: () => undefined,
        peer: () => undefined,
        fault: () => undefined,
      },
    });
  }
});
