/** The keys of the user's own station, now and before, each for what was signed in its time. */
import type { VerifyingKey } from '../../applet-spec/primitives.ts';

export interface StationKey {
  readonly verifyingKey: VerifyingKey;
  /** Unix seconds, both included: when its certificate was in force. */
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  /** What it signed proves nothing to others any more. */
  readonly isRevoked: boolean;
}

/** Whether any key of that time is the one that `holds` looks for. */
export function signedBy(
  keys: readonly StationKey[],
  seconds: bigint,
  holds: (verifyingKey: VerifyingKey) => boolean,
): boolean {
  return keys.some(
    ({ verifyingKey, notBefore, notAfter }) =>
      notBefore <= seconds && seconds <= notAfter && holds(verifyingKey),
  );
}
