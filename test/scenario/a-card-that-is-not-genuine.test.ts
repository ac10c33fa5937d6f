import { expect, it } from 'vitest';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { DeviceMaker } from '../../emulator/card/device-maker.ts';
import { systemEntropy } from '../../emulator/entropy.ts';
import type { RoadUser } from './road-user.ts';
import { onRoad } from './road.ts';
import { maker, trustMaker } from './trusted-maker.ts';

const other = DeviceMaker.found(new Uint8Array(32).fill(0x62), 'Another maker', systemEntropy);

/** What the station has kept of it. */
async function attestedBy({ station, name }: RoadUser): Promise<Uint8Array | undefined> {
  return (await station.withStore((store) => store.cardOf(toUserName(name))))?.attestedBy;
}

it(
  'a station that trusts a maker enrols its cards, and no others',
  onRoad({ stations: 2, users: ['bob@q2'] }, async (road) => {
    await trustMaker(road);
    const alice = await road.join('alice@q1', maker);
    await alice.enrol(road.ca.root);
    const { user } = await alice.run('connect', {});
    expect(user).toBe('alice@q1');
    expect(await attestedBy(alice)).toEqual(noblePrimitives.sha256(maker.root));
    const carol = await road.join('carol@q1', other);
    await expect(carol.enrol(road.ca.root)).rejects.toMatchObject({
      code: 'card-not-attested',
      message: expect.stringMatching(/does not trust the maker/) as string,
    });
    const dave = await road.join('dave@q1');
    await expect(dave.enrol(road.ca.root)).rejects.toMatchObject({
      code: 'card-not-attested',
      message: expect.stringMatching(/only cards that attest their key/) as string,
    });
    // Nothing was certified for them, and the cards are as they were: usable once that is settled.
    for (const refused of [carol, dave]) {
      expect(refused.cardState.certificate).toBeUndefined();
      const record = await road
        .station('q1')
        .withStore((store) => store.user(toUserName(refused.name)));
      expect(record?.certificateHash).toBeUndefined();
    }
  }),
);

it(
  'where attestation is optional, cards without it are enrolled, and false ones are not',
  onRoad({ stations: 2, users: ['bob@q2'] }, async (road) => {
    await trustMaker(road, 'optional');
    const dave = await road.join('dave@q1');
    await dave.enrol(road.ca.root);
    expect(await attestedBy(dave)).toBeUndefined();
    // Another card's device key and certificate, of the maker that is trusted.
    const stolen = maker.equip(new Uint8Array(16));
    const carol = await road.join('carol@q1', { equip: () => stolen });
    await expect(carol.enrol(road.ca.root)).rejects.toMatchObject({
      code: 'card-not-attested',
      message: expect.stringMatching(/attestation is false.*\(other-card\)/) as string,
    });
  }),
);
