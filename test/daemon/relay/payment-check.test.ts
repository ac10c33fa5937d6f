import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toStationName, toUserName } from '../../../applet-spec/names.ts';
import { billTotal, quote } from '../../../applet-spec/quote.ts';
import { checkPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, refusal, TollRoom, type Changes } from './toll-room.ts';

let toll: TollRoom;

beforeEach(async () => {
  toll = await TollRoom.open();
});
afterEach(() => {
  toll.close();
});

describe('a good payment', () => {
  it('passes at each station of its route, which learns the next one', async () => {
    const [q2, q3] = [toStationName('q2'), toStationName('q3')];
    expect(await toll.check('q1')).toEqual({ ok: true, place: 0, next: q2 });
    expect(await toll.check('q2')).toEqual({ ok: true, place: 1, next: q3 });
    expect(await toll.check('q3')).toEqual({ ok: true, place: 2, next: undefined });
  });
});

describe('the bill', () => {
  it('whose sum differs from the coin’s value is refused everywhere', async () => {
    for (const check of await toll.everywhere({ coin: { value: 124n } })) {
      expect(check).toEqual(refusal('verification-failed', /sum is 123.* value 124/));
    }
  });

  it('whose sum is more than a station can book is refused', async () => {
    const ofTotal = (total: bigint): Changes => ({
      bill: ([first, ...others]) =>
        first ? [{ ...first, fee: total - billTotal(others) }, ...others] : [],
    });
    for (const place of ['q2', 'q3'] as const) {
      expect(await toll.check(place, ofTotal(2n ** 63n))).toEqual(
        refusal('verification-failed', /a value too large/),
      );
      expect(await toll.check(place, ofTotal(2n ** 63n - 1n))).toMatchObject({ ok: true });
    }
  });

  it('with a line changed on the way is refused: the payer signed another quote', async () => {
    const arriving = await toll.arriving('q2');
    const { payment } = arriving;
    const bill = payment.quote.bill.map((line, i) => (i === 2 ? { ...line, fee: 4n } : line));
    const terms = { ...payment.quote, bill };
    const changed = { ...payment, quote: terms, quoteBytes: quote.body.encode(terms) };
    expect(await checkPayment(toll.context('q2'), { ...arriving, payment: changed })).toEqual(
      refusal('verification-failed', /names another quote/),
    );
  });

  it('with a fee moved between two lines, the sum kept, is refused too', async () => {
    const arriving = await toll.arriving('q3');
    const { payment } = arriving;
    const [first, second, third] = payment.quote.bill;
    if (!first || !second || !third) throw new Error('three lines');
    const bill = [first, { ...second, fee: 19n }, { ...third, fee: 4n }];
    expect(billTotal(bill)).toBe(payment.coin.body.value);
    const quoteBytes = quote.body.encode({ ...payment.quote, bill });
    const changed = { ...payment, quote: { ...payment.quote, bill }, quoteBytes };
    expect(await checkPayment(toll.context('q3'), { ...arriving, payment: changed })).toEqual(
      refusal('verification-failed', /names another quote/),
    );
  });

  it('with a fee below the station’s announcement is refused by that station', async () => {
    const cheaper: Changes = {
      bill: (lines) => lines.map((line, i) => (i === 1 ? { ...line, fee: 19n } : line)),
    };
    expect(await toll.check('q2', cheaper)).toEqual(
      refusal('fee-below-announcement', /gives us 19 EUR, we announced 20/),
    );
    expect(await toll.check('q3', cheaper)).toMatchObject({ ok: true });
  });

  it('that names an announcement which is none of the station’s is refused', async () => {
    const unknown: Changes = {
      bill: (lines) => lines.map((line) => ({ ...line, announcement: new Uint8Array(16) })),
    };
    expect(await toll.check('q2', unknown)).toEqual(
      refusal('fee-below-announcement', /none of ours/),
    );
  });

  it('that names an old, cheaper announcement is refused', async () => {
    const old = await toll.announce('q2', 1n);
    toll.room.clock.advance(1_000 * (300 + 61));
    const stale: Changes = { bill: (lines) => lines.map((line, i) => (i === 1 ? old : line)) };
    expect(await toll.check('q2', stale)).toEqual(
      refusal('fee-below-announcement', /none of ours of its time/),
    );
  });

  it('whose issuer dates quote and admission back to a cheaper day is refused', async () => {
    const time = toll.now;
    const old = await toll.announce('q2', 1n);
    toll.room.clock.advance(1_000 * 86_400);
    toll.trust.learnCrl(await toll.room.ca.freshCrl());
    const stale: Changes = {
      bill: (lines) => lines.map((line, i) => (i === 1 ? old : line)),
      quote: { time, expiry: time + 120n, deliveryDeadline: toll.now + 300n },
      admission: { time },
    };
    expect(await toll.check('q2', stale)).toEqual(
      refusal('verification-failed', /a deadline that nobody waits for/),
    );
  });

  it('that names an announcement made after the quote is refused', async () => {
    const before: Changes = { quote: { time: toll.now - 61n } };
    expect(await toll.check('q2', before)).toEqual(
      refusal('fee-below-announcement', /none of ours of its time/),
    );
  });

  it('of an announcement that is still in force passes, though there is a newer one', async () => {
    const former = await toll.announce('q2', 25n);
    toll.room.clock.advance(1_000 * 200);
    const slow: Changes = { bill: (lines) => lines.map((line, i) => (i === 1 ? former : line)) };
    expect(await toll.check('q2', slow)).toMatchObject({ ok: true });
  });
});

describe('the route', () => {
  it('with a station skipped is refused where it comes from another one', async () => {
    const skipping: Changes = { previous: toStationName('q1') };
    expect(await toll.check('q3', skipping)).toEqual(
      refusal('route-mismatch', /came from q1, the bill says q2/),
    );
  });

  it('without this station is refused', async () => {
    const without: Changes = { bill: (lines) => lines.filter((_, i) => i !== 1) };
    expect(await toll.check('q2', without)).toEqual(refusal('route-mismatch', /not in the bill/));
  });

  it('with a station doubled is refused everywhere', async () => {
    const twice: Changes = { bill: (lines) => [...lines.slice(0, 2), ...lines.slice(1)] };
    for (const check of await toll.everywhere(twice)) {
      expect(check).toEqual(refusal('route-mismatch', /stands twice/));
    }
  });

  it('with two stations swapped is refused', async () => {
    const swapped: Changes = {
      bill: ([first, second, third]) => (first && second && third ? [second, first, third] : []),
    };
    for (const check of await toll.everywhere(swapped)) {
      expect(check).toEqual(refusal('route-mismatch', /first station is not the issuer/));
    }
    const last: Changes = {
      bill: ([first, second, third]) => (first && second && third ? [first, third, second] : []),
    };
    for (const check of await toll.everywhere(last)) {
      expect(check).toEqual(refusal('route-mismatch', /last station is not the home/));
    }
  });

  it('that does not begin at the payer’s home is refused', async () => {
    for (const check of await toll.everywhere({ quote: { payer: toUserName('alice@q2') } })) {
      expect(check).toEqual(refusal('route-mismatch', /home of the payer/));
    }
  });

  it('over a station that is no neighbour is refused', async () => {
    const stranger = { station: toStationName('q9'), fee: 0n, announcement: new Uint8Array(16) };
    const detour: Changes = {
      bill: ([first, second, third]) =>
        first && second && third ? [first, second, stranger, third] : [],
    };
    expect(await toll.check('q2', detour)).toEqual(refusal('route-mismatch', /q9 is no neighbour/));
  });

  it('is refused by a station in its middle that got the payment from its desk', async () => {
    const { previous: _none, ...unannounced } = await toll.arriving('q2');
    expect(await checkPayment(toll.context('q2'), unannounced)).toEqual(
      refusal('route-mismatch', /came from the desk, the bill says q1/),
    );
  });

  it('is refused by its first station where a neighbour handed it over', async () => {
    expect(await toll.check('q1', { previous: toStationName('q2') })).toEqual(
      refusal('route-mismatch', /came from q2, the bill says the desk/),
    );
  });

  it('over a link weaker than the quote asks for is refused at both its ends', async () => {
    toll.link('q2', 'q3', 'aes');
    const strong: Changes = { quote: { minimumSuite: 'otp-secret' } };
    expect(await toll.check('q1', strong)).toMatchObject({ ok: true });
    expect(await toll.check('q2', strong)).toEqual(
      refusal('suite-too-weak', /link to q3 runs aes/),
    );
    expect(await toll.check('q3', strong)).toEqual(
      refusal('suite-too-weak', /link to q2 runs aes/),
    );
  });
});

describe('a payment replayed elsewhere is refused', () => {
  it('to another network', async () => {
    const arriving = await toll.arriving('q2');
    expect(await checkPayment(toll.context('q2', { network: 'other' }), arriving)).toEqual(
      refusal('verification-failed', /payment of network test/),
    );
    for (const part of [{ coin: { network: 'other' } }, { quote: { network: 'other' } }]) {
      expect(await toll.check('q2', part)).toEqual(refusal('verification-failed', /of network/));
    }
  });

  it('to another payee: the payer signed another quote', async () => {
    const arriving = await toll.arriving('q3');
    const terms = { ...arriving.payment.quote, payee: alice };
    const payment = { ...arriving.payment, quote: terms, quoteBytes: quote.body.encode(terms) };
    expect(await checkPayment(toll.context('q3'), { ...arriving, payment })).toEqual(
      refusal('verification-failed', /names another quote/),
    );
  });

  it('over another route: to a station that its bill does not name', async () => {
    const arriving = await toll.arriving('q2');
    const q9 = { ...toll.context('q2'), station: toStationName('q9') };
    expect(await checkPayment(q9, arriving)).toEqual(refusal('route-mismatch', /not in the bill/));
  });
});

describe('time', () => {
  it('a quote that has expired is refused at the issuer, and not on the way', async () => {
    const expired: Changes = { quote: { time: toll.now - 121n, expiry: toll.now - 1n } };
    expect(await toll.check('q1', expired)).toEqual(
      refusal('quote-expired', /expired before it was paid/),
    );
    const lastMoment: Changes = { quote: { expiry: toll.now } };
    expect(await toll.check('q1', lastMoment)).toMatchObject({ ok: true });
    const underWay = await toll.arriving('q2');
    toll.room.clock.advance(121_000);
    expect(await checkPayment(toll.context('q2'), underWay)).toMatchObject({ ok: true });
  });

  it('a payment is refused once its delivery deadline and the skew have passed', async () => {
    const passed: Changes = { quote: { deliveryDeadline: toll.now - 61n } };
    expect(await toll.check('q2', passed)).toEqual(refusal('deadline-passed', /deadline/));
    const justNow: Changes = { quote: { deliveryDeadline: toll.now - 60n } };
    expect(await toll.check('q2', justNow)).toMatchObject({ ok: true });
  });

  it('a payment that would be kept open for longer than 31 days is refused', async () => {
    const day = 86_400n;
    const never: Changes = { quote: { resolutionDeadline: toll.now + 31n * day + 1n } };
    for (const check of await toll.everywhere(never)) {
      expect(check).toEqual(refusal('verification-failed', /a deadline that nobody waits for/));
    }
    const longest = { deliveryDeadline: toll.now + day, resolutionDeadline: toll.now + 31n * day };
    expect(await toll.check('q2', { quote: longest })).toMatchObject({ ok: true });
  });

  it('a quote of the future is refused, by more than clocks may differ', async () => {
    const future: Changes = { quote: { time: toll.now + 61n } };
    expect(await toll.check('q2', future)).toEqual(refusal('verification-failed', /future/));
    const near: Changes = { quote: { time: toll.now + 60n } };
    expect(await toll.check('q2', near)).toMatchObject({ ok: true });
  });
});
