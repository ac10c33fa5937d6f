/** Signed words about payments that stand apart from them: evidence, and tombstones. */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { receipt as receiptKind } from '../../applet-spec/receipt.ts';
import type { Tombstone } from '../store/audit-store.ts';
import type { AuditedStore } from './audit.ts';
import { auditEvidence } from './evidence-audit.ts';
import type { Finding } from './finding.ts';
import type { PaymentAuditContext } from './payment-audit.ts';
import { guarded } from './row-guard.ts';

type Context = PaymentAuditContext & { readonly store: AuditedStore };

const pageRows = 500;

export async function auditWords(context: Context): Promise<readonly Finding[]> {
  return [...(await readEvidence(context)), ...(await readTombstones(context))];
}

async function readEvidence(context: Context): Promise<readonly Finding[]> {
  const { store, station: party } = context;
  const findings: Finding[] = [];
  let last = 0n;
  // Also what was moved to before the first: a row that is there is looked at.
  for (let after = -(2n ** 63n); ;) {
    const page = await store.eachEvidence(after, pageRows);
    const rows = await store.auditedPaymentsById(page.map(({ paymentId }) => paymentId));
    page.forEach((one, i) => {
      const { paymentId, number } = one;
      if (number !== last + 1n) {
        const gap = `evidence ${last + 1n} to ${number - 1n}, kept before, is not there`;
        const detail = number > last ? gap : `evidence is kept as number ${number}`;
        findings.push({ code: 'store-inconsistent', detail, paymentId, party });
      }
      if (number > last) last = number;
      guarded(
        (finding) => findings.push(finding),
        { what: 'evidence about it', paymentId, party },
        () => {
          const finding = auditEvidence(context, one, rows[i]);
          if (finding !== undefined) findings.push(finding);
        },
      );
    });
    after = page.at(-1)?.number ?? after;
    if (page.length < pageRows) return findings;
  }
}

async function readTombstones(context: Context): Promise<readonly Finding[]> {
  const { store, station: party } = context;
  const findings: Finding[] = [];
  for (let after: Uint8Array | undefined; ;) {
    const page: readonly Tombstone[] = await store.tombstones(after, pageRows);
    const rows = await store.auditedPaymentsById(page.map(({ paymentId }) => paymentId));
    page.forEach((one, i) => {
      const { paymentId } = one;
      const detail =
        rows[i] === undefined ? tombstoneFault(context, one) : 'its payment is stored all the same';
      if (detail === undefined) return;
      const words = `the word that it is never delivered: ${detail}`;
      findings.push({ code: 'tombstone-invalid', detail: words, paymentId, party });
    });
    after = page.at(-1)?.paymentId;
    if (after === undefined || page.length < pageRows) return findings;
  }
}

function tombstoneFault(
  { station, keys, primitives }: Context,
  { paymentId, receipt: bytes }: Tombstone,
): string | undefined {
  try {
    const found = receiptKind.decode(bytes);
    const { body } = found;
    if (!equalBytes(body.paymentId, paymentId)) return 'it is of another payment';
    if (body.station !== station || body.verdict !== 'undelivered') return 'it says something else';
    // What a quote names may be a former key of ours.
    const holds = keys
      .allDocumentKeys(station)
      .some((one) => receiptKind.verify(primitives, found, one));
    return holds ? undefined : 'its signature does not verify';
  } catch {
    return 'it does not decode';
  }
}
