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
