import { DeviceMaker } from '../../emulator/card/device-maker.ts';
import { seededEntropy } from '../../emulator/entropy.ts';

/** The maker of all cards under test. */
export const testMaker = DeviceMaker.found(
  new Uint8Array(32).fill(0x44),
  'A maker of test cards',
  seededEntropy('maker'),
);
