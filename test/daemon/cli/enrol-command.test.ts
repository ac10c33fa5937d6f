/** `keytolld enrol` says what the station will ask of the card, by `[cards]` in its settings. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { encodeDelivery } from '../../../applet-spec/card-delivery.ts';
import { toStationName, toUserName } from '../../../applet-spec/names.ts';
import type { CardKeys } from '../../../applet-spec/scp03-keys.ts';
import { registerAccountCommands } from '../../../daemon/cli/account-command.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import { serveAdmin, type Administered } from '../../../daemon/station/admin-socket.ts';
import { readStationConfig } from '../../../daemon/station/config.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { adminSocketOf } from '../../../daemon/station/station.ts';
import { openStationStore } from '../../../daemon/station/station-store.ts';
import type { CardRecord, Store } from '../../../daemon/store/store.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { DeviceMaker } from '../../../emulator/card/device-maker.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { issuerPayment, newCoin, payerWithCoin, startMs } from '../../contract/store-fixture.ts';

const entropy = seededEntropy('enrol');
const maker = DeviceMaker.found(new Uint8Array(32).fill(0x61), 'A card maker', entropy);
let folder: string;
let config: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-enrol-'));
  const station = toStationName('q1');
  config = initStationFolder(folder, { station, network: 'test', currency: 'EUR', entropy });
  const { delivery } = makeCard(entropy, 't1-short', maker);
  writeFileSync(join(folder, 'card.json'), encodeDelivery(delivery));
  writeFileSync(join(folder, 'maker.der'), maker.root);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What stands under `[cards]` from now on. */
function cards(...lines: readonly string[]): void {
  const toml = readFileSync(config, 'utf8');
  const own = ['[cards]', ...lines, '', '[desk]'].join('\n');
  writeFileSync(config, toml.replace(/\[cards\][^]*?\[desk\]/, own));
}

function enrol(...more: readonly string[]): Promise<{ out: string; error?: string }> {
  return keytolld('enrol', 'alice@q1', '--delivery', join(folder, 'card.json'), ...more);
}

async function keytolld(...words: readonly string[]): Promise<{ out: string; error?: string }> {
  let out = '';
  let error = '';
  const program = new Command('keytolld').exitOverride().configureOutput({
    writeOut: (text) => {
      out += text;
    },
    writeErr: (text) => {
      error += text;
    },
  });
  registerAccountCommands(program);
  for (const command of program.commands) {
    command.exitOverride().copyInheritedSettings(program);
  }
  try {
    await program.parseAsync([...words, '--config', config], { from: 'user' });
  } catch {
    return { out, error };
  }
  return { out };
}

async function inStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStationStore(readStationConfig(config), entropy);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe('keytolld enrol', () => {
  it('says that a card is taken on trust where no maker is trusted', async () => {
    const { out } = await enrol();
    expect(out).toMatch(/The card may be enrolled for alice@q1/);
    expect(out).toMatch(/No maker is named in cards\.maker-roots/);
  });

  it.each([
    ['required', []],
    ['optional', ['attestation = "optional"']],
  ])('says that attestation is %s', async (attestation, lines) => {
    cards('maker-roots = ["maker.der"]', ...lines);
    const { out } = await enrol('--json');
    expect(JSON.parse(out)).toEqual({
      user: 'alice@q1',
      state: 'awaiting-enrolment',
      attestation,
    });
  });

  it.each([
    ['maker-roots = ["none.der"]', /none\.der is not there/],
    ['maker-roots = ["card.json"]', /card\.json: expected CERTIFICATE as PEM or DER/],
    ['attestation = "required"', /cards\.maker-roots: attestation is required and no maker/],
    ['attestation = "perhaps"', /cards\.attestation: /],
  ])('enrols nobody under %s', async (line, words) => {
    cards(line);
    const { out, error } = await enrol();
    expect(out).toBe('');
    expect(error).toMatch(words);
  });
});

/** A station that can do nothing that it is asked for. */
const nothingAsked: Administered = {
  status: () => {
    throw new Error('not asked');
  },
  positions: () => Promise.reject(new Error('not asked')),
  doubtful: () => Promise.reject(new Error('not asked')),
  damaged: () => Promise.reject(new Error('not asked')),
  quarantine: () => Promise.reject(new Error('not asked')),
  retryQuarantined: () => Promise.reject(new Error('not asked')),
  settle: () => Promise.reject(new Error('not asked')),
  recover: () => Promise.reject(new Error('not asked')),
  endFrozen: () => Promise.reject(new Error('the disk is full')),
};

describe('keytolld enrol, of a user who has a card', () => {
  const alice = toUserName('alice@q1');

  /** As the desk leaves it: the card is enrolled, and holds a coin of 7. */
  async function withCoin(): Promise<Uint8Array> {
    await enrol();
    await keytolld('account', 'top-up', alice, '10', '--reference', 'cash');
    const { delivery } = makeCard(entropy, 't1-short', maker);
    return inStore(async (store) => {
      const card = await store.cardOf(alice);
      if (card === undefined) throw new Error('there is no card');
      await store.enrolCard(card.serial, toUtf8('a certificate'));
      const coins = [newCoin('a', 7n)];
      const lines = [{ value: 7n, count: 1 }];
      const orderId = new Uint8Array(16);
      await store.reserveCoins({ orderId, user: alice, lines, coins, nowMs: startMs });
      await store.markLoading(coins.map(({ coinId }) => coinId));
      await store.markLoaded(coins.map(({ coinId }) => coinId));
      writeFileSync(join(folder, 'card.json'), encodeDelivery(delivery));
      return card.serial;
    });
  }

  function standing(serial: Uint8Array) {
    return inStore(async (store) => ({
      former: (await store.cardByIdentifier(serial))?.state,
      balance: (await store.user(alice))?.balance,
      outstanding: await store.outstanding(alice),
    }));
  }

  it('is refused, with what would become of the former card, and changes nothing', async () => {
    const serial = await withCoin();
    expect((await enrol()).error).toMatch(/alice@q1 has a card\. With --replace it is never/);
    const outstanding = { coins: 1, value: 7n };
    expect(await standing(serial)).toEqual({ former: 'enrolled', balance: 3n, outstanding });
  });

  it('with --replace serves the former card no more, and gives its coins back', async () => {
    const serial = await withCoin();
    const { out } = await enrol('--replace');
    expect(out).toMatch(/not served any more\. Back on the account: 1 coin worth EUR 0\.07\.$/m);
    const outstanding = { coins: 0, value: 0n };
    expect(await standing(serial)).toEqual({ former: 'frozen', balance: 10n, outstanding });
    expect((await enrol('--replace')).out).toMatch(/ 0 coins worth EUR 0\.00/);
  });

  it('with --replace has it sent away from the desk before its coins are money', async () => {
    const serial = await withCoin();
    const before: unknown[] = [];
    const admin = await serveAdmin(adminSocketOf(readStationConfig(config)), {
      ...nothingAsked,
      endFrozen: async () => {
        before.push(await standing(serial));
        return [alice];
      },
    });
    const { out } = await enrol('--replace');
    await admin.close();
    const outstanding = { coins: 1, value: 7n };
    expect(before).toEqual([{ former: 'frozen', balance: 3n, outstanding }]);
    expect(out).toMatch(/1 coin worth EUR 0\.07\. It was at the desk, and has been sent away\.$/m);
  });

  it('with --replace says what to do where the station does not tell who is there', async () => {
    await withCoin();
    const admin = await serveAdmin(adminSocketOf(readStationConfig(config)), nothingAsked);
    const { out } = await enrol('--replace');
    await admin.close();
    expect(out).toMatch(/Should it be at the desk just now, restart the station/);
  });
});

describe('keytolld enrol, of a card whose enrolment was cut off', () => {
  const alice = toUserName('alice@q1');
  const own: CardKeys = {
    enc: new Uint8Array(32).fill(1),
    mac: new Uint8Array(32).fill(2),
    dek: new Uint8Array(32).fill(3),
    hostLink: new Uint8Array(32).fill(4),
  };

  async function cardAs(changes: Partial<CardRecord>): Promise<Uint8Array> {
    await enrol();
    return inStore(async (store) => {
      const card = await store.cardOf(alice);
      if (card === undefined) throw new Error('there is no card');
      await store.putStationKey(card.serial, new Uint8Array(65));
      await store.putCard({ ...card, ...changes });
      return card.serial;
    });
  }
  const cardNow = () => inStore((store) => store.cardOf(alice));

  it('keeps the keys that the station has given it, or nobody could open it again', async () => {
    await cardAs({ keys: own, keyVersion: 1 });
    expect((await enrol()).error).toBeUndefined();
    const state = 'awaiting-enrolment';
    expect(await cardNow()).toMatchObject({ state, keys: own, keyVersion: 1 });
  });

  it('keeps those that the card may have taken', async () => {
    await cardAs({ nextKeys: own, nextKeyVersion: 1 });
    expect((await enrol()).error).toBeUndefined();
    expect(await cardNow()).toMatchObject({ keyVersion: 0x30, nextKeys: own, nextKeyVersion: 1 });
  });

  it('gives it the limits of now, as its profile is put there again', async () => {
    await cardAs({ keys: own, keyVersion: 1 });
    await enrol('--payment-limit', '7');
    const card = await cardNow();
    expect(card).toMatchObject({ paymentLimit: 7n });
    expect(card?.stationKey).toBeUndefined();
  });

  it('is refused where only its certificate was being renewed: it is enrolled', async () => {
    await cardAs({ keys: own, keyVersion: 1, handle: new Uint8Array(16).fill(9) });
    expect((await enrol()).error).toMatch(/this card is enrolled already/);
    expect(await cardNow()).toMatchObject({ keys: own, keyVersion: 1 });
  });

  it('takes the place of one whose certificate was being renewed only with --replace', async () => {
    const serial = await cardAs({ keys: own, keyVersion: 1, handle: new Uint8Array(16).fill(9) });
    const { delivery } = makeCard(entropy, 't1-short', maker);
    writeFileSync(join(folder, 'card.json'), encodeDelivery(delivery));
    expect((await enrol()).error).toMatch(/alice@q1 has a card\. With --replace it is never/);
    expect((await cardNow())?.serial).toEqual(serial);
  });
});

describe('keytolld account list', () => {
  it('has a line for each account, with what its station owes it', async () => {
    expect((await keytolld('account', 'list')).out).toBe('No accounts yet.\n');
    await enrol();
    await keytolld('account', 'add', 'bob@q1');
    await keytolld('account', 'top-up', 'alice@q1', '1234', '--reference', 'cash');
    expect((await keytolld('account', 'list')).out.split('\n')).toEqual([
      'alice@q1: EUR 12.34; 0 coins outstanding worth EUR 0.00; card: awaiting-enrolment',
      'bob@q1: EUR 0.00; 0 coins outstanding worth EUR 0.00; card: none',
      '',
    ]);
    const nothing = { coinsOutstanding: 0, valueOutstanding: '0' };
    expect(JSON.parse((await keytolld('account', 'list', '--json')).out)).toEqual({
      station: 'q1',
      currency: 'EUR',
      accounts: [
        { user: 'alice@q1', balance: '1234', ...nothing, card: 'awaiting-enrolment' },
        { user: 'bob@q1', balance: '0', ...nothing, card: 'none' },
      ],
    });
  });
});

describe('keytolld account show', () => {
  /** The card's enrolment, as the desk ends it. */
  async function enrolled(attestedBy?: Uint8Array): Promise<void> {
    await enrol();
    const store = await openStationStore(readStationConfig(config), entropy);
    const card = await store.cardOf(toUserName('alice@q1'));
    if (card === undefined) throw new Error('there is no card');
    await store.putCard({ ...card, ...(attestedBy && { attestedBy }) });
    await store.enrolCard(card.serial, toUtf8('a certificate'));
    await store.close();
  }
  const show = (...more: readonly string[]) => keytolld('account', 'show', 'alice@q1', ...more);
  const ofMaker = opensslPrimitives.sha256(maker.root);

  it('names the maker under whose root the card attested its key', async () => {
    cards('maker-roots = ["maker.der"]');
    await enrolled(ofMaker);
    expect((await show()).out).toMatch(/card enrolled, its key attested under maker\.der$/m);
    expect(JSON.parse((await show('--json')).out)).toMatchObject({
      enrolled: true,
      attestedBy: toHex(ofMaker),
      maker: 'maker.der',
    });
  });

  it('tells a maker that is not trusted any more by its fingerprint', async () => {
    await enrolled(ofMaker);
    expect((await show()).out).toContain(`its key attested under maker root ${toHex(ofMaker)}`);
  });

  it('says that a key was taken on trust, and that there is no card yet', async () => {
    await enrol();
    expect((await show()).out).toMatch(/, card not enrolled$/m);
    await enrolled();
    expect((await show()).out).toMatch(/, card enrolled, its key taken on trust$/m);
  });

  it('flags a card that paid with a coin which it had paid with before', async () => {
    const store = await openStationStore(readStationConfig(config), entropy);
    const coin = await payerWithCoin(store, 'a');
    const [first, second] = [issuerPayment('a', coin), issuerPayment('b', coin)];
    await store.admit([first]);
    expect(JSON.parse((await show('--json')).out)).toMatchObject({ spentAgain: [] });
    expect((await show()).out).not.toMatch(/COPIED/);
    await store.refuse([{ payment: second, refusal: toUtf8('no'), replacement: undefined }]);
    await store.close();
    const pair = { payment: toHex(second.paymentId), first: toHex(first.paymentId) };
    expect(JSON.parse((await show('--json')).out)).toMatchObject({ spentAgain: [pair] });
    const { out } = await show();
    expect(out).toMatch(/^THE CARD WAS COPIED OR IS BROKEN/m);
    expect(out).toContain(`  refused ${pair.payment}: its coin paid ${pair.first}`);
  });
});

describe('keytolld account top-up', () => {
  it.each(['', '  '])(
    'takes no reference of no words: "%s" would count once for all',
    async (of) => {
      await keytolld('account', 'add', 'alice@q1');
      const { error } = await keytolld('account', 'top-up', 'alice@q1', '500', '--reference', of);
      expect(error).toMatch(/--reference <text>.*expected words/);
      const { out } = await keytolld('account', 'show', 'alice@q1', '--json');
      expect(JSON.parse(out)).toMatchObject({ balance: '0' });
    },
  );
});
