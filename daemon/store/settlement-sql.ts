/** The statements of settlement, and what they return. */
import type { StationName } from '../../applet-spec/names.ts';
import type { Statement } from './connection.ts';
import type { SqliteDatabase } from './database.ts';
import type { ClaimSide, WindowState } from './settlement-store.ts';

export interface WindowStored {
  readonly peer: StationName;
  readonly sequence: bigint;
  readonly state: WindowState;
  readonly ours_count: bigint;
  readonly ours_amount: bigint;
  readonly theirs_count: bigint;
  readonly theirs_amount: bigint;
  readonly agreement: Uint8Array | null;
  readonly paid_by: string | null;
  readonly opened_ms: bigint;
}

export interface ClaimStored {
  readonly number: bigint;
  readonly redemption_id: Uint8Array;
  readonly side: ClaimSide;
  readonly peer: StationName;
  readonly sequence: bigint;
  readonly payment_id: Uint8Array;
  readonly amount: bigint;
}

export type SettlementSql = ReturnType<typeof prepareSettlement>;

export function prepareSettlement(database: SqliteDatabase) {
  return { ...prepareWindows(database), ...prepareClaims(database) };
}

function prepareWindows(database: SqliteDatabase) {
  const addTo = (side: ClaimSide): Statement<[bigint, bigint, string, bigint]> =>
    database.prepare(
      `UPDATE settlement_window
       SET ${side}_count = ${side}_count + ?, ${side}_amount = ${side}_amount + ?
       WHERE peer = ? AND sequence = ?`,
    );
  return {
    window: database.prepare<[string, bigint], WindowStored>(
      'SELECT * FROM settlement_window WHERE peer = ? AND sequence = ?',
    ),
    windows: database.prepare<[string, bigint, number], WindowStored>(
      `SELECT * FROM settlement_window WHERE peer = ? AND sequence > ?
       ORDER BY sequence LIMIT ?`,
    ),
    openWindow: database.prepare<[string], WindowStored>(
      "SELECT * FROM settlement_window WHERE peer = ? AND state = 'open'",
    ),
    lastWindow: database.prepare<[string], WindowStored>(
      'SELECT * FROM settlement_window WHERE peer = ? ORDER BY sequence DESC LIMIT 1',
    ),
    insertWindow: database.prepare<[string, bigint, number]>(
      `INSERT INTO settlement_window (peer, sequence, state, opened_ms)
       VALUES (?, ?, 'open', ?)`,
    ),
    close: database.prepare<[string, bigint]>(
      "UPDATE settlement_window SET state = 'closed' WHERE peer = ? AND sequence = ?",
    ),
    agree: database.prepare<[Uint8Array, string, bigint]>(
      `UPDATE settlement_window SET state = 'agreed', agreement = ?
       WHERE peer = ? AND sequence = ?`,
    ),
    pay: database.prepare<[string, string, bigint]>(
      `UPDATE settlement_window SET state = 'paid', paid_by = ?
       WHERE peer = ? AND sequence = ?`,
    ),
    addTo: { ours: addTo('ours'), theirs: addTo('theirs') },
  };
}

function prepareClaims(database: SqliteDatabase) {
  const claim = `SELECT c.*, p.payment_id FROM claim c JOIN payment p ON p.number = c.payment`;
  return {
    unclaimed: database.prepare<[string, bigint, number], { readonly number: bigint }>(
      `SELECT number FROM payment p WHERE unclaimed = 1 AND issuer = ? AND number > ?
         AND EXISTS (SELECT 1 FROM payment_body b WHERE b.number = p.number)
       ORDER BY number LIMIT ?`,
    ),
    unclaimedTotal: database.prepare<[string], { readonly count: bigint; readonly amount: bigint }>(
      `SELECT count(*) AS count, coalesce(sum(fee), 0) AS amount FROM payment
       WHERE unclaimed = 1 AND issuer = ?`,
    ),
    inFlight: database.prepare<[string], { readonly amount: bigint }>(
      `SELECT coalesce(sum(fee), 0) AS amount FROM payment
       WHERE role IN ('relay', 'last') AND decided_ms IS NULL
         AND issuer = ?`,
    ),
    peers: database.prepare<[], { readonly peer: StationName }>(
      `SELECT substr(name, instr(name, ':') + 1) AS peer FROM account
         WHERE name GLOB 'payable:*' OR name GLOB 'receivable:*'
       UNION SELECT issuer FROM payment
         WHERE role IN ('relay', 'last') AND decided_ms IS NULL
       UNION SELECT issuer FROM position WHERE amount > 0
       ORDER BY peer`,
    ),
    insertClaim: database.prepare<[Uint8Array, string, string, bigint, bigint, bigint]>(
      `INSERT INTO claim (redemption_id, side, peer, sequence, payment, amount)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    markClaimed: database.prepare<[bigint]>('UPDATE payment SET unclaimed = 0 WHERE number = ?'),
    claim: database.prepare<[Uint8Array], ClaimStored>(`${claim} WHERE c.redemption_id = ?`),
    claimOfPayment: database.prepare<[bigint, string, string], ClaimStored>(
      `${claim} WHERE c.payment = ? AND c.side = ? AND c.peer = ?`,
    ),
    claims: database.prepare<[string, bigint, string, bigint, number], ClaimStored>(
      `${claim} WHERE c.peer = ? AND c.sequence = ? AND c.side = ? AND c.number > ?
       ORDER BY c.number LIMIT ?`,
    ),
  };
}
