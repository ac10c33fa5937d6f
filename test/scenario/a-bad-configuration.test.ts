import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { holdingsOf } from './holdings.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

let road: Road;

beforeAll(async () => {
  road = await Road.open({ stations: 2 });
  await road.alice.station.topUp(road.alice.name, 100n);
  await road.alice.buy([road.price(), 5]);
});
afterAll(() => endOfRoad(road));

describe('a station that is configured badly does not start, and says in one line why', () => {
  it.each([
    [
      'a word for an amount',
      'fee = "3"',
      'fee = "three"',
      /tariff\.fee: .*whole number of minor units/,
    ],
    ['a name that is none', 'name = "q1"', 'name = "Q 1"', /name: expected a station name/],
    [
      'no currency',
      'currency = "EUR"',
      'currency = "euro"',
      /currency: expected three capital letters/,
    ],
    ['an unknown field', '[[neighbour]]', 'tarif = 1\n[[neighbour]]', /tarif/],
    ['an unknown suite', 'suite = "otp-secret"', 'suite = "none"', /neighbour\[0\]\.suite: /],
    [
      'a link without TLS of its own',
      'url = "ws:',
      'url = "http:',
      /neighbour\[0\]\.url: expected a ws:/,
    ],
    [
      'attestation required of the cards of nobody',
      'desk = ',
      'cards = { attestation = "required" }\ndesk = ',
      /cards\.maker-roots: attestation is required and no maker is trusted/,
    ],
    [
      'a limit for what is no station',
      'desk = ',
      'positions = { peers = { "Q 9" = 5 } }\ndesk = ',
      /positions\.peers.*: /,
    ],
    [
      'quotes that are good for longer than a key may take',
      'desk = ',
      'quotes = { valid-seconds = 600 }\ndesk = ',
      /quotes\.delivery-seconds: expected valid-seconds at least/,
    ],
    [
      'a payer who is made whole while a key may come',
      'desk = ',
      'quotes = { delivery-seconds = 90000 }\ndesk = ',
      /quotes\.resolution-seconds: expected delivery-seconds at least/,
    ],
    [
      'a payment that no other station waits for',
      'desk = ',
      'quotes = { resolution-seconds = 2678400 }\ndesk = ',
      /quotes\.resolution-seconds: expected 30 days at most/,
    ],
    ['a line that is no TOML', 'currency', 'currency currency', /station\.toml, line \d+, col/],
  ])('%s', async (_, right, wrong, words) => {
    await refusesToStart((toml) => toml.replace(right, wrong), words, 'bad-configuration');
  });

  it('a port that is taken', async () => {
    const { linksPort } = road.station('q2');
    await refusesToStart(
      (toml) =>
        toml.replace(
          'desk = { listen = "127.0.0.1:0"',
          `desk = { listen = "127.0.0.1:${linksPort}"`,
        ),
      new RegExp(`cannot listen on 127\\.0\\.0\\.1:${linksPort}: .*EADDRINUSE`),
      'address-in-use',
    );
  });

  it('another network than the one that its coins are good in', async () => {
    await refusesToStart(
      (toml) => toml.replace('network = "', 'network = "not-'),
      /station\.sqlite is of the network .*, not of not-/,
      'wrong-station',
    );
  });

  it('a card maker’s root that is none', async () => {
    await refusesToStart(
      (toml) =>
        toml.replace('desk = ', 'cards = { maker-roots = ["certificates/coin.der"] }\ndesk = '),
      /coin\.der is not the root of a card maker/,
      'certificate-not-valid',
    );
  });

  it('a private key that others may read', async () => {
    const file = join(road.station('q1').folder, 'keys', 'coin.pem');
    chmodSync(file, 0o644);
    await refusesToStart(
      (toml) => toml,
      /coin\.pem can be read by others \(mode 644\); run: chmod 600/,
      'bad-key-file',
    );
    chmodSync(file, 0o600);
    await works();
  });
});

/** The station stops, is changed for the worse, does not start; put right, it goes on as before. */
async function refusesToStart(
  change: (toml: string) => string,
  words: RegExp,
  code: string,
): Promise<void> {
  const q1 = road.station('q1');
  const before = await holdingsOf(road);
  await q1.stop();
  let right = '';
  q1.configure((toml) => {
    right = toml;
    return change(toml);
  });
  const failed = await q1.start().then(
    () => undefined,
    (error: unknown) => error,
  );
  q1.configure(() => right);
  expect(failed).toMatchObject({ code, retryable: false });
  const { message } = failed as Error;
  expect(message).toMatch(words);
  expect(message).not.toContain('\n');
  if (code === 'bad-key-file') return;
  await q1.start();
  await road.atDesk(road.alice);
  expect(await holdingsOf(road)).toEqual(before);
}

async function works(): Promise<void> {
  await road.station('q1').start();
  await road.ready();
  await Promise.all([road.atDesk(road.alice), road.atDesk(road.bob)]);
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
}
