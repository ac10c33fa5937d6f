/**
 * Stations that settle over a network of one process, where questions and answers can be lost, kept
 * and repeated.
 */
import { toHex } from '../../../applet-spec/bytes.ts';
import type { StationName } from '../../../applet-spec/names.ts';
import type { Asked } from '../../../daemon/network/questions.ts';
import type {
  SettlementContext,
  SettlementTerms,
} from '../../../daemon/settlement/settlement-context.ts';
import { Settlement } from '../../../daemon/settlement/settlement.ts';
import {
  settlementWord,
  type SettlementContent,
} from '../../../daemon/settlement/settlement-messages.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { euro, network, type PaidPayment } from '../audit/toll-papers.ts';
import type { TollRoom } from '../audit/toll-room.ts';

/** What happens to one question; `late` delivers it again after the one that follows. */
export type Fate = 'delivered' | 'question-lost' | 'answer-lost' | 'twice' | 'late';

export class SettlementRoom {
  readonly toll: TollRoom;
  readonly #settlements = new Map<StationName, Settlement>();
  readonly #late: { readonly to: StationName; readonly bytes: Uint8Array }[] = [];
  readonly paid = new Map<string, PaidPayment>();
  /** Every question that was delivered, for those who would repeat it. */
  readonly questions: { readonly to: StationName; readonly bytes: Uint8Array }[] = [];
  terms: SettlementTerms = { everySeconds: 0, pay: 'on-agreement' };
  /** What witnesses say of the books of every station that starts from now on. */
  rolledBack: SettlementContext['standing']['rolledBack'];
  /** Whose books were rebuilt. */
  readonly wereLost = new Set<StationName>();
  /** Asked for each question in turn. */
  fate: (content: SettlementContent) => Fate = () => 'delivered';

  constructor(toll: TollRoom) {
    this.toll = toll;
  }

  async pay(options: Parameters<TollRoom['pay']>[0] = {}): Promise<PaidPayment> {
    const paid = await this.toll.pay(options);
    this.paid.set(toHex(paid.paymentId), paid);
    return paid;
  }

  at(name: string): Settlement {
    const { name: station } = this.toll.station(name);
    const known = this.#settlements.get(station);
    if (known !== undefined) return known;
    const settlement = new Settlement(this.contextOf(station));
    this.#settlements.set(station, settlement);
    return settlement;
  }

  /** As after a crash: nothing of what was in memory is left. */
  async restart(name: string): Promise<Settlement> {
    this.#settlements.delete(this.toll.station(name).name);
    const settlement = this.at(name);
    await settlement.start();
    return settlement;
  }

  /** Another conversation partner under a station's name, until it restarts. */
  replace(name: string, settlement: Settlement): void {
    this.#settlements.set(this.toll.station(name).name, settlement);
  }

  contextOf(name: StationName): SettlementContext {
    const { store, documentKey } = this.toll.station(name);
    const { clock, entropy } = this.toll;
    return {
      station: name,
      network,
      currency: euro,
      terms: this.terms,
      primitives,
      clock,
      entropy,
      documentKey,
      store,
      standing: {
        rolledBack: this.rolledBack,
        declared: this.wereLost.has(name) ? ({} as never) : undefined,
      },
      routeTo: (peer) => [name, peer],
      documentKeyOf: (peer) => this.toll.stations.find((one) => one.name === peer)?.documentKey,
      ask: async (route, question) => {
        const to = route.at(-1);
        if (to === undefined || question.kind !== 'settlement') return { kind: 'no-answer' };
        return this.#carry(to, question.content);
      },
      ownKeys: [documentKey],
      takeReceipt: async ({ body }) => {
        const paid = this.paid.get(toHex(body.paymentId));
        if (paid === undefined) return 'not-ours';
        await this.toll.hear(this.toll.station(name), paid);
        return 'taken';
      },
      log: {
        peer: () => {},
        fault: (error) => {
          throw error;
        },
      },
    };
  }

  async #carry(to: StationName, bytes: Uint8Array): Promise<Asked> {
    const fate = this.fate(settlementWord.decode(bytes).body.content);
    const late = this.#late.splice(0);
    let asked: Asked = { kind: 'no-answer' };
    if (fate !== 'question-lost') {
      const content = await this.#deliver(to, bytes);
      if (fate === 'twice') await this.#deliver(to, bytes);
      if (fate === 'late') this.#late.push({ to, bytes });
      if (content !== undefined && fate !== 'answer-lost') asked = { kind: 'settlement', content };
    }
    for (const old of late) await this.#deliver(old.to, old.bytes);
    return asked;
  }

  #deliver(to: StationName, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    this.questions.push({ to, bytes });
    // A fault inside a station is no answer to its peer.
    return this.at(to)
      .answer(bytes)
      .catch(() => undefined);
  }
}
