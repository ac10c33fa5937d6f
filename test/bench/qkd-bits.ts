/** The key economy of a hop: what payments and their receipts cost in QKD bits, by suite. */
import { toStationName, type StationName, type Suite } from '../../applet-spec/names.ts';
import type { Unprotected } from '../../daemon/link/links.ts';
import { wireMessage } from '../../daemon/wire/wire-message.ts';
import { rounded, type Figure } from './figure.ts';
import { openBenchEnd, type BenchEnd } from './link-bench-end.ts';

const payments = 1_000;
const paymentBytes = 1_200;
const receiptBytes = 400;
const batch = 50;
const q1Name = toStationName('q1');
const q2Name = toStationName('q2');

/** Traffic keys of the handshake and all rekeying included, over 1,000 payments. */
export async function bitsFigures(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const suite of ['aes', 'otp-secret', 'otp'] as const) {
    const value = rounded(await bitsPerPayment(suite), 3);
    figures.push({ name: `qkd.bits.${suite}`, value, unit: 'bits/payment/hop' });
  }
  return figures;
}

/** Each payment from q1 is answered with a receipt from q2. */
async function bitsPerPayment(suite: Suite): Promise<number> {
  const q2 = await openBenchEnd('q2', 'q1', suite);
  const q1 = await openBenchEnd('q1', 'q2', suite, `ws://127.0.0.1:${q2.links.port}`);
  try {
    const failed = new Promise<never>((_, reject) => {
      listen(q2, q1Name, (received) => {
        send(q2, q1Name, messages(received, receiptBytes)).catch(reject);
      });
    });
    let receipts = 0;
    let up: () => void = () => undefined;
    let complete: () => void = () => undefined;
    const isUp = new Promise<void>((resolve) => (up = resolve));
    const isComplete = new Promise<void>((resolve) => (complete = resolve));
    const onReceipts = (received: number): void => {
      receipts += received;
      if (receipts === payments) complete();
    };
    listen(q1, q2Name, onReceipts, up);
    await isUp;
    const secret = new Uint8Array(32).fill(7);
    for (let sent = 0; sent < payments; sent += batch) {
      const items = messages(batch, paymentBytes).map((item) => ({ ...item, secret }));
      await send(q1, q2Name, items);
    }
    await Promise.race([isComplete, failed]);
    // Each key is spent at both ends: where it was drawn, and where it was fetched.
    const spent = q1.reservoir.balance().spent + q2.reservoir.balance().spent;
    return Number(spent) / 2 / payments;
  } finally {
    await q1.close();
    await q2.close();
  }
}

function listen(
  end: BenchEnd,
  peer: StationName,
  onReceived: (count: number) => void,
  onUp: () => void = () => undefined,
): void {
  end.links.listen({
    linkUp: onUp,
    linkDown: () => undefined,
    received: (_peer, records) => {
      const rowIds = records.map(({ rowId }) => rowId);
      end.links.confirm(peer, rowIds);
      onReceived(records.length);
    },
    confirmed: () => undefined,
    notUnderstood: () => undefined,
    told: () => undefined,
  });
}

let lastRow = 0n;

async function send(end: BenchEnd, peer: StationName, items: readonly Unprotected[]) {
  const records = await end.links.protect(peer, items);
  const rows = records.map((record) => ({ rowId: ++lastRow, record }));
  if (!end.links.send(peer, rows)) throw new Error(`the link to ${peer} takes no rows`);
}

function messages(count: number, bytes: number): Unprotected[] {
  const content = new Uint8Array(bytes - 4).fill(3);
  return Array.from({ length: count }, () => ({
    message: wireMessage.encode({ kind: 'crl', content }),
  }));
}
