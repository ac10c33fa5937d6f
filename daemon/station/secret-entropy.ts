import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { QuantumEntropy } from '../quantum-entropy.ts';
import type { StationConfig } from './config.ts';

/** Where coin secrets come from. */
export interface SecretEntropy extends Entropy {
  /**
   * Resolves once so many bytes can be drawn at once; rejects with EntropyError where they cannot.
   */
  readonly reserve: (length: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * The configured quantum generator mixed with the system's; the system's alone where none is named.
 */
export async function openSecretEntropy(
  config: StationConfig,
  system: Entropy,
  clock: Clock,
): Promise<SecretEntropy> {
  const { device, 'min-entropy-per-byte': minEntropyPerByte } = config.entropy;
  if (device === undefined) {
    const nothingToDo = (): Promise<void> => Promise.resolve();
    return {
      randomBytes: (length) => system.randomBytes(length),
      reserve: nothingToDo,
      close: nothingToDo,
    };
  }
  const source = config.path(device);
  const quantum = await QuantumEntropy.open({ source, system, clock, minEntropyPerByte });
  return {
    randomBytes: (length) => quantum.randomBytes(length),
    reserve: (length) => quantum.reserve(length),
    close: () => quantum.close(),
  };
}
