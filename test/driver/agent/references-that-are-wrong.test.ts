/** PIN and PUK given wrongly: what it costs, and what it leaves behind. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HostBench, pin, puk } from '../desk/host-bench.ts';

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
});
afterEach(async () => {
  await bench.close();
});

it('a wrong old PIN makes the card forget the PIN, and the next errand asks for it', async () => {
  await bench.enrol();
  await expect(
    bench.runner.run('pin-change', { oldPin: '0000', newPin: '1357' }),
  ).rejects.toMatchObject({ code: 'pin-wrong', triesLeft: 2 });
  await expect(bench.runner.run('keys', {})).rejects.toMatchObject({ code: 'pin-needed' });
  await expect(bench.runner.run('keys', {}, { pin })).resolves.toEqual({ keys: [] });
});

it('a PIN set with the PUK serves the host that had verified the old one', async () => {
  await bench.enrol();
  await bench.runner.run('pin-unblock', { puk, newPin: '8642' });
  await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
});

it('a PUK is changed for the old one alone, right to its last character', async () => {
  await bench.enrol();
  await expect(
    bench.runner.run('puk-change', { oldPuk: `${puk}1`, newPuk: '11112222' }),
  ).rejects.toMatchObject({ outcome: 'refused', code: 'puk-wrong', triesLeft: 9 });
  await bench.runner.run('puk-change', { oldPuk: puk, newPuk: '11112222' });
  await expect(bench.runner.run('pin-unblock', { puk, newPin: '8642' })).rejects.toMatchObject({
    code: 'puk-wrong',
    triesLeft: 9,
  });
  await bench.runner.run('pin-unblock', { puk: '11112222', newPin: '8642' });
  await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
});

it('a wrong PIN beside a verified one is not taken, and costs no try later', async () => {
  await bench.enrol();
  await expect(bench.runner.run('keys', {}, { pin: '0000' })).resolves.toEqual({ keys: [] });
  await bench.reinsert();
  await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
  await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({ pinTries: 3 });
});

it('a wrong PIN to card init beside a verified one is not taken either', async () => {
  await bench.enrol();
  const params = { ...bench.initParams, newPin: '0000' };
  await expect(bench.runner.run('card-init', params)).resolves.toMatchObject({ enrolled: false });
  await bench.reinsert();
  await expect(bench.runner.run('keys', {})).resolves.toEqual({ keys: [] });
  await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({ pinTries: 3 });
});

it('a PIN to card init is taken where the proven one is not believed any more', async () => {
  await bench.enrol();
  await bench.reinsert();
  const session = await bench.host.card();
  await expect(session.verifyPin('0000')).rejects.toMatchObject({ code: 'pin-wrong' });
  await expect(bench.runner.run('card-init', bench.initParams)).resolves.toMatchObject({
    enrolled: false,
  });
});

it('a PIN given anew is taken where the proven one is not believed any more', async () => {
  await bench.enrol();
  await bench.reinsert();
  const session = await bench.host.card();
  await expect(session.verifyPin('0000')).rejects.toMatchObject({ code: 'pin-wrong' });
  await expect(bench.runner.run('keys', {}, { pin })).resolves.toEqual({ keys: [] });
});

it('two errands at once with the same wrong PIN cost one try', async () => {
  await bench.enrol();
  await bench.restart();
  bench.host.givePin('0000');
  const both = await Promise.allSettled([
    bench.runner.run('keys', {}),
    bench.runner.run('keys', {}),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(bench.runner.run('card-info', {})).resolves.toMatchObject({ pinTries: 2 });
});

it('a PUK that a card had before is told to be the one that stays', async () => {
  const first = await bench.runner.run('card-init', bench.initParams);
  expect(first.pukSet).toBe(true);
  const again = { ...bench.initParams, newPuk: '55556666' };
  await expect(bench.runner.run('card-init', again)).resolves.toMatchObject({ pukSet: false });
  await bench.runner.run('pin-unblock', { puk, newPin: '8642' });
});

it('a PUK that is too short is told before the PIN is set', async () => {
  await expect(
    bench.runner.run('card-init', { ...bench.initParams, newPuk: '12' }),
  ).rejects.toMatchObject({ outcome: 'usage', code: 'reference-length' });
  const params = { ...bench.initParams, newPin: '97531' };
  await expect(bench.runner.run('card-init', params)).resolves.toMatchObject({ enrolled: true });
});
