import { afterEach, expect, it } from 'vitest';
import type { StationName } from '../../../applet-spec/names.ts';
import type { StationTrust } from '../../../daemon/link/handshake-talk.ts';
import {
  LinkRoom,
  numberOf,
  pay,
  trustEverybody,
  turns,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

/** Whom the CA has revoked, by the newest list. */
class RevocableTrust implements StationTrust {
  readonly revoked = new Set<StationName>();

  check(der: Uint8Array, role: 'station-document', name: StationName) {
    if (!this.revoked.has(name)) return trustEverybody.check(der, role, name);
    return { ok: false, reason: 'revoked', detail: 'revoked by CRL 2' } as const;
  }
}

const why =
  'the station certificate of q1 is refused: revoked: revoked by CRL 2; ' +
  'it has to run `keytolld keys rotate document`';

function refused(end: LinkEnd) {
  return end.log.filter(({ detail }) => detail['code'] === 'certificate-refused');
}

async function linked() {
  const trust = new RevocableTrust();
  const [q1, q2] = await room.linked({}, {}, { trust });
  return { trust, q1, q2 };
}

it('a newer CRL that revokes nobody here leaves the link as it is', async () => {
  const { q1, q2 } = await linked();
  q2.links.recheck();
  q1.links.recheck();
  await room.pass(60_000);
  expect([q1.changes, q2.changes]).toEqual([['up q2'], ['up q1']]);
});

it('a neighbour that is revoked loses its link at once, and both ends say why', async () => {
  const { trust, q1, q2 } = await linked();
  trust.revoked.add(q1.name);
  q2.links.recheck();
  expect(q2.changes).toEqual(['up q1', 'down q1']);
  expect(q2.links.status(q1.name)).toMatchObject({ state: 'down', detail: why });
  expect(refused(q2)).toMatchObject([{ level: 'warn', peer: 'q1', detail: { why } }]);
  await until(() => q1.state() !== 'up');
  expect(q1.log.at(-1)?.detail['why']).toBe(
    'the peer says: the station certificate of q1 is refused',
  );
});

it('nothing that it sent with the end of its link is taken, and nothing is lost', async () => {
  const { trust, q1, q2 } = await linked();
  await pay(q1, 1, 1);
  await until(() => q1.confirmed.length === 1);
  await pay(q1, 2, 3);
  trust.revoked.add(q1.name);
  q2.links.recheck();
  await room.pass(5_000);
  expect(q2.rows.map(numberOf)).toEqual([1]);
  expect([...q1.outbox.keys()]).toEqual([2n, 3n]);
  trust.revoked.clear();
  await room.pass(150_000);
  expect(q2.rows.map(numberOf)).toEqual([1, 2, 3]);
  expect(q1.outbox.size).toBe(0);
});

const sides = [
  ['dials', 'q2', 'q1'],
  ['is dialled', 'q1', 'q2'],
] as const;

it.each(sides)('a revoked neighbour that %s costs two keys a minute', async (_, name, peer) => {
  const trust = new RevocableTrust();
  const doubter = await room.open(name, { peer, dials: name === 'q1', trust });
  const doubted = await room.open(peer, { peer: name, dials: peer === 'q1' });
  await until(() => doubter.state() === 'up' && doubted.state() === 'up');
  trust.revoked.add(doubted.name);
  doubter.links.recheck();
  await room.pass(1_000);
  const before = doubter.ledger.used.size;
  await room.pass(600_000);
  const used = doubter.ledger.used.size - before;
  expect(used).toBeGreaterThanOrEqual(2 * 4);
  expect(used).toBeLessThanOrEqual(2 * 10);
  expect(refused(doubter)).toHaveLength(1);
  const status = doubter.links.status(doubted.name);
  expect(status).toMatchObject({ state: 'down', detail: refused(doubter)[0]?.detail['why'] });
  trust.revoked.clear();
  await room.pass(150_000);
  expect([doubter.state(), doubted.state()]).toEqual(['up', 'up']);
});

it('a link whose certificate is revoked while its handshake ends never comes up', async () => {
  const trust = new RevocableTrust();
  // The list comes between the check and the link.
  const late: StationTrust = {
    check(der, role, name) {
      const now = trust.check(der, role, name);
      trust.revoked.add(name);
      return now;
    },
  };
  const [, q2] = await room.pair({}, {}, { trust: late });
  await until(() => refused(q2).length > 0);
  await turns(10);
  expect(q2.changes).toEqual([]);
});

it('a station that stops while it distrusts a neighbour leaves no timer behind', async () => {
  const { trust, q1, q2 } = await linked();
  trust.revoked.add(q1.name);
  q2.links.recheck();
  await room.pass(1_000);
  await q1.close();
  await q2.close();
  expect(room.clock.pending).toBe(0);
});
