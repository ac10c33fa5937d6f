import { describeAppletBehind } from './applet-behind-reader.ts';
import { pcscdBench } from './reader-benches.ts';
import { describeWithPcscd } from './with-pcscd.ts';

describeWithPcscd('the card behind pcscd and vpcd', (pcscd) => {
  describeAppletBehind('pcscd and vpcd', (slot) => pcscdBench(pcscd(), slot));
});
