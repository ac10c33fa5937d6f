/** What people do by mistake: it is refused with words for them, and costs them nothing. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commands } from '../../../applet-spec/commands.ts';
import { ErrandError } from '../../../driver/agent/errand-error.ts';
import type { ErrandParams } from '../../../driver/agent/errands.ts';
import { Host } from '../../../driver/agent/host.ts';
import { HostRunner } from '../../../driver/agent/host-runner.ts';
import { withAdvice } from '../../../driver/cli/advice.ts';
import { Wallet } from '../../../driver/wallet/wallet.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { countedEntropy, HostBench, pin } from '../desk/host-bench.ts';
import { bob, network, Papers } from '../desk/stand-in-papers.ts';
import { toCurrency, toStationName, toUserName } from '../../../applet-spec/names.ts';

const quoteWish: ErrandParams<'quote'> = { payee: bob, minimumSuite: 'aes', avoid: [] };
const coinsOf = (value: number, count: number) => ({ lines: [{ value: String(value), count }] });
const hourMs = 3_600_000;

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
});
afterEach(async () => {
  await bench.close();
});

async function failureOf(errand: Promise<unknown>): Promise<ErrandError> {
  const ended = await errand.catch((error: unknown) => error);
  if (ended instanceof ErrandError) return ended;
  throw new Error('the errand has not failed');
}

/** Of the CA of another network, as `card init` takes it. */
async function othersRoot(): Promise<string> {
  const others = await Papers.open({ clock: bench.clock, entropy: countedEntropy('others') });
  const rootCertificate = Buffer.from(others.ca.root).toString('base64');
  others.close();
  return rootCertificate;
}

/** A wallet that is carol's, who has a card of another station. */
function makeCarols(wallet: Wallet): void {
  const rootCertificate = bench.papers.ca.root;
  wallet.saveStation({ stationUrl: 'ws://q9.example:7701', rootCertificate });
  wallet.saveAccount({
    station: toStationName('q9'),
    user: toUserName('carol@q9'),
    network,
    currency: toCurrency('EUR'),
  });
}

it.each(['q1', 'q2'])(
  'a quote that shall leave out %s, an end of every route, is not asked for',
  async (end) => {
    await bench.enrol();
    const wish = { ...quoteWish, avoid: [toStationName(end)] };
    await expect(bench.runner.run('quote', wish)).rejects.toMatchObject({
      outcome: 'usage',
      message: `no route to bob@q2 can leave ${end} out: it begins or ends there`,
    });
  },
);

describe('card init', () => {
  it('with a new card in another’s wallet leaves that wallet as it was', async () => {
    makeCarols(bench.wallet);
    await expect(bench.runner.run('card-init', bench.initParams)).rejects.toMatchObject({
      outcome: 'refused',
      code: 'card-of-another',
    });
    expect(bench.wallet.requireSettings().stationUrl).toBe('ws://q9.example:7701');
  });

  it('with an enrolled card in another’s wallet leaves that wallet as it was', async () => {
    await bench.enrol();
    await bench.loseWallet();
    makeCarols(bench.wallet);
    await expect(bench.runner.run('card-init', bench.initParams)).rejects.toMatchObject({
      code: 'card-of-another',
    });
    expect(bench.wallet.requireSettings().stationUrl).toBe('ws://q9.example:7701');
  });

  it('with an address that does not answer keeps the one that did', async () => {
    await bench.enrol();
    await bench.restart();
    const params = { ...bench.initParams, stationUrl: 'ws://127.0.0.1:1' };
    await expect(bench.runner.run('card-init', params)).rejects.toMatchObject({
      code: 'station-unreachable',
    });
    await expect(bench.runner.run('connect', {}, { pin })).resolves.toMatchObject({
      url: bench.desk.url,
    });
  });

  it('with an address that does not answer is not taken at a standing link’s word', async () => {
    await bench.enrol();
    const params = { ...bench.initParams, stationUrl: 'ws://127.0.0.1:1' };
    await expect(bench.runner.run('card-init', params)).rejects.toMatchObject({
      code: 'station-unreachable',
    });
    await expect(bench.runner.run('connect', {})).resolves.toMatchObject({
      url: bench.desk.url,
    });
  });

  it('with the root of another network, on a link that stands, keeps root and list', async () => {
    await bench.enrol();
    const { rootCertificate: root } = bench.wallet.requireSettings();
    const crl = bench.wallet.crl();
    const params = { ...bench.initParams, rootCertificate: await othersRoot() };
    await expect(bench.runner.run('card-init', params)).rejects.toMatchObject({
      code: 'evidence-invalid',
    });
    expect(bench.wallet.requireSettings().rootCertificate).toEqual(root);
    expect(crl).toBeDefined();
    expect(bench.wallet.crl()).toEqual(crl);
    await bench.runner.run('connect', {});
  });

  it('with the root of another network is told to look at the file, too', async () => {
    const params = { ...bench.initParams, rootCertificate: await othersRoot() };
    await expect(bench.runner.run('card-init', params)).rejects.toThrow(
      /not signed by the pinned CA \(is the CA file that of this station's network\?\)$/,
    );
  });

  it.each(['foo', 'q1.example:7701', 'file:///etc/passwd'])(
    'with “%s” for an address does nothing to the card',
    async (stationUrl) => {
      await expect(
        bench.runner.run('card-init', { ...bench.initParams, stationUrl }),
      ).rejects.toMatchObject({ outcome: 'usage', code: 'bad-params' });
      await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({
        lifeCycle: 'blank',
      });
    },
  );
});

describe('a clock that is wrong', () => {
  /** The same machine with another clock. */
  function runnerAt(offMs: number): { readonly runner: HostRunner; close(): Promise<void> } {
    const { wallet, reader, clock } = bench;
    const shifted = { nowMs: () => clock.nowMs() + offMs, after: clock.after.bind(clock) };
    const entropy = countedEntropy('shifted');
    const host = new Host({ wallet, reader, clock: shifted, entropy, primitives });
    host.givePin(pin);
    return { runner: new HostRunner(host), close: () => host.close() };
  }

  it.each([
    ['two hours ahead', 2 * hourMs],
    ['ten minutes behind', -hourMs / 6],
  ])('%s is named in the place of the quote', async (_how, offMs) => {
    await bench.enrol();
    await bench.host.close();
    bench.clock.advance(hourMs);
    const machine = runnerAt(offMs);
    await expect(machine.runner.run('quote', quoteWish)).rejects.toMatchObject({
      outcome: 'fault',
      code: 'clock-wrong',
    });
    await machine.close();
  });

  it('days ahead is named beside the certificate that seems to be out of date', async () => {
    await bench.enrol();
    await bench.host.close();
    const machine = runnerAt(100 * hourMs);
    const told = await failureOf(machine.runner.run('connect', {}));
    expect(told.code).toBe('evidence-invalid');
    expect(told.message).toMatch(/unless the clock of this machine is wrong, which says \d{4}-/);
    await machine.close();
  });
});

describe('the key of a payment', () => {
  it('that the card has not is refused in words', async () => {
    await bench.enrol();
    const paymentId = '00'.repeat(32);
    await expect(bench.runner.run('erase-key', { paymentId })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'key-unknown',
    });
  });

  it('that waits for its verdict is refused in words', async () => {
    await bench.enrol();
    await bench.runner.run('buy', coinsOf(30, 1));
    bench.desk.papers.concluded = (record) => record;
    const { quoteId } = await bench.runner.run('quote', quoteWish);
    const paid = await bench.runner.run('pay', { quoteId, exchange: false, waitMs: 0 });
    const { paymentId } = paid;
    await expect(bench.runner.run('erase-key', { paymentId })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'key-provisional',
    });
  });
});

it('more coins than the card has room for are not ordered', async () => {
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(30, 2));
  await expect(bench.runner.run('buy', coinsOf(1, 999))).rejects.toMatchObject({
    outcome: 'refused',
    code: 'card-full',
    message: 'the card has room for 998 more coins, not for 999; nothing was ordered',
  });
  expect(bench.desk.asked.filter((kind) => kind === 'buy')).toHaveLength(1);
});

it('an order that filled the card on its way stays open, for the rest of its coins', async () => {
  await bench.enrol();
  const message = 'The card is full: 1 of 2 coins were loaded.';
  bench.desk.script.refuse.set('buy', { code: 'pool-full', message });
  await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
    outcome: 'unknown',
    message,
  });
  expect(bench.wallet.orders.pending()).toHaveLength(1);
});

it('an order that a fault kept from leaving is not carried out later', async () => {
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(30, 2));
  const answerTruly = bench.card.process.bind(bench.card);
  const card = vi.spyOn(bench.card, 'process');
  card.mockImplementation((command) =>
    command[1] === commands.authorise.ins
      ? Promise.resolve(Uint8Array.of(0x6f, 0x00))
      : answerTruly(command),
  );
  await expect(bench.runner.run('refund', coinsOf(30, 1))).rejects.toMatchObject({
    outcome: 'fault',
  });
  card.mockRestore();
  const desk = await bench.host.desk();
  desk.close();
  await desk.closed;
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({ coins: 2 });
  expect(bench.desk.asked).not.toContain('refund');
});

it('an order to a link that has just ended is not carried out later', async () => {
  await bench.enrol();
  const desk = await bench.host.desk();
  const knowsRoom = desk.card.applicationInfo.bind(desk.card);
  vi.spyOn(desk.card, 'applicationInfo').mockImplementationOnce(async () => {
    desk.close();
    return knowsRoom();
  });
  await expect(bench.runner.run('buy', coinsOf(30, 2))).rejects.toMatchObject({
    outcome: 'fault',
  });
  await expect(bench.runner.run('balance', {})).resolves.toMatchObject({ coins: 0 });
});

it('a payment without answer is named by its quote, which can be repeated', async () => {
  await bench.enrol();
  await bench.runner.run('buy', coinsOf(30, 1));
  const { quoteId } = await bench.runner.run('quote', quoteWish);
  bench.desk.script.cut.set('pay', 'after');
  const told = await failureOf(bench.runner.run('pay', { quoteId, exchange: false, waitMs: 0 }));
  expect(told.outcome).toBe('unknown');
  expect(told.message).toContain(`(quote ${quoteId})`);
});

it('whoever is told of an unknown outcome is not told to order again', () => {
  expect(withAdvice('outcome-unknown', 'no answer.')).toMatch(/do not place it again/);
});

it('a folder that is no wallet has no list of payments', async () => {
  await expect(bench.runner.run('payments', {})).rejects.toMatchObject({
    code: 'wallet-not-set-up',
  });
});

it('the tries left are those after the right PIN', async () => {
  await bench.enrol();
  await bench.restart();
  await expect(bench.runner.run('keys', {}, { pin: '0000' })).rejects.toMatchObject({
    triesLeft: 2,
  });
  await expect(bench.runner.run('card-info', {}, { pin })).resolves.toMatchObject({ pinTries: 3 });
});
