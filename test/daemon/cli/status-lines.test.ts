import { describe, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { networkLines, statusLines } from '../../../daemon/cli/status-lines.ts';
import type { AdminStatus } from '../../../daemon/station/admin-socket.ts';

const link = {
  peer: 'q2',
  suite: 'otp-secret',
  state: 'up',
  since: '2026-07-01T00:00:00.000Z',
  missingBits: '0',
  availableBits: '4096',
  keptBits: '0',
  reservedBits: '512',
  heldBits: '256',
  spentBits: '7168',
  lostBits: '64',
};
const status: AdminStatus = {
  station: 'q1',
  network: 'net',
  currency: 'EUR',
  uptimeSeconds: 7,
  usersAtDesk: [],
  crl: undefined,
  expiries: [],
  links: [link],
  stations: [],
  disk: { freeBytes: 5 * 2 ** 30, reserveBytes: 2 ** 28, isShort: false },
  signsWith: { coin: '01', document: '02' },
  log: {
    signed: '7',
    cosigned: [{ witness: 'q2', leaves: '5' }],
    contradicting: [],
    unproven: [],
    losses: [],
  },
  refused: [{ who: 'bob@q3', perHour: 3, until: '2026-07-01T00:20:00.000Z' }],
  doubtful: { payments: 0, payees: [] },
  damaged: [],
  quarantine: [],
  positions: [{ peer: 'q2', open: '4', unpaid: '1230', limit: '5000' }],
};

describe('keytolld status', () => {
  it('tells when the station was audited last, and shouts of findings', () => {
    const lineWith = (audit?: AdminStatus['audit']) =>
      statusLines({ ...status, ...(audit && { audit }) }).find((line) => /^audit:/i.test(line));
    const at = '2026-07-01T03:00:00.000Z';
    expect(lineWith()).toBe('audit: none yet');
    expect(lineWith({ at, findings: 0 })).toBe(`audit: 0 findings on ${at}`);
    expect(lineWith({ at, findings: 1 })).toBe(
      `AUDIT: 1 finding on ${at}; \`keytolld audit\` lists them`,
    );
  });

  it('tells where every bit of a link is, and how far each issuer is trusted', () => {
    expect(statusLines(status)).toEqual([
      'q1 of network net, up 7 s',
      'users at the desk: none',
      'CRL: none',
      'link to q2: up since 2026-07-01T00:00:00.000Z, otp-secret, 4096 bits in stock',
      '  QKD bits: 4096 available, 512 reserved, 256 being used, 7168 spent, 64 lost',
      'position of q2: EUR 0.04 open, EUR 12.30 earned and unpaid, limit EUR 50.00',
      'disk: 5120 MB free, 256 MB set apart for what was begun',
      'audit: none yet',
      'log: 7 leaves signed, 5 cosigned by q2',
      'no payment of bob@q3 before 2026-07-01T00:20:00.000Z: ' +
        'more than 3 an hour were not delivered',
    ]);
  });

  it('tells what of its stock is not for payments, and who waits for keys', () => {
    const waiting = { link: 1, word: 2, payment: 1 };
    const starved = { ...link, state: 'waiting-for-keys', keptBits: '4000', waiting };
    const lines = statusLines({ ...status, links: [starved] });
    expect(lines).toContain(
      '  QKD bits: 4096 available (4000 not for payments), 512 reserved, 256 being used, ' +
        '7168 spent, 64 lost',
    );
    expect(lines).toContain(
      '  waiting for keys: the link itself, 2 receipts and advice, 1 payment',
    );
    const nobody = { ...starved, waiting: { link: 0, word: 0, payment: 0 } };
    expect(statusLines({ ...status, links: [nobody] })).toContain(
      '  waiting for keys: nobody any more',
    );
  });

  it('tells that the disk is almost full, and that its room cannot be measured', () => {
    const disk = { freeBytes: 2 ** 21, reserveBytes: 2 ** 28, isShort: true };
    expect(statusLines({ ...status, disk })).toContain(
      'NOTHING NEW: the disk is almost full: 2 MB free, 256 MB set apart for what was begun; ' +
        'make room',
    );
    expect(statusLines({ ...status, disk: { ...disk, freeBytes: undefined } })).toContain(
      'disk: its room cannot be measured; 256 MB set apart for what was begun',
    );
  });

  it('tells what to do where records were lost, and whose log contradicts itself', () => {
    const rolledBack = { witness: 'q2', advice: 'put the newest copy in its place' };
    const unproven = [{ station: 'q4', since: '2026-07-01T00:20:00.000Z' }];
    const log = { ...status.log, contradicting: ['q3'], unproven, rolledBack };
    const lines = statusLines({ ...status, log });
    expect(lines).toContain('NO PAYMENTS: put the newest copy in its place (witnessed by q2)');
    expect(lines).toContain(
      'log of q3: its checkpoints were not shown to be of one log; the evidence is kept',
    );
    expect(lines.at(-2)).toMatch(/^log of q4: since 2026-07-01T00:20:00.000Z it has not shown/);
  });

  it('says why lost books are not whole yet, and what to do', () => {
    const told = { shown: 0, restored: 0, verdicts: 0, refused: 0, contradictions: 0 };
    const waiting = { ...told, state: 'asking' } as const;
    const q9 = toStationName('q9');
    const neighbours = [
      { ...told, neighbour: 'q1', state: 'answered' } as const,
      { ...waiting, neighbour: 'q2', waits: { why: 'lost-records' } as const },
      { ...waiting, neighbour: 'q3', waits: { why: 'no-link' } as const },
      { ...waiting, neighbour: 'q4', waits: { why: 'unknown-signer', station: q9 } as const },
    ];
    const begun = '2026-07-01T00:00:00.000Z';
    const recovery = { state: 'rebuilding', begun, kept: '4', neighbours } as const;
    const lines = statusLines({ ...status, recovery });
    expect(lines.filter((line) => line.includes('WAITS'))).toEqual([
      expect.stringMatching(/q2 has lost records itself.*newer goes on first, with `--without`/),
      expect.stringMatching(/not connected; where .* gone .* `keytolld recover --without q3`/),
      expect.stringMatching(/that q9 signed.* `keytolld recover --without q9`/),
    ]);
  });

  it('counts the payments in doubt after a recovery, and says whose cards end them', () => {
    const payees = [
      { payee: 'bob@q1', payments: 2 },
      { payee: 'carol@q1', payments: 1 },
    ];
    const [doubt, advice] = statusLines({ ...status, doubtful: { payments: 7, payees } }).slice(9);
    expect(doubt).toBe(
      'IN DOUBT: 7 payments that lost records may have decided, and only the cards of their ' +
        'payees can tell: bob@q1 (2), carol@q1 (1), and others (4)',
    );
    expect(advice).toMatch(/connect their cards.*`keytolld enrol --replace`.*undelivered$/);
  });

  it('counts the records of neighbours that could not be handled, and says where they are', () => {
    const quarantine = [
      { peer: toStationName('q2'), counted: 2, quarantined: 0 },
      { peer: toStationName('q3'), counted: 1, quarantined: 1 },
    ];
    expect(statusLines({ ...status, quarantine }).slice(9, 12)).toEqual([
      '2 records of q2 could not be handled; each is tried again on the next connection',
      'QUARANTINED: 1 record of q3 that could not be handled: `keytolld quarantine list` says why',
      '1 record of q3 could not be handled; each is tried again on the next connection',
    ]);
  });

  it('counts payments that the database has lost, and says what becomes of them', () => {
    const damaged = [{ peer: toStationName('q2'), payments: 2 }];
    expect(statusLines({ ...status, damaged })[9]).toBe(
      'DAMAGED: 2 payments to q2 cannot be sent on, as the database has lost what was to be ' +
        'sent: check the disk; each ends by itself, once its issuer has asked the last station',
    );
  });

  it('tells who is there, and why a link waits and for how many bits', () => {
    const waiting = { ...link, state: 'waiting-for-keys', missingBits: '505', detail: 'no fibre' };
    const crl = { number: '3', nextUpdate: '2026-07-02T00:00:00.000Z' };
    const usersAtDesk = ['alice@q1', 'carol@q1'];
    const lines = statusLines({ ...status, crl, usersAtDesk, links: [waiting] });
    expect(lines[1]).toBe('users at the desk: alice@q1, carol@q1');
    expect(lines[2]).toBe('CRL: number 3, next due 2026-07-02T00:00:00.000Z');
    expect(lines[3]).toMatch(/^link to q2: waiting-for-keys .*, 505 bits missing: no fibre$/);
  });
});

describe('keytolld network', () => {
  it('tells each station’s fee and links, or that none is known', () => {
    expect(networkLines([])).toEqual(['no station is known yet']);
    const { peer: neighbour, suite, state, since, availableBits, missingBits } = link;
    const out = { neighbour, suite, state, since, availableBits, missingBits, up: true };
    const dates = { announced: '2026-07-01T00:00:00.000Z', expires: '2026-07-01T00:05:00.000Z' };
    const q1 = { station: 'q1', fee: '120', currency: 'EUR', sequence: '1', ...dates };
    expect(networkLines([{ ...q1, links: [out] }])).toEqual([
      'q1: fee EUR 1.20, announced 2026-07-01T00:00:00.000Z, good to 2026-07-01T00:05:00.000Z',
      '  to q2: up since 2026-07-01T00:00:00.000Z, otp-secret, 4096 bits in stock',
    ]);
  });
});
