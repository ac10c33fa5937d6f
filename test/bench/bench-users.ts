/** Users of a bench: enrolled at their stations before these run, and connected to their desks. */
import { toUserName, type UserName } from '../../applet-spec/names.ts';
import type { SigningKey } from '../../applet-spec/primitives.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { drawP256Key } from '../../daemon/ca/p256-key-file.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { roadCurrency } from '../scenario/road-plan.ts';
import type { BenchStation, BenchStations } from './bench-stations.ts';
import { cardKeyVersion, StandInCard } from './stand-in-card.ts';
import { StandInHost } from './stand-in-host.ts';

export interface BenchUser {
  readonly name: UserName;
  readonly privateKey: Uint8Array;
  readonly signingKey: SigningKey;
  readonly certificate: Uint8Array;
  readonly card: StandInCard;
}

const richMinorUnits = 1_000_000_000n;
const limitMinorUnits = 1_000_000_000n;

/** Cards as `card init` leaves them, with money on the account. The station must not run. */
export async function enrolUsers(
  stations: BenchStations,
  station: BenchStation,
  prefix: string,
  count: number,
): Promise<readonly BenchUser[]> {
  const users: BenchUser[] = [];
  for (let i = 0; i < count; i++) {
    const name = toUserName(`${prefix}${i}@${station.name}`);
    const { privateKey, publicKey } = drawP256Key(systemEntropy);
    const certificate = await stations.authority.issue({ role: 'user', name, publicKey });
    const card = new StandInCard(systemEntropy.randomBytes(16), newCardKeys());
    const signingKey = opensslPrimitives.signingKey(privateKey);
    users.push({ name, privateKey, signingKey, certificate, card });
  }
  await stations.withStore(station, async (store) => {
    for (const { name, certificate, card } of users) {
      await store.addUser(name, roadCurrency);
      await store.topUp(name, richMinorUnits, `bench ${name}`, 0);
      await store.putCard({
        serial: card.serial,
        user: name,
        state: 'awaiting-enrolment',
        keyVersion: cardKeyVersion,
        keys: card.keys,
        paymentLimit: limitMinorUnits,
        dayLimit: limitMinorUnits,
      });
      await store.enrolCard(card.serial, certificate);
    }
  });
  return users;
}

/** All of them at the desk, twenty at a time. */
export async function connectUsers(
  deskUrl: string | undefined,
  users: readonly BenchUser[],
): Promise<readonly StandInHost[]> {
  if (deskUrl === undefined) throw new RangeError('a desk without a URL');
  const hosts: StandInHost[] = [];
  for (let start = 0; start < users.length; start += 20) {
    const some = users.slice(start, start + 20).map(async ({ card }) => {
      const host = await StandInHost.connect(deskUrl, card);
      await host.request((requestId) => ({ kind: 'account', content: { requestId } }));
      return host;
    });
    hosts.push(...(await Promise.all(some)));
  }
  return hosts;
}

function newCardKeys(): CardKeys {
  return {
    enc: systemEntropy.randomBytes(32),
    mac: systemEntropy.randomBytes(32),
    dek: systemEntropy.randomBytes(32),
    hostLink: systemEntropy.randomBytes(32),
  };
}
