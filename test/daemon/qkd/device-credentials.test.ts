import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DeviceCredentials } from '../../../daemon/qkd/device-credentials.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { deviceFiles, initDevices, renewSae } from '../../../emulator/qkd/device-files.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';

it('a renewed certificate is taken up in seconds, also where the clock is set back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'keytoll-credentials-'));
  const clock = new UnsteadyClock(new VirtualClock());
  const seams = { clock, entropy: seededEntropy('credentials') };
  await initDevices(dir, { saes: ['q1', 'q2'], ...seams });
  const credentials = new DeviceCredentials(
    {
      caFile: join(dir, deviceFiles.ca),
      certificateFile: join(dir, deviceFiles.certificate('sae-q1')),
      privateKeyFile: join(dir, deviceFiles.privateKey('sae-q1')),
    },
    { clock },
  );
  const { cert } = credentials.current();
  await renewSae(dir, 'q1', seams);
  expect(credentials.current().cert).toBe(cert);
  clock.set(-3_600_000);
  expect(credentials.current().cert).not.toBe(cert);
  await rm(dir, { recursive: true });
});
