import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ErrandParams } from '../../../driver/agent/errands.ts';
import { CardError } from '../../../driver/card/card-error.ts';
import { HostBench, pin, puk } from '../desk/host-bench.ts';
import { bob, strangerKey } from '../desk/stand-in-papers.ts';

const quoteWish: ErrandParams<'quote'> = { payee: bob, minimumSuite: 'aes', avoid: [] };
const coinsOf = (value: number, count: number) => ({ lines: [{ value: String(value), count }] });

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
});
afterEach(async () => {
  await bench.close();
});

describe('card init', () => {
  it('gives a blank card its PIN and PUK, has it enrolled, and connects', async () => {
    const result = await bench.runner.run('card-init', bench.initParams);
    expect(result).toMatchObject({ enrolled: true, user: 'alice@q1', station: 'q1' });
    const info = await bench.runner.run('card-info', {});
    expect(info).toMatchObject({ lifeCycle: 'enrolled', owner: { user: 'alice@q1' } });
  });

  it('needs a PUK only where the card has none', async () => {
    const { newPuk: _, ...without } = bench.initParams;
    const refused = { outcome: 'usage', code: 'puk-needed' };
    await expect(bench.runner.run('card-init', without)).rejects.toMatchObject(refused);
    await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({ lifeCycle: 'blank' });
    await bench.enrol();
    await bench.restart();
    const result = await bench.runner.run('card-init', without);
    expect(result).toMatchObject({ enrolled: false, pukSet: false });
  });

  it('goes on where it was torn between PIN and PUK', async () => {
    await (await bench.host.card()).setFirst('PIN', pin);
    const result = await bench.runner.run('card-init', bench.initParams);
    expect(result.enrolled).toBe(true);
    await bench.runner.run('pin-unblock', { puk, newPin: '1111' });
  });

  it('only connects a card that is enrolled already', async () => {
    await bench.enrol();
    await bench.restart();
    const result = await bench.runner.run('card-init', bench.initParams);
    expect(result.enrolled).toBe(false);
  });

  it('refuses a file that is no CA certificate before it touches the card', async () => {
    const rootCertificate = Buffer.from(bench.papers.q1Document).toString('base64');
    await expect(
      bench.runner.run('card-init', { ...bench.initParams, rootCertificate }),
    ).rejects.toMatchObject({ outcome: 'usage', code: 'bad-params' });
    await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({ lifeCycle: 'blank' });
  });
});

describe('the PIN', () => {
  it('is asked for when it is needed, and told with the tries left when wrong', async () => {
    await bench.enrol();
    await bench.restart();
    await expect(bench.runner.run('keys', {})).rejects.toMatchObject({
      outcome: 'usage',
      code: 'pin-needed',
    });
    await expect(bench.runner.run('keys', {}, { pin: '0000' })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'pin-wrong',
      triesLeft: 2,
      message: 'wrong PIN, 2 tries left',
    });
    await expect(bench.runner.run('keys', {}, { pin })).resolves.toEqual({ keys: [] });
  });

  it('verifies a card that was out for a while, unless somebody tried it meanwhile', async () => {
    await bench.enrol();
    await bench.reinsert();
    await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
    await bench.reinsert();
    const session = await bench.host.card();
    await expect(session.verifyPin('0000')).rejects.toBeInstanceOf(CardError);
    await expect(bench.runner.run('keys', {})).rejects.toMatchObject({ code: 'pin-needed' });
  });

  it('is changed and unblocked', async () => {
    await bench.enrol();
    await bench.runner.run('pin-change', { oldPin: pin, newPin: '1357' });
    await bench.restart();
    for (const triesLeft of [2, 1, 0]) {
      await expect(bench.runner.run('keys', {}, { pin })).rejects.toMatchObject({ triesLeft });
    }
    await bench.runner.run('pin-unblock', { puk, newPin: '8642' });
    await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
  });
});

describe('coins', () => {
  beforeEach(async () => {
    await bench.enrol();
  });

  it('arrive with progress and are counted by value', async () => {
    const seen: number[] = [];
    const bought = await bench.runner.run('buy', coinsOf(30, 3), {
      onProgress: ({ loaded, of }) => {
        expect(of).toBe(3);
        seen.push(loaded);
      },
    });
    expect(bought).toMatchObject({ coins: 3, value: '90', currency: 'EUR' });
    expect(seen).toEqual([1, 2, 3]);
    await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
      coins: 3,
      coinsValue: '90',
      denominations: [{ value: '30', count: 3 }],
    });
  });

  it('of another signer are not taken, and the link ends', async () => {
    bench.desk.script.coinKey = strangerKey;
    await expect(bench.runner.run('buy', coinsOf(30, 1))).rejects.toMatchObject({
      outcome: 'unknown',
      code: 'outcome-unknown',
    });
    expect(bench.wallet.coins.onCard()).toEqual([]);
  });

  it('are bought once where the answer was lost and the program started anew', async () => {
    bench.desk.script.cut.set('buy', 'after');
    await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
      outcome: 'unknown',
    });
    bench.desk.script.cut.clear();
    await bench.restart();
    await bench.runner.run('connect', {}, { pin });
    expect(bench.wallet.orders.pending()).toEqual([]);
    expect(bench.wallet.coins.onCard()).toHaveLength(2);
    expect(bench.desk.orders.size).toBe(1);
  });

  it('are bought after all where the request was lost', async () => {
    bench.desk.script.cut.set('buy', 'before');
    await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
      outcome: 'unknown',
    });
    bench.desk.script.cut.clear();
    await expect(bench.runner.run('balance', {})).resolves.toMatchObject({ coins: 2 });
  });

  it('are refused with the words of the desk', async () => {
    const message = 'The account holds EUR 0.10; the order costs EUR 0.60.';
    bench.desk.script.refuse.set('buy', { code: 'account-too-low', message });
    await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
      outcome: 'refused',
      code: 'account-too-low',
      message,
    });
    expect(bench.wallet.orders.pending()).toEqual([]);
  });

  it('are exchanged, with the rest as one more coin', async () => {
    await bench.runner.run('buy', coinsOf(100, 1));
    await expect(bench.runner.run('exchange', coinsOf(30, 2))).resolves.toMatchObject({
      coins: 3,
      value: '100',
    });
    await expect(bench.runner.run('balance', {})).resolves.toMatchObject({
      denominations: [
        { value: '30', count: 2 },
        { value: '40', count: 1 },
      ],
    });
  });

  it('are given back', async () => {
    await bench.runner.run('buy', coinsOf(100, 2));
    await expect(bench.runner.run('refund', coinsOf(100, 1))).resolves.toMatchObject({
      coins: 1,
      value: '100',
    });
    expect(bench.wallet.coins.onCard()).toHaveLength(1);
    await expect(bench.runner.run('refund', coinsOf(50, 1))).rejects.toMatchObject({
      code: 'coins-too-few',
    });
  });

  it('come back into a wallet that was lost', async () => {
    await bench.runner.run('buy', coinsOf(30, 2));
    await bench.loseWallet();
    bench.host.givePin(pin);
    await bench.runner.run('card-init', bench.initParams);
    expect(bench.wallet.coins.onCard()).toHaveLength(2);
  });
});

describe('a payment', () => {
  beforeEach(async () => {
    await bench.enrol();
    await bench.runner.run('buy', coinsOf(30, 2));
  });

  const pay = async (waitMs = 60_000, exchange = false) => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    return bench.runner.run('pay', { quoteId, exchange, waitMs });
  };

  it('shows its bill, spends one coin and leaves an active key', async () => {
    const quote = await bench.runner.run('quote', quoteWish);
    expect(quote).toMatchObject({
      payer: 'alice@q1',
      payee: 'bob@q2',
      total: '30',
      matchingCoins: 2,
      bill: [
        { station: 'q1', fee: '20' },
        { station: 'q2', fee: '10' },
      ],
    });
    const { quoteId } = quote;
    const payment = await bench.runner.run('pay', { quoteId, exchange: false, waitMs: 60_000 });
    expect(payment).toMatchObject({ standing: 'delivered', total: '30', coinValue: '30' });
    const { keys } = await bench.runner.run('keys', {});
    expect(keys).toMatchObject([
      { paymentId: payment.paymentId, peer: 'bob@q2', state: 'active', standing: 'delivered' },
    ]);
    expect(bench.wallet.coins.onCard()).toHaveLength(1);
  });

  it('repeated for the same quote is the same payment', async () => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    const first = await bench.runner.run('pay', { quoteId, exchange: false, waitMs: 0 });
    const again = await bench.runner.run('pay', { quoteId, exchange: false, waitMs: 60_000 });
    expect(again.paymentId).toBe(first.paymentId);
    expect(bench.desk.records).toHaveLength(1);
  });

  it('undelivered says why', async () => {
    bench.desk.script.verdict = 'undelivered';
    await expect(pay()).resolves.toMatchObject({
      standing: 'undelivered',
      reason: 'deadline-passed',
    });
  });

  it('without verdict by the deadline goes on by itself', async () => {
    bench.desk.script.silent = true;
    const waiting = bench.clock.alarmOf(61_234);
    const paying = pay(61_234);
    await waiting;
    bench.clock.advance(61_234);
    await expect(paying).resolves.toMatchObject({ standing: 'admitted' });
    await bench.restart();
    await bench.runner.run('connect', {}, { pin });
    const { payments } = await bench.runner.run('payments', {});
    expect(payments).toMatchObject([{ standing: 'delivered' }]);
  });

  it('whose answer was lost is unknown, and found at the next connection', async () => {
    bench.desk.script.cut.set('pay', 'after');
    await expect(pay()).rejects.toMatchObject({ outcome: 'unknown', code: 'outcome-unknown' });
    expect(bench.wallet.quotes.pending()).toHaveLength(1);
    bench.desk.script.cut.clear();
    await bench.restart();
    await bench.runner.run('connect', {}, { pin });
    expect(bench.wallet.quotes.pending()).toEqual([]);
    await expect(bench.runner.run('payments', {})).resolves.toMatchObject({
      payments: [{ standing: 'delivered' }],
    });
  });

  it('at which the card failed is unknown, and the same quote goes on', async () => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    const message = 'The station failed; try again.';
    bench.desk.script.refuse.set('pay', { code: 'card-fault', message });
    const params = { quoteId, exchange: false, waitMs: 60_000 };
    await expect(bench.runner.run('pay', params)).rejects.toMatchObject({ outcome: 'unknown' });
    bench.desk.script.refuse.clear();
    await expect(bench.runner.run('pay', params)).resolves.toMatchObject({
      standing: 'delivered',
    });
  });

  it('needs a coin of exactly the total', async () => {
    bench.desk.script.fees = [20n, 11n];
    await expect(pay()).rejects.toMatchObject({
      outcome: 'refused',
      code: 'no-matching-coin',
      message: 'no coin of exactly 31 minor units; the card holds coins of 30',
    });
    expect(bench.desk.asked).not.toContain('pay');
  });

  it('is not made where it is dearer than allowed, and no coin is exchanged for it', async () => {
    await bench.runner.run('buy', coinsOf(31, 1));
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    const how = { quoteId, exchange: true, waitMs: 0 };
    await expect(bench.runner.run('pay', { ...how, atMost: '29' })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'too-dear',
    });
    expect(bench.desk.asked).not.toContain('exchange');
    expect(bench.desk.asked).not.toContain('pay');
  });

  it('is not made dearer than allowed where the same quote was let loose before', async () => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    const how = { quoteId, exchange: false, waitMs: 60_000 };
    bench.desk.script.cut.set('pay', 'before');
    await expect(bench.runner.run('pay', how)).rejects.toMatchObject({ outcome: 'unknown' });
    bench.desk.script.cut.clear();
    await expect(bench.runner.run('pay', { ...how, atMost: '29' })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'too-dear',
      message:
        'the quote asks 30 minor units, more than the 29 allowed; it was to be paid before, and ' +
        'may have been; nothing was done now',
    });
    expect(bench.desk.records).toHaveLength(0);
    await bench.runner.run('pay', { ...how, atMost: '30' });
    await expect(bench.runner.run('pay', { ...how, atMost: '29' })).rejects.toMatchObject({
      code: 'too-dear',
      message: expect.stringMatching(/it was paid before, as payment [0-9a-f]{64}/) as string,
    });
  });

  it('exchanges coins for the right one where that is allowed', async () => {
    bench.desk.script.fees = [20n, 20n];
    await expect(pay(60_000, true)).resolves.toMatchObject({
      standing: 'delivered',
      coinValue: '40',
    });
    expect(bench.wallet.coins.onCard().map(({ coin }) => coin.body.value)).toEqual([20n]);
  });

  it('is not made from a quote that has expired', async () => {
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    bench.clock.advance(61_000);
    await expect(
      bench.runner.run('pay', { quoteId, exchange: false, waitMs: 0 }),
    ).rejects.toMatchObject({ outcome: 'refused', code: 'quote-expired' });
    expect(bench.wallet.coins.onCard()).toHaveLength(2);
  });

  it('to somebody absent costs nothing', async () => {
    const message = 'bob@q2 is not connected to q2.';
    bench.desk.script.refuse.set('quote', { code: 'payee-absent', message });
    await expect(pay()).rejects.toMatchObject({
      outcome: 'refused',
      code: 'payee-absent',
      message,
    });
  });
});

describe('a station that is down', () => {
  it('is one clear error', async () => {
    await bench.enrol();
    await bench.desk.close();
    await bench.restart();
    await expect(bench.runner.run('balance', {}, { pin })).rejects.toMatchObject({
      outcome: 'fault',
      code: 'station-unreachable',
    });
  });
});

describe('a wallet without station', () => {
  it('says so', async () => {
    await bench.enrol();
    await bench.loseWallet();
    await expect(bench.runner.run('connect', {}, { pin })).rejects.toMatchObject({
      code: 'wallet-not-set-up',
    });
  });
});
