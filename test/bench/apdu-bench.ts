/**
 * `apdu`: round trips of the driver through a real pcscd to an emulated card in another process,
 * against bare `pcsclite` transmits to the same card in turn; and what a card's commands cost.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { encodeCommand, type CommandApdu } from '../../applet-spec/apdu.ts';
import { toHex } from '../../applet-spec/bytes.ts';
import { journalQuery } from '../../applet-spec/card-objects.ts';
import { appletId, commands, dataObjects } from '../../applet-spec/commands.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { coinOf } from '../contract/applet-papers.ts';
import { cardFigures } from './card-bench.ts';
import { CardRoom, type PlacedCard } from './card-room.ts';
import { against, rounded, type Figure } from './figure.ts';

/** As a card with a contact interface takes for a short command. */
const cardMs = 5;
const rounds = 12;

/** The card's information: the plainest question there is. */
const question: CommandApdu = {
  cla: commands.getData.cla,
  ins: commands.getData.ins,
  p1: dataObjects.applicationInfo >> 8,
  p2: dataObjects.applicationInfo & 0xff,
  data: new Uint8Array(0),
  ne: 256,
};
const selection: CommandApdu = {
  cla: commands.select.cla,
  ins: commands.select.ins,
  p1: 0x04,
  p2: 0x0c,
  data: appletId,
};

export async function apduFigures(): Promise<readonly Figure[]> {
  const room = await CardRoom.open();
  try {
    const slow = await room.insert(0, { profile: 't1-extended', latencyMs: cardMs });
    const swift = await room.insert(1, { profile: 't1-extended', latencyMs: 0 });
    const pcsc = await pcscFigure('apdu.pcsc', slow, room.readerName(0), 60);
    const zero = await pcscFigure('apdu.pcsc.zero', swift, room.readerName(1), 500);
    const scp03 = await scp03Figure(slow, pcsc.value);
    await Promise.all([slow.close(), swift.close()]);
    const bareMs = 1_000 / (pcsc.reference?.value ?? Number.NaN);
    return [pcsc, zero, scp03, ...(await cardFigures(cardMs, bareMs))];
  } finally {
    await room.close();
  }
}

/** Driver and reference take turns, so that a machine's moods meet both alike. */
async function pcscFigure(
  name: string,
  card: PlacedCard,
  reader: string,
  transmits: number,
): Promise<Figure> {
  const bare = await BarePcsclite.start(reader);
  try {
    let driverMs = 0;
    let bareMs = 0;
    await driverTakes(card, transmits);
    await bare.takes(transmits);
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 0) bareMs += await bare.takes(transmits);
      driverMs += await driverTakes(card, transmits);
      if (round % 2 === 1) bareMs += await bare.takes(transmits);
    }
    const perSecond = (ms: number): number => rounded((1_000 * rounds * transmits) / ms, 1);
    const reference = { name: 'bare pcsclite', value: perSecond(bareMs) };
    return against({ name, value: perSecond(driverMs), unit: '1/s' }, reference);
  } finally {
    bare.end();
  }
}

/** Milliseconds for so many questions, one after another. */
function driverTakes(card: PlacedCard, count: number): Promise<number> {
  return card.touched(async ({ exchange }) => {
    const startMs = performance.now();
    for (let i = 0; i < count; i++) {
      const { sw } = await exchange.transmit(question);
      if (sw !== statusWords.done) throw new Error(`the card refused: ${sw.toString(16)}`);
    }
    return performance.now() - startMs;
  });
}

/** QUERY JOURNAL under SCP03 at level 33: encrypted and authenticated both ways. */
async function scp03Figure(card: PlacedCard, plain: number): Promise<Figure> {
  const count = 300;
  const query = journalQuery.encode({ coinId: coinOf(1).coinId });
  const tookMs = await card.touched(async ({ subject }) => {
    const station = await subject.enrol();
    const startMs = performance.now();
    for (let i = 0; i < count; i++) await station.done('queryJournal', query);
    return performance.now() - startMs;
  });
  const value = rounded((1_000 * count) / tookMs, 1);
  return against({ name: 'apdu.scp03', value, unit: '1/s' }, { name: 'apdu.pcsc', value: plain });
}

/** The reference's process. */
class BarePcsclite {
  readonly #child: ReturnType<typeof fork>;
  readonly #fallen: Promise<never>;

  private constructor(child: ReturnType<typeof fork>) {
    this.#child = child;
    this.#fallen = once(child, 'exit').then(() => {
      throw new Error('bare pcsclite has ended');
    });
    // Nobody waits for it once it is told to end.
    this.#fallen.catch(() => undefined);
  }

  static async start(reader: string): Promise<BarePcsclite> {
    const program = join(import.meta.dirname, `bare-pcsclite${extname(import.meta.filename)}`);
    const apdus = [selection, question].map((command) => toHex(encodeCommand(command, 'short')));
    const child = fork(program, [reader, ...apdus], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const bare = new BarePcsclite(child);
    await bare.#heard();
    return bare;
  }

  async takes(count: number): Promise<number> {
    this.#child.send(count);
    return Number(await this.#heard());
  }

  end(): void {
    this.#child.disconnect();
  }

  async #heard(): Promise<unknown> {
    const heard: unknown[] = await Promise.race([once(this.#child, 'message'), this.#fallen]);
    return heard[0];
  }
}
