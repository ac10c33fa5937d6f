/**
 * A card made of software, as a reader of ours sees it: the emulated card, or the one-file card of
 * a test. Power events are physical: they may come while `process` runs, and end what it was doing.
 */
export interface SoftwareCard {
  readonly atr: Uint8Array;
  powerOn(): void;
  powerOff(): void;
  /** A warm reset: all volatile state is lost. */
  reset(): void;
  /** One command APDU in, one response APDU out. A mute card never settles. */
  process(command: Uint8Array): Promise<Uint8Array>;
}
