/**
 * A coin that its card has, and a row that says it never came there: what else is in the store
 * tells, where anything does.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../../applet-spec/bytes.ts';
import type { AuditReport } from '../../../daemon/audit/audit.ts';
import type { NewCoin } from '../../../daemon/store/store.ts';
import { auditAfter, type Sabotage } from './sabotage.ts';
import { alice, TollRoom } from './toll-room.ts';

const room = await TollRoom.open([5n, 4n]);
afterAll(() => room.close());
const { store, mint } = room.station('q1');
/** More than one LOAD COINS takes. */
const many = inOrder(await room.buy(alice, Array<bigint>(40).fill(2n)));
const few = inOrder(await room.buy(alice, [3n, 3n, 3n]));
const [alone] = await room.buy(alice, [11n]);
const [triedInVain] = await room.buy(alice, [12n]);
await giveUpExchangeOf(triedInVain);
const half = inOrder(await reserved(Array<bigint>(34).fill(1n)));
await load(half.slice(0, 32));

function inOrder(coins: readonly NewCoin[]): readonly NewCoin[] {
  return [...coins].sort((a, b) => (toHex(a.coinId) < toHex(b.coinId) ? -1 : 1));
}

async function reserved(values: readonly bigint[]): Promise<readonly NewCoin[]> {
  const coins = await mint.mint(values);
  const amount = values.reduce((sum, value) => sum + value, 0n);
  await store.topUp(alice, amount, 'half a purchase', room.nowMs);
  const orderId = room.entropy.randomBytes(16);
  // A host may ask for none of a value.
  const lines = [...values.map((value) => ({ value, count: 1 })), { value: 0n, count: 0 }];
  await store.reserveCoins({ orderId, user: alice, lines, coins, nowMs: room.nowMs });
  return coins;
}

async function load(coins: readonly NewCoin[]): Promise<void> {
  await store.markLoading(coins.map(({ coinId }) => coinId));
  await store.markLoaded(coins.map(({ coinId }) => coinId));
}

async function giveUpExchangeOf(coin: NewCoin | undefined): Promise<void> {
  if (coin === undefined) throw new RangeError('one coin was bought');
  const orderId = room.entropy.randomBytes(16);
  const common = { orderId, user: alice, coinIds: [coin.coinId], nowMs: room.nowMs };
  const replacements = [mint.one(coin.value)];
  await store.retire({ ...common, operation: 'exchange', replacements });
  await store.cancelRetirement(orderId);
}

function become(state: string, ...coins: readonly (NewCoin | undefined)[]) {
  return (s: Sabotage): void => {
    for (const coin of coins) {
      s.run('UPDATE coin SET state = ? WHERE coin_id = ?', state, coin?.coinId ?? null);
    }
  };
}

async function namedAfter(
  change: (s: Sabotage) => void,
): Promise<Pick<AuditReport, 'findings'> & { readonly named: readonly NewCoin[] }> {
  const { findings } = await auditAfter(room, 'q1', change);
  const all = [...many, ...few, ...half, ...[alone, triedInVain].flatMap((coin) => coin ?? [])];
  const named = all.filter(({ coinId }) =>
    findings.some(({ detail }) => detail.includes(`${toHex(coinId)} `)),
  );
  return { findings, named };
}

describe('an audit finds', () => {
  it('nothing where all is on the card, or the rest of a purchase is to come', async () => {
    expect((await auditAfter(room, 'q1', () => undefined)).findings).toEqual([]);
    const waiting = half.filter((_, i) => i >= 32);
    const { findings } = await auditAfter(room, 'q1', become('loading', ...waiting));
    expect(findings).toEqual([]);
  });

  it.each([
    ['reserved', 'of three that came with it, the first', few[0]],
    ['reserved', 'of three that came with it, the last', few[2]],
    ['loading', 'of three that came with it, the second', few[1]],
    ['reserved', 'before others that were loaded later', many[3]],
    ['reserved', 'of a second load', many[39]],
    ['reserved', 'that was to be exchanged', triedInVain],
    ['loading', 'that was to be exchanged', triedInVain],
  ])('a coin made %s: %s', async (state, _which, coin) => {
    const { findings, named } = await namedAfter(become(state, coin));
    expect(findings.map(({ code }) => code)).toEqual(['order-differs']);
    expect(named.some((one) => equalBytes(one.coinId, coin?.coinId ?? new Uint8Array()))).toBe(
      true,
    );
  });

  it('a whole load made reserved, where a later one is on the card', async () => {
    const { findings } = await auditAfter(room, 'q1', become('reserved', ...many.slice(0, 32)));
    expect(findings.map(({ code }) => code)).toEqual(['order-differs']);
  });

  it('reserved coins among spent ones, unless those came back from neighbours', async () => {
    const { paymentId, coin } = await room.pay({ until: 'admitted' });
    const orderId = (await store.coins([coin.body.coinId]))[0]?.orderId ?? null;
    const withAnother = (s: Sabotage): void => {
      s.run('UPDATE coin SET order_id = ? WHERE coin_id = ?', orderId, few[0]?.coinId ?? null);
      become('reserved', few[0])(s);
    };
    const words = ({ findings }: AuditReport): readonly string[] =>
      findings.filter(({ detail }) => detail.includes('on the card')).map(({ detail }) => detail);
    expect(words(await auditAfter(room, 'q1', withAnother))).toHaveLength(1);
    const restored = await auditAfter(room, 'q1', (s) => {
      withAnother(s);
      s.run(
        'INSERT INTO restored_payment SELECT number FROM payment WHERE payment_id = ?',
        paymentId,
      );
    });
    expect(words(restored)).toEqual([]);
  });

  it('no fault in the one coin of a purchase, which nothing else tells of', async () => {
    const { findings } = await auditAfter(room, 'q1', become('reserved', alone));
    expect(findings).toEqual([]);
  });
});
