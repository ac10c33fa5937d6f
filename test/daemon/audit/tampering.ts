/** One kind of tampering: what is done to whose copy, and what an audit must then say. */
import type { FindingCode } from '../../../daemon/audit/finding.ts';
import type { History } from './eventful-history.ts';
import type { Sabotage } from './sabotage.ts';
import type { PaidPayment } from './toll-papers.ts';

/** The payment that must be named. */
export type Subject = (history: History) => PaidPayment | undefined;
export type Tampering = readonly [
  what: string,
  station: string,
  code: FindingCode,
  subject: Subject,
  change: (sabotage: Sabotage, history: History) => void,
];

export const nobody: Subject = () => undefined;
export const settled: Subject = (made) => made.settled;
export const unsettled: Subject = (made) => made.unsettled;
export const undelivered: Subject = (made) => made.undelivered;
export const held: Subject = (made) => made.held;
export const lateReceipt: Subject = (made) => made.lateReceipt;

export const number = '(SELECT number FROM payment WHERE payment_id = ?)';
export const forged = new Uint8Array(64).fill(5);
