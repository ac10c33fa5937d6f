/** The station's own users: their currency, the certificate in force, and their account's guard. */
import { homeStation, type Currency, type StationName } from '../../applet-spec/names.ts';
import { accounts, isGuarded } from '../ledger/chart-of-accounts.ts';
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
