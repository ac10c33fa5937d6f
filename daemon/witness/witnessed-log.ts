/** This station's log and those of its neighbours, as far as links have to do with them (S6). */
import type { StationName } from '../../applet-spec/names.ts';
import type { WireMessage } from '../wire/wire-message.ts';
import { LogStanding } from './log-standing.ts';
import { Sequencer, type SequencerOptions } from './sequencer.ts';
import { Witness, type WitnessOptions } from './witness.ts';

export type WitnessedLogOptions = Omit<SequencerOptions, 'standing'> & WitnessOptions;

export class WitnessedLog {
  readonly #station: StationName;
  readonly standing: LogStanding;
  readonly sequencer: Sequencer;
  readonly witness: Witness;

  constructor(options: WitnessedLogOptions) {
    this.#station = options.station;
    this.standing = new LogStanding(options.station, options.store);
    this.sequencer = new Sequencer({ ...options, standing: this.standing });
    this.witness = new Witness(options);
  }

  /** Call before the links listen. */
  async start(): Promise<void> {
    await this.witness.start();
    await this.sequencer.start();
  }

  async close(): Promise<void> {
    await this.sequencer.close();
    await this.witness.close();
  }

  /** Nothing is being signed, checked or kept. */
  async idle(): Promise<void> {
    await this.sequencer.idle();
    await this.witness.idle();
  }

  linkUp(peer: StationName): void {
    this.witness.linkUp(peer);
  }

  /** What a neighbour says of its own log, of this station's, or of anybody's. */
  async told(peer: StationName, message: WireMessage): Promise<void> {
    if (message.kind === 'checkpoint') await this.witness.told(peer, message.content);
    else if (message.kind === 'cosigned') await this.sequencer.told(peer, message.content);
    else if (message.kind === 'declaration') {
      await this.witness.declares(peer, message.content.declaration);
    } else if (message.kind === 'prove') {
      await this.sequencer.prove(peer, message.content);
    } else if (message.kind === 'published') {
      const { station } = message.content.checkpoint.body;
      if (station === this.#station) await this.sequencer.published(peer, message.content);
      else await this.witness.published(peer, message.content);
    } else if (message.kind === 'twoLogs') {
      const { checkpoints } = message.content;
      const ours = checkpoints.filter(({ body }) => body.station === this.#station);
      for (const one of ours) await this.sequencer.compareOwn(peer, one);
      if (ours.length === 0) await this.witness.toldTwoLogs(peer, message.content);
    }
  }
}
