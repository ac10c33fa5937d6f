/**
 * Rows that hold no money, and on which the next step of a station rests: whose card it is, which
 * list of revoked certificates is in force, which of its announcements are kept for bills.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAfter } from './sabotage.ts';
import { alice, TollRoom } from './toll-room.ts';

let room: TollRoom;
beforeAll(async () => {
  room = await TollRoom.open([5n, 4n, 3n]);
  await room.publishList();
  await room.pay();
  await room.publishList();
  await enrolCardOfAlice();
});
afterAll(() => room.close());

async function enrolCardOfAlice(): Promise<void> {
  const { store } = room.station('q1');
  const serial = room.entropy.randomBytes(16);
  const [enc, mac, dek, hostLink] = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n));
  if (!enc || !mac || !dek || !hostLink) throw new RangeError('four keys');
  const keys = { enc, mac, dek, hostLink };
  const limits = { paymentLimit: 100n, dayLimit: 100n };
  const card = { serial, user: alice, state: 'awaiting-enrolment', keyVersion: 1, keys } as const;
  await store.putCard({ ...card, ...limits });
  await store.enrolCard(serial, room.users.get(alice)?.certificate ?? new Uint8Array());
}

async function foundAt(
  station: string,
  sql: string,
): Promise<readonly (readonly [code: string, detail: string])[]> {
  const { findings } = await auditAfter(room, station, (s) => s.run(sql));
  return findings.map(({ code, detail }) => [code, detail]);
}

describe('an audit finds', () => {
  it.each(['q1', 'q2', 'q3'])('nothing at %s before anything is changed', async (station) => {
    expect((await auditAfter(room, station, () => undefined)).findings).toEqual([]);
  });

  it.each([
    [
      'a card of nobody',
      "UPDATE card SET user = 'zoe@q1', state = 'frozen'",
      ['a card is of zoe@q1, who is no user here', 'alice@q1 has a certificate, and never a card'],
    ],
    [
      'a card in a state that is none',
      "UPDATE card SET state = 'lost'",
      ['the card of alice@q1 is lost, which no card is'],
    ],
    [
      'an enrolled card whose user has no certificate any more',
      "UPDATE user SET certificate_hash = NULL WHERE name = 'alice@q1'",
      ['the card of alice@q1 is enrolled, and no certificate of theirs is named'],
    ],
    [
      'an enrolled card that became another user’s',
      "UPDATE card SET user = 'bob@q1'",
      [
        'the card of bob@q1 is enrolled, and no certificate of theirs is named',
        'alice@q1 has a certificate, and never a card',
      ],
    ],
  ])('%s', async (_what, sql, details) => {
    const expected = details.map((detail) => ['user-differs', detail]);
    expect(await foundAt('q1', sql)).toEqual(expected);
  });

  it.each([
    ['under a number that no later list reaches', 'UPDATE crl SET number = number + 1000'],
    ['that is an older one again', 'UPDATE crl SET bytes = (SELECT bytes FROM revocation_list)'],
    ['that does not decode', "UPDATE crl SET bytes = x'3000'"],
    ['that is gone', 'DELETE FROM crl'],
  ])('a list in force %s', async (_what, sql) => {
    const words = /^the list of revoked certificates in force is not the one kept last/;
    const expected = ['revocation-list', expect.stringMatching(words) as string];
    expect(await foundAt('q2', sql)).toEqual([expected]);
  });

  it.each(['0', '2'])(
    'an announcement that a bill names and that would be forgotten (used = %s)',
    async (used) => {
      const found = await foundAt('q2', `UPDATE own_announcement SET used = ${used}`);
      const detail = 'our line names an announcement that is not marked to be kept';
      expect(found).toEqual([['announcement-missing', detail]]);
    },
  );

  it('no such mark missed where a neighbour brought the payment back', async () => {
    const { findings } = await auditAfter(room, 'q2', (s) => {
      s.run('UPDATE own_announcement SET used = 0');
      s.run('INSERT INTO restored_payment SELECT number FROM payment');
    });
    expect(findings.filter(({ code }) => code === 'announcement-missing')).toEqual([]);
  });
});
