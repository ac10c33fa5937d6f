/** The user's certificate ends: who is told, when, and what the agent does about it. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepCertificate, type CertificateEnd } from '../../../driver/agent/certificate-end.ts';
import { keepConnected } from '../../../driver/agent/keep-connected.ts';
import { certificateWords } from '../../../driver/cli/certificate-words.ts';
import { HostBench, pin } from '../desk/host-bench.ts';

const daySeconds = 86_400;

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.restart();
  bench.host.givePin(pin);
});
afterEach(async () => {
  await bench.close();
});

/** The station says so from now on. */
function endsIn(days: number): void {
  const end = BigInt(Math.floor(bench.clock.nowMs() / 1_000) + days * daySeconds);
  bench.desk.script.says = (message) =>
    message.kind === 'account'
      ? { ...message, content: { ...message.content, certificateEnd: end } }
      : message;
}

function told(): CertificateEnd[] {
  const heard: CertificateEnd[] = [];
  bench.host.watch((event) => {
    if (event.kind === 'certificate-ends') heard.push(event.certificate);
  });
  return heard;
}

it.each([
  [400, 0],
  [30, 0],
  [29, 1],
  [0, 1],
])('that ends in %i days is told of %i times as the host connects', async (days, times) => {
  endsIn(days);
  const heard = told();
  const connected = await bench.runner.run('connect', {});
  expect(connected.certificate?.daysLeft).toBe(days);
  expect(heard).toHaveLength(times);
  const { certificate } = await bench.runner.run('balance', {});
  expect(certificate).toEqual(connected.certificate);
});

it('that has ended is told of, too', async () => {
  endsIn(-3);
  const heard = told();
  await bench.runner.run('balance', {});
  expect(heard).toMatchObject([{ daysLeft: -1 }]);
});

it('that a station does not speak of is not told of', async () => {
  const heard = told();
  const { certificate } = await bench.runner.run('connect', {});
  expect([certificate, ...heard]).toEqual([undefined]);
});

it('makes an agent that stays connected come back once a day', async () => {
  endsIn(31);
  const day = bench.clock.alarmOf(daySeconds * 1_000);
  const keeping = keepCertificate(bench.host);
  const kept = keepConnected(bench.host);
  const heard = told();
  await day;
  expect(heard).toEqual([]);
  // A day passes until it looks, and a second until it is back.
  endsIn(20);
  const goesAgain = bench.clock.nextAlarm();
  const another = bench.clock.alarmOf(daySeconds * 1_000);
  bench.clock.advance(daySeconds * 1_000);
  await another;
  await goesAgain;
  const connected = bench.clock.alarmOf(daySeconds * 1_000);
  bench.clock.advance(1_000);
  await connected;
  expect(heard).toMatchObject([{ daysLeft: 18 }]);
  keeping.stop();
  kept.stop();
});

it('is said in words, with what to do, from 30 days before', () => {
  const ends = '2027-12-29T10:00:00.000Z';
  expect(certificateWords(undefined)).toBeUndefined();
  expect(certificateWords({ ends, daysLeft: 30 })).toBeUndefined();
  expect(certificateWords({ ends, daysLeft: 29 })).toMatch(
    /ends in 29 days, on 2027-12-29: .* tell its operator\.$/,
  );
  expect(certificateWords({ ends, daysLeft: -1 })).toMatch(/has ended, on 2027-12-29: /);
});
