import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCrl } from '../../../applet-spec/crl.ts';
import { Trust } from '../../../daemon/network/trust.ts';
import { keyNamed, NetworkRoom, primitives } from './network-room.ts';

const daySeconds = 86_400;
const graceSeconds = 3_600;
/** The CA starts its lists this much early. */
const earlySeconds = 60;

let room: NetworkRoom;
let alice: Uint8Array;

beforeEach(async () => {
  room = await NetworkRoom.open();
  alice = await room.ca.issueUser(keyNamed('alice').publicKey, 'alice@q1');
});
afterEach(() => {
  room.close();
});

function advance(seconds: number): void {
  room.clock.advance(1_000 * seconds);
}

describe('trust in certificates', () => {
  it('gives the hash and the key of a good one', async () => {
    const trust = await room.trust();
    const check = trust.check(alice, 'user', 'alice@q1');
    expect(check).toMatchObject({ ok: true, hash: primitives.sha256(alice) });
    if (check.ok) expect(check.publicKey.publicKey).toEqual(keyNamed('alice').publicKey);
  });

  it('refuses another role, another name, another CA, and what is no certificate', async () => {
    const trust = await room.trust();
    expect(trust.check(alice, 'station-document')).toMatchObject({ reason: 'wrong-role' });
    expect(trust.check(alice, 'user', 'mallory@q1')).toMatchObject({ reason: 'wrong-name' });
    expect(trust.check(alice.subarray(1), 'user')).toMatchObject({ reason: 'malformed' });
    const other = await NetworkRoom.open('another CA');
    const foreign = await other.ca.issueUser(keyNamed('alice').publicKey, 'alice@q1');
    other.close();
    expect(trust.check(foreign, 'user', 'alice@q1')).toMatchObject({ reason: 'foreign' });
  });

  it('remembers a good verdict for its own role and name alone', async () => {
    const trust = await room.trust();
    expect(trust.check(alice, 'user', 'alice@q1').ok).toBe(true);
    expect(trust.check(alice, 'user', 'bob@q1').ok).toBe(false);
    expect(trust.check(alice, 'station-coin', 'alice@q1').ok).toBe(false);
  });

  it('fails closed without a CRL', async () => {
    const trust = await room.trust({ crl: 'none' });
    expect(trust.check(alice, 'user')).toMatchObject({ ok: false, reason: 'crl-missing' });
  });

  it('forgets what it remembered with every newer CRL', async () => {
    const trust = await room.trust();
    const check = trust.check(alice, 'user');
    expect(check.ok).toBe(true);
    if (!check.ok) return;
    await room.ca.revoke(check.certificate.serialNumber, 'key-compromise');
    expect(trust.learnCrl(await room.ca.freshCrl())).toBe('newer');
    expect(trust.check(alice, 'user')).toMatchObject({ ok: false, reason: 'revoked' });
  });

  it('lets no memory outlive the certificate', async () => {
    const brief = await room.ca.issue({
      role: 'user',
      name: 'bob@q1',
      publicKey: keyNamed('bob').publicKey,
      days: 1,
    });
    advance(daySeconds - 1);
    const trust = await room.trust({ crl: await room.ca.publishCrl() });
    expect(trust.check(brief, 'user').ok).toBe(true);
    advance(1);
    expect(trust.check(brief, 'user').ok).toBe(true);
    advance(1);
    expect(trust.check(brief, 'user')).toMatchObject({ ok: false, reason: 'expired' });
  });

  it('remembers one that was good for its own time, as good for no other', async () => {
    const request = { role: 'user', name: 'bob@q1', publicKey: keyNamed('bob').publicKey } as const;
    const brief = await room.ca.issue({ ...request, days: 1 });
    advance(2 * daySeconds);
    const trust = await room.trust({ crl: await room.ca.publishCrl() });
    for (let again = 0; again < 2; again++) {
      expect(trust.check(brief, 'user', 'bob@q1', 'any').ok).toBe(true);
      expect(trust.check(brief, 'user', 'bob@q1')).toMatchObject({ reason: 'expired' });
    }
  });

  it('lets no memory outlive the CRL and its grace', async () => {
    const trust = await room.trust();
    advance(daySeconds - earlySeconds + graceSeconds);
    expect(trust.check(alice, 'user').ok).toBe(true);
    advance(1);
    expect(trust.check(alice, 'user')).toMatchObject({ ok: false, reason: 'crl-stale' });
  });

  it('remembers a refusal for no time at all', async () => {
    const trust = await room.trust({ crl: 'none' });
    expect(trust.check(alice, 'user').ok).toBe(false);
    trust.learnCrl(await room.ca.freshCrl());
    expect(trust.check(alice, 'user').ok).toBe(true);
  });
});

describe('trust in revocation lists', () => {
  it('takes newer ones, and none that goes back', async () => {
    const first = await room.ca.publishCrl();
    const second = await room.ca.publishCrl();
    const trust = await room.trust({ crl: first });
    expect(trust.learnCrl(second)).toBe('newer');
    expect(trust.learnCrl(second)).toBe('known');
    expect(trust.learnCrl(first)).toBe('known');
    expect(trust.crl?.number).toBe(parseCrl(second).number);
  });

  it('refuses one that another CA signed, and what is none', async () => {
    const trust = await room.trust();
    const before = trust.crl;
    const other = await NetworkRoom.open('another CA');
    for (let i = 0; i < 3; i++) await other.ca.publishCrl();
    expect(trust.learnCrl(await other.ca.publishCrl())).toBe('refused');
    other.close();
    expect(trust.learnCrl(new Uint8Array(100))).toBe('refused');
    expect(trust.crl).toBe(before);
  });

  it('refuses one of the future, which would stop every payment until then', async () => {
    const trust = await room.trust();
    const ours = room.clock.nowMs();
    advance(600);
    const future = await room.ca.publishCrl();
    const late = new Trust({
      primitives,
      clock: { nowMs: () => ours, after: () => () => undefined },
      root: room.ca.root,
      graceSeconds: 0n,
    });
    expect(late.learnCrl(future)).toBe('refused');
    expect(late.crl).toBeUndefined();
    expect(trust.learnCrl(future)).toBe('newer');
  });
});
