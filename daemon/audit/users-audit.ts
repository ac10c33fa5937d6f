/**
 * The station's own users: their currency, the certificate in force, their card, and the guard of
 * their account.
 */
import { homeStation, type Currency, type StationName } from '../../applet-spec/names.ts';
import { accounts, isGuarded } from '../ledger/chart-of-accounts.ts';
import type { AuditedCard } from '../store/audit-store.ts';
import type { UserRecord } from '../store/store.ts';
import type { AuditedStore } from './audit.ts';
import type { Finding } from './finding.ts';
import type { PaperShelf } from './stored-papers.ts';

export async function auditUsers(context: {
  readonly station: StationName;
  readonly currency: Currency;
  readonly store: AuditedStore;
  readonly shelf: PaperShelf;
}): Promise<readonly Finding[]> {
  const { station, store, shelf } = context;
  const findings: Finding[] = [];
  const find = (code: Finding['code'], detail: string): void => {
    findings.push({ code, detail, party: station });
  };
  const users = await store.users();
  for (const { user, currency, certificateHash } of users) {
    if (homeStation(user) !== station) find('user-differs', `${user} is a user of another station`);
    if (currency !== context.currency)
      find('user-differs', `${user} has an account in ${currency}`);
    if (certificateHash === undefined) continue;
    const paper = await shelf.userPaper(certificateHash, user);
    if (paper === undefined) {
      find('user-differs', `the certificate of ${user} is not readable here`);
    } else if ('fault' in paper) {
      find('user-differs', `the certificate of ${user}: ${paper.fault}`);
    }
  }
  for (const detail of cardFaults(users, await store.auditedCards())) find('user-differs', detail);
  const known = new Set<string>(users.map(({ user }) => accounts.user(user)));
  for (const { name, isGuarded: stored } of await store.accounts()) {
    if (isGuarded(name) && !known.has(name)) find('user-differs', `${name} is of no user here`);
    if (stored === isGuarded(name)) continue;
    const detail =
      stored === undefined
        ? `the mark of ${name}, whether it may be overdrawn, is neither 0 nor 1`
        : `the database ${stored ? 'refuses' : 'would let'} ${name} be overdrawn`;
    find('account-overdrawn', detail);
  }
  return findings;
}

const cardStates: ReadonlySet<string> = new Set(['awaiting-enrolment', 'enrolled', 'frozen']);

/** A certificate is named in the step that enrols its card, and cards are never deleted. */
function cardFaults(
  users: readonly UserRecord[],
  cards: readonly AuditedCard[],
): readonly string[] {
  const certified = new Map(users.map((one) => [one.user, one.certificateHash !== undefined]));
  const faults = cards.flatMap(({ user, state }) => {
    const hasCertificate = certified.get(user);
    if (hasCertificate === undefined) return [`a card is of ${user}, who is no user here`];
    if (!cardStates.has(state)) return [`the card of ${user} is ${state}, which no card is`];
    if (state !== 'enrolled' || hasCertificate) return [];
    return [`the card of ${user} is enrolled, and no certificate of theirs is named`];
  });
  const withCard = new Set(cards.map(({ user }) => user));
  const without = users.filter(
    (one) => one.certificateHash !== undefined && !withCard.has(one.user),
  );
  return [...faults, ...without.map(({ user }) => `${user} has a certificate, and never a card`)];
}
