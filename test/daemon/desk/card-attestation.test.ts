/** What a station makes of a card's attestation at enrolment, by its policy. */
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { generatedKey } from '../../../applet-spec/card-objects.ts';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import type { Certificate } from '../../../applet-spec/certificate.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import { decodeElement } from '../../../applet-spec/tlv.ts';
import { checkAttestation } from '../../../daemon/desk/card-attestation.ts';
import { CardChannel, type CardReply } from '../../../daemon/desk/card-channel.ts';
import type { AttestationPolicy } from '../../../daemon/desk/desk-context.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import { Card } from '../../../emulator/card/card.ts';
import { makeCard, type CardEquipper } from '../../../emulator/card/card-maker.ts';
import { DeviceMaker } from '../../../emulator/card/device-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { alice } from '../../contract/applet-papers.ts';
import { TestHost } from '../../contract/applet-host.ts';

const entropy = seededEntropy('attestation');
const maker = DeviceMaker.found(new Uint8Array(32).fill(0x61), 'A card maker', entropy);
const rogue = DeviceMaker.found(new Uint8Array(32).fill(0x62), 'A card maker', entropy);
const trusting: AttestationPolicy = { makers: [parseCertificate(maker.root)], required: true };
const lenient: AttestationPolicy = { ...trusting, required: false };
const clock = new VirtualClock();

interface Visit {
  readonly channel: Pick<CardChannel, 'send'>;
  readonly serial: Uint8Array;
  readonly publicKey: Uint8Array;
}

describe('a station that enrols a card', () => {
  let genuine: Visit;
  beforeEach(async () => {
    genuine = await visitOf(maker);
  });

  it('takes the attestation of a maker that it trusts', async () => {
    for (const policy of [trusting, lenient]) {
      expect((await check(policy, genuine))?.der).toEqual(maker.root);
    }
  });

  it('asks nothing where it trusts no maker', async () => {
    const channel = { send: () => Promise.reject(new Error('it was asked')) };
    await check({ makers: [], required: false }, { ...genuine, channel });
  });

  it('refuses a card without device key where attestation is required, only there', async () => {
    const plain = await visitOf(undefined);
    await expect(check(trusting, plain)).rejects.toMatchObject({
      code: 'card-not-attested',
      message: expect.stringContaining('only cards that attest') as string,
    });
    expect(await check(lenient, plain)).toBeUndefined();
  });

  it('refuses another maker, be it of the same name, where attestation is required', async () => {
    const foreign = await visitOf(rogue);
    await expect(check(trusting, foreign)).rejects.toMatchObject({
      message: expect.stringContaining('(unknown-maker)') as string,
    });
    expect(await check(lenient, foreign)).toBeUndefined();
  });

  it.each([trusting, lenient])(
    'refuses a replayed attestation, required or not',
    async (policy) => {
      let kept: CardReply | undefined;
      const replaying: Visit['channel'] = {
        send: async (name, data) => (kept ??= await genuine.channel.send(name, data)),
      };
      await check(policy, { ...genuine, channel: replaying });
      await expect(check(policy, { ...genuine, channel: replaying })).rejects.toMatchObject({
        code: 'card-not-attested',
        message: expect.stringContaining('(other-nonce)') as string,
      });
    },
  );

  it.each([trusting, lenient])(
    'refuses what another card attests, required or not',
    async (policy) => {
      const second = await visitOf(maker);
      for (const borrowed of [
        { ...genuine, channel: second.channel },
        { ...genuine, publicKey: second.publicKey },
      ]) {
        await expect(check(policy, borrowed)).rejects.toMatchObject({ code: 'card-not-attested' });
      }
    },
  );

  it('does not take an answer without a MAC for one that says no', async () => {
    const channel = { send: async (): Promise<CardReply> => ({ outcome: 'unknown' }) };
    for (const policy of [trusting, lenient]) {
      await expect(check(policy, { ...genuine, channel })).rejects.toMatchObject({
        code: 'outcome-unknown',
      });
    }
  });
});

function check(policy: AttestationPolicy, visit: Visit): Promise<Certificate | undefined> {
  const log = pino({ enabled: false });
  const context = { attestation: policy, primitives: opensslPrimitives, clock, entropy, log };
  const { channel, serial, publicKey } = visit;
  return checkAttestation(context, channel, { user: alice, serial }, publicKey);
}

/** A new card with its PIN set, in a session, that has just made its key pair. */
async function visitOf(equipper: CardEquipper | undefined): Promise<Visit> {
  const { image, delivery } = makeCard(entropy, 't1-extended', equipper);
  const storage = new MemoryStorage(image);
  const card = new Card({ storage, primitives: noblePrimitives, entropy, clock });
  card.powerOn();
  const transmit = (apdu: Uint8Array): Promise<Uint8Array> => card.process(apdu);
  const host = new TestHost(transmit, 'extended');
  await host.select();
  await host.setReferences('482615', '90210731');
  const record = {
    ...delivery,
    user: alice,
    state: 'awaiting-enrolment',
    paymentLimit: 1n,
    dayLimit: 1n,
  } as const;
  const opened = await CardChannel.open({
    primitives: opensslPrimitives,
    entropy,
    transmit,
    card: record,
  });
  if (opened.outcome !== 'open') throw new Error(opened.why);
  const made = await opened.channel.send('generateKeyPair', new Uint8Array(16));
  if (made.outcome !== 'answered') throw new Error('no key pair');
  const { publicKey } = decodeElement(generatedKey, made.payload, 'generated key');
  return { channel: opened.channel, serial: delivery.serial, publicKey };
}
