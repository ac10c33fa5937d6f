import { describe, expect, it } from 'vitest';
import { apduProfiles, isApduProfile } from '../../emulator/card/atr.ts';
import type { Needle } from '../../emulator/demo/recorder-needles.ts';
import { describeWithPcscd } from '../contract/with-pcscd.ts';
import { unspent } from './holdings.ts';
import { onRoad } from './road.ts';

/** Needles from now and before: what a card has given away may not have been seen either. */
class Secrets {
  readonly #seen = new Map<string, Needle>();

  add(needles: readonly Needle[]): void {
    for (const needle of needles) this.#seen.set(needle.name, needle);
  }

  get all(): Needle[] {
    return [...this.#seen.values()];
  }
}

describeWithPcscd('the life of a card behind pcscd', (pcscd) => {
  describe.each(Object.keys(apduProfiles).filter(isApduProfile))('%s', (cardProfile) => {
    it('shows nothing secret between pcscd and the card but the PIN', () =>
      onRoad({ stations: 2, cards: pcscd(), cardProfile }, async (road) => {
        const { alice, bob } = road;
        const price = road.price();
        const secrets = new Secrets();
        const look = (): void => {
          secrets.add(road.needles);
        };
        // Enrolled by now. Load, exchange and refund:
        for (const user of [alice, bob]) await user.station.topUp(user.name, 1_000n);
        await alice.buy([50n, 3], [20n, 2]);
        look();
        await alice.run('exchange', { lines: [{ value: String(price), count: 3 }] });
        look();
        await alice.run('refund', { lines: [{ value: '50', count: 1 }] });
        // Pay and receive, both ways:
        const there = await alice.share(bob.name);
        await bob.buy([price, 1]);
        look();
        const back = await bob.share(alice.name);
        for (const { paymentId } of [there, back]) await road.sharedCheck(paymentId);
        look();
        // Talk:
        expect(await bob.hears(await alice.says(bob.name, 'Nobody listens.'))).toBe(
          'Nobody listens.',
        );
        expect(await alice.hears(await bob.says(alice.name, 'Not even pcscd.'))).toBe(
          'Not even pcscd.',
        );
        look();
        expect((await unspent(alice)).length).toBeGreaterThan(0);
        const kinds = new Set(secrets.all.map(({ name }) => name.split(' ')[0]));
        expect([...kinds].sort()).toEqual(['certificate', 'key', 'secret']);
        const cardWires = road.recorder.recordings.filter(({ segment }) => segment === 'card-host');
        expect(cardWires.length).toBeGreaterThanOrEqual(2);
        expect(road.leaks(secrets.all)).toEqual([]);
        // The search is not blind: what a card does tell in clear is found.
        const told = { name: 'identifier', bytes: alice.cardState.serial };
        expect(road.leaks([told]).map(({ segment }) => segment)).toContain('card-host');
      })());
  });
});
