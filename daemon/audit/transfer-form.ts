/**
 * Between which accounts each kind of transfer goes (design §8): anything else nobody can have
 * meant.
 */
import type { TransferKind } from '../ledger/postings.ts';
import type { Transfer } from '../store/book-store.ts';

type Side = readonly string[];

/** An account, or with a colon at its end all accounts of that name. */
const forms: Readonly<Record<TransferKind, { readonly debit: Side; readonly credit: Side }>> = {
  'top-up': { debit: ['cash'], credit: ['user:'] },
  'pay-out': { debit: ['user:'], credit: ['cash'] },
  buy: { debit: ['user:'], credit: ['coins-outstanding'] },
  refund: { debit: ['coins-outstanding'], credit: ['user:'] },
  expiry: { debit: ['coins-outstanding'], credit: ['user:'] },
  admission: { debit: ['coins-outstanding'], credit: ['pending-payments'] },
  fee: { debit: ['pending-payments', 'receivable:'], credit: ['fees-earned'] },
  payable: { debit: ['pending-payments'], credit: ['payable:'] },
  undelivered: { debit: ['pending-payments'], credit: ['coins-outstanding'] },
  resolution: { debit: ['resolution-losses'], credit: ['coins-outstanding'] },
  recovery: { debit: ['pending-payments'], credit: ['resolution-losses'] },
  found: { debit: ['lost-records'], credit: ['coins-outstanding'] },
  'settlement-paid': { debit: ['payable:'], credit: ['cash'] },
  'settlement-received': { debit: ['cash'], credit: ['receivable:'] },
};

export function transferFault({ kind, debit, credit, amount }: Transfer): string | undefined {
  if (!isKind(kind)) return `"${kind}" is no kind of transfer`;
  if (amount <= 0n) return `an amount of ${amount}`;
  const form = forms[kind];
  return isOn(form.debit, debit) && isOn(form.credit, credit)
    ? undefined
    : `a ${kind} from ${debit} to ${credit}`;
}

function isKind(kind: string): kind is TransferKind {
  return Object.hasOwn(forms, kind);
}

function isOn(side: Side, account: string): boolean {
  return side.some((name) => (name.endsWith(':') ? account.startsWith(name) : account === name));
}
