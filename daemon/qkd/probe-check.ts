import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { Etsi014Transport } from './etsi-014-transport.ts';
import type { ProbeDevice } from './probe-device.ts';

/** One key manager, as one SAE sees it. */
export interface ProbeEnd {
  readonly transport: Pick<Etsi014Transport, 'url' | 'send'>;
  readonly saeId: string;
}

export interface ProbeOptions {
  /** The key manager that keys are drawn from. */
  readonly master: ProbeEnd;
  /** The slave's SAE ID. */
  readonly peerSaeId: string;
  /** The key manager at the other end; without it, what needs two ends is skipped. */
  readonly slave?: ProbeEnd;
  /** For key IDs that no key manager knows. */
  readonly entropy: Entropy;
  readonly clock: Clock;
}

export interface ProbeCheck {
  readonly id: string;
  /** Of ETSI GS QKD 014 V1.1.1. */
  readonly clause: string;
  readonly result: 'conforms' | 'deviates' | 'skipped';
  readonly detail?: string;
}

export interface ProbeReport {
  /** No check deviates. */
  readonly conforms: boolean;
  readonly checks: readonly ProbeCheck[];
}

/**
 * What one check found: undefined where all is well, and otherwise a word on it. Never key
 * material.
 */
export type Finding =
  | undefined
  | { readonly conforms: string }
  | { readonly deviates: string }
  | { readonly skipped: string };

export interface Check {
  readonly id: string;
  readonly clause: string;
  readonly run: (device: ProbeDevice) => Promise<Finding>;
}
