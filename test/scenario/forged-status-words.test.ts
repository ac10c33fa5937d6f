/**
 * Somebody on the way between station and card answers in the card's place. A status word proves
 * nothing, so the station takes it for "unknown", asks or repeats, and everything comes right.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandName } from '../../applet-spec/commands.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { UserRecord } from '../../daemon/store/store.ts';
import { unspent } from './holdings.ts';
import type { RoadUser } from './road-user.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';
import type { ForgedMoment } from './tapped-card.ts';
import { maker, trustMaker } from './trusted-maker.ts';

/** Refusals, and a success that has no MAC. */
const words = [0x6985, 0x6a80, 0x6d00, 0x6982, 0x6f00, 0x9000] as const;
const none = new Uint8Array(0);
const moments = ['instead', 'after'] as const satisfies readonly ForgedMoment[];

let road: Road;
let users = 0;

beforeAll(async () => {
  road = await Road.open({ stations: 2 });
});
afterAll(() => endOfRoad(road));

/** Every case takes another word: all of them, in both places, in a few seconds. */
function casesOf(...commands: readonly CommandName[]) {
  return commands.flatMap((command, i) =>
    moments.map((moment, j) => ({
      command,
      moment,
      sw: words[(2 * i + j) % words.length] ?? 0x6985,
    })),
  );
}

/** Money on account and on coins, as the home station has it; nothing of it may be lost. */
async function wealth({ station, name }: RoadUser): Promise<bigint> {
  const user = toUserName(name);
  return station.withStore(async (store) => {
    const account = (await store.user(user))?.balance ?? 0n;
    return account + (await store.outstanding(user)).value;
  });
}

function recordOf({ station, name }: RoadUser): Promise<UserRecord | undefined> {
  return station.withStore((store) => store.user(toUserName(name)));
}

async function backAtDesk(user: RoadUser): Promise<void> {
  await road.eventually(`${user.name} has been answered falsely`, () => user.card.forged);
  await road.eventually(`${user.name} is connected`, async () => {
    try {
      await user.run('connect', {});
      return true;
    } catch {
      return undefined;
    }
  });
}

/** What the errand came to does not matter: only what is true afterwards. */
async function ignored(errand: Promise<unknown>): Promise<void> {
  await errand.catch(() => undefined);
}

describe('while a card is enrolled', () => {
  it.each(casesOf('generateKeyPair', 'putCertificate', 'putProfile', 'putKey'))(
    '$command, $moment: the enrolment is repeated, and one card is enrolled',
    async ({ command, moment, sw }) => {
      users += 1;
      const user = await road.join(`user${users}@q1`);
      user.card.forgeNext(command, sw, moment);
      await expect(user.enrol(road.ca.root)).rejects.toMatchObject({ code: 'outcome-unknown' });
      await user.enrol(road.ca.root);
      await road.atDesk(user);
      const { certificateHash } = (await recordOf(user)) ?? {};
      expect(certificateHash).toEqual(noblePrimitives.sha256(user.cardState.certificate ?? none));
    },
  );
});

describe('while a card attests its key', () => {
  let wary: Road;

  beforeAll(async () => {
    wary = await Road.open({ stations: 2, users: ['bob@q2'] });
    // A card without a device key would be enrolled here: that is what a forger might feign.
    await trustMaker(wary, 'optional');
  });
  afterAll(() => endOfRoad(wary));

  it.each(moments.flatMap((moment) => words.map((sw) => ({ moment, sw }))))(
    '$sw $moment: nothing is certified until the station has heard the card itself',
    async ({ moment, sw }) => {
      users += 1;
      const user = await wary.join(`user${users}@q1`, maker);
      user.card.forgeNext('attest', sw, moment);
      await expect(user.enrol(wary.ca.root)).rejects.toMatchObject({ code: 'outcome-unknown' });
      expect(user.card.forged).toBe(true);
      expect(user.cardState.certificate).toBeUndefined();
      await user.enrol(wary.ca.root);
      await wary.atDesk(user);
      const words = wary.station('q1').log.lines.filter(({ user: of }) => of === user.name);
      expect(words.map(({ msg }) => msg)).toContain('the card has attested its key');
    },
  );
});

describe('at the desk', () => {
  it.each(casesOf('initializeUpdate', 'externalAuthenticate', 'putHandle'))(
    '$command, $moment: the next visit is an ordinary one',
    async ({ command, moment, sw }) => {
      const { alice } = road;
      await alice.leave();
      alice.card.forgeNext(command, sw, moment);
      alice.startAgain();
      alice.host.givePin('482615');
      alice.stayConnected();
      await backAtDesk(alice);
    },
  );

  it.each(casesOf('loadCoins'))(
    '$command, $moment: the coins are on the card, once',
    async ({ command, moment, sw }) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 100n);
      const before = await unspent(alice);
      const had = await wealth(alice);
      alice.card.forgeNext(command, sw, moment);
      await ignored(alice.buy([7n, 2]));
      await backAtDesk(alice);
      await road.eventually(
        'both coins are there',
        async () => (await unspent(alice)).length === before.length + 2,
      );
      expect(await wealth(alice)).toBe(had);
    },
  );

  it.each(casesOf('retireCoins', 'eraseCoins'))(
    '$command, $moment: the coin becomes money once, or stays a coin',
    async ({ command, moment, sw }) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 11n);
      await alice.buy([11n, 1]);
      const had = await wealth(alice);
      alice.card.forgeNext(command, sw, moment);
      await ignored(alice.run('refund', { lines: [{ value: '11', count: 1 }] }));
      await backAtDesk(alice);
      await road.eventually(
        'no order is open',
        () => alice.host.wallet.orders.pending().length === 0,
      );
      expect(await wealth(alice)).toBe(had);
      const left = (await unspent(alice)).filter((value) => value === 11n);
      if (left.length > 0)
        await alice.run('refund', { lines: [{ value: '11', count: left.length }] });
      expect(await wealth(alice)).toBe(had);
    },
  );
});

describe('while a key is paid for', () => {
  it.each(casesOf('pay', 'conclude'))(
    '$command of the payer, $moment: one coin pays once, and the key is shared',
    async ({ command, moment, sw }) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 1]);
      const before = await unspent(alice);
      const { quoteId } = await alice.quote(road.bob.name);
      alice.card.forgeNext(command, sw, moment);
      await ignored(alice.pay(quoteId, { waitMs: 0 }));
      await backAtDesk(alice);
      const paid = await alice.pay(quoteId);
      await road.sharedCheck(paid.paymentId);
      expect(await unspent(alice)).toHaveLength(before.length - 1);
      const { payments } = await alice.run('payments', {});
      expect(payments.filter(({ paymentId }) => paymentId === paid.paymentId)).toHaveLength(1);
    },
  );

  it.each(casesOf('queryJournal'))(
    '$command, $moment: the journal is asked again',
    async ({ command, moment, sw }) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 1]);
      const before = await unspent(alice);
      const { quoteId } = await alice.quote(road.bob.name);
      alice.card.forgeNext('pay', 0x6985, 'after');
      await ignored(alice.pay(quoteId, { waitMs: 0 }));
      alice.card.forgeNext(command, sw, moment);
      await backAtDesk(alice);
      const paid = await alice.pay(quoteId);
      await road.sharedCheck(paid.paymentId);
      expect(await unspent(alice)).toHaveLength(before.length - 1);
    },
  );

  it.each(casesOf('offer', 'conclude'))(
    '$command of the payee, $moment: the key arrives all the same',
    async ({ command, moment, sw }) => {
      const { alice, bob } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 1]);
      const { quoteId } = await alice.quote(bob.name);
      bob.card.forgeNext(command, sw, moment);
      const paid = await alice.pay(quoteId, { waitMs: 0 });
      await backAtDesk(bob);
      await road.payment('q1', paid.paymentId, 'delivered');
      await road.sharedCheck(paid.paymentId);
    },
  );
});
