/** Settlement with every peer, read from the store window by window. */
import type { StationName } from '../../applet-spec/names.ts';
import { allWindows } from '../settlement/window-books.ts';
import type { ClaimRow, ClaimSide, SettlementWindow } from '../store/settlement-store.ts';
import type { AuditedStore } from './audit.ts';
import type { Finding } from './finding.ts';
import type { LedgerAudit } from './ledger-audit.ts';
import { SettlementAudit, type SettlementAuditContext } from './settlement-audit.ts';

type Context = SettlementAuditContext & { readonly store: AuditedStore };

const pageRows = 500;

export async function auditSettlement(
  context: Context,
  ledger: LedgerAudit,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { peer, receivable, unclaimed, inFlight } of await context.store.positions()) {
    const audit = new SettlementAudit(context, peer);
    for (const window of await allWindows(context.store, peer)) {
      audit.window(window, {
        ours: await readClaims(context, audit, window, 'ours'),
        theirs: await readClaims(context, audit, window, 'theirs'),
      });
      ledger.window(window);
    }
    audit.position(receivable, unclaimed.amount);
    audit.trust(await context.store.position(peer), receivable + inFlight);
    findings.push(...audit.findings);
  }
  const stray = await context.store.strayClaims();
  if (stray.count > 0n) {
    const detail = `${stray.count} claims of ${stray.amount} are in no window: nobody pays them`;
    findings.push({ code: 'claim-invalid', detail, party: context.station });
  }
  return findings;
}

async function readClaims(
  { store }: Context,
  audit: SettlementAudit,
  { peer, sequence }: Pick<SettlementWindow, 'peer' | 'sequence'> & { readonly peer: StationName },
  side: ClaimSide,
) {
  const sum = { count: 0n, amount: 0n };
  for (let after: Uint8Array | undefined; ;) {
    const page: readonly ClaimRow[] = await store.claims(side, peer, sequence, after, pageRows);
    const rows = await store.payments(page.map(({ paymentId }) => paymentId));
    page.forEach((claim, i) => {
      sum.count += 1n;
      sum.amount += claim.amount;
      audit.claim(claim, rows[i]);
    });
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return sum;
    after = last.redemptionId;
  }
}
