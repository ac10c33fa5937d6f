/**
 * What users asked for at the desk (S1) against what was made and taken of it: coins bought, given
 * back and exchanged, and the coins of an exchange that still wait for the card.
 */
import { z } from 'zod';
import { toHex } from '../../applet-spec/bytes.ts';
import type { CoinOrder, CoinsOfOrder, WaitingCoin } from '../store/audit-store.ts';
import type { CoinState } from '../store/store.ts';
import type { AuditedStore } from './audit.ts';
import { contentFault, type CoinAuditContext } from './coin-audit.ts';
import type { Finding } from './finding.ts';
import type { LedgerAudit } from './ledger-audit.ts';
import { givenFaults, loadingFault } from './loaded-coins.ts';
import { guarded } from './row-guard.ts';

const pageRows = 500;

/** `["12", 3]`: three coins of 12. */
const bought = z.array(
  z.tuple([z.string().regex(/^(0|[1-9]\d*)$/), z.number().int().min(0).max(0xffff)]),
);
/** Coins given, and `3x12` for three of 12 that are wanted, which older programs did not keep. */
const retired = z.array(z.string().regex(/^([0-9a-f]{32}|(0|[1-9]\d{0,4})x(0|[1-9]\d*))$/));

export interface OrdersAuditContext extends CoinAuditContext {
  readonly store: AuditedStore;
}

export async function auditOrders(
  context: OrdersAuditContext,
  ledger: LedgerAudit,
): Promise<readonly Finding[]> {
  const waiting = await waitingByOrder(context.store);
  const users = new Set<string>((await context.store.users()).map(({ user }) => user));
  const findings: Finding[] = [];
  const find = (orderId: string, detail: string): void => {
    const words = `order ${orderId}: ${detail}`;
    findings.push({ code: 'order-differs', detail: words, party: context.station });
  };
  for (let after: Uint8Array | undefined; ;) {
    const page: readonly CoinOrder[] = await context.store.coinOrders(after, pageRows);
    const coins = await context.store.coinsOfOrders(page.map(({ orderId }) => orderId));
    for (const [i, order] of page.entries()) {
      const name = toHex(order.orderId);
      const around = coins[i] ?? { made: [], taken: [] };
      const coming = waiting.get(name) ?? [];
      waiting.delete(name);
      if (!users.has(order.user)) find(name, `${order.user} is no user here`);
      const about = { what: `order ${name}`, party: context.station };
      guarded(
        (finding) => findings.push(finding),
        about,
        () => {
          for (const fault of orderFaults(order, around, coming)) find(name, fault);
        },
      );
      for (const fault of await cardFaults(context.store, order, around)) find(name, fault);
      for (const coin of coming) {
        const fault = contentFault(context, coin);
        if (fault !== undefined) find(name, `waiting coin ${toHex(coin.coinId)}: ${fault}`);
      }
      ledger.order(order, sumOf(around.taken));
    }
    after = page.at(-1)?.orderId;
    if (after === undefined || page.length < pageRows) break;
  }
  for (const name of waiting.keys()) find(name, 'coins wait for it, and it is not there');
  return findings;
}

/** What tells that a coin is on the card, against its row. */
async function cardFaults(
  store: AuditedStore,
  { kind, state, content, user }: CoinOrder,
  { made }: CoinsOfOrder,
): Promise<readonly string[]> {
  const words = kind !== 'buy' && state === 'cancelled' ? parsed(retired, content) : undefined;
  const given = (words ?? []).filter((word) => !word.includes('x'));
  const loading = await loadingFault(store, made);
  return [...(loading === undefined ? [] : [loading]), ...(await givenFaults(store, user, given))];
}

async function waitingByOrder(store: AuditedStore): Promise<Map<string, WaitingCoin[]>> {
  const waiting = new Map<string, WaitingCoin[]>();
  for (const coin of await store.waitingCoins()) {
    const name = toHex(coin.orderId);
    waiting.set(name, [...(waiting.get(name) ?? []), coin]);
  }
  return waiting;
}

function orderFaults(
  order: CoinOrder,
  coins: CoinsOfOrder,
  waiting: readonly WaitingCoin[],
): readonly string[] {
  const { user, kind } = order;
  const strange = [...coins.made, ...coins.taken].filter(({ owner }) => owner !== user);
  const faults = strange.map(({ coinId, owner }) => `${toHex(coinId)} of it belongs to ${owner}`);
  switch (kind) {
    case 'buy':
      return [...faults, ...purchaseFaults(order, coins, waiting)];
    case 'refund':
    case 'exchange':
      return [...faults, ...retirementFaults({ ...order, kind }, coins, waiting)];
    default: {
      const other: string = kind;
      return [`"${other}" is no kind of order`];
    }
  }
}

function purchaseFaults(
  { state, content }: CoinOrder,
  { made, taken }: CoinsOfOrder,
  waiting: readonly WaitingCoin[],
): readonly string[] {
  const asked = parsed(bought, content)?.flatMap(([value, count]) =>
    Array<bigint>(count).fill(BigInt(value)),
  );
  const faults: string[] = [];
  if (state !== 'done') faults.push(`a purchase that is ${state}`);
  if (taken.length + waiting.length > 0) faults.push('a purchase took coins');
  if (asked === undefined || !areSame(asked, made.map(valueOf))) {
    faults.push(`its coins are worth ${listOf(made)}, and ${content} was asked for`);
  }
  return faults;
}

const ends = { refund: 'refunded', exchange: 'exchanged' } as const satisfies Record<
  string,
  CoinState
>;

function retirementFaults(
  { kind, state, content }: CoinOrder & { readonly kind: keyof typeof ends },
  { made, taken }: CoinsOfOrder,
  waiting: readonly WaitingCoin[],
): readonly string[] {
  const words = parsed(retired, content);
  if (words === undefined) return [`nobody can have asked for ${content}`];
  const given = state === 'cancelled' ? [] : words.filter((word) => !word.includes('x'));
  const faults: string[] = [];
  if (
    !areSame(
      given,
      taken.map(({ coinId }) => toHex(coinId)),
    )
  ) {
    faults.push('it took other coins than were given');
  }
  const expected = state === 'open' ? 'retiring' : ends[kind];
  const other = taken.find((coin) => coin.state !== expected);
  if (other !== undefined) {
    faults.push(`a ${kind} that is ${state} took ${toHex(other.coinId)}, which is ${other.state}`);
  }
  if (state !== 'open' && waiting.length > 0) faults.push(`coins wait for it, and it is ${state}`);
  if (state !== 'done' && made.length > 0) faults.push(`coins were made, and it is ${state}`);
  if (state === 'cancelled') return faults;
  const back = [...made, ...waiting];
  const isWorthIt = kind === 'refund' ? back.length === 0 : sumOf(back) === sumOf(taken);
  const wanted = words.flatMap(wantedValues);
  if (!isWorthIt || (wanted.length > 0 && !areSame(wanted, back.map(valueOf)))) {
    faults.push(`coins worth ${listOf(back)} came for it`);
  }
  return faults;
}

/** Letter for letter as the desk writes it: by that it knows an order again. */
function parsed<T>(form: z.ZodType<T>, content: string): T | undefined {
  try {
    const words = form.parse(JSON.parse(content));
    return JSON.stringify(words) === content ? words : undefined;
  } catch {
    return undefined;
  }
}

function wantedValues(word: string): readonly bigint[] {
  const [count, value] = word.split('x');
  return value === undefined ? [] : Array<bigint>(Number(count)).fill(BigInt(value));
}

/** In whatever order. */
function areSame<T extends string | bigint>(some: readonly T[], others: readonly T[]): boolean {
  const sorted = (list: readonly T[]) => list.map(String).sort().join(' ');
  return some.length === others.length && sorted(some) === sorted(others);
}

function valueOf({ value }: { readonly value: bigint }): bigint {
  return value;
}

function sumOf(coins: readonly { readonly value: bigint }[]): bigint {
  return coins.reduce((sum, { value }) => sum + value, 0n);
}

function listOf(coins: readonly { readonly value: bigint }[]): string {
  return coins.length === 0 ? 'nothing' : coins.map(valueOf).join(', ');
}
