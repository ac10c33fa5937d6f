/**
 * `payment`: three real stations on the suite `aes`, 200 payers and 200 payees with emulated cards'
 * signatures, 512 payments in flight. A payment counts only if all three databases, opened again
 * afterwards, hold it as delivered.
 */
import { availableParallelism, tmpdir } from 'node:os';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { toLatin1 } from '../../applet-spec/bytes.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { readSigningKey } from '../../daemon/station/key-files.ts';
import { BenchStations, type BenchStation } from './bench-stations.ts';
import { connectUsers, enrolUsers, type BenchUser } from './bench-users.ts';
import { against, percentile, rounded, type Figure } from './figure.ts';
import { PaymentLoad, type DonePayment } from './payment-load.ts';
import { preparePayments, type Party, type PreparedPayment } from './payment-preparation.ts';
import { larger, measureSignatures, type SignatureSpeed } from './signature-speed.ts';
import type { StandInHost } from './stand-in-host.ts';

export interface PaymentBenchOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** For the stations' processes. */
  readonly nodeArguments: readonly string[];
  /** What goes on, for a person. */
  readonly say: (line: string) => void;
}

const stationCount = 3;
const userCount = 200;
const inFlight = 512;
const flipOneIn = 100;
const signatureMs = 1_500;
/** The trial's: enough for a first look at the speed, after which the rest is prepared. */
const trialSeconds = 4;
const trialPayments = 3_000;
/** Signed in one number (design §7): as many statements as one signature may stand for. */
const batchStatements = 64;

export async function paymentFigures(options: PaymentBenchOptions): Promise<readonly Figure[]> {
  const before = measureSignatures(signatureMs);
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-bench-'));
  const { nodeArguments } = options;
  const stations = await BenchStations.make(folder, {
    count: stationCount,
    suite: 'aes',
    nodeArguments,
  });
  let measured: Measured;
  try {
    measured = await new PaymentBench(stations, options).run();
  } finally {
    await stations.close();
  }
  return figuresOf(measured, larger(before, measureSignatures(signatureMs)), options);
}

interface Measured {
  /** Delivered and refused payments of the timed window, as the databases have them. */
  readonly delivered: number;
  readonly refused: number;
  readonly latenciesMs: readonly number[];
  readonly memoryBytes: number;
  readonly bytesAPayment: number;
  readonly loadCpuSeconds: number;
  readonly stationCpuSeconds: readonly number[];
}

class PaymentBench {
  readonly #stations: BenchStations;
  readonly #options: PaymentBenchOptions;
  #payers: readonly BenchUser[] = [];
  #payees: readonly BenchUser[] = [];

  constructor(stations: BenchStations, options: PaymentBenchOptions) {
    this.#stations = stations;
    this.#options = options;
  }

  async run(): Promise<Measured> {
    const stations = this.#stations;
    const { say, seconds, warmUpSeconds } = this.#options;
    await stations.start();
    await stations.stop();
    this.#payers = await enrolUsers(stations, stations.first, 'payer', userCount);
    this.#payees = await enrolUsers(stations, stations.last, 'payee', userCount);
    say('users enrolled; trial');
    const { payers, prepare, close } = await this.#open();
    const trial = new PaymentLoad(payers, await prepare(trialPayments, 0));
    const trialDone = await trial.closedLoop(inFlight, trialSeconds * 1_000);
    const expected = rateOf(trialDone);
    say(`trial: ${rounded(expected, 0)} payments/s`);
    const timed = Math.ceil(4 * expected * (seconds + warmUpSeconds)) + trialPayments;
    const payments = await prepare(timed, flipOneIn);
    say(`${payments.length} payments prepared`);
    await close();
    const bytesBefore = this.#databaseBytes();
    return this.#timed(payments, bytesBefore);
  }

  /** Fresh processes: what the timed part leaves in databases and memory is its own. */
  async #timed(
    payments: readonly PreparedPayment[],
    bytesBefore: readonly number[],
  ): Promise<Measured> {
    const { say, seconds, warmUpSeconds } = this.#options;
    const { payers, close } = await this.#open();
    const load = new PaymentLoad(payers, payments);
    const warm = await load.closedLoop(inFlight, warmUpSeconds * 1_000);
    say(`warm: ${rounded(rateOf(warm), 0)} payments/s`);
    const cpuBefore = this.#cpuSeconds();
    const loadBefore = process.cpuUsage();
    const startMs = performance.now();
    const all = await load.closedLoop(inFlight, seconds * 1_000);
    if (load.exhausted) throw new Error('too few payments were prepared for this machine');
    const loadCpu = process.cpuUsage(loadBefore);
    const stationCpuSeconds = this.#cpuSeconds().map((cpu, i) => cpu - (cpuBefore[i] ?? 0));
    const window = all.filter(({ doneMs }) => doneMs <= startMs + seconds * 1_000);
    say(`timed: ${rounded(window.length / seconds, 0)} payments/s`);
    const open = await load.openLoop(window.length / seconds / 4, 500 * seconds);
    const memoryBytes = Math.max(...this.#stations.processes.map((one) => one.memoryBytes()));
    await close();
    const stored = await this.#storedOutcomes();
    const total = [...warm, ...all, ...open];
    requireAgreement(total, stored);
    const grown = this.#databaseBytes().map((bytes, i) => bytes - (bytesBefore[i] ?? 0));
    return {
      delivered: window.filter(({ payment }) => stored.delivered.has(payment.paymentId)).length,
      refused: window.filter(({ payment }) => stored.refused.has(payment.paymentId)).length,
      latenciesMs: open.filter((one) => one.delivered).map((one) => one.latencyMs),
      memoryBytes,
      bytesAPayment: grown.reduce((sum, bytes) => sum + bytes, 0) / grown.length / total.length,
      loadCpuSeconds: (loadCpu.user + loadCpu.system) / 1e6,
      stationCpuSeconds,
    };
  }

  /** Starts the stations and brings everybody to their desks. */
  async #open(): Promise<{
    readonly payers: readonly StandInHost[];
    readonly prepare: (count: number, spoilOneIn: number) => Promise<readonly PreparedPayment[]>;
    readonly close: () => Promise<void>;
  }> {
    const stations = this.#stations;
    const desks = await stations.start();
    const payers = await connectUsers(desks.get(stations.first.name), this.#payers);
    const payees = await connectUsers(desks.get(stations.last.name), this.#payees);
    return {
      payers,
      prepare: (count, spoilOneIn) =>
        preparePayments({
          payers: partiesOf(this.#payers, payers),
          payees: partiesOf(this.#payees, payees),
          payerStation: stations.first,
          price: stations.stations.reduce((sum, { fee }) => sum + fee, 0n),
          count,
          flipOneIn: spoilOneIn,
          documentKey: documentKeyOf(stations.first),
        }),
      close: async () => {
        for (const host of [...payers, ...payees]) host.close();
        await stations.stop();
      },
    };
  }

  /** IDs of payments by what all three databases say of them. */
  async #storedOutcomes(): Promise<StoredOutcomes> {
    const states: Map<string, string>[] = [];
    for (const station of this.#stations.stations) {
      states.push(await this.#stations.withStore(station, readStates));
    }
    const [first, ...others] = states;
    if (first === undefined) throw new RangeError('no station');
    const delivered = new Set<string>();
    const refused = new Set<string>();
    for (const [paymentId, state] of first) {
      const elsewhere = others.map((one) => one.get(paymentId));
      if (state === 'delivered' && elsewhere.every((other) => other === 'delivered')) {
        delivered.add(paymentId);
      }
      if (state === 'refused' && elsewhere.every((other) => other === undefined)) {
        refused.add(paymentId);
      }
    }
    return { delivered, refused };
  }

  #databaseBytes(): readonly number[] {
    return this.#stations.stations.map((station) => this.#stations.databaseBytes(station));
  }

  #cpuSeconds(): readonly number[] {
    return this.#stations.processes.map((one) => one.cpuSeconds());
  }
}

interface StoredOutcomes {
  readonly delivered: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
}

async function readStates(store: {
  eachPayment(
    after: Uint8Array | undefined,
    limit: number,
  ): Promise<readonly { readonly paymentId: Uint8Array; readonly state: string }[]>;
}): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  let after: Uint8Array | undefined;
  for (;;) {
    const page = await store.eachPayment(after, 1_000);
    for (const { paymentId, state } of page) states.set(toLatin1(paymentId), state);
    const last = page.at(-1);
    if (last === undefined) return states;
    after = last.paymentId.slice();
  }
}

/** What a payer was told must be what is stored, and a spoiled signature must have been refused. */
function requireAgreement(all: readonly DonePayment[], stored: StoredOutcomes): void {
  for (const { payment, delivered } of all) {
    const { paymentId, isFlipped } = payment;
    if (delivered === isFlipped) {
      throw new Error(
        `a payment ${isFlipped ? 'with a flipped bit was delivered' : 'was refused'}`,
      );
    }
    const kept = (isFlipped ? stored.refused : stored.delivered).has(paymentId);
    if (!kept) throw new Error('a payment that its payer was told of is not stored everywhere');
  }
}

function figuresOf(
  measured: Measured,
  speed: SignatureSpeed,
  { seconds, say }: PaymentBenchOptions,
): readonly Figure[] {
  const cores = availableParallelism();
  const { verifications: v, signatures: s } = speed;
  say(`one core: ${rounded(v, 0)} verifications/s, ${rounded(s, 0)} signatures/s`);
  const perSecond = measured.delivered / seconds;
  const each = measured.delivered / 1_000;
  const stationMs = measured.stationCpuSeconds.map((cpu) => rounded(cpu / each, 3));
  say(
    `CPU a payment: load ${rounded(measured.loadCpuSeconds / each, 3)} ms, ` +
      `stations ${stationMs.join(', ')} ms`,
  );
  const needed = signaturesNeeded(stationCount);
  const perPayment = needed.verifications / v + needed.signatures / s;
  const throughput = { name: 'payment.throughput', value: rounded(perSecond, 1), unit: '1/s' };
  return [
    against(throughput, {
      name: 'limit.two-verifications',
      value: rounded((cores * v) / (2 * stationCount), 1),
    }),
    against(
      { ...throughput, name: 'payment.throughput.signatures' },
      { name: 'limit.signatures', value: rounded(cores / perPayment, 1) },
    ),
    { name: 'payment.refused', value: rounded(measured.refused / seconds, 1), unit: '1/s' },
    { name: 'payment.latency.p50', value: latency(measured, 0.5), unit: 'ms' },
    { name: 'payment.latency.p99', value: latency(measured, 0.99), unit: 'ms' },
    { name: 'station.memory', value: rounded(measured.memoryBytes / 1e6, 1), unit: 'MB' },
    { name: 'payment.bytes', value: rounded(measured.bytesAPayment, 0), unit: 'B' },
  ];
}

/**
 * What the protocol needs of stations for one payment. Every station verifies payer and coin, the
 * last one the acknowledgement. Admissions and receipts are signed in numbers: the issuer and the
 * last station sign once for up to 64, and each other station verifies as often.
 */
function signaturesNeeded(stations: number): {
  readonly verifications: number;
  readonly signatures: number;
} {
  const others = stations - 1;
  return {
    verifications: 2 * stations + 1 + (2 * others) / batchStatements,
    signatures: 2 / batchStatements,
  };
}

function latency({ latenciesMs }: Measured, share: number): number {
  return rounded(percentile(latenciesMs, share), 1);
}

function partiesOf(users: readonly BenchUser[], hosts: readonly StandInHost[]): readonly Party[] {
  return users.flatMap((user, i) => {
    const host = hosts[i];
    return host === undefined ? [] : [{ user, host }];
  });
}

function documentKeyOf(station: BenchStation): Uint8Array {
  const file = join(station.folder, 'keys', 'document.pem');
  return readSigningKey(opensslPrimitives, file).publicKey;
}

function rateOf(done: readonly DonePayment[]): number {
  const times = done.map(({ doneMs }) => doneMs);
  const begun = Math.min(...done.map(({ doneMs, latencyMs }) => doneMs - latencyMs));
  return (1_000 * done.length) / (Math.max(...times) - begun);
}
