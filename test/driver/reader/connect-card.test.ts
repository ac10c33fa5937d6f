import { describe, expect, it } from 'vitest';
import { connectCard } from '../../../driver/reader/connect-card.ts';
import type { CardConnection, Reader } from '../../../driver/reader/connection.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { ReaderError } from '../../../driver/reader/reader-error.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard } from '../../contract/echo-card.ts';

/** Claims for a while that the card which was pulled is still there, as pcscd does. */
class SlowReader extends InProcessReader {
  readonly #still = new InProcessReader();
  attempts = 0;

  override get cardPresent(): boolean {
    return true;
  }

  override connect(): Promise<CardConnection> {
    this.attempts += 1;
    return super.connect();
  }

  /** Nobody is told: it never missed the card. */
  override watch(): () => void {
    return this.#still.watch(() => undefined);
  }
}

function attempt(reader: Reader, clock: VirtualClock, mostMs: number, signal?: AbortSignal) {
  return connectCard(reader, { clock, mostMs, ...(signal && { signal }) });
}

/** Lets everything run that waits for nothing but its turn. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('connecting to a card that is waited for', () => {
  it('asks again a reader that has not noticed yet that its card was pulled', async () => {
    const clock = new VirtualClock();
    const reader = new SlowReader();
    const connecting = attempt(reader, clock, 10_000);
    await settled();
    clock.advance(250);
    await settled();
    expect(reader.attempts).toBe(2);
    reader.insert(new EchoCard());
    clock.advance(250);
    expect((await connecting).atr).toEqual(new EchoCard().atr);
    expect(reader.attempts).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it('gives up such a reader, too, when the time is over', async () => {
    const clock = new VirtualClock();
    const refused = expect(attempt(new SlowReader(), clock, 600)).rejects.toMatchObject({
      code: 'no-card',
    });
    for (const ms of [250, 250, 100]) {
      await settled();
      clock.advance(ms);
    }
    await refused;
    expect(clock.pending).toBe(0);
  });

  it('gives up at once when nobody wants the card any more', async () => {
    const clock = new VirtualClock();
    const { signal, abort } = abortable();
    const refused = expect(
      attempt(new InProcessReader(), clock, 10_000, signal),
    ).rejects.toBeInstanceOf(ReaderError);
    await settled();
    abort();
    await refused;
    expect(clock.pending).toBe(0);
  });
});

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  return { signal: controller.signal, abort };
}
