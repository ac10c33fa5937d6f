import type { Suite } from '../../applet-spec/names.ts';
import type { Links } from '../link/links.ts';
import type { AnnouncedLink } from '../wire/announcement.ts';

/** Our own links as they are now, in the words of an announcement. */
export function announcedLinks(links: Pick<Links, 'peers' | 'status'>): AnnouncedLink[] {
  return links.peers.flatMap((neighbour) => {
    const status = links.status(neighbour);
    if (status === undefined) return [];
    const { suite, keys, missingBits, state, sinceMs } = status;
    const since = BigInt(Math.floor(sinceMs / 1000));
    return [{ neighbour, suite, availableBits: keys.available, state, since, missingBits }];
  });
}

/** QKD bits that one payment draws from a link before its next announcement, by suite. */
const bitsAPayment: Readonly<Record<Suite, bigint>> = {
  aes: 0n,
  'otp-secret': 512n,
  otp: 16_384n,
};

/** Whether a route may lead along a link, as its first station announces it. */
export function carriesPayments(
  link: Pick<AnnouncedLink, 'suite' | 'state' | 'availableBits'>,
): boolean {
  return link.state === 'up' && link.availableBits >= bitsAPayment[link.suite];
}
