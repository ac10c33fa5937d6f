/** The whole checklist on the emulated card, behind any reader, in every profile. */
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { conformanceCases } from '../../../applet-spec/conformance.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { checkConformance } from '../../../driver/conformance/conformance.ts';
import { apduProfiles, isApduProfile } from '../../../emulator/card/atr.ts';
import { Card } from '../../../emulator/card/card.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import type { CardBench } from '../../contract/card-connection.ts';
import { testMaker } from '../../contract/test-maker.ts';

export function describeConformanceBehind(name: string, open: () => Promise<CardBench>): void {
  describe(`behind ${name}`, () => {
    it.each(Object.keys(apduProfiles).filter(isApduProfile))(
      'the emulated card, %s, passes every case that applies to it',
      async (profile) => {
        const entropy = seededEntropy(profile);
        const { image, delivery } = makeCard(entropy, profile, testMaker);
        const storage = new MemoryStorage(image);
        const clock = systemClock;
        const bench = await open();
        try {
          await bench.insert(new Card({ storage, primitives, entropy, clock }));
          const given = { reader: bench.reader, clock, entropy, primitives, delivery };
          const makerRoot = parseCertificate(testMaker.root);
          const report = await checkConformance({ ...given, expendable: true, makerRoot });
          const others = report.cases.filter(({ result }) => result !== 'passed');
          // The length byte of T=0 is the reader's, so it cannot be made to lie.
          expect(others.map(({ id }) => id)).toEqual(profile === 't0' ? ['TRANSMISSION-7'] : []);
          expect(report.failed).toBe(0);
          expect(report.cases.map(({ id }) => id)).toEqual(Object.keys(conformanceCases));
        } finally {
          await bench.close();
        }
      },
      120_000,
    );
  });
}
