import type { Suite } from '../../applet-spec/names.ts';
import type { Links } from '../link/links.ts';
import type { AnnouncedLink } from '../wire/announcement.ts';

/** Our own links as they are now, in the words of an announcement. */
export function announcedLinks(links: Pick<Links, 'peers' | 'status'>): AnnouncedLink[] {
  return links.peers.flatMap((neighbour) => {
    const status = links.status(neighbour);
    if (status === undefined) return [];
    const { suite, keys, aheadBits, missingBits, state, sinceMs } = status;
    const since = BigInt(Math.floor(sinceMs / 1000));
    const least = bitsAPayment[suite];
    // What new payments may take. Where the stock never has a payment's worth, as keys are drawn
    // when they are needed, the link's state alone says whether the device gives them.
    const free = keys.available - keys.kept;
    const availableBits = BigInt(aheadBits) < least && free < least ? least : free;
    return [{ neighbour, suite, availableBits, state, since, missingBits }];
  });
}

/** QKD bits that one payment draws from a link before its next announcement, by suite. */
const bitsAPayment: Readonly<Record<Suite, bigint>> = {
  aes: 0n,
  'otp-secret': 512n,
  otp: 16_384n,
};

/** Four receipts and more: under `otp` one draws 2,048 to 4,096 bits. */
const keptMostBits = 16_384;

/**
 * Bits of a link's stock that payments leave for words and the link's own traffic keys, so that the
 * verdicts of payments under way never wait for a device that new payments exhaust (I33). A small
 * stock still has a payment's worth. Under other suites words draw nothing.
 */
export function keptBits(suite: Suite, stockBits: number): number {
  if (suite !== 'otp') return 0;
  return Math.max(0, Math.min(keptMostBits, stockBits - Number(bitsAPayment.otp)));
}

/** Whether a route may lead along a link, as its first station announces it. */
export function carriesPayments(
  link: Pick<AnnouncedLink, 'suite' | 'state' | 'availableBits'>,
): boolean {
  return link.state === 'up' && link.availableBits >= bitsAPayment[link.suite];
}
