import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import type { TakenBits } from '../../../daemon/qkd/reservoir.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { balanced, MemoryLedger, ScriptedSource, settled } from './key-fixtures.ts';

type Step =
  | { readonly kind: 'pay'; readonly otpBytes: number }
  | { readonly kind: 'replay'; readonly index: number }
  | { readonly kind: 'kill'; readonly end: 'sender' | 'receiver'; readonly midTake: boolean }
  | { readonly kind: 'hand-out-again' }
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'ledger-fails'; readonly end: 'sender' | 'receiver' }
  | { readonly kind: 'refill'; readonly keys: number };

const end = fc.constantFrom('sender' as const, 'receiver' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('pay'), otpBytes: fc.nat(200) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replay'), index: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill'), end, midTake: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'hand-out-again' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'lose-answer' } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ledger-fails'), end }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refill'), keys: fc.nat(10) }) },
);

/** Two stations with their devices; programs die and start again, ledgers stay. */
class TwoStations {
  readonly clock = new VirtualClock();
  readonly ledgers = { sender: new MemoryLedger(), receiver: new MemoryLedger() };
  readonly device = new ScriptedSource(200);
  readonly peerDevice = this.device.peer();
  readonly everUsed = { sender: new Map<string, string>(), receiver: new Map<string, string>() };
  readonly paid: (readonly TakenBits[])[] = [];
  sender = this.start('sender');
  receiver = this.start('receiver');

  start(which: 'sender' | 'receiver'): Reservoir {
    return new Reservoir({
      peer: which === 'sender' ? 'q2' : 'q1',
      source: which === 'sender' ? this.device : this.peerDevice,
      ledger: this.ledgers[which],
      clock: this.clock,
      capacityBits: 1_024,
    });
  }

  /** kill -9: what the old program held is gone, and nobody closed anything. */
  kill(which: 'sender' | 'receiver'): void {
    expect(balanced(this[which].balance())).toBe(true);
    this[which] = this.start(which);
  }

  async run(one: Step): Promise<void> {
    if (one.kind === 'pay') await this.pay(one.otpBytes);
    if (one.kind === 'replay') await this.replay(one.index);
    if (one.kind === 'hand-out-again') this.device.repeatLast();
    if (one.kind === 'lose-answer') this.device.loseNextAnswer();
    if (one.kind === 'ledger-fails') this.ledgers[one.end].failNext(new Error('disk'));
    if (one.kind === 'refill') this.device.refill(one.keys);
    if (one.kind === 'kill') {
      if (one.midTake) void this.take(64).catch(() => undefined);
      this.kill(one.end);
    }
  }

  async take(otpBytes: number): Promise<readonly TakenBits[] | undefined> {
    const patience = new AbortController();
    const taking = this.sender
      .take(
        [
          { purpose: 'pad', bits: 256 + 8 * otpBytes },
          { purpose: 'mac', bits: 256 },
        ],
        { signal: patience.signal },
      )
      .catch(() => undefined);
    await settled();
    this.clock.advance(20_000);
    await settled();
    patience.abort();
    const taken = await taking;
    if (taken !== undefined) this.use('sender', taken);
    return taken;
  }

  async pay(otpBytes: number): Promise<void> {
    const taken = await this.take(otpBytes);
    if (taken === undefined) return;
    this.paid.push(taken);
    await this.claim(taken);
  }

  async replay(index: number): Promise<void> {
    const old = this.paid[index];
    if (old !== undefined) await this.claim(old);
  }

  async claim(taken: readonly TakenBits[]): Promise<void> {
    const claims = taken.map(({ purpose, keyIds, bits }) => ({
      purpose,
      keyIds,
      bits: 8 * bits.length,
    }));
    const claimed = await this.receiver.claim(claims).catch(() => undefined);
    if (claimed === undefined) return;
    expect(claimed).toEqual(taken);
    this.use('receiver', claimed);
  }

  /** The whole point: an ID, and so a bit, comes out once, for one purpose. */
  use(which: 'sender' | 'receiver', taken: readonly TakenBits[]): void {
    for (const { keyIds, purpose } of taken) {
      for (const id of keyIds) {
        expect(this.everUsed[which].has(id)).toBe(false);
        this.everUsed[which].set(id, purpose);
        // Recorded before it came out.
        expect(this.ledgers[which].used.get(id)).toMatchObject({ purpose });
      }
    }
  }
}

describe('a QKD key', () => {
  it('is used once, through kills, lost answers and devices that hand it out again', async () => {
    let payments = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const stations = new TwoStations();
        for (const one of steps) await stations.run(one);
        payments += stations.paid.length;
        expect(balanced(stations.sender.balance())).toBe(true);
        expect(balanced(stations.receiver.balance())).toBe(true);
        const pads = stations.paid.flatMap((taken) => taken.map(({ bits }) => toHex(bits)));
        expect(new Set(pads).size).toBe(pads.length);
      }),
      { numRuns: 100 },
    );
    // Or else nothing was proved.
    expect(payments).toBeGreaterThan(100);
  });

  it('spends exactly its price: 512 bits an otp-secret payment', async () => {
    const stations = new TwoStations();
    for (let i = 0; i < 20; i++) await stations.pay(0);
    expect(stations.paid).toHaveLength(20);
    expect(stations.sender.balance()).toMatchObject({ spent: 20n * 512n, lost: 0n });
    expect(stations.receiver.balance()).toMatchObject({
      spent: 20n * 512n,
      received: 20n * 512n,
    });
  });
});
