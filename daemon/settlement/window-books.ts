/**
 * The last two steps of a window, the same for whoever asked: agreed on the peer's word, then paid
 * once.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { SettlementStore, SettlementWindow } from '../store/settlement-store.ts';
import type { SettlementContext } from './settlement-context.ts';
import type { SettlementWord, Totals } from './settlement-messages.ts';
import { netOf, paymentReference } from './window-steps.ts';

export class WindowBooks {
  readonly #context: SettlementContext;

  constructor(context: SettlementContext) {
    this.#context = context;
  }

  /**
   * closed → agreed, and paid where nobody has to move money by hand. False where totals differ.
   */
  async agree(peer: StationName, totals: Totals, word: SettlementWord): Promise<boolean> {
    const { store, log } = this.#context;
    const outcome = await store.agreeWindow(peer, totals.sequence, totals, word.bytes);
    if (outcome !== 'agreed' && outcome !== 'exists') return false;
    if (outcome === 'agreed') {
      log.peer('info', peer, 'a settlement window is agreed', { window: `${totals.sequence}` });
    }
    const window = await store.window(peer, totals.sequence);
    if (window?.state === 'agreed') await this.#payWhereDue(window);
    return true;
  }

  /** The peer says that it was paid for, which only its own loss could make untrue. */
  async paidBefore(window: SettlementWindow): Promise<void> {
    const { store, clock } = this.#context;
    if (window.state !== 'agreed' || netOf(window) > 0n) return;
    const { peer, sequence } = window;
    await store.payWindow(peer, sequence, this.#reference(window), clock.nowMs());
  }

  /** After a restart: what was agreed and not yet booked. */
  async resume(): Promise<void> {
    const { store } = this.#context;
    for (const { peer } of await store.positions()) {
      for (const window of await allWindows(store, peer)) {
        if (window.state === 'agreed') await this.#payWhereDue(window);
      }
    }
  }

  async #payWhereDue(window: SettlementWindow): Promise<void> {
    const { store, terms, clock, log } = this.#context;
    const { peer, sequence } = window;
    const net = netOf(window);
    if (terms.pay === 'by-operator' && net !== 0n) return;
    const paid = await store.payWindow(peer, sequence, this.#reference(window), clock.nowMs());
    if (paid !== 'paid') return;
    log.peer(
      'info',
      peer,
      net < 0n ? 'a settlement window is paid' : 'a settlement window is closed',
      {
        window: `${sequence}`,
        net: `${net}`,
      },
    );
  }

  #reference({ peer, sequence }: SettlementWindow): string {
    const { network, station } = this.#context;
    return paymentReference({ network, station, peer, sequence });
  }
}

const pageWindows = 256;

/** All windows of a pair, in order. */
export async function allWindows(
  store: Pick<SettlementStore, 'windows'>,
  peer: StationName,
): Promise<readonly SettlementWindow[]> {
  const windows: SettlementWindow[] = [];
  for (let after = 0n; ;) {
    const page = await store.windows(peer, after, pageWindows);
    windows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < pageWindows) return windows;
    after = last.sequence;
  }
}

/** The newest of a pair. They are numbered without gaps, so a few looks find it among many. */
export async function lastWindow(
  store: Pick<SettlementStore, 'window'>,
  peer: StationName,
): Promise<SettlementWindow | undefined> {
  let last: SettlementWindow | undefined;
  let above = 1n;
  for (let found = await store.window(peer, above); found !== undefined;) {
    last = found;
    above *= 2n;
    found = await store.window(peer, above);
  }
  while (last !== undefined && above - last.sequence > 1n) {
    const middle: bigint = (last.sequence + above) / 2n;
    const found = await store.window(peer, middle);
    if (found === undefined) above = middle;
    else last = found;
  }
  return last;
}
