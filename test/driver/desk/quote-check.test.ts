import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toCurrency, toStationName, toUserName } from '../../../applet-spec/names.ts';
import {
  acceptance as acceptanceKind,
  quote as quoteKind,
  type AcceptanceBody,
  type QuoteBody,
} from '../../../applet-spec/quote.ts';
import { HostBench } from './host-bench.ts';
import { bob, q1, q2, q1Key } from './stand-in-papers.ts';

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
});
afterEach(async () => {
  await bench.close();
});

const line = (station: string, fee = 10n) => ({
  station: toStationName(station),
  fee,
  announcement: new Uint8Array(16),
});
const quote = (changes: Partial<QuoteBody>) => ({ quote: changes });
const acceptance = (changes: Partial<AcceptanceBody>) => ({ acceptance: changes });

describe('a quote that is not what was asked is refused before the card is', () => {
  it.each([
    ['another payer', 'the payer', quote({ payer: toUserName('carol@q1') })],
    ['another payee', 'the payee', quote({ payee: toUserName('carol@q2') })],
    ['another network', 'the network', quote({ network: 'elsewhere' })],
    ['another currency', 'the currency', quote({ currency: toCurrency('USD') })],
    [
      'a route from elsewhere',
      "the route's first station",
      quote({ bill: [line('q3'), line('q2')] }),
    ],
    ['a route to elsewhere', "the route's last station", quote({ bill: [line('q1'), line('q3')] })],
    [
      'a station twice',
      'which names a station twice',
      quote({ bill: [line('q1'), line('q3'), line('q3'), line('q2')] }),
    ],
    [
      'a station to be avoided',
      'the route over q7',
      quote({ bill: [line('q1'), line('q7'), line('q2')] }),
    ],
    ['a total of 0', 'the total, which is 0', quote({ bill: [line('q1', 0n), line('q2', 0n)] })],
    ['a weaker suite', 'the minimum suite', quote({ minimumSuite: 'aes' })],
    ['an end before its time', 'the order of its deadlines', quote({ expiry: 1n })],
    ['a delivery before its end', 'the order of its deadlines', quote({ deliveryDeadline: 1n })],
    [
      'a resolution before delivery',
      'the order of its deadlines',
      quote({ resolutionDeadline: 1n }),
    ],
    [
      'another key of the payee station',
      "the payee station's key",
      quote({ payeeStationKey: q1Key.publicKey }),
    ],
    ['another acceptance', "the acceptance's ID", quote({ acceptanceId: new Uint8Array(16) })],
    [
      'another payee certificate',
      "the hash of the payee's certificate",
      quote({ payeeCertificate: new Uint8Array(32) }),
    ],
    [
      'an acceptance of another payer',
      "the acceptance's users",
      acceptance({ payer: toUserName('carol@q1') }),
    ],
    [
      'an acceptance of another payee',
      "the acceptance's users",
      acceptance({ payee: toUserName('carol@q2') }),
    ],
    [
      'an acceptance of another station',
      "the acceptance's station",
      acceptance({ payeeStation: q1 }),
    ],
    [
      'an acceptance of another network',
      "the acceptance's network",
      acceptance({ network: 'elsewhere' }),
    ],
  ])('%s', async (_what, named, changes) => {
    bench.desk.script.quoteChanges = changes;
    await expect(
      bench.runner.run('quote', {
        payee: bob,
        minimumSuite: 'otp-secret',
        avoid: [toStationName('q7')],
      }),
    ).rejects.toMatchObject({
      outcome: 'fault',
      code: 'evidence-invalid',
      message: expect.stringContaining(named) as string,
    });
  });

  it.each(['quote', 'acceptance'] as const)('a forged signature on the %s', async (forged) => {
    const { papers } = bench;
    const honest = papers.quoteReply.bind(papers);
    papers.quoteReply = (...given) => {
      const reply = honest(...given);
      const nobodys = new Uint8Array(64).fill(1);
      return forged === 'quote'
        ? { ...reply, quote: quoteKind.join(reply.quote.bodyBytes, nobodys) }
        : { ...reply, acceptance: acceptanceKind.join(reply.acceptance.bodyBytes, nobodys) };
    };
    await expect(
      bench.runner.run('quote', { payee: bob, minimumSuite: 'aes', avoid: [] }),
    ).rejects.toMatchObject({
      code: 'evidence-invalid',
      message: expect.stringContaining(`on the ${forged}`) as string,
    });
  });

  it('certificates of other stations', async () => {
    const { papers } = bench;
    const honest = papers.quoteReply.bind(papers);
    papers.quoteReply = (...given) => ({
      ...honest(...given),
      payeeStationCertificate: papers.q1Document,
    });
    await expect(
      bench.runner.run('quote', { payee: bob, minimumSuite: 'aes', avoid: [] }),
    ).rejects.toMatchObject({ code: 'evidence-invalid' });
  });

  it('and one that is as asked passes, with the same checks', async () => {
    bench.desk.script.quoteChanges = quote({
      bill: [line('q1', 1n), line('q3', 2n), line(q2, 3n)],
    });
    await expect(
      bench.runner.run('quote', {
        payee: bob,
        minimumSuite: 'otp-secret',
        avoid: [toStationName('q7')],
      }),
    ).resolves.toMatchObject({ total: '6' });
  });
});
