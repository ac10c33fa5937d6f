/**
 * What our own announcements said we charge, by the name that bill lines give them. An old price
 * serves no new quote: an announcement counts for quotes of its own time only.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { NetworkStore } from '../store/store.ts';
import { announcement, type AnnouncementBody } from '../wire/announcement.ts';

/** Announcements named by bills under way: one every half minute for some hours. */
const rememberMost = 1_024;
/** Clocks of stations may differ by this much (design §7). */
const skewSeconds = 60n;

type Tariff = Pick<AnnouncementBody, 'fee' | 'currency' | 'time' | 'expiry'>;

/** What a station announced that it charges. */
export type AnnouncedFee = Pick<Tariff, 'fee' | 'currency'>;

export class AnnouncedFees {
  readonly #store: NetworkStore;
  readonly #known = new Map<string, Tariff>();

  constructor(store: NetworkStore) {
    this.#store = store;
  }

  /** Undefined for a name that is none of ours, or was not in force at the quote's time. */
  async fee(name: Uint8Array, quoteTime: bigint): Promise<AnnouncedFee | undefined> {
    const tariff = await this.#tariff(name);
    if (tariff === undefined) return undefined;
    return inForce(tariff, quoteTime) ? tariff : undefined;
  }

  async #tariff(name: Uint8Array): Promise<Tariff | undefined> {
    const memory = toLatin1(name);
    const known = this.#known.get(memory);
    if (known !== undefined) return known;
    const bytes = await this.#store.useOwnAnnouncement(name);
    if (bytes === undefined) return undefined;
    const { fee, currency, time, expiry } = announcement.decode(bytes).body;
    const tariff = { fee, currency, time, expiry };
    if (this.#known.size >= rememberMost) this.#known.clear();
    this.#known.set(memory, tariff);
    return tariff;
  }
}

/** An announcement serves the quotes of its own time, within what clocks may differ by. */
export function inForce(
  { time, expiry }: Pick<AnnouncementBody, 'time' | 'expiry'>,
  quoteTime: bigint,
): boolean {
  return time <= quoteTime + skewSeconds && quoteTime <= expiry + skewSeconds;
}
