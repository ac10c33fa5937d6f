/** Failure 34: an audit judges each payment by the list of revoked certificates of its time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import type { Finding } from '../../../daemon/audit/finding.ts';
import type { PaidPayment } from './toll-papers.ts';
import { alice, TollRoom } from './toll-room.ts';

const stations = ['q1', 'q2', 'q3'];
const minutes = 60_000;
let room: TollRoom;
let first: string;
beforeEach(async () => {
  room = await TollRoom.open([5n, 4n, 3n]);
  first = (await room.publishList()).toString();
});
afterEach(() => room.close());

type Whose = 'payer' | 'coin' | 'document';

function certificateOf(whose: Whose): Uint8Array {
  const q1 = room.station('q1');
  if (whose === 'coin') return q1.coinCertificate;
  if (whose === 'document') return q1.documentCertificate;
  const user = room.users.get(alice);
  if (user === undefined) throw new Error('no alice');
  return user.certificate;
}

/** Returns the number of the list that says so. */
async function revoke(whose: Whose): Promise<string> {
  const { serialNumber } = parseCertificate(certificateOf(whose));
  expect(await room.ca.revoke(serialNumber)).toEqual({ outcome: 'revoked' });
  return (await room.publishList()).toString();
}

/** Apart from prices, which are not announced again in this room. */
async function revokedAt(station: string): Promise<readonly Finding[]> {
  const { findings } = await room.audit(station);
  return findings.filter(({ code }) => code !== 'announcement-invalid');
}

async function expectFound(station: string, paid: PaidPayment, words: RegExp): Promise<void> {
  const { paymentId } = paid;
  const detail = expect.stringMatching(words) as string;
  expect(await revokedAt(station)).toEqual([
    { code: 'certificate-revoked', detail, paymentId, party: station },
  ]);
}

describe('a payment that was taken', () => {
  it.each<[Whose, string]>([
    ['payer', 'alice@q1'],
    ['coin', 'q1 (station-coin)'],
    ['document', 'q1 (station-document)'],
  ])('after a list had revoked the certificate of its %s is found', async (whose, who) => {
    room.clock.advance(5 * minutes);
    await room.pay();
    room.clock.advance(5 * minutes);
    const list = await revoke(whose);
    const since = new Date(room.nowMs).toISOString();
    room.clock.advance(2 * minutes);
    const paid = await room.pay();
    for (const station of stations) {
      await expectFound(
        station,
        paid,
        new RegExp(`^list ${list} of that time revokes.*${who.replace(/[()]/g, '.')}`),
      );
      const { revocations } = await room.audit(station);
      const serialNumber = toHex(parseCertificate(certificateOf(whose)).serialNumber);
      expect(revocations).toEqual({
        lists: 2,
        paymentsBefore: 0,
        revoked: [{ who, serialNumber, list, since }],
      });
    }
  });

  it.each<[Whose]>([['payer'], ['coin'], ['document']])(
    'before a list revoked the certificate of its %s stays good; the report says who was revoked',
    async (whose) => {
      room.clock.advance(5 * minutes);
      await room.pay();
      const list = await revoke(whose);
      for (const station of stations) {
        expect(await revokedAt(station)).toEqual([]);
        const { revocations } = await room.audit(station);
        expect(revocations.revoked).toMatchObject([{ list }]);
      }
    },
  );

  it('within a minute after the list came may have been judged by the one before', async () => {
    room.clock.advance(5 * minutes);
    await revoke('payer');
    room.clock.advance(minutes - 1);
    await room.pay();
    for (const station of stations) expect(await revokedAt(station)).toEqual([]);
  });

  it('when no list was fresh any more is found', async () => {
    // A day from a minute before it was made, the most grace of another, and what one may wait.
    room.clock.advance(2 * 1_440 * minutes);
    await room.pay();
    room.clock.advance(1_000);
    const paid = await room.pay();
    await expectFound('q2', paid, new RegExp(`no list.*was fresh: number ${first} had ended`));
  });
});

it('payments from before the first list are counted, and judged by none', async () => {
  const old = await TollRoom.open([5n, 4n, 3n]);
  try {
    await old.pay();
    old.clock.advance(minutes);
    await old.publishList();
    await old.pay();
    const { findings, revocations } = await old.audit('q2');
    expect(findings).toEqual([]);
    expect(revocations).toEqual({ lists: 1, paymentsBefore: 1, revoked: [] });
  } finally {
    await old.close();
  }
});
