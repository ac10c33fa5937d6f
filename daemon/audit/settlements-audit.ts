/**
 * Settlement with every peer of which anything is stored: a window, a claim, a payment with its
 * coin, money owed either way, or a place against its limit.
 */
import { isStationName, type StationName } from '../../applet-spec/names.ts';
import type { SettlementWindow } from '../store/settlement-store.ts';
import type { AuditedStore } from './audit.ts';
import { ClaimsAudit } from './claims-audit.ts';
import type { Finding } from './finding.ts';
import type { LedgerAudit } from './ledger-audit.ts';
import type { Lines } from './payments-audit.ts';
import { SettlementAudit, type SettlementAuditContext } from './settlement-audit.ts';

type Context = SettlementAuditContext & { readonly store: AuditedStore };

const pageRows = 500;
const receivable = 'receivable:';

/** `lines`: as the payments say. `balances`: debits less credits, as the accounts say. */
export async function auditSettlement(
  context: Context,
  ledger: LedgerAudit,
  lines: ReadonlyMap<StationName, Lines>,
  balances: ReadonlyMap<string, bigint>,
): Promise<readonly Finding[]> {
  const claims = new ClaimsAudit(context);
  await claims.read();
  const windows = await windowsByPeer(context.store);
  const trusted = await context.store.trustedAmounts();
  const owing = [...balances.keys()].flatMap(peerOf);
  const peers = [claims.peers, windows.keys(), trusted.keys(), lines.keys(), owing];
  const findings: Finding[] = [];
  for (const peer of [...new Set(peers.flatMap((some) => [...some]))].sort()) {
    const audit = new SettlementAudit(context, peer);
    for (const window of windows.get(peer) ?? []) {
      audit.window(window, claims.takeSums(window));
      ledger.window(window);
    }
    const owed = balances.get(`${receivable}${peer}`) ?? 0n;
    const { unclaimed, inFlight } = lines.get(peer) ?? { unclaimed: 0n, inFlight: 0n };
    audit.position(owed, unclaimed);
    audit.trust(trusted.get(peer) ?? 0n, owed + inFlight);
    findings.push(...audit.findings);
  }
  return [...claims.finish(), ...findings];
}

async function windowsByPeer(
  store: AuditedStore,
): Promise<ReadonlyMap<StationName, readonly SettlementWindow[]>> {
  const windows = new Map<StationName, SettlementWindow[]>();
  for (let after: SettlementWindow | undefined; ;) {
    const page: readonly SettlementWindow[] = await store.auditedWindows(after, pageRows);
    for (const window of page) {
      const known = windows.get(window.peer);
      if (known === undefined) windows.set(window.peer, [window]);
      else known.push(window);
    }
    after = page.at(-1);
    if (after === undefined || page.length < pageRows) return windows;
  }
}

/** Of the accounts in the name of a station. */
function peerOf(account: string): StationName[] {
  const [what, name = ''] = account.split(':');
  const isOfPeer = what === 'payable' || what === 'receivable';
  return isOfPeer && isStationName(name) ? [name] : [];
}
