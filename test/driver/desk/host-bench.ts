/**
 * A host with an emulated card in this process, a wallet in a temporary folder and a stand-in desk.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import type { Entropy } from '../../../applet-spec/primitives.ts';
import type { ErrandParams } from '../../../driver/agent/errands.ts';
import { Host } from '../../../driver/agent/host.ts';
import { HostRunner } from '../../../driver/agent/host-runner.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { Wallet } from '../../../driver/wallet/wallet.ts';
import { Card } from '../../../emulator/card/card.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { ToldClock } from './told-clock.ts';
import { StandInDesk } from './stand-in-desk.ts';
import { Papers } from './stand-in-papers.ts';

export const pin = '2580';
export const puk = '90210731';

/** Bytes that are the same at every run. */
export function countedEntropy(name: string): Entropy {
  let draws = 0;
  return {
    randomBytes: (length) => {
      const whole = new Uint8Array(length);
      for (let offset = 0; offset < length; offset += 32) {
        const block = primitives.sha256(toUtf8(`${name} ${draws++}`));
        whole.set(block.subarray(0, length - offset), offset);
      }
      return whole;
    },
  };
}

export class HostBench {
  readonly clock: ToldClock;
  readonly desk: StandInDesk;
  readonly papers: Papers;
  readonly reader = new InProcessReader('test reader');
  readonly card: Card;
  readonly folder: string;
  wallet: Wallet;
  host: Host;
  runner: HostRunner;
  readonly #entropy = countedEntropy('host');

  private constructor(clock: ToldClock, papers: Papers, desk: StandInDesk, card: Card) {
    this.clock = clock;
    this.papers = papers;
    this.desk = desk;
    this.card = card;
    this.folder = mkdtempSync(join(tmpdir(), 'keytoll-host-'));
    this.wallet = Wallet.open(this.folder);
    this.host = this.#newHost();
    this.runner = new HostRunner(this.host);
    this.reader.insert(card);
  }

  static async open(): Promise<HostBench> {
    const clock = new ToldClock();
    const { image, delivery } = makeCard(countedEntropy('maker'));
    const entropy = countedEntropy('card');
    const card = new Card({ storage: new MemoryStorage(image), primitives, entropy, clock });
    const papers = await Papers.open({ clock, entropy: countedEntropy('papers') });
    const desk = await StandInDesk.open(papers, delivery, countedEntropy('desk'));
    return new HostBench(clock, papers, desk, card);
  }

  get initParams(): ErrandParams<'card-init'> {
    return {
      newPin: pin,
      newPuk: puk,
      stationUrl: this.desk.url,
      rootCertificate: Buffer.from(this.papers.ca.root).toString('base64'),
    };
  }

  /** A card with PIN and user, and a wallet that knows its station. */
  async enrol(): Promise<void> {
    await this.runner.run('card-init', this.initParams);
  }

  /** As if the program had ended and been started again. */
  async restart(renewDays?: number): Promise<void> {
    await this.host.close();
    this.wallet.close();
    this.wallet = Wallet.open(this.folder);
    this.host = this.#newHost(renewDays);
    this.runner = new HostRunner(this.host);
  }

  /** The folder is gone, the card is not. */
  async loseWallet(): Promise<void> {
    await this.host.close();
    this.wallet.close();
    rmSync(this.folder, { recursive: true });
    this.wallet = Wallet.open(this.folder);
    this.host = this.#newHost();
    this.runner = new HostRunner(this.host);
  }

  /** The card is taken out, the host has seen it, and it is put back. */
  async reinsert(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      const forget = this.host.watch((event) => {
        if (event.kind !== 'card-gone') return;
        forget();
        resolve();
      });
    });
    this.reader.remove();
    await gone;
    this.reader.insert(this.card);
  }

  async close(): Promise<void> {
    await this.host.close();
    this.wallet.close();
    await this.reader.close();
    await this.desk.close();
    this.papers.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #newHost(renewDays?: number): Host {
    const { wallet, reader, clock } = this;
    const renewal = renewDays === undefined ? {} : { renewDays };
    return new Host({ wallet, reader, clock, entropy: this.#entropy, primitives, ...renewal });
  }
}
