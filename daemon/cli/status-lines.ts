/** What `keytolld status` and `keytolld network` print for a person. */
import { counted } from '../../applet-spec/counted.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import type { RecoveryWait } from '../recovery/recovery.ts';
import { expiryWords } from '../station/expiries.ts';
import type { DamagedPayments } from '../relay/damaged-rows.ts';
import type { AdminStatus } from '../station/admin-socket.ts';
import type { DoubtfulStatus, RecoveryStatus } from '../station/recovery-part.ts';
import type { QuarantineCount } from '../store/quarantine-store.ts';
import type { PositionStatus, StationStatus } from '../station/station-status.ts';

type LinkStatus = StationStatus['links'][number];

export function statusLines(status: AdminStatus): string[] {
  const { station, network, currency, uptimeSeconds, usersAtDesk, crl } = status;
  const { links, positions, disk, audit, refused, log, recovery, doubtful, expiries } = status;
  const { damaged, quarantine } = status;
  return [
    `${station} of network ${network}, up ${uptimeSeconds} s`,
    `users at the desk: ${usersAtDesk.length === 0 ? 'none' : usersAtDesk.join(', ')}`,
    crl === undefined ? 'CRL: none' : `CRL: number ${crl.number}, next due ${crl.nextUpdate}`,
    ...expiries.flatMap((one) => expiryWords(one) ?? []),
    ...links.flatMap(linkLines),
    ...positions.map((position) => positionLine(position, currency)),
    diskLine(disk),
    auditLine(audit),
    ...logLines(log),
    ...(recovery === undefined ? [] : recoveryLines(recovery)),
    ...doubtfulLines(doubtful),
    ...damaged.map(damagedLine),
    ...quarantine.flatMap(quarantineLines),
    ...refused.map(
      ({ who, perHour, until }) =>
        `no payment of ${who} before ${until}: more than ${perHour} an hour were not delivered`,
    ),
  ];
}

function diskLine({ freeBytes, reserveBytes, isShort }: StationStatus['disk']): string {
  const reserve = `${megabytes(reserveBytes)} MB set apart for what was begun`;
  if (freeBytes === undefined) return `disk: its room cannot be measured; ${reserve}`;
  const free = `${megabytes(freeBytes)} MB free, ${reserve}`;
  return isShort ? `NOTHING NEW: the disk is almost full: ${free}; make room` : `disk: ${free}`;
}

function auditLine(audit: StationStatus['audit']): string {
  if (audit === undefined) return 'audit: none yet';
  const { at, findings } = audit;
  return findings === 0
    ? `audit: 0 findings on ${at}`
    : `AUDIT: ${counted(findings, 'finding')} on ${at}; \`keytolld audit\` lists them`;
}

function megabytes(bytes: number): string {
  return String(Math.floor(bytes / 2 ** 20));
}

function logLines(log: StationStatus['log']): string[] {
  const { signed, cosigned, contradicting, unproven, rolledBack, losses } = log;
  const words = cosigned.map(({ witness, leaves }) => `${leaves} cosigned by ${witness}`);
  return [
    `log: ${[`${signed} leaves signed`, ...words].join(', ')}`,
    ...(rolledBack === undefined
      ? []
      : [`NO PAYMENTS: ${rolledBack.advice} (witnessed by ${rolledBack.witness})`]),
    ...losses.map(
      ({ station, declared, lost, kept }) =>
        `log of ${station}: declared on ${declared} that of ${lost} leaves it kept ${kept}`,
    ),
    ...contradicting.map(
      (peer) =>
        `log of ${peer}: its checkpoints were not shown to be of one log; the evidence is kept`,
    ),
    ...unproven.map(
      ({ station, since }) =>
        `log of ${station}: since ${since} it has not shown that what was cosigned here and what ` +
        'was cosigned elsewhere are one log; ask its operator',
    ),
  ];
}

/** Also what `keytolld recover` prints. */
export function recoveryLines({ state, begun, done, neighbours }: RecoveryStatus): string[] {
  return [
    state === 'done'
      ? `books rebuilt from neighbours, ${begun} to ${done ?? begun}`
      : `REBUILDING the books from neighbours since ${begun}`,
    ...neighbours.flatMap((one) => {
      const { neighbour, shown, restored, verdicts, refused, contradictions, trouble } = one;
      const words =
        `  ${neighbour} ${one.state}: ${counted(shown, 'payment')} shown, ${restored} restored, ` +
        `${verdicts} verdicts, ${refused} refused, ${contradictions} contradicting`;
      return [
        trouble === undefined ? words : `${words} (last refused: ${trouble})`,
        ...(one.waits === undefined ? [] : [`    WAITS: ${waitWords(neighbour, one.waits)}`]),
      ];
    }),
    ...(state === 'done' ? [toCheckByHand] : []),
  ];
}

/** What is waited for, and what the operator can do. */
function waitWords(neighbour: string, wait: RecoveryWait): string {
  const without = (station: string) => `\`keytolld recover --without ${station}\``;
  const ifGone = `; where it is gone for good, ${without(neighbour)} goes on without it`;
  switch (wait.why) {
    case 'no-link':
      return `it is not connected${ifGone}`;
    case 'no-answer':
      return `it is connected and gives no answer; ask its operator${ifGone}`;
    case 'lost-records':
      return (
        `${neighbour} has lost records itself, and shows none until its own books are whole: ` +
        'its operator puts a newer copy in place or runs `keytolld recover`. Where both stations ' +
        'wait for each other, the one whose books are newer goes on first, with `--without` the ' +
        'other; then it shows the other what it has'
      );
    case 'no-end':
      return `what it shows comes to no end; ask its operator${ifGone}`;
    case 'unknown-signer':
      return (
        `it shows payments that ${wait.station} signed, of which nothing is known here until it ` +
        `announces itself; where it is gone for good, ${without(wait.station)} goes on without it`
      );
  }
}

function doubtfulLines({ payments, payees }: DoubtfulStatus): string[] {
  if (payments === 0) return [];
  const names = payees.map(({ payee, payments: own }) => `${payee} (${own})`);
  const told = payees.reduce((sum, one) => sum + one.payments, 0);
  const rest = told < payments ? `, and others (${payments - told})` : '';
  return [
    `IN DOUBT: ${counted(payments, 'payment')} that lost records may have decided, and only ` +
      `the cards of their payees can tell: ${names.join(', ')}${rest}`,
    '  have these users connect their cards, and the payments end by themselves; a card that is ' +
      'lost is replaced with `keytolld enrol --replace`, and its payments end undelivered',
  ];
}

function damagedLine({ peer, payments }: DamagedPayments): string {
  return (
    `DAMAGED: ${counted(payments, 'payment')} to ${peer} cannot be sent on, as the database ` +
    'has lost what was to be sent: check the disk; each ends by itself, once its issuer has ' +
    'asked the last station'
  );
}

function quarantineLines({ peer, counted: failing, quarantined }: QuarantineCount): string[] {
  return [
    ...(quarantined === 0
      ? []
      : [
          `QUARANTINED: ${counted(quarantined, 'record')} of ${peer} that could not be handled: ` +
            '`keytolld quarantine list` says why',
        ]),
    ...(failing === 0
      ? []
      : [
          `${counted(failing, 'record')} of ${peer} could not be handled; ` +
            'each is tried again on the next connection',
        ]),
  ];
}

const toCheckByHand =
  '  to check by hand: cash in and out, coins sold, exchanged and given back, and refused ' +
  'payments since the copy was made; `lost-records` in the books is what coins paid that nobody ' +
  'is known to have bought';

export function networkLines(stations: StationStatus['stations']): string[] {
  if (stations.length === 0) return ['no station is known yet'];
  return stations.flatMap(({ station, fee, currency, announced, expires, links }) => [
    `${station}: fee ${formatMoney(fee, currency)}, announced ${announced}, good to ${expires}`,
    ...links.map((link) => `  to ${link.neighbour}: ${linkWords(link)}`),
  ]);
}

/** Every bit that the device has handed out since the station started is in one of the five. */
function linkLines(link: LinkStatus): string[] {
  const { peer, detail, availableBits, reservedBits, heldBits, spentBits, lostBits } = link;
  const { keptBits, waiting } = link;
  const kept = keptBits === '0' ? '' : ` (${keptBits} not for payments)`;
  return [
    `link to ${peer}: ${linkWords(link)}${detail === undefined ? '' : `: ${detail}`}`,
    `  QKD bits: ${availableBits} available${kept}, ${reservedBits} reserved, ` +
      `${heldBits} being used, ${spentBits} spent, ${lostBits} lost`,
    ...(waiting === undefined ? [] : [`  waiting for keys: ${waitingWords(waiting)}`]),
  ];
}

function positionLine({ peer, ...amounts }: PositionStatus, currency: string): string {
  const open = formatMoney(amounts.open, currency);
  const unpaid = formatMoney(amounts.unpaid, currency);
  const limit = formatMoney(amounts.limit, currency);
  return `position of ${peer}: ${open} open, ${unpaid} earned and unpaid, limit ${limit}`;
}

/** Of what was given up meanwhile nothing waits, and the link still lacks its bits. */
function waitingWords({ link, word, payment }: NonNullable<LinkStatus['waiting']>): string {
  const words = [
    ...(link === 0 ? [] : ['the link itself']),
    ...(word === 0 ? [] : [`${word} ${word === 1 ? 'receipt or advice' : 'receipts and advice'}`]),
    ...(payment === 0 ? [] : [`${payment} ${payment === 1 ? 'payment' : 'payments'}`]),
  ];
  return words.length === 0 ? 'nobody any more' : words.join(', ');
}

function linkWords({
  suite,
  state,
  since,
  availableBits,
  missingBits,
}: Pick<LinkStatus, 'suite' | 'state' | 'since' | 'availableBits' | 'missingBits'>): string {
  const missing = missingBits === '0' ? '' : `, ${missingBits} bits missing`;
  return `${state} since ${since}, ${suite}, ${availableBits} bits in stock${missing}`;
}
