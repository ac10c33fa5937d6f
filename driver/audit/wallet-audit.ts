/** S6 for a user: everything in the wallet, recomputed on this machine, without asking anybody. */
import { toHex } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { WalletError } from '../wallet/wallet-error.ts';
import type { WalletCoin, WalletCoinState } from '../wallet/wallet-coins.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import { KnownStations } from './known-stations.ts';
import { WalletBill, type BillFilter, type WalletBillReport } from './wallet-bill.ts';
import type { WalletFinding } from './wallet-finding.ts';
import { auditWalletPayment, type WalletAuditContext } from './wallet-payment-audit.ts';

export interface WalletAuditReport extends WalletBillReport {
  readonly user: string;
  readonly station: string;
  readonly currency: string;
  /** On the card, as far as the wallet knows: what their issuer owes, should it be gone. */
  readonly coins: readonly AuditedCoin[];
  readonly findings: readonly WalletFinding[];
  /** How many signatures of each kind nothing in the wallet can check. */
  readonly unchecked: Readonly<Record<string, number>>;
}

/** A coin as evidence: whoever knows its issuer's certificate can verify `signed`. */
export interface AuditedCoin {
  readonly coinId: string;
  readonly value: string;
  /** ISO 8601. */
  readonly expires: string;
  readonly state: WalletCoinState;
  /** The coin as its issuer signed it, in hexadecimal; nothing in it is secret. */
  readonly signed: string;
}

/**
 * `ownSignatures`, by payment ID in hexadecimal, is what the card said of its own. Throws
 * WalletError `wallet-not-set-up` for a wallet without an account.
 */
export function auditWallet(
  wallet: Wallet,
  primitives: Primitives,
  options: {
    readonly ownSignatures?: ReadonlyMap<string, boolean>;
    readonly filter?: BillFilter;
  } = {},
): WalletAuditReport {
  const { account, rootCertificate } = wallet.requireSettings();
  if (account === undefined) {
    throw new WalletError('wallet-not-set-up', 'this wallet has not met its station yet');
  }
  const { user, station, network, currency } = account;
  const stations = new KnownStations(primitives, parseCertificate(rootCertificate));
  const { ownSignatures = new Map<string, boolean>(), filter = {} } = options;
  const context = { user, network, primitives, stations, ownSignatures };
  const findings: WalletFinding[] = [];
  for (const { certificate, role, station: of } of wallet.certificates.all()) {
    const fault = stations.learn(certificate, role, of);
    if (fault === undefined) continue;
    const detail = `${role} certificate of ${of}: ${fault}`;
    findings.push({ code: 'station-certificate', detail, party: of });
  }
  const bill = new WalletBill(filter);
  const unchecked = auditPayments(context, wallet, findings, bill);
  const coins: AuditedCoin[] = [];
  findings.push(
    ...readable('a coin', () => {
      const onCard = wallet.coins.onCard();
      coins.push(...onCard.map(auditedCoin));
      return coinFindings(context, onCard, station);
    }),
  );
  return { user, station, currency, coins, findings, unchecked, ...bill.report() };
}

function auditPayments(
  context: WalletAuditContext,
  wallet: Wallet,
  findings: WalletFinding[],
  bill: WalletBill,
): Readonly<Record<string, number>> {
  const unchecked: Record<string, number> = {};
  const paidWith = new Map<string, string>();
  for (const kept of wallet.payments.each()) {
    if ('damaged' in kept) {
      const paymentId = toHex(kept.damaged);
      findings.push({ code: 'undecodable', detail: kept.detail, paymentId });
      continue;
    }
    bill.add(kept);
    const name = toHex(kept.paymentId);
    findings.push(
      ...readable(`what belongs to payment ${name}`, () => {
        const offered = wallet.quotes.find(kept.payment.transaction.quoteDigest);
        const audited = auditWalletPayment(context, kept, offered);
        for (const what of audited.unchecked) unchecked[what] = (unchecked[what] ?? 0) + 1;
        return [...audited.findings, ...coinUse(kept, wallet, paidWith)];
      }),
    );
  }
  return unchecked;
}

/** A row that does not read back is a finding, and the audit goes on. */
function readable(what: string, read: () => readonly WalletFinding[]): readonly WalletFinding[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WalletError) || error.code !== 'wallet-damaged') throw error;
    return [{ code: 'undecodable', detail: `${what}: ${error.message}` }];
  }
}

/** I12 from the wallet's side: a coin pays once, and what it paid for has ended it. */
function coinUse(
  { paymentId, payment, role, standing }: WalletPayment,
  wallet: Wallet,
  paidWith: Map<string, string>,
): readonly WalletFinding[] {
  const findings: WalletFinding[] = [];
  const { coinId, issuer } = payment.coin.body;
  const memory = `${issuer} ${toHex(coinId)}`;
  const name = toHex(paymentId);
  const before = paidWith.get(memory);
  if (before !== undefined) {
    const detail = `its coin paid for ${before} too`;
    findings.push({ code: 'coin-used-twice', detail, paymentId: name });
  }
  paidWith.set(memory, name);
  const coin = role === 'payer' ? wallet.coins.find(coinId) : undefined;
  if (coin?.state === 'held' || coin?.state === 'retiring') {
    const detail = `it is ${standing}, and its coin stands as ${coin.state}`;
    findings.push({ code: 'coin-state', detail, paymentId: name });
  }
  return findings;
}

function auditedCoin({ coin, state }: WalletCoin): AuditedCoin {
  const { coinId, value, expiry } = coin.body;
  return {
    coinId: toHex(coinId),
    value: String(value),
    expires: isoTime(expiry),
    state,
    signed: toHex(coin.bytes),
  };
}

/** The public parts of the coins on the card. */
function coinFindings(
  { stations, network }: WalletAuditContext,
  onCard: readonly WalletCoin[],
  station: string,
): readonly WalletFinding[] {
  const keys = stations.keysOf('station-coin', station);
  // A wallet that has not met its station since it keeps certificates learns them when it does.
  if (keys.length === 0) return [];
  return onCard.flatMap(({ coin }): WalletFinding[] => {
    const { issuer, coinId, network: of } = coin.body;
    const holds =
      issuer === station && of === network && keys.some((one) => coinKind.verify(coin, one));
    if (holds) return [];
    const detail = `coin ${toHex(coinId)}: its issuer's signature does not verify`;
    return [{ code: 'coin-signature', detail, party: issuer }];
  });
}
