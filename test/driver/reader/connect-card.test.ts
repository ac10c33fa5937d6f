import { describe, expect, it, vi } from 'vitest';
import { connectCard } from '../../../driver/reader/connect-card.ts';
import type { CardConnection, Reader } from '../../../driver/reader/connection.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { ReaderError } from '../../../driver/reader/reader-error.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { EchoCard } from '../../contract/echo-card.ts';

/** Claims for a while that the card which was pulled is still there, as pcscd does. */
class SlowReader extends InProcessReader {
  readonly #still = new InProcessReader();
  /** What is said of the card that is there no more. */
  readonly #word: 'no-card' | 'mute';
  attempts = 0;

  constructor(word: 'no-card' | 'mute' = 'no-card') {
    super();
    this.#word = word;
  }

  override get cardPresent(): boolean {
    return true;
  }

  override connect(): Promise<CardConnection> {
    this.attempts += 1;
    return super.connect().catch(() => {
      throw new ReaderError(this.#word, 'not now', { reader: this.name });
    });
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
  it.each(['no-card', 'mute'] as const)(
    'asks again a reader that has not noticed yet that its card was pulled: %s',
    async (word) => {
      const clock = new VirtualClock();
      const reader = new SlowReader(word);
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
    },
  );

  it('waits for the next one where a card is pulled again as it is powered', async () => {
    const clock = new VirtualClock();
    const reader = new InProcessReader();
    const pulled = new ReaderError('card-removed', 'the card was removed', { reader: reader.name });
    vi.spyOn(reader, 'connect').mockRejectedValueOnce(pulled);
    const connecting = attempt(reader, clock, 10_000);
    await settled();
    reader.insert(new EchoCard());
    expect((await connecting).atr).toEqual(new EchoCard().atr);
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

  it('believes a card that stays mute, after a second and not before', async () => {
    const clock = new VirtualClock();
    const reader = new SlowReader('mute');
    const refused = expect(attempt(reader, clock, 10_000)).rejects.toMatchObject({ code: 'mute' });
    for (const ms of [250, 250, 250, 250]) {
      await settled();
      clock.advance(ms);
    }
    await refused;
    expect(reader.attempts).toBe(5);
    expect(clock.pending).toBe(0);
  });

  it('does not wait where nobody wants to', async () => {
    const reader = new SlowReader('mute');
    const refused = attempt(reader, new VirtualClock(), 0);
    await expect(refused).rejects.toMatchObject({ code: 'mute' });
    expect(reader.attempts).toBe(1);
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
