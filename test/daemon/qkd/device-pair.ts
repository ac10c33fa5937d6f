import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../applet-spec/clock.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { DeviceCredentials } from '../../../daemon/qkd/device-credentials.ts';
import type { DeviceIdentity } from '../../../daemon/qkd/device-identity.ts';
import { Etsi014Client } from '../../../daemon/qkd/etsi-014-client.ts';
import type { Etsi014ClientOptions } from '../../../daemon/qkd/etsi-014-client.ts';
import { Etsi014Transport } from '../../../daemon/qkd/etsi-014-transport.ts';
import type { Etsi014TransportOptions } from '../../../daemon/qkd/etsi-014-transport.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { deviceFiles, initDevices } from '../../../emulator/qkd/device-files.ts';
import { startQkdEmulator } from '../../../emulator/qkd/qkd-emulator.ts';
import type { QkdEmulatorOptions, RunningQkdEmulator } from '../../../emulator/qkd/qkd-emulator.ts';

export interface DevicePair {
  readonly dir: string;
  readonly emulator: RunningQkdEmulator;
  /** The adapter of `sae`, for keys shared with `peer`. */
  client(sae: string, peer: string, options?: ClientOptions): Etsi014Client;
  close(): Promise<void>;
}

export type ClientOptions = Partial<Omit<Etsi014ClientOptions, 'transport' | 'peerSaeId'>> &
  Partial<Omit<Etsi014TransportOptions, 'credentials'>> & { readonly dir?: string };

/**
 * Emulated key managers on loopback ports, in `dir` or a temporary folder, and adapters for them.
 */
export async function startDevices(
  options: Partial<QkdEmulatorOptions> & { readonly saes?: readonly string[] } = {},
): Promise<DevicePair> {
  const { saes = ['q1', 'q2'], ...rest } = options;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'keytoll-qkd-')));
  const entropy = seededEntropy('devices');
  if (options.dir === undefined) await initDevices(dir, { saes, clock: systemClock, entropy });
  const emulator = await startQkdEmulator({ clock: systemClock, entropy, ...rest, dir });
  const clients: Etsi014Client[] = [];
  return {
    dir,
    emulator,
    client: (sae, peer, clientOptions = {}) => {
      const client = new Etsi014Client({
        clock: systemClock,
        peerSaeId: peer,
        transport: transportFor(
          clientOptions.dir ?? dir,
          sae,
          emulator.kmeFor(sae).url,
          clientOptions,
        ),
        ...clientOptions,
      });
      clients.push(client);
      return client;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await emulator.close();
      if (options.dir === undefined) await rm(dir, { recursive: true });
    },
  };
}

export function transportFor(
  dir: string,
  sae: string,
  url: string,
  options: Partial<Omit<Etsi014TransportOptions, 'credentials'>> & {
    readonly identity?: DeviceIdentity;
    readonly clock?: Clock;
  } = {},
): Etsi014Transport {
  const clock = options.clock ?? systemClock;
  const files = {
    caFile: join(dir, deviceFiles.ca),
    certificateFile: join(dir, deviceFiles.certificate(`sae-${sae}`)),
    privateKeyFile: join(dir, deviceFiles.privateKey(`sae-${sae}`)),
  };
  const credentials = new DeviceCredentials(files, { clock, checkEveryMs: 0 });
  return new Etsi014Transport({ url, clock, ...options, credentials });
}
