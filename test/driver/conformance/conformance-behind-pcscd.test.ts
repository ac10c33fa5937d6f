import { pcscdBench } from '../../contract/reader-benches.ts';
import { describeWithPcscd } from '../../contract/with-pcscd.ts';
import { describeConformanceBehind } from './conformance-on-readers.ts';

describeWithPcscd('the conformance checklist behind pcscd and vpcd', (pcscd) => {
  describeConformanceBehind('pcscd and vpcd', () => pcscdBench(pcscd(), 0));
});
