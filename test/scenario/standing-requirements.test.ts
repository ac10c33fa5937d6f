import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { CertificateAuthority } from '../../daemon/ca/certificate-authority.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives as primitives } from '../../daemon/openssl-primitives.ts';
import { NeedleIndex, type Needle } from '../../emulator/demo/recorder-needles.ts';
import { onRoad } from './road.ts';

/** What is in no other certificate: at rest, those of stations are in the open. */
function onlyTheirs({ name, bytes }: Needle): Needle {
  return name.startsWith('certificate') ? { name, bytes: bytes.slice(-64) } : { name, bytes };
}

/** Names of the needles that stand in any file under a folder. */
function seenAtRest(folder: string, needles: readonly Needle[]): string[] {
  const index = new NeedleIndex(needles);
  const seen: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    index.search(new Uint8Array(readFileSync(file)), (needle) => {
      seen.push(`${needles[needle]?.name ?? ''} in ${file}`);
    });
  }
  return seen;
}

describe('requirement 1: stations are joined by a QKD network and talk only under QKD keys', () => {
  it(
    'a link whose devices make no keys waits and says so; nothing is ever sent without them',
    onRoad({ stations: 2 }, async (road) => {
      const { alice, bob } = road;
      const [q1, q2] = road.stations;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 1]);
      road.device('q1', 'q2').keysLeft = 0;
      await q2?.restart();
      await q1?.restart();
      await road.eventually('the link waits for keys', () => {
        const [link] = q1?.running.status().links ?? [];
        return link?.state === 'waiting-for-keys';
      });
      await road.eventually('alice is at the desk', () => q1?.running.status().usersAtDesk[0]);
      await expect(alice.quote(bob.name)).rejects.toMatchObject({
        code: 'no-route',
        outcome: 'refused',
        message: expect.stringContaining('keys in stock') as string,
      });
      road.device('q1', 'q2').keysLeft = Number.POSITIVE_INFINITY;
      await road.ready();
      await road.eventually('bob is at the desk', () => q2?.running.status().usersAtDesk[0]);
      expect(await alice.share(bob.name)).toMatchObject({ standing: 'delivered' });
    }),
  );

  it(
    'each payment takes two fresh keys from the devices of every link that it crosses',
    onRoad({}, async (road) => {
      const { alice, bob } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 3]);
      const pairs = [road.device('q1', 'q2'), road.device('q2', 'q3')];
      const before = pairs.map(({ fetched }) => fetched);
      for (let i = 0; i < 3; i++) {
        const { paymentId } = await alice.share(bob.name);
        await road.sharedCheck(paymentId);
      }
      // A pad for the secret and a key for its one-time MAC, 256 bits each.
      expect(pairs.map(({ fetched }, i) => fetched - (before[i] ?? 0))).toEqual([6, 6]);
    }),
  );
});

describe('requirement 2: user and station talk reliably, and encrypted with the key card', () => {
  it(
    'what a user asks and is told cannot be read on its way',
    onRoad({ cards: 'wired', users: ['alice@q1', 'bartholomew.the.payee@q3'] }, async (road) => {
      const { alice } = road;
      const payee = 'bartholomew.the.payee@q3';
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(), 1]);
      const { paymentId } = await alice.share(payee);
      await road.eventually('the key is active', () => road.user(payee).keyCheck(paymentId));
      const words = [{ name: 'the payee’s name', bytes: toUtf8(payee) }];
      const found = road.leaks([...road.needles, ...words]);
      expect(found.filter(({ segment }) => segment === 'host-station')).toEqual([]);
    }),
  );
});

describe('requirement 3: users have certificates and private keys, stations the root', () => {
  it(
    'a card’s key pair is certified by the CA, and a station without that root does not start',
    onRoad({ stations: 2 }, async (road) => {
      const { certificate, privateKey } = road.alice.cardState;
      const issued = parseCertificate(certificate ?? new Uint8Array());
      const own = primitives.signingKey(privateKey ?? new Uint8Array()).publicKey;
      expect(toHex(issued.publicKey)).toBe(toHex(own));
      const register = await road.ca.issued();
      expect(
        register
          .filter(({ role }) => role === 'user')
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['alice@q1', 'bob@q2']);
      const { clock, folder } = road;
      const q1 = road.station('q1');
      await q1.stop();
      const other = join(folder, 'other');
      const seams = { clock, entropy: systemEntropy };
      await CertificateAuthority.init(other, { ...seams, name: 'another root' });
      q1.configure((toml) => toml.replace(join(folder, 'ca', 'root.pem'), join(other, 'root.pem')));
      await expect(q1.start()).rejects.toMatchObject({ code: 'certificate-not-valid' });
      q1.configure((toml) => toml.replace(join(other, 'root.pem'), join(folder, 'ca', 'root.pem')));
    }),
  );
});

describe('requirement 4: no certificate is ever sent or read out in the clear', () => {
  it(
    'users’ certificates and all secrets are on no wire and in no file',
    onRoad({ cards: 'wired', topology: 'ring', suite: () => 'aes' }, async (road) => {
      const { alice, bob } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([5n, 3], [7n, 3]);
      const { paymentId } = await alice.share(bob.name);
      await road.sharedCheck(paymentId);
      const needles = road.needles;
      expect(needles.map(({ name }) => name.split(' ')[0])).toEqual([
        ...['certificate', 'secret', 'secret', 'secret', 'secret', 'secret', 'key'],
        ...['certificate', 'key'],
      ]);
      await road.station('q1').stop();
      expect(road.leaks(needles)).toEqual([]);
      expect(seenAtRest(road.folder, needles.map(onlyTheirs))).toEqual([]);
    }),
  );
});

describe('requirement 5: billing is flexible, simple and transparent', () => {
  it(
    'the bill follows the route, comes unasked with every relay, and paying it delivers',
    onRoad({ stations: 4, topology: 'ring' }, async (road) => {
      const { alice } = road;
      const carol = await road.enrol('carol@q3');
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([9n, 2]);
      const cheapest = await alice.quote(carol.name);
      expect(cheapest.bill).toEqual([
        { station: 'q1', fee: '3' },
        { station: 'q2', fee: '2' },
        { station: 'q3', fee: '4' },
      ]);
      const around = await alice.quote(carol.name, { avoid: [road.station('q2').running.name] });
      expect(around.bill.map(({ station }) => station)).toEqual(['q1', 'q4', 'q3']);
      const first = await alice.pay(cheapest.quoteId);
      const second = await alice.pay(around.quoteId);
      expect([first.bill, second.bill]).toEqual([cheapest.bill, around.bill]);
      for (const { paymentId } of [first, second]) {
        await road.sharedCheck(paymentId, alice, carol);
      }
      const relayed = await Promise.all(
        ['q2', 'q4'].map(async (name) => (await road.station(name).books()).balances),
      );
      expect(relayed).toEqual([
        { 'fees-earned': -2n, 'receivable:q1': 2n },
        { 'fees-earned': -2n, 'receivable:q1': 2n },
      ]);
    }),
  );
});
