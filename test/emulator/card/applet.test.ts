import { apduProfiles, isApduProfile } from '../../../emulator/card/atr.ts';
import { describeApplet } from '../../contract/applet.ts';
import { cardUnderTest } from './card-bench.ts';

for (const profile of Object.keys(apduProfiles).filter(isApduProfile)) {
  describeApplet(`the emulated card, ${profile}`, async () => cardUnderTest(profile));
}
