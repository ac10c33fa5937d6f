import { describeCardConnection } from './card-connection.ts';
import { describeWithPcscd } from './with-pcscd.ts';
import { pcscdBench } from './reader-benches.ts';

describeWithPcscd('card connection: pcscd and vpcd', (pcscd) => {
  describeCardConnection('pcscd and vpcd', () => pcscdBench(pcscd(), 0));
});
