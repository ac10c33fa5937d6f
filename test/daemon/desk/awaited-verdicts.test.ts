import { expect, it } from 'vitest';
import type { PaymentRecord } from '../../../applet-spec/desk-messages.ts';
import { AwaitedVerdicts } from '../../../daemon/desk/awaited-verdicts.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { deskSamples } from '../../applet-spec/desk-samples.ts';

const patienceMs = 2_000;
const delivered = deskSamples.paid.record;
const { receipt: _receipt, ...rest } = delivered;
const admitted: PaymentRecord = { ...rest, standing: 'admitted' };
const one = Uint8Array.of(1);
const other = Uint8Array.of(2);

function desk() {
  const clock = new VirtualClock();
  const replies: [requestId: bigint, standing: string][] = [];
  const awaited = new AwaitedVerdicts(clock, (requestId, { standing }: PaymentRecord) => {
    replies.push([requestId, standing]);
  });
  return { clock, replies, awaited };
}

it('a verdict that comes in time is the reply, once', () => {
  const { clock, replies, awaited } = desk();
  awaited.wait(7n, one, admitted);
  clock.advance(patienceMs - 1);
  expect(replies).toEqual([]);
  expect(awaited.answer(one, delivered)).toBe(true);
  expect(awaited.answer(one, delivered)).toBe(false);
  clock.advance(patienceMs);
  expect(replies).toEqual([[7n, 'delivered']]);
});

it('without a verdict the reply says what is so far, and the verdict is told otherwise', () => {
  const { clock, replies, awaited } = desk();
  awaited.wait(7n, one, admitted);
  clock.advance(patienceMs);
  expect(replies).toEqual([[7n, 'admitted']]);
  expect(awaited.answer(one, delivered)).toBe(false);
});

it('each payment has its own reply', () => {
  const { clock, replies, awaited } = desk();
  awaited.wait(7n, one, admitted);
  awaited.wait(8n, other, admitted);
  expect(awaited.answer(other, delivered)).toBe(true);
  clock.advance(patienceMs);
  expect(replies).toEqual([
    [8n, 'delivered'],
    [7n, 'admitted'],
  ]);
});

it('a connection that is over leaves no timer behind, nor does a payment that ends later', () => {
  const { clock, replies, awaited } = desk();
  awaited.wait(7n, one, admitted);
  awaited.close();
  awaited.wait(8n, other, admitted);
  expect(clock.pending).toBe(0);
  expect(awaited.answer(one, delivered)).toBe(false);
  expect(replies).toEqual([]);
});
