import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toCurrency, toStationName, toUserName } from '../../../applet-spec/names.ts';
import type { AcceptanceBody, QuoteBody } from '../../../applet-spec/quote.ts';
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
    ['another payer', quote({ payer: toUserName('carol@q1') })],
    ['another payee', quote({ payee: toUserName('carol@q2') })],
    ['another network', quote({ network: 'elsewhere' })],
    ['another currency', quote({ currency: toCurrency('USD') })],
    ['a route from elsewhere', quote({ bill: [line('q3'), line('q2')] })],
    ['a route to elsewhere', quote({ bill: [line('q1'), line('q3')] })],
    ['a station twice', quote({ bill: [line('q1'), line('q3'), line('q3'), line('q2')] })],
    ['a station to be avoided', quote({ bill: [line('q1'), line('q7'), line('q2')] })],
    ['a total of 0', quote({ bill: [line('q1', 0n), line('q2', 0n)] })],
    ['a weaker suite', quote({ minimumSuite: 'aes' })],
    ['deadlines out of order', quote({ deliveryDeadline: 1n })],
    ['another key of the payee station', quote({ payeeStationKey: q1Key.publicKey })],
    ['another acceptance', quote({ acceptanceId: new Uint8Array(16) })],
    ['another payee certificate', quote({ payeeCertificate: new Uint8Array(32) })],
    ['an acceptance of another payer', acceptance({ payer: toUserName('carol@q1') })],
    ['an acceptance of another payee', acceptance({ payee: toUserName('carol@q2') })],
    ['an acceptance of another station', acceptance({ payeeStation: q1 })],
    ['an acceptance of another network', acceptance({ network: 'elsewhere' })],
  ])('%s', async (_what, changes) => {
    bench.desk.script.quoteChanges = changes;
    await expect(
      bench.runner.run('quote', {
        payee: bob,
        minimumSuite: 'otp-secret',
        avoid: [toStationName('q7')],
      }),
    ).rejects.toMatchObject({ outcome: 'fault', code: 'evidence-invalid' });
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
