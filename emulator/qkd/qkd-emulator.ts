import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { deviceFiles, readPlan } from './device-files.ts';
import { FaultScript } from './fault.ts';
import type { ScriptedFault } from './fault.ts';
import type { FibreOptions } from './fibre.ts';
import { Kme } from './kme.ts';
import { KmeServer } from './kme-server.ts';
import type { ExtensionRules, KeyLimits } from './key-request.ts';
import { KeyNetwork } from './key-network.ts';

export interface QkdEmulatorOptions {
  /** The folder that `initDevices` filled. */
  readonly dir: string;
  readonly clock: Clock;
  /** Makes the keys; seeded, for runs that must repeat. */
  readonly entropy: Entropy;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** In the order of the key managers; 0 or missing: any free port. */
  readonly ports?: readonly number[];
  readonly fibre?: Partial<Omit<FibreOptions, 'startMs'>>;
  readonly limits?: Partial<KeyLimits>;
  readonly extensions?: Partial<ExtensionRules>;
  readonly faults?: readonly ScriptedFault[];
  readonly minTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly maxTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface RunningKme {
  readonly id: string;
  readonly saes: readonly string[];
  /** `https://HOST:PORT` */
  readonly url: string;
  readonly port: number;
}

export interface RunningQkdEmulator {
  readonly kmes: readonly RunningKme[];
  /** The key manager of an SAE. @throws RangeError for one that is not served here. */
  kmeFor(sae: string): RunningKme;
  /** For stock and error rate. */
  readonly network: KeyNetwork;
  addFault(fault: ScriptedFault): void;
  clearFaults(): void;
  close(): Promise<void>;
}

/** Starts the key managers of one folder, each on a port of its own, in this process. */
export async function startQkdEmulator(options: QkdEmulatorOptions): Promise<RunningQkdEmulator> {
  const { dir, clock, entropy, host = '127.0.0.1' } = options;
  const plan = await readPlan(dir);
  const limits = limitsOf(options, plan.kmes.length);
  const fibre = { lengthKm: 20, seed: 'keytoll', ...options.fibre };
  const network = new KeyNetwork({ kmes: plan.kmes, clock, entropy, fibre });
  const servers = new Map<string, KmeServer>();
  const faults = new FaultScript(clock, (begun) => {
    network.disturb(faults.find('high-error-rate')?.errorRate);
    if (begun?.fault.kind !== 'outage' && begun?.fault.kind !== 'restart') return;
    for (const [id, server] of servers) {
      if (begun.kme !== undefined && begun.kme !== id) continue;
      if (begun.fault.kind === 'restart') network.forget(id);
      server.dropConnections();
    }
  });
  const extensions = { ...defaultExtensions, ...options.extensions };
  const ca = await readFile(join(dir, deviceFiles.ca), 'utf8');
  const kmes: RunningKme[] = [];
  const close = async (): Promise<void> => {
    faults.clear();
    await Promise.all([...servers.values()].map((server) => server.close()));
  };
  try {
    for (const [i, kme] of plan.kmes.entries()) {
      const server = new KmeServer({
        kmeId: kme.id,
        kme: new Kme({ plan: kme, network, faults, limits, extensions, entropy }),
        faults,
        clock,
        ca,
        cert: await readFile(join(dir, deviceFiles.certificate(kme.id)), 'utf8'),
        key: await readFile(join(dir, deviceFiles.privateKey(kme.id)), 'utf8'),
        ...(options.minTlsVersion === undefined ? {} : { minTlsVersion: options.minTlsVersion }),
        ...(options.maxTlsVersion === undefined ? {} : { maxTlsVersion: options.maxTlsVersion }),
      });
      const port = await server.listen(options.ports?.[i] ?? 0, host);
      servers.set(kme.id, server);
      kmes.push({ ...kme, url: `https://${bracketed(host)}:${String(port)}`, port });
    }
  } catch (error) {
    await close();
    throw error;
  }
  for (const fault of options.faults ?? []) faults.add(fault);
  return {
    kmes,
    network,
    kmeFor: (sae) => {
      const kme = kmes.find(({ saes }) => saes.includes(sae));
      if (kme === undefined) throw new RangeError(`no key manager here serves ${sae}`);
      return kme;
    },
    addFault: (fault) => {
      faults.add(fault);
    },
    clearFaults: () => {
      faults.clear();
    },
    close,
  };
}

const defaultExtensions: ExtensionRules = {
  supported: { route_type: ['direct'], transfer_method: ['qkd'] },
  refuseUnhandledOptional: false,
};

function limitsOf(options: QkdEmulatorOptions, kmes: number): KeyLimits {
  const keySizeBits = options.limits?.keySizeBits ?? 256;
  const storeBits = options.fibre?.storeBits ?? 1 << 22;
  return {
    keySizeBits,
    minKeySizeBits: 64,
    maxKeySizeBits: 4_096,
    maxKeysPerRequest: 128,
    maxKeyCount: Math.floor(storeBits / keySizeBits),
    maxAdditionalSlaves: kmes - 2,
    ...options.limits,
  };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
