/**
 * What every card must do, seen from outside: `describeApplet` runs on anything that carries APDUs
 * to a new card. Power cuts inside a command need the card's storage and are tested beside the
 * emulated card.
 */
import { afterEach, describe } from 'vitest';
import { describeAttestation } from './applet-attestation.ts';
import { describeEnrolment } from './applet-enrolment.ts';
import { describeMalformed } from './applet-malformed.ts';
import { describePayment } from './applet-payment.ts';
import { describePeerKeys } from './applet-peer-keys.ts';
import { describePool } from './applet-pool.ts';
import { describeReferenceData } from './applet-reference-data.ts';
import { describeSecrets } from './applet-secrets.ts';
import { describeSecureSession } from './applet-secure-session.ts';
import { describeSignatures } from './applet-signatures.ts';
import type { CardUnderTest, MakeBlankCard } from './applet-subject.ts';

export function describeApplet(name: string, makeBlankCard: MakeBlankCard): void {
  describe(name, () => {
    const cards: CardUnderTest[] = [];
    const make: MakeBlankCard = async () => {
      const card = await makeBlankCard();
      cards.push(card);
      return card;
    };
    afterEach(async () => {
      for (const card of cards.splice(0)) await card.dispose();
    });
    describe('PIN and PUK', () => {
      describeReferenceData(make);
    });
    describe('enrolment', () => {
      describeEnrolment(make);
    });
    describe('attestation', () => {
      describeAttestation(make);
    });
    describe('the secure session', () => {
      describeSecureSession(make);
    });
    describe('the pool', () => {
      describePool(make);
    });
    describe('paying', () => {
      describePayment(make);
    });
    describe('its own signatures', () => {
      describeSignatures(make);
    });
    describe('peer keys', () => {
      describePeerKeys(make);
    });
    describe('secrets', () => {
      describeSecrets(make);
    });
    describe('malformed commands', () => {
      describeMalformed(make);
    });
  });
}
