import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { PcscReader } from '../../driver/reader/pcsc-reader.ts';
import { PrivatePcscd } from '../../emulator/card/private-pcscd.ts';
import { systemClock } from '../../emulator/clock.ts';
import { describeCardConnection } from './card-connection.ts';
import { pcscChildPath, pcscdMissing, pcscdTestMissing } from './pcscd-presence.ts';
import { vpcdBench } from './vpcd-bench.ts';

if (pcscdMissing !== undefined) {
  pcscdTestMissing('card connection: pcscd and vpcd');
} else {
  describe('with a pcscd of its own', () => {
    let folder: string;
    let pcscd: PrivatePcscd;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'keytoll-pcscd-'));
      pcscd = await PrivatePcscd.start(folder, systemClock);
      process.env['PCSCLITE_CSOCK_NAME'] = pcscd.socketPath;
    });
    afterAll(async () => {
      delete process.env['PCSCLITE_CSOCK_NAME'];
      await pcscd.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    describeCardConnection('pcscd and vpcd', async () => {
      const reader = await PcscReader.open({
        clock: systemClock,
        reader: '00 00',
        childPath: pcscChildPath,
      });
      const address = { host: '127.0.0.1', port: pcscd.ports[0] };
      return vpcdBench(reader, address, () => Promise.resolve());
    });
  });
}
