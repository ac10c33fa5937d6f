import { toHex } from '../../applet-spec/bytes.ts';

import { toStationName, toUserName } from '../../applet-spec/names.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { auditOwnStore } from '../../daemon/station/audit-part.ts';
import type { PaymentRow } from '../../daemon/store/store.ts';
import { auditWallet } from '../../driver/audit/wallet-audit.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import type { RoadStation } from '../scenario/road-station.ts';
import type { RoadUser } from '../scenario/road-user.ts';
import { paidIn, type SimNetwork } from './sim-network.ts';

/** A line for each invariant that a network at rest breaks; none where all hold. */
export async function brokenInvariants(network: SimNetwork): Promise<string[]> {
  const payments = await everyPayment(network);
  const { clock } = network;
  return [
    ...endedInOneWay(payments),
    ...(await clock.until(keysAgree(network, payments))),
    ...(await moneyIsThere(network, payments)),
    ...network.oneTimeKeys.reused.map((key) => `one-time key ${key} covers two messages (I22)`),
    ...(await auditsFind(network)),
  ];
}

/** I22, I33, I40: nothing is set apart, held or unsent any more, and no link waits for keys. */
export async function leftOver(network: SimNetwork): Promise<string[]> {
  const left: string[] = [];
  for (const { name, running, unsent } of network.stations.map(atRest)) {
    for (const link of running.status().links) {
      const { peer, state, missingBits, reservedBits, heldBits } = link;
      const is = `${state}, ${missingBits} missing, ${reservedBits} reserved, ${heldBits} held`;
      if (is !== 'up, 0 missing, 0 reserved, 0 held') left.push(`${name} to ${peer}: ${is}`);
      const rows = await unsent(peer);
      if (rows > 0) left.push(`${name} has ${rows} rows for ${peer}`);
    }
  }
  return left;
}

function atRest(station: RoadStation) {
  const { name, running } = station;
  const unsent = (peer: string): Promise<number> =>
    station.withStore(async (store) => (await store.outbox(toStationName(peer), 100)).length);
  return { name, running, unsent };
}

/** The payments of a network as each station stored them, by their ID. */
export type Payments = ReadonlyMap<string, ReadonlyMap<string, PaymentRow>>;

export async function everyPayment(network: SimNetwork): Promise<Payments> {
  const payments = new Map<string, Map<string, PaymentRow>>();
  for (const station of network.stations) {
    const rows = await station.withStore((store) => store.eachPayment(undefined, 10_000));
    for (const row of rows) {
      const name = toHex(row.paymentId);
      const known = payments.get(name) ?? new Map<string, PaymentRow>();
      payments.set(name, known.set(station.name, row));
    }
  }
  return payments;
}

/** I17, I25, I31: the same one everywhere. */
function endedInOneWay(payments: Payments): string[] {
  return [...payments].flatMap(([paymentId, rows]) => {
    const states = [...rows].map(([station, { state }]) => `${station} ${state}`);
    const ended = new Set([...rows.values()].map(({ state }) => state));
    const [state] = ended;
    const isEnd = state === 'delivered' || state === 'undelivered' || state === 'refused';
    return ended.size === 1 && isEnd ? [] : [`payment ${paymentId}: ${states.join(', ')}`];
  });
}

/** I16, I17, I20: both cards hold the same active key, or neither holds one. */
async function keysAgree(network: SimNetwork, payments: Payments): Promise<string[]> {
  const broken: string[] = [];
  const checks = new Map<string, string[]>();
  for (const user of network.users) {
    const { keys } = await user.run('keys', {});
    for (const { paymentId, state, check } of keys) {
      const name = state === 'active' ? (check ?? 'no check') : state;
      checks.set(paymentId, [...(checks.get(paymentId) ?? []), name]);
    }
  }
  for (const [paymentId, rows] of payments) {
    const [row] = rows.values();
    const [one, other, ...more] = checks.get(paymentId) ?? [];
    if (row?.state === 'delivered') {
      const isShared = one !== undefined && one === other && more.length === 0;
      if (!isShared) broken.push(`payment ${paymentId} is delivered, its keys: ${one} ${other}`);
    } else if ([one, other].some((check) => check !== undefined && check !== 'burned')) {
      broken.push(`payment ${paymentId} is ${row?.state}, its keys: ${one} ${other}`);
    }
  }
  return broken;
}

/** I1 to I3, for every user: what was paid in is on account, in coins, or spent on a key. */
async function moneyIsThere(network: SimNetwork, payments: Payments): Promise<string[]> {
  const broken: string[] = [];
  for (const user of network.users) {
    const name = toUserName(user.name);
    const { account, coins } = await user.station.withStore(async (store) => ({
      account: (await store.user(name))?.balance ?? 0n,
      coins: await store.outstanding(name),
    }));
    const spent = [...payments.values()].reduce((sum, rows) => {
      const row = rows.get(user.station.name);
      return row?.payer === name && row.state === 'delivered' ? sum + row.value : sum;
    }, 0n);
    if (account + coins.value + spent !== paidIn) {
      broken.push(`${name} paid in ${paidIn}, has ${account} + ${coins.value}, spent ${spent}`);
    }
    broken.push(...(await coinsOnCard(network, user, coins)));
  }
  // Throws where debits are not credits.
  for (const station of network.stations) await station.books();
  return broken;
}

/** Whatever is outstanding is on the card, so that nobody lacks a coin. */
async function coinsOnCard(
  network: SimNetwork,
  user: RoadUser,
  outstanding: { readonly coins: number; readonly value: bigint },
): Promise<string[]> {
  const session = await network.clock.until(user.host.verifiedCard());
  const coins = await network.clock.until(session.listCoins());
  const unspent = coins.filter(({ state }) => state === 'unspent');
  const value = unspent.reduce((sum, coin) => sum + coin.value, 0n);
  return value === outstanding.value
    ? []
    : [`${user.name}'s card holds ${value}, outstanding are ${outstanding.value}`];
}

async function auditsFind(network: SimNetwork): Promise<string[]> {
  const broken: string[] = [];
  for (const station of network.stations) {
    const audit = auditOwnStore(station.config, {
      entropy: seededEntropy('audit'),
      filter: {},
      onItem: () => undefined,
    });
    const { findings, trialBalance } = await network.clock.until(audit);
    broken.push(...findings.map((one) => `${station.name}: ${JSON.stringify(one)}`));
    if (String(trialBalance) !== '0') broken.push(`${station.name}: trial balance ${trialBalance}`);
  }
  for (const user of network.users) {
    const { findings } = user.withWallet((wallet) => auditWallet(wallet, opensslPrimitives));
    broken.push(...findings.map((one) => `${user.name}: ${JSON.stringify(one)}`));
  }
  return broken;
}
