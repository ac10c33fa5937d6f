/**
 * Records of 1,200 bytes, one way between two processes, each confirmed by its receiver; the
 * reference is bare `ws` messages of that size, one record each, the same way in the same run.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import { toStationName, type Suite } from '../../applet-spec/names.ts';
import { wireMessage } from '../../daemon/wire/wire-message.ts';
import { against, percentile, rounded, type Figure } from './figure.ts';
import { openBenchEnd, type BenchEnd } from './link-bench-end.ts';

const recordBytes = 1_200;
const batch = 64;
/** As the relay's outbox. */
const inFlightMost = 1_024;
const q2 = toStationName('q2');

/** Records in one measurement: about a second each. */
const recordsOf = { aes: 160_000, 'otp-secret': 20_000, otp: 2_560 } as const;
const referenceRecords = 160_000;
/** Link and reference take turns and the median counts: other work on a machine comes and goes. */
const rounds = 3;

export async function linkFigures(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const suite of ['aes', 'otp-secret', 'otp'] as const) {
    const rates: number[] = [];
    const references: number[] = [];
    for (let round = 0; round < rounds; round++) {
      references.push(await bareRate(referenceRecords));
      rates.push(await linkRate(suite, recordsOf[suite]));
    }
    const value = rounded(percentile(rates, 0.5), 0);
    const reference = { name: 'bare ws', value: rounded(percentile(references, 0.5), 0) };
    figures.push(against({ name: `link.${suite}`, value, unit: 'records/s' }, reference));
  }
  return figures;
}

async function linkRate(suite: Suite, records: number): Promise<number> {
  const { port, stop } = await startPeer(suite);
  const end = await openBenchEnd('q1', 'q2', suite, `ws://127.0.0.1:${String(port)}`);
  try {
    let isUp: () => void = () => undefined;
    const up = new Promise<void>((resolve) => (isUp = resolve));
    const sender = new Sender(end);
    end.links.listen({
      linkUp: () => {
        isUp();
      },
      linkDown: () => undefined,
      received: () => undefined,
      confirmed: (_peer, rowIds) => {
        sender.confirmed(rowIds.length);
      },
      notUnderstood: () => undefined,
      told: () => undefined,
    });
    await up;
    await sender.run(Math.min(records, 20_000));
    const startMs = performance.now();
    await sender.run(records);
    const seconds = (performance.now() - startMs) / 1_000;
    return records / seconds;
  } finally {
    await end.close();
    stop();
  }
}

/** Protects and sends in batches, at most so many on their way at once. */
class Sender {
  readonly #end: BenchEnd;
  readonly #message: Uint8Array;
  readonly #secret = new Uint8Array(32).fill(7);
  #rowId = 0n;
  #inFlight = 0;
  #wake: () => void = () => undefined;

  constructor(end: BenchEnd) {
    this.#end = end;
    const content = new Uint8Array(recordBytes - 4 - 34).fill(3);
    this.#message = wireMessage.encode({ kind: 'crl', content });
  }

  confirmed(count: number): void {
    this.#inFlight -= count;
    this.#wake();
  }

  async run(records: number): Promise<void> {
    const items = Array.from({ length: batch }, () => ({
      message: this.#message,
      secret: this.#secret.slice(),
    }));
    for (let sent = 0; sent < records; sent += batch) {
      const made = await this.#end.links.protect(q2, items.slice(0, records - sent));
      while (this.#inFlight + made.length > inFlightMost) await this.#change();
      this.#inFlight += made.length;
      const rows = made.map((record) => ({ rowId: ++this.#rowId, record }));
      while (!this.#end.links.send(q2, rows)) await this.#change();
      // As payments come: a batch a turn.
      await turn();
    }
    while (this.#inFlight > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

async function bareRate(records: number): Promise<number> {
  const { port, stop } = await startPeer('bare', String(records));
  const socket = new WebSocket(`ws://127.0.0.1:${String(port)}`, { perMessageDeflate: false });
  try {
    await once(socket, 'open');
    await sendBare(socket, records);
    const startMs = performance.now();
    await sendBare(socket, records);
    return records / ((performance.now() - startMs) / 1_000);
  } finally {
    socket.terminate();
    stop();
  }
}

async function sendBare(socket: WebSocket, records: number): Promise<void> {
  const record = new Uint8Array(recordBytes).fill(3);
  const done = once(socket, 'message');
  for (let sent = 0; sent < records; sent++) {
    socket.send(record);
    if (sent % batch === 0 && socket.bufferedAmount > 1 << 20) {
      await turn();
    }
  }
  await done;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function startPeer(...what: string[]) {
  const program = join(import.meta.dirname, `link-bench-peer${extname(import.meta.filename)}`);
  const child = fork(program, what, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [port] = (await once(child, 'message')) as [unknown];
  return {
    port: Number(port),
    stop: () => {
      child.disconnect();
    },
  };
}
